"""Write grafana/dashboards/*.json, and into each alert the panel that shows it: `make dashboards`.

What is written is committed; tests hold it together.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from scripts.dashboard_checks.queries import panel_link
from scripts.dashboards import feed, infrastructure, latency, market, orders, overview
from scripts.dashboards.panels import build

BOARDS = (overview.BOARD, latency.BOARD, feed.BOARD, market.BOARD, orders.BOARD, infrastructure.BOARD)
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "grafana" / "dashboards"
RULES = ROOT / "prometheus" / "rules"
_LINK = re.compile(r"(- alert: (\w+)\n(?:(?!- alert: ).*\n)*?\s+dashboard: )/d/([\w-]+)\S*\n")


def render() -> dict[str, str]:
    """Return the JSON text of every dashboard by file name."""
    return {
        f"{board.uid.removeprefix('crossbook-')}.json": JSONEncoder(sort_keys=True, indent=2).encode(build(board))
        + "\n"
        for board in BOARDS
    }


def linked(rules: str, boards: Mapping[str, str]) -> str:
    """Return the text of a file of rules whose alerts lead to the panels that show them.

    Parameters
    ----------
    rules : str
        Each alert names its dashboard: ``/d/UID``.
    boards : mapping
        Of :func:`render`.
    """
    known = {name: json.loads(text) for name, text in boards.items()}

    def link(found: re.Match[str]) -> str:
        return f"{found[1]}{panel_link(known, found[2], found[3]) or f'/d/{found[3]}'}\n"

    return _LINK.sub(link, rules)


def main() -> int:
    """Write every dashboard, and the links of the alerts."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    boards = render()
    for name, text in boards.items():
        (FOLDER / name).write_text(text)
    for path in RULES.glob("*.yml"):
        path.write_text(linked(path.read_text(), boards))
    return 0


if __name__ == "__main__":
    sys.exit(main())
