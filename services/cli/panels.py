"""The parts of the live view."""

from __future__ import annotations

import time
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.cli import figures
from services.cli.view import Snapshot

STAGES = (
    ("wire", "wire"),
    ("book", "book"),
    ("publish", "publish"),
    ("signal", "signal"),
    ("order", "order"),
    ("sender_late", "sender late"),
)
SHORT = {"binance": "BIN", "bybit": "BYB", "coinbase": "COI", "okx": "OKX", "deribit": "DER"}


class Pace:
    """Signals and orders a second, from their counts at the last two looks."""

    def __init__(self) -> None:
        self.signals_per_s = 0.0
        self._last: tuple[float, int] | None = None

    def take(self, snapshot: Snapshot) -> None:
        """Look at the counts now."""
        now, n = time.monotonic(), int(snapshot.statuses.signals.get("signals", 0))
        if self._last is not None and now > self._last[0]:
            fresh = max(0, n - self._last[1]) / (now - self._last[0])
            self.signals_per_s += 0.3 * (fresh - self.signals_per_s)
        self._last = (now, n)


def title(snapshot: Snapshot, width: int) -> Text:
    """Return the top line: what runs, at which costs, for how long."""
    replay = snapshot.statuses.replay
    offered = replay.get("offered_messages_per_s") or 0
    pace = f"{figures.count(offered)} msg/s" if offered else f"speed {replay.get('speed') or 1:g}"
    name = snapshot.run.source or str(replay.get("source", ""))
    limit = f" of {figures.clock(snapshot.limit_s)}" if snapshot.limit_s else ""
    right = f"{snapshot.run.costs} costs  {figures.clock(snapshot.elapsed_s)}{limit} "
    left = f" crossbook {snapshot.run.version}  "
    room = width - len(left) - len(right) - len(pace) - 4
    if len(name) > room:
        # Of a path the end tells most, of a description the beginning.
        name = "…" + name[-max(1, room - 1) :] if "/" in name else name[: max(1, room - 1)] + "…"
    middle = f"{name}  {pace}"
    gap = " " * max(1, width - len(left) - len(middle) - len(right))
    return Text(left + middle + gap + right, style="bold white on dark_blue", no_wrap=True, overflow="crop")


def flow(snapshot: Snapshot, height: int) -> Panel:
    """Return throughput, loss and what holds it."""
    consumer = snapshot.statuses.consumer
    books, ring, redis = (consumer.get(key, {}) for key in ("books", "ring", "redis"))
    channels = snapshot.channels.values()
    received = sum(int(channel.get("received", 0)) - int(channel.get("duplicate", 0)) for channel in channels)
    gaps = sum(int(channel.get("gaps", 0)) for channel in channels)
    lost = snapshot.lost
    table = _figures()
    table.add_row("messages", f"{figures.count(snapshot.rates['messages_per_s'])}/s", figures.count(received))
    table.add_row("updates", f"{figures.count(snapshot.rates['updates_per_s'])}/s", "")
    table.add_row("lost", _alarm(lost), f"gaps {figures.count(gaps)}")
    table.add_row("books valid", str(books.get("valid", 0)), f"of {books.get('total', 0)}")
    crossed, diverged = books.get("crossed", 0), books.get("diverged", 0)
    table.add_row("crossed", str(crossed), Text(f"diverged {diverged}", style="bold red" if diverged else ""))
    table.add_row("ring high", figures.count(ring.get("high_water", 0)), f"of {figures.count(ring.get('capacity', 0))}")
    dropped = int(redis.get("dropped", 0)) + int(ring.get("dropped", 0))
    table.add_row(
        "Redis",
        figures.compact(redis.get("published", 0)),
        Text(f"dropped {dropped}", style="bold red" if dropped else ""),
    )
    return _panel(table, "Flow", height)


def latency(snapshot: Snapshot, height: int, *, wide: bool) -> Panel:
    """Return the latency of each stage, from the scheduled send to its end."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, ratio=1)
    for name in ("p50", "p99", "p99.9", "max") if wide else ("p50", "p99", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    keys = ("p50_ns", "p99_ns", "p999_ns", "max_ns") if wide else ("p50_ns", "p99_ns", "max_ns")
    for stage, name in STAGES:
        row = snapshot.latency(stage)
        table.add_row(name, *(figures.duration(row[key]) if row else "–" for key in keys))
    return _panel(table, "Latency since the scheduled send", height)


def books(snapshot: Snapshot, height: int, *, wide: bool) -> Panel:
    """Return the top of a few books, and the states of the NBBO below them."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("symbol", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("size", "bid", "ask", "size") if wide else ("bid", "ask"):
        table.add_column(name, justify="right", no_wrap=True)
    for top in snapshot.statuses.consumer.get("tops", [])[: height - 3]:
        cells = [figures.price(top.get("bid")), figures.price(top.get("ask"))]
        if wide:
            cells = [_size(top.get("bid_size")), *cells, _size(top.get("ask_size"))]
        exchange = str(top.get("exchange", ""))
        style = "" if top.get("valid", True) else "dim"
        table.add_row(SHORT.get(exchange, exchange[:3]), str(top.get("symbol", "")), *cells, style=style)
    return _panel(table, "Books", height, _nbbo(snapshot.statuses.consumer.get("nbbo", {})))


