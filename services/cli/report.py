"""The report of a run: what the services said last, put together with the keys of the contract, and judged."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Document = dict[str, Any]
EMPTY_LATENCY = {"count": 0, "p50_ns": 0, "p99_ns": 0, "p999_ns": 0, "max_ns": 0}
CONSUMER_STAGES = ("wire", "book", "publish", "conflation_age", "heal")
STAGES = ("wire", "book", "features", "publish", "signal", "order", "sender_late", "conflation_age", "heal")
_CHANNEL_COUNTS = ("received", "before_join", "applied", "duplicate", "late", "lost", "pending")


@dataclass
class Statuses:
    """What each service said of itself last; empty where it never did.

    ``before_end`` is the consumer's account before the session ended, which makes every book invalid.
    """

    replay: Document = field(default_factory=dict)
    consumer: Document = field(default_factory=dict)
    signals: Document = field(default_factory=dict)
    oms: Document = field(default_factory=dict)
    before_end: Document = field(default_factory=dict)

    def take(self, name: str, status: Document | None) -> None:
        """Keep a service's account, unless it gave none."""
        if status is not None:
            setattr(self, name, status)


@dataclass
class Run:
    """What the supervisor itself knows of a run."""

    version: str
    started: float
    ready_s: float = 0.0
    duration_s: float = 0.0
    loss_wanted: bool = False
    costs: str = "demo"
    source: str = ""
    http: dict[str, str] = field(default_factory=dict)
    rss_bytes: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    stopped_by: str = ""


def sent_by_channel(replay: Document) -> dict[str, int]:
    """Return the messages that took a sequence in each channel."""
    return {name: max(0, int(of["next_sequence"]) - 1) for name, of in replay.get("sent", {}).items()}


def channel_report(sent: int | None, consumer: Document) -> Document:
    """Return a channel's ledger.

    Parameters
    ----------
    sent : int or None
        As the sender counts; None where it does not say, and what the receiver concludes stands.
    consumer : dict
        The receiver's account of the channel; empty when it never heard it.

    Returns
    -------
    dict
        With ``unaccounted`` computed from the numbers beside it.
    """
    found: Document = {"sent": consumer.get("sent", 0) if sent is None else sent}
    found |= {name: int(consumer.get(name, 0)) for name in _CHANNEL_COUNTS}
    found["refused"] = dict(consumer.get("refused", {}))
    refused = sum(found["refused"].values())
    settled = found["applied"] + refused
    found["unaccounted"] = abs(found["sent"] - found["before_join"] - settled - found["lost"] - found["pending"]) + abs(
        found["received"] - settled - found["duplicate"] - found["late"] - found["pending"]
    )
    found["gaps"] = int(consumer.get("gaps", 0))
    found["healed_by"] = {
        by: int(consumer.get("healed_by", {}).get(by, 0)) for by in ("line", "retransmission", "snapshot", "feed")
    }
    return found | {key: value for key, value in consumer.items() if key not in found}


