"""Rows as text for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = dict[str, Any]
HEADERS = ("case", "ours", "spread", "unit", "references", "ratio", "goal", "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "skipped" in row:
        return (row["case"], "", "", "", "", "", "", f"left out: {row['skipped']}")
    references = ", ".join(f"{name} {_number(value)}" for name, value in row["references"].items())
    ratios = ", ".join(f"{name} {value:.2f}" for name, value in row["ratio"].items())
    goal = row.get("goal", {})
    if "ratio" in goal:
        met = row["ratio"].get(goal["reference"], float("inf")) <= goal["ratio"]
        wanted = f"≤ {goal['ratio']:g} × {goal['reference']}"
    elif "most" in goal:
        met = row["ours"] <= goal["most"]
        wanted = f"≤ {_number(goal['most'])} {row['unit']}"
    elif "least" in goal:
        met = row["ours"] >= goal["least"]
        wanted = f"≥ {_number(goal['least'])} {row['unit']}"
    else:
        met, wanted = True, ""
    notes = [] if met else ["not reached"]
    if "exponent" in row:
        notes.append(exponents(row))
    if "disturbed" in row:
        notes.append(f"disturbed: {row['disturbed']}")
    spread = _number(row["spread"]["ours"]) if "ours" in row.get("spread", {}) else ""
    return (row["case"], _number(row["ours"]), spread, row["unit"], references, ratios, wanted, "; ".join(notes))


def exponents(row: dict[str, Any]) -> str:
    """Say how the cost of each side grows, with the standard error."""
    errors = row["exponent_error"]
    found = (f"{name} {value:.3f} ± {errors[name]:.3f}" for name, value in row["exponent"].items())
    return f"exponent: {', '.join(found)}"


def described(host: dict[str, Any]) -> str:
    """Say what machine it was."""
    load = ", ".join(f"{value:g}" for value in host["load"])
    parts = [f"{host['cores']} cores", f"kernel {host['kernel']}", f"Python {host['python']}", f"numba {host['numba']}"]
    if host.get("compiler"):
        parts.append(str(host["compiler"]))
    if host["governor"]:
        parts.append(f"governor {host['governor']}")
    return f"{host['cpu'] or 'unknown CPU'}, {', '.join(parts)}; load {load}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[k]) for line in table) for k in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]


def as_text(document: Document) -> str:
    """Return one bench's rows in columns."""
    lines = [f"{document['name']}: {document['what']}"]
    lines += [f"  {line}" for line in _aligned([HEADERS, *map(_cells, document["rows"])])]
    return "\n".join(lines)


def as_markdown(
    documents: Iterable[Document], command: str, pictures: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return all benches as one Markdown document.

    Parameters
    ----------
    command : str
        What was typed.
    pictures : mapping
        Image files by bench, as seen from the document.
    """
    found = list(documents)
    lines = ["# Measured", "", f"`{command}` on {described(found[0]['host'])}."]
    lines += [
        "",
        "Medians of repeats in turns (ours, reference, ours …); spread is the distance between the quartiles.",
    ]
    for document in found:
        lines += ["", f"## {document['name']}", "", f"{document['what'][:1].upper()}{document['what'][1:]}.", ""]
        lines += [f"| {' | '.join(HEADERS)} |", "|" + "---|" * len(HEADERS)]
        lines += [f"| {' | '.join(_cells(row))} |" for row in document["rows"]]
        for link in (pictures or {}).get(document["name"], ()):
            lines += ["", f"![{link.rpartition('/')[2].removesuffix('.png')}]({link})"]
    return "\n".join(lines) + "\n"
