"""What a check found, and the parts of a dashboard that checks look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "grafana" / "dashboards"

Json = dict[str, Any]


class Problem(NamedTuple):
    """One thing that is wrong: in which dashboard and panel, by which rule, and what."""

    board: str
    panel: str
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}: {self.rule}: {self.what}"


def read_boards(folder: Path = BOARDS) -> dict[str, Json]:
    """Return the committed dashboards by file name."""
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def panels(board: Json) -> Iterator[Json]:
    """Give every panel that is not the head of a row."""
    return (panel for panel in board["panels"] if panel.get("type") != "row")


def targets(board: Json) -> Iterator[tuple[Json, Json]]:
    """Give (panel, target) of every query."""
    return ((panel, target) for panel in panels(board) for target in panel.get("targets", []))
