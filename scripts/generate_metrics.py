"""Write prometheus/METRICS.md from the catalogue: `make dashboards`. The page is committed; a test checks it."""

from __future__ import annotations

import sys
from pathlib import Path

from libs.telemetry.catalogue import METRICS

FILE = Path(__file__).resolve().parent.parent / "prometheus" / "METRICS.md"
HEADS = ("metric", "type", "unit", "labels", "what", "from")
PAGE = """# Metrics

Generated from [libs/telemetry/catalogue.py](../libs/telemetry/catalogue.py) by `make dashboards`. Every service answers
`/metrics`; Prometheus adds `job` (`md-` and the service) and `instance`. Beside these stand the client library's
`process_*`. No symbol is a label except in the watch lists (`md_watch_*`, `sig_watch_*`), which hold at most 20; a
service exports at most 2,000 series.

`md_e2e_latency_seconds` is cumulative: from the *scheduled* send of a message to the end of the path. Its bounds
include 5 ms, the goal of UDP to signal, and 50 ms, that of the error budget, so shares at these are exact.

{table}
"""


def page() -> str:
    """Return the text of METRICS.md."""
    lines = [HEADS, ("---",) * len(HEADS)]
    for metric in sorted(METRICS, key=lambda one: one.name):
        labels = ", ".join(metric.labels)
        lines.append((f"`{metric.name}`", metric.kind, metric.unit, labels, metric.help, ", ".join(metric.services)))
    return PAGE.format(table="\n".join(f"| {' | '.join(cells)} |" for cells in lines))


def main() -> int:
    """Write it."""
    FILE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