def channels(snapshot: Snapshot, height: int, *, wide: bool) -> Panel:
    """Return the ledger of each channel."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("channel", no_wrap=True)
    for name in ("received", "gaps", "lost", "pending") if wide else ("received", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, channel in snapshot.channels.items():
        lost = _alarm(int(channel.get("lost", 0)))
        cells: list[Any] = [figures.count(channel.get("received", 0)), lost]
        if wide:
            cells[1:1] = [figures.count(channel.get("gaps", 0))]
            cells.append(figures.count(channel.get("pending", 0)))
        table.add_row(name, *cells)
    return _panel(table, "Channels", height)


def signals(snapshot: Snapshot, pace: Pace, height: int, *, wide: bool) -> Panel:
    """Return how many signals there are, and the last ones."""
    said = snapshot.statuses.signals
    by = said.get("by_action", {})
    table = _rows()
    if not said.get("recent"):
        return _panel(Text(str(said.get("threshold_note", "")), style="dim"), "Signals 0/s", height)
    for signal in reversed(said.get("recent", [])[-max(0, height - 2) :]):
        action = str(signal.get("action", ""))
        table.add_row(
            Text(action, style="green" if action == "buy" else "red"),
            SHORT.get(str(signal.get("exchange")), str(signal.get("exchange", ""))[:3]),
            str(signal.get("symbol", "")),
            f"{figures.signed(signal.get('prediction_bps'))} bps",
        )
    counts = f"↑{figures.compact(by.get('buy', 0))} ↓{figures.compact(by.get('sell', 0))}"
    return _panel(table, f"Signals {pace.signals_per_s:,.0f}/s  {counts}", height)


def orders(snapshot: Snapshot, height: int, *, wide: bool) -> Panel:
    """Return orders by state, profit and loss, and the last orders."""
    said = snapshot.statuses.oms
    orders, pnl = said.get("orders", {}), said.get("pnl", {})
    denied = sum(orders.get("denied", {}).values())
    table = _rows()
    for order in reversed(said.get("recent", [])[-max(0, height - 2) :]):
        side, state = str(order.get("side", "")), str(order.get("state", ""))
        traded = f"{order.get('quantity', '')} @ {figures.price(order.get('price'))}  " if wide else ""
        table.add_row(
            Text(side, style="green" if side == "buy" else "red"),
            SHORT.get(str(order.get("exchange")), str(order.get("exchange", ""))[:3]),
            str(order.get("symbol", "")),
            f"{traded}{state.replace('_', ' ')}",
        )
    sent, filled = (figures.count(orders.get(key, 0)) for key in ("sent", "filled"))
    counts = f"sent {sent} filled {filled} denied {figures.count(denied)}"
    realised, unrealised, fees = (figures.signed(pnl.get(key)) for key in ("realised", "unrealised", "fees"))
    worth = f"PnL {realised} open {unrealised} fees {fees}"
    if said.get("kill_switch"):
        worth = f"KILL SWITCH  {worth}"
    return _panel(table, f"Orders {counts}", height, worth)


def footer(snapshot: Snapshot, notes: list[str], width: int) -> Text:
    """Return the bottom line: the processes, and the last thing that happened."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    for name, n in snapshot.restarts.items():
        down = name in snapshot.down
        text.append("● ", style="red" if down else "yellow" if n else "green")
        text.append(f"{name} {f'({n}×) ' if n else ''}", style="dim")
    last = [*snapshot.warnings, *notes][-1:] or [""]
    text.append(f" {last[0].splitlines()[0] if last[0] else ''}", style="yellow" if snapshot.warnings else "dim")
    text.truncate(width)
    return text


def _nbbo(states: dict[str, int]) -> str:
    crossed = sum(n for name, n in states.items() if name.startswith("crossed"))
    real = states.get("crossed_real", 0)
    shown = f"NBBO normal {states.get('normal', 0)} locked {states.get('locked', 0)} crossed {crossed}"
    return f"{shown} ({real} real)" if real else shown


def _figures() -> Table:
    table = Table.grid(expand=True, padding=(0, 1, 0, 0), pad_edge=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, ratio=1)
    table.add_column(justify="right", no_wrap=True, ratio=1)
    return table


def _rows() -> Table:
    table = Table.grid(expand=True, padding=(0, 1, 0, 0), pad_edge=True)
    table.add_column(width=4)
    table.add_column(width=3)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    return table


def _alarm(n: int) -> Text:
    return Text(figures.count(n), style="bold red" if n else "green")


def _size(text: Any) -> str:
    shown = figures.price(text)
    return shown if len(shown) <= 11 else shown[:10] + "…"


def _panel(content: Any, name: str, height: int, below: str | None = None) -> Panel:
    return Panel(
        content,
        title=f"[bold]{name}[/]",
        title_align="left",
        subtitle=below,
        subtitle_align="left",
        height=height,
        padding=(0, 0, 0, 1),
        border_style="grey50",
    )
