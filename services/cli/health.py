"""`crossbook status`: one screen of a running stack's health."""

from __future__ import annotations

import json
import sys
from typing import Any

from libs.errors import MissingError
from libs.market.exchanges import EXCHANGES
from services.cli import figures
from services.cli.api import Endpoint
from services.cli.arguments import config_folder
from services.cli.configs import OPTIONAL_PORTS, endpoints_of
from services.cli.report import channel_report
from services.cli.rundir import running

Health = dict[str, Any]


def run(config: str | None, *, as_json: bool) -> int:
    """Print the health of a running stack.

    Returns
    -------
    int
        0 when all is well, 1 when something is not.

    Raises
    ------
    MissingError
        When nothing runs.
    """
    notes = running() if config is None else []
    if notes:
        endpoints = {name: Endpoint(str(host), int(port)) for name, (host, port) in notes[0]["http"].items()}
    else:
        endpoints = _configured(config)
    health = {name: health_of(name, endpoint) for name, endpoint in endpoints.items()}
    if not any(each["answers"] for each in health.values()):
        ports = ", ".join(f"{name} {endpoint}" for name, endpoint in endpoints.items())
        raise MissingError(f"nothing runs here (asked {ports}); start it: crossbook up, or docker compose up")
    if len(notes) > 1:
        print(f"crossbook status: {len(notes)} runs; this is the newest, of process {notes[0]['pid']}", file=sys.stderr)
    well = all(not each["trouble"] for each in health.values())
    consumer = endpoints["consumer"].status() or {} if "consumer" in endpoints else {}
    if as_json:
        known = {key: consumer[key] for key in ("channels", "recovery", "snapshots", "books") if key in consumer}
        print(json.dumps({"ok": well, "services": health, **known}, indent=2))
    else:
        _print(health, consumer)
    return 0 if well else 1


def _configured(config: str | None) -> dict[str, Endpoint]:
    """Return where a configuration's services answer: the four that are always there, and others that answer.

    A feeder takes the place of the replay.
    """
    folder = config_folder(config)
    found = endpoints_of(folder)
    others = endpoints_of(folder, OPTIONAL_PORTS)
    found |= {name: endpoint for name, endpoint in others.items() if endpoint.get("/livez") is not None}
    if "feeder" in found and found["replay"].get("/livez") is None:
        del found["replay"]
    return found


def health_of(name: str, endpoint: Endpoint) -> Health:
    """Return what a service says of itself, with the reasons for anything that is not well."""
    ready, reason = endpoint.ready()
    status = endpoint.status()
    trouble = [] if ready else [reason]
    if status is not None:
        trouble += _troubles(name, status)
    answers = status is not None or reason != "does not answer"
    return {
        "http": str(endpoint),
        "answers": answers,
        "ready": ready,
        "trouble": trouble,
        "figures": _figures(name, status or {}),
    }


def _troubles(name: str, status: Health) -> list[str]:
    found = []
    if name == "consumer":
        channels = status.get("channels", {})
        lost = {channel: ledger["lost"] for channel, ledger in channels.items() if ledger.get("lost")}
        if lost:
            found.append("lost " + ", ".join(f"{channel} {count}" for channel, count in lost.items()))
        silent = [
            f"{line} of {channel}"
            for channel, ledger in channels.items()
            for line, state in ledger.get("lines", {}).items()
            if state["silent"]
        ]
        if silent:
            found.append("silent lines: " + ", ".join(silent))
        failed = sum(ledger.get("ledger_checks", {}).get("failed", 0) for ledger in channels.values())
        checks = {
            "ledger checks failed": failed,
            "ring slots dropped": status.get("ring", {}).get("dropped", 0),
            "Redis records dropped": status.get("redis", {}).get("dropped", 0),
            "books diverged": status.get("books", {}).get("diverged", 0),
            "malformed datagrams": sum(status.get("malformed", {}).values()),
        }
        found += [f"{what}: {n}" for what, n in checks.items() if n]
    if name == "replay" and status.get("malformed_lines"):
        found.append(f"malformed lines in the recording: {status['malformed_lines']}")
    if name == "oms":
        found += _oms_troubles(status)
    if name == "feeder":
        found += _feeder_troubles(status)
    if name == "recorder":
        counts = {"writes failed": status.get("write_errors", 0), "gaps in the recording": status.get("gaps", 0)}
        found += [f"{what}: {n}" for what, n in counts.items() if n]
    return found


def _oms_troubles(status: Health) -> list[str]:
    found = []
    if status.get("kill_switch"):
        reason = status.get("kill_reason")
        found.append(f"the kill switch is on: {reason}" if reason else "the kill switch is on")
    if not status.get("reconcile_ok", True):
        found.append("orders differ from the venue's own log: " + ", ".join(map(str, status["reconcile_differences"])))
    if status.get("illegal_transitions"):
        found.append(f"order transitions refused: {status['illegal_transitions']}")
    return found


def _feeder_troubles(status: Health) -> list[str]:
    """Return the connections that are closed or mute, and feeds whose books have no snapshot."""
    found = []
    for feed, state in status.get("feeds", {}).items():
        connections = state["connections"]
        for one in connections:
            if not one["open"] or one["mute"]:
                how = "mute" if one["open"] else "not open"
                found.append(
                    f"{feed}: connection {one['name']} is {how}: {one['last_reason'] or 'no reason was given'}"
                )
        there, wanted = (sum(one[key] for one in connections) for key in ("synchronised", "symbols"))
        if there < wanted:
            found.append(f"{feed}: {there} of {wanted} books are synchronised")
    return found


