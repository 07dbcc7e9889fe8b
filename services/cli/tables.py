"""The report as tables, at the end of a run."""

from __future__ import annotations

import sys
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.cli import figures

WIDTH = 110
Report = dict[str, Any]


def show(report: Report, failed: list[str], console: Console | None = None) -> None:
    """Print the report.

    Parameters
    ----------
    report : dict
        As the JSON document.
    failed : list of str
        The checks that did not hold.
    console : Console, optional
    """
    # A pipe or a file has no width; the tables must not be squeezed there.
    out = console or Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    source, costs = report["source"], report["costs"]
    out.print(f"\n[bold]crossbook {report['version']}[/]  {source}  {report['duration_s']:.1f} s  {costs} costs")
    out.print(ledgers(report["channels"]))
    if any(channel["gaps"] for channel in report["channels"].values()):
        out.print(holes(report["channels"]))
    out.print(_latencies(report))
    out.print(_totals(report))
    if failed:
        out.print(f"[bold red]{len(failed)} checks did not hold:[/]")
        for check in failed:
            out.print(f"  {check}", markup=False)
    else:
        out.print("[bold green]All checks held.[/]")


def _table(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(names[0], no_wrap=True)
    for name in names[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def ledgers(channels: Report) -> Table:
    """Return the ledger of each channel: every message in one place."""
    columns = ("sent", "received", "applied", "duplicate", "late", "lost", "pending", "unaccounted", "gaps")
    table = _table(
        "channel", "sent", "received", "applied", "refused", "twice", "late", "lost", "pending", "unacc.", "gaps"
    )
    for name, channel in channels.items():
        cells = [figures.count(channel[column]) for column in columns]
        cells.insert(3, figures.count(sum(channel["refused"].values())))
        table.add_row(name, *cells)
    return table


def holes(channels: Report) -> Table:
    """Return, by channel, the holes that opened and what closed them."""
    ways = ("line", "retransmission", "snapshot", "feed")
    table = _table("holes", "opened", "healed by line", "retransmission", "snapshot", "feed", "open")
    for name, channel in channels.items():
        healed = channel["healed_by"]
        open_now = channel["gaps"] - sum(healed.values())
        table.add_row(name, *(figures.count(n) for n in (channel["gaps"], *(healed[way] for way in ways), open_now)))
    return table


def _latencies(report: Report) -> Table:
    table = _table("from scheduled send to", "count", "p50", "p99", "p99.9", "max")
    for stage, row in report["latency_ns"].items():
        if row.get("count"):
            cells = [figures.duration(row[key]) for key in ("p50_ns", "p99_ns", "p999_ns", "max_ns")]
            table.add_row(stage.replace("_", " "), figures.count(row["count"]), *cells)
    return table


def _totals(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    books, orders, ring, redis = (report[key] for key in ("books", "orders", "ring", "redis"))
    denied = ", ".join(f"{code} {figures.count(n)}" for code, n in orders["denied"].items()) or "none"
    rows = {
        "ready after": f"{report['ready_s']:.1f} s",
        "throughput": f"{figures.count(report['messages_per_s'])} messages/s, "
        f"{figures.count(report['updates_per_s'])} updates/s",
        "books": f"{books['valid']} of {books['total']} valid, {books['crossed']} crossed, "
        f"{books['diverged']} diverged",
        "rows": f"{figures.count(report['features_rows'])} features, {figures.count(report['nbbo_rows'])} NBBO",
        "signals": _counts(report["signals"], report["signals_by_action"]),
        "orders": f"{figures.count(orders['sent'])} sent, {figures.count(orders['filled'])} filled, "
        f"{figures.count(orders['rejected'])} rejected; denied: {denied}",
        "PnL": ", ".join(f"{name} {figures.signed(value)}" for name, value in report["pnl"].items()) or "–",
        "ring": f"{figures.count(ring['high_water'])} of {figures.count(ring['capacity'])} at the most, "
        f"{ring['dropped']} dropped",
        "Redis": f"{figures.count(redis['published'])} records, {redis['dropped']} dropped, "
        f"{redis['reconnects']} reconnects",
        "memory": ", ".join(f"{name} {figures.size(n)}" for name, n in report["rss_bytes"].items()),
    }
    if malformed := report["malformed"]:
        rows["malformed"] = _counts(sum(malformed.values()), malformed)
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _counts(total: int, parts: dict[str, int]) -> str:
    shown = ", ".join(f"{name} {figures.count(n)}" for name, n in parts.items())
    return f"{figures.count(total)} ({shown})" if shown else figures.count(total)
