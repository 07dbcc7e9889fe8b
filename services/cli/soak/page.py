"""The HTML page of a verdict: self-contained, no address of anywhere else in it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from services.cli.soak.judging import Check, merged, quantile_s
from services.cli.soak.plan import KINDS, Fault
from services.cli.soak.sampling import Sample

WIDTH, HEIGHT, LEFT, BOTTOM = 900, 180, 70, 22
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#17becf")
_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1b1f24; }
h1 span { padding: .1rem .6rem; border-radius: .3rem; color: #fff; }
.ok { background: #1a7f37; } .bad { background: #cf222e; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; } td, th { padding: .25rem .6rem; text-align: left; }
tr { border-bottom: 1px solid #d8dee4; } td.no { color: #cf222e; font-weight: 600; } td.yes { color: #1a7f37; }
svg { width: 100%; height: auto; } text { font: 11px system-ui, sans-serif; fill: #57606a; }
"""

Line = tuple[str, list[tuple[float, float]]]


def render(
    title: str, facts: dict[str, Any], checks: Sequence[Check], faults: Sequence[Fault], samples: Sequence[Sample]
) -> str:
    """Return the page.

    Parameters
    ----------
    title : str
    facts : dict
        Shown as a list, in order.
    checks, faults, samples : sequence
    """
    ok = all(check.ok for check in checks)
    word = '<span class="ok">held</span>' if ok else '<span class="bad">did not hold</span>'
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{html.escape(title)} {word}</h1>",
        "<p>" + " · ".join(f"{html.escape(k)} <b>{html.escape(str(v))}</b>" for k, v in facts.items()) + "</p>",
        _checks(checks),
        _faults(faults),
    ]
    parts += [_plot(name, unit, lines, faults) for name, unit, lines in _lines(samples)]
    return "\n".join([*parts, "</body></html>\n"])


def _checks(checks: Sequence[Check]) -> str:
    rows = [
        f"<tr><td class='{'yes' if c.ok else 'no'}'>{'ok' if c.ok else 'CROSSED'}</td>"
        + "".join(f"<td>{html.escape(text)}</td>" for text in (c.what, c.limit, c.measured))
        + "</tr>"
        for c in sorted(checks, key=lambda check: check.ok)
    ]
    return "<table><tr><th></th><th>what</th><th>limit</th><th>measured</th></tr>" + "".join(rows) + "</table>"


def _faults(faults: Sequence[Fault]) -> str:
    if not faults:
        return "<p>Nothing was broken on purpose.</p>"
    rows = [
        f"<tr><td>{f.begin_s:.1f} to {f.end_s:.1f} s</td><td>{html.escape(KINDS[f.kind].says)}</td></tr>"
        for f in faults
    ]
    return (
        "<h2>Broken on purpose</h2><p>Latency and loss are judged outside of these, and 10 s after each.</p>"
        "<table>" + "".join(rows) + "</table>"
    )


def _lines(samples: Sequence[Sample]) -> list[tuple[str, str, list[Line]]]:
    pairs = list(pairwise(samples))

    def over(value: Callable[[Sample, Sample], float]) -> list[tuple[float, float]]:
        return [(b.at_s, y) for a, b in pairs if (y := value(a, b)) == y]

    def p(q: float) -> list[tuple[float, float]]:
        return over(lambda a, b: 1000 * quantile_s(merged([(a, b)]), q))

    def rate(key: str) -> list[tuple[float, float]]:
        return over(lambda a, b: max(0, getattr(b, key) - getattr(a, key)) / max(0.1, b.at_s - a.at_s))

    services = sorted({name for sample in samples for name in sample.rss})
    return [
        ("UDP to signal, each second", "ms", [("p50", p(0.5)), ("p99", p(0.99))]),
        ("Messages applied a second", "", [("applied", rate("applied"))]),
        ("Messages lost a second", "", [("lost", rate("lost"))]),
        ("Books", "", [("valid", over(lambda a, b: b.valid)), ("all", over(lambda a, b: b.books))]),
        (
            "Resident memory",
            "MiB",
            [(s, [(x.at_s, x.rss[s] / 2**20) for x in samples if s in x.rss]) for s in services],
        ),
        ("Entries of all streams", "", [("entries", over(lambda a, b: b.stream_entries))]),
    ]


def _plot(name: str, unit: str, lines: Sequence[Line], faults: Sequence[Fault]) -> str:
    points = [point for _, line in lines for point in line]
    if not points:
        return ""
    end = max(x for x, _ in points) or 1.0
    # A step that is an infinite bucket's edge has no place on paper.
    top = max((y for _, y in points if y != float("inf")), default=1.0) or 1.0

    def at(x: float, y: float) -> str:
        down = (HEIGHT - BOTTOM) * (1 - min(y, top) / top) + 4
        return f"{LEFT + (WIDTH - LEFT) * x / end:.1f},{down:.1f}"

    body = []
    for fault in faults:
        left, right = (LEFT + (WIDTH - LEFT) * min(s, end) / end for s in (fault.begin_s, fault.end_s))
        size = f"width='{max(1.0, right - left):.1f}' height='{HEIGHT - BOTTOM}'"
        body.append(f"<rect x='{left:.1f}' y='4' {size} fill='#ffd8d3'/>")
    for number, (label, line) in enumerate(lines):
        color = COLORS[number % len(COLORS)]
        path = " ".join(at(x, y) for x, y in line)
        body.append(f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='1.5'/>")
        body.append(f"<text x='{LEFT + 8 + 90 * number}' y='16' style='fill:{color}'>{html.escape(label)}</text>")
    ticks = [f"<text x='4' y='14'>{top:,.4g} {unit}</text>", f"<text x='4' y='{HEIGHT - BOTTOM}'>0</text>"]
    ticks += [
        f"<text x='{LEFT + (WIDTH - LEFT) * k / 4 - 28:.0f}' y='{HEIGHT - 2}'>{end * k / 4:.0f} s</text>"
        for k in range(5)
    ]
    drawing = "".join([*body, *ticks])
    return f"<h3>{html.escape(name)}</h3><svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>{drawing}</svg>"