def _figures(name: str, status: Health) -> str:
    if not status:
        return ""

    def n(of: Health, key: str) -> str:
        return figures.count(of.get(key) or 0)

    def p99(stage: str) -> str:
        return figures.duration(status.get("latency_ns", {}).get(stage, {}).get("p99_ns", 0))

    if name == "consumer":
        rates, books = status.get("rates", {}), status.get("books", {})
        valid = f"{n(books, 'valid')} of {n(books, 'total')} books valid"
        return f"{n(rates, 'messages_per_s')} messages/s, {valid}, book p99 {p99('book')}"
    if name == "signals":
        return f"{n(status, 'signals')} signals, {status.get('costs', '')} costs, p99 {p99('signal')}"
    if name == "oms":
        orders = status.get("orders", {})
        return f"{n(orders, 'sent')} orders sent, {n(orders, 'filled')} filled, p99 {p99('order')}"
    if name == "feeder":
        connections = [one for state in status.get("feeds", {}).values() for one in state["connections"]]
        books = sum(one["synchronised"] for one in connections)
        late = figures.duration(status.get("sender_late", {}).get("p99_ns", 0))
        return f"{len(connections)} connections, {books} books synchronised, receive to multicast p99 {late}"
    if name == "recorder":
        return f"{n(status, 'rows')} rows, {n(status.get('waiting', {}), 'rows')} wait, in {status.get('folder', '')}"
    late = figures.duration(status.get("sender_late", {}).get("p99_ns", 0))
    offered = n(status, "offered_messages_per_s")
    return f"{status.get('state', '')}, {status.get('source', '')}, {offered} messages/s, late p99 {late}"


def _print(health: dict[str, Health], consumer: Health) -> None:
    from rich.console import Console
    from rich.table import Table

    from services.cli.tables import WIDTH, holes, ledgers

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("service", "", "address", "figures"):
        table.add_column(column, header_style="dim")
    for name, each in health.items():
        mark = "[red]not well[/]" if each["trouble"] else "[green]well[/]"
        table.add_row(name, mark, each["http"], each["figures"])
    console.print(table)
    # What a service says while it runs was read at several moments: exact is what it found at its last heartbeat.
    channels = {
        name: channel_report(None, said) | {"unaccounted": said.get("ledger_checks", {}).get("unaccounted", 0)}
        for name, said in consumer.get("channels", {}).items()
    }
    if channels:
        console.print(ledgers(channels))
        console.print(holes(channels))
        for text in _recovery_lines(consumer):
            console.print(text, markup=False)
    worst = consumer.get("worst")
    if worst:
        took, wire = figures.duration(worst["latency_ns"]), figures.duration(worst["wire_ns"])
        text = (
            f"slowest message of 10 s: {worst['exchange']} {worst['symbol']} {worst['sequence']:,}, {took} to its book"
        )
        console.print(f"{text}, {wire} of it on the wire", markup=False)
    for name, each in health.items():
        for reason in each["trouble"]:
            console.print(f"{name}: {reason}", markup=False)


def _recovery_lines(consumer: Health) -> list[str]:
    """Return what lines, requests and snapshots did, a line each."""
    found = []
    heal = consumer.get("latency_ns", {}).get("heal", {})
    if heal.get("count"):
        times = ", ".join(
            f"{name} {figures.duration(heal[key])}"
            for name, key in (("p50", "p50_ns"), ("p99", "p99_ns"), ("max", "max_ns"))
        )
        found.append(f"time to heal: {times} over {figures.count(heal['count'])} holes")
    found += _line_lines(consumer["channels"])
    recovery = consumer.get("recovery", {})
    if recovery:
        counts = ", ".join(
            f"{_counter_name(key)} {figures.count(n)}" for key, n in recovery.get("counters", {}).items() if n
        )
        found.append(f"recovery: {'connected' if recovery.get('connected') else 'not connected'}; {counts or 'idle'}")
    snapshots = consumer.get("snapshots", {})
    if any(snapshots.values()):
        found.append("requested snapshots: " + ", ".join(f"{key} {n:,}" for key, n in snapshots.items() if n))
    return found


def _line_lines(channels: dict[str, Any]) -> list[str]:
    """Return what is wrong with the lines, the channels of each together."""
    silent: dict[str, list[str]] = {}
    lagging: dict[str, list[str]] = {}
    for channel, ledger in channels.items():
        for line, state in ledger.get("lines", {}).items():
            if state["silent"]:
                silent.setdefault(line, []).append(channel)
            elif state["lagging"]:
                lagging.setdefault(line, []).append(f"{channel} ({state['transit_us']:,} µs under way)")
    return [
        *(f"line {line} is silent: {', '.join(names)}" for line, names in silent.items()),
        *(f"line {line} lags: {', '.join(names)}" for line, names in lagging.items()),
    ]


def _counter_name(key: str) -> str:
    """Return a counter of libs.recovery.counts for people: those by channel end in its number."""
    what, _, number = key.rpartition("_")
    return f"{what} {EXCHANGES[int(number)]}" if number.isdecimal() and int(number) < len(EXCHANGES) else key
