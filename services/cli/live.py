"""The live view: the whole run on one screen of at least 80 by 24."""

from __future__ import annotations

import sys
from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.cli import panels
from services.cli.view import Snapshot

NOTES = 20
HEADER, FLOW, BOOKS = 1, 9, 8
WIDE = 100
MOST_ROWS = 10


class LiveView:
    """Draws on the terminal's other screen and gives the first one back at the end; notes are said again there.

    Parameters
    ----------
    console : Console, optional
        Where to draw; the terminal by default.
    """

    interval_s = 0.5

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.notes: deque[str] = deque(maxlen=NOTES)
        self.pace = panels.Pace()
        # No refresh thread: the supervisor forks, and must do so alone.
        self.live = Live(console=self.console, screen=True, auto_refresh=False)
        self.live.start()

    def show(self, snapshot: Snapshot) -> None:
        """Draw the run as it is now."""
        self.pace.take(snapshot)
        width, height = self.console.size
        self.live.update(screen(snapshot, self.pace, list(self.notes), width, height), refresh=True)

    def note(self, text: str) -> None:
        """Keep a thing for the last line of the screen, and for the end."""
        self.notes.append(text)

    def close(self) -> None:
        """Give the terminal back and say what happened meanwhile."""
        self.live.stop()
        for text in self.notes:
            print(f"crossbook up: {text}", file=sys.stderr)


def screen(snapshot: Snapshot, pace: panels.Pace, notes: list[str], width: int, height: int) -> RenderableType:
    """Return the whole screen.

    Parameters
    ----------
    snapshot : Snapshot
    pace : Pace
        Rates that the services do not give themselves.
    notes : list of str
        What happened, the newest last.
    width, height : int
        Of the terminal, in cells.
    """
    wide = width >= WIDE
    rest = max(5, height - HEADER - FLOW - BOOKS - 1)
    books = BOOKS + max(0, min(4, rest - 8))
    rest = min(rest - (books - BOOKS), MOST_ROWS + 2)
    left = 38 if width < WIDE else 44
    return Group(
        panels.title(snapshot, width),
        _beside(panels.flow(snapshot, FLOW), panels.latency(snapshot, FLOW, wide=wide), left),
        _beside(panels.books(snapshot, books, wide=wide), panels.channels(snapshot, books, wide=wide), width - left),
        _beside(panels.signals(snapshot, pace, rest, wide=wide), panels.orders(snapshot, rest, wide=wide), left),
        panels.footer(snapshot, notes, width) if height >= 24 else Text(""),
    )


def _beside(first: RenderableType, second: RenderableType, left: int) -> Table:
    grid = Table.grid(expand=True, padding=0)
    grid.add_column(width=left)
    grid.add_column(ratio=1)
    grid.add_row(first, second)
    return grid