def build(statuses: Statuses, run: Run) -> Document:
    """Return the whole document."""
    replay, consumer, signals, oms = statuses.replay, statuses.consumer, statuses.signals, statuses.oms
    # A replay that was killed took its count with it; what the receiver concludes of that session stands then.
    sent = {} if run.restarts.get("replay") or run.restarts.get("feeder") else sent_by_channel(replay)
    sent = {name: count for name, count in sent.items() if name in consumer.get("taken_channels", sent)}
    heard = consumer.get("channels", {})
    channels = {name: channel_report(sent.get(name), heard.get(name, {})) for name in {**sent, **heard}}
    # With two lines every message is read twice.
    received = sum(each["received"] - each["duplicate"] - each["late"] for each in channels.values())
    updates = int(consumer.get("updates_applied", 0))
    trades = int(consumer.get("trades_applied", 0))
    seconds = run.duration_s or 1.0
    books = {"total": 0, "valid": 0, "crossed": 0, "diverged": 0} | consumer.get("books", {})
    running = statuses.before_end or consumer
    books |= {key: value for key, value in running.get("books", {}).items() if key in {"valid", "crossed"}}
    return {
        "version": run.version,
        "source": run.source or replay.get("source", ""),
        "seed": replay.get("seed", 0),
        "duration_s": round(run.duration_s, 3),
        "ready_s": round(run.ready_s, 3),
        "channels": channels,
        "malformed": dict(consumer.get("malformed", {})),
        "books": books,
        "updates_applied": updates,
        "trades_applied": trades,
        "messages_per_s": round(received / seconds, 1),
        # An update is a level change or a trade.
        "updates_per_s": round((updates + trades) / seconds, 1),
        "features_rows": int(consumer.get("features_rows", 0)),
        "nbbo_rows": int(consumer.get("nbbo_rows", 0)),
        "signals": int(signals.get("signals", 0)),
        "costs": signals.get("costs", run.costs),
        "orders": {"intents": 0, "sent": 0, "filled": 0, "rejected": 0, "denied": {}} | oms.get("orders", {}),
        "latency_ns": _latencies(statuses),
        "ring": {"capacity": 0, "high_water": 0, "dropped": 0} | consumer.get("ring", {}),
        "redis": {"published": 0, "dropped": 0, "reconnects": 0} | consumer.get("redis", {}),
        "rss_bytes": {"consumer": int(consumer.get("rss_bytes", 0))} | run.rss_bytes,
        "http": run.http,
        "recovery": dict(consumer.get("recovery", {})),
        "snapshots": dict(consumer.get("snapshots", {})),
        "nbbo": dict(running.get("nbbo", {})),
        "malformed_lines": int(replay.get("malformed_lines", 0)),
        "bad_lines": list(replay.get("bad_lines", [])),
        "signals_by_action": dict(signals.get("by_action", {})),
        "signals_skipped": dict(signals.get("skipped", {})),
        "fills": oms.get("fills", 0),
        "pnl": dict(oms.get("pnl", {})),
        "restarts": run.restarts,
        "stopped_by": run.stopped_by,
    }


def _latencies(statuses: Statuses) -> Document:
    said: Document = {}
    for part in (statuses.consumer, statuses.signals, statuses.oms):
        said |= part.get("latency_ns", {})
    if late := statuses.replay.get("sender_late"):
        said["sender_late"] = late
    return {stage: EMPTY_LATENCY | said.get(stage, {}) for stage in STAGES} | {
        stage: row for stage, row in said.items() if stage not in STAGES
    }


def failed_checks(report: Document, run: Run) -> list[str]:
    """Return, one line each, the checks that did not hold."""
    failed = []
    for name, channel in report["channels"].items():
        if channel["unaccounted"]:
            failed.append(f"unaccounted: {channel['unaccounted']:,} messages of {name}")
        if channel["pending"]:
            failed.append(f"pending: {channel['pending']:,} messages of {name} at the stop")
        if channel["lost"] and not run.loss_wanted:
            failed.append(f"lost: {channel['lost']:,} messages of {name}")
    if not any(channel["sent"] for channel in report["channels"].values()):
        failed.append("sent: not one message")
    counts = {
        "malformed datagrams": sum(report["malformed"].values()),
        "malformed lines in the recording": report["malformed_lines"],
        "ring slots dropped": report["ring"]["dropped"],
        "Redis records dropped": report["redis"]["dropped"],
        "books diverged": report["books"]["diverged"],
    }
    failed += [f"{what}: {count:,}" for what, count in counts.items() if count]
    failed += [f"malformed line: {line}" for line in report["bad_lines"]]
    failed += [f"restarts of {name}: {count}" for name, count in run.restarts.items() if count]
    # A replay that met bad lines says so with its exit status; they stand above already.
    bad_ends = {name: status for name, status in run.ended.items() if status and not (name == "replay" and failed)}
    failed += [f"exit status of {name}: {status}" for name, status in bad_ends.items()]
    return failed


def write_report(path: Path, report: Document) -> None:
    """Write the document whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(report, out, indent=2)
            out.write("\n")
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
