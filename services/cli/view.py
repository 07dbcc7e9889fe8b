"""What a person sees while a run goes on: a live view on a terminal, one line a second elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.cli import figures
from services.cli.report import Run, Statuses


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment. ``limit_s`` 0: it has no end of its own; ``down``: gave no answer just now."""

    statuses: Statuses
    run: Run
    elapsed_s: float
    limit_s: float
    restarts: dict[str, int] = field(default_factory=dict)
    down: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    redis_url: str = ""

    @property
    def lost(self) -> int:
        """Messages lost in all channels."""
        return sum(int(channel.get("lost", 0)) for channel in self.channels.values())

    @property
    def channels(self) -> dict[str, dict[str, Any]]:
        """The consumer's ledgers by exchange."""
        found: dict[str, dict[str, Any]] = self.statuses.consumer.get("channels", {})
        return found

    @property
    def rates(self) -> dict[str, float]:
        """Messages and updates a second; 0 while nobody says so."""
        said = {} if "consumer" in self.down else self.statuses.consumer.get("rates", {})
        return {"messages_per_s": 0.0, "updates_per_s": 0.0} | said

    def latency(self, stage: str) -> dict[str, int] | None:
        """Return the figures of a stage, or None before anything passed it."""
        for part in (self.statuses.consumer, self.statuses.signals, self.statuses.oms):
            row = part.get("latency_ns", {}).get(stage)
            if row and row.get("count"):
                return dict(row)
        late = self.statuses.replay.get("sender_late") if stage == "sender_late" else None
        return dict(late) if late and late.get("count") else None


class View(Protocol):
    """Where a run is shown. One thread calls all of it."""

    interval_s: float

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now."""

    def note(self, text: str) -> None:
        """Tell a person one thing; it must not get lost."""

    def close(self) -> None:
        """Give the terminal back."""


class LineView:
    """One line a second."""

    interval_s = 1.0

    def show(self, snapshot: Snapshot) -> None:
        """Print the line."""
        print(line(snapshot), flush=True)

    def note(self, text: str) -> None:
        """Say it at once."""
        print(f"crossbook up: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """There is nothing to give back."""


def new_view(first: str) -> View:
    """Return the view that suits the standard output, with a first thing to say."""
    view: View
    if sys.stdout.isatty():
        from services.cli.live import LiveView

        view = LiveView()
    else:
        view = LineView()
    view.note(first)
    return view


def line(snapshot: Snapshot) -> str:
    """Return the run as one line of text."""
    consumer, signals, oms = snapshot.statuses.consumer, snapshot.statuses.signals, snapshot.statuses.oms
    books = consumer.get("books", {})
    orders = oms.get("orders", {})
    parts = [
        figures.clock(snapshot.elapsed_s),
        f"{figures.count(snapshot.rates['messages_per_s'])} msg/s",
        f"{figures.count(snapshot.rates['updates_per_s'])} upd/s",
        f"lost {figures.count(snapshot.lost)}",
        f"books {books.get('valid', 0)}/{books.get('total', 0)}",
    ]
    parts += [
        f"{stage} p50 {figures.duration(row['p50_ns'])} p99 {figures.duration(row['p99_ns'])}"
        for stage in ("wire", "book", "signal", "order")
        if (row := snapshot.latency(stage))
    ]
    parts += [
        f"signals {figures.count(signals.get('signals', 0))} ({snapshot.run.costs})",
        f"orders {figures.count(orders.get('sent', 0))} filled {figures.count(orders.get('filled', 0))}",
    ]
    parts += [f"{name} restarted {n}x" for name, n in snapshot.restarts.items() if n]
    parts += [f"{name} is down" for name in snapshot.down]
    return "  ".join(parts)


def print_report(report: dict[str, Any], failed: list[str]) -> None:
    """Print the report as tables on the standard output."""
    from services.cli.tables import show

    show(report, failed)
