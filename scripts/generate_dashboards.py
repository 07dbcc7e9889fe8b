"""Write grafana/dashboards/*.json: `make dashboards`. The JSON is committed; a test holds both together."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from scripts.dashboards import latency
from scripts.dashboards.panels import build

FOLDER = Path(__file__).resolve().parent.parent / "grafana" / "dashboards"


def render() -> dict[str, str]:
    """Return the JSON text of every dashboard by file name."""
    boards = {"latency.json": build(latency.UID, latency.TITLE, latency.ROWS)}
    return {name: JSONEncoder(sort_keys=True, indent=2).encode(board) + "\n" for name, board in boards.items()}


def main() -> int:
    """Write every dashboard."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
