"""The feeder's figures: what Prometheus scrapes and what /status says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from libs.market.exchanges import EXCHANGES
from libs.sending import answering
from libs.sending.pace import STARVED, TRADES_SENT, UPDATES_SENT
from libs.sending.transmit import BYTES, DATAGRAMS, ERRORS, HEARTBEATS, MESSAGES
from libs.telemetry.hdr import summary
from libs.telemetry.segment import Segment, Series

if TYPE_CHECKING:
    from services.feeder.app import Feeder

SENT = {
    "feeder_sent_packets_total": DATAGRAMS,
    "feeder_sent_messages_total": MESSAGES,
    "feeder_sent_bytes_total": BYTES,
    "feeder_heartbeats_total": HEARTBEATS,
    "feeder_send_errors_total": ERRORS,
}
CORE_EVENTS = (
    "gap", "resync", "checksum_ok", "checksum_bad", "checksum_absent", "trade_gap", "refused", "ignored", "snapshots",
    "messages", "updates", "trades",
)  # fmt: skip
CONNECTION_EVENTS = ("opened", "refused", "closed", "rotated")
REST_STATUSES = ("ok", "429", "418", "error", "too_many", "other")
PER_FEED = (
    "feeder_open_connections",
    "feeder_mute_connections",
    "feeder_symbols",
    "feeder_synchronised_symbols",
    "feeder_quiet_seconds",
)
INBOX = ("feeder_inbox_items", "feeder_inbox_bytes", "feeder_inbox_high_water_items")
RAW_EVENTS = ("messages", "bytes", "dropped", "errors", "removed")
HUB_EVENTS = ("refused", "blocked", "not_carried", "mute", "stale_answers")


def series(channels: Sequence[int], feeds: Sequence[str]) -> list[Series]:
    """Return the metrics of a feeder of these channels and feeds."""
    found = [Series(name, {"channel": EXCHANGES[c]}) for name in SENT for c in channels]
    for feed in feeds:
        found += [Series("feeder_core_events_total", {"feed": feed, "event": event}) for event in CORE_EVENTS]
        found += [Series("feeder_connections_total", {"feed": feed, "event": event}) for event in CONNECTION_EVENTS]
        found += [Series("feeder_rest_requests_total", {"feed": feed, "status": each}) for each in REST_STATUSES]
        found += [Series(name, {"feed": feed}) for name in PER_FEED]
    found += [Series("feeder_raw_total", {"event": event}) for event in RAW_EVENTS]
    found += [Series("feeder_events_total", {"event": event}) for event in HUB_EVENTS]
    found += [
        Series(name, {}) for name in ("feeder_inbox_items", "feeder_inbox_bytes", "feeder_inbox_high_water_items")
    ]
    found += [Series("feeder_inbox_waits_total", {}), Series("feeder_cut_snapshots_total", {})]
    return [*found, *answering.series("feeder"), Series("feeder_latency_seconds", {})]


def core_counts(feeder: Feeder, feed: str) -> Counter[str]:
    """Return what the cores of a feed counted."""
    total: Counter[str] = Counter()
    for c in feeder.hub.connections:
        if c.feed.name == feed:
            total.update(c.core.counts)
            for of in c.core.by_symbol.values():
                for name in ("messages", "updates", "trades", "snapshots"):
                    total[name] += of[name]
    return total


def report(feeder: Feeder, now_us: int) -> None:
    """Bring the metrics up to date."""
    seg, hub = feeder.segment, feeder.hub
    stats = feeder.transmission.sender.lines.stats
    for name, column in SENT.items():
        for c in feeder.channels:
            seg.counters[seg.counter(name, channel=EXCHANGES[c])] = stats[c, column]
    for market in feeder.markets:
        _report_feed(feeder, market.feed.name, market.rest.counts, now_us)
    for event in HUB_EVENTS:
        seg.counters[seg.counter("feeder_events_total", event=event)] = hub.counts[event]
    if hub.raw is not None:
        for event in RAW_EVENTS:
            seg.counters[seg.counter("feeder_raw_total", event=event)] = hub.raw.counts[event]
    inbox = feeder.inbox
    seg.gauges[seg.gauge("feeder_inbox_items")] = len(inbox)
    seg.gauges[seg.gauge("feeder_inbox_bytes")] = inbox.bytes
    seg.gauges[seg.gauge("feeder_inbox_high_water_items")] = inbox.high_water
    seg.counters[seg.counter("feeder_inbox_waits_total")] = inbox.waits
    seg.counters[seg.counter("feeder_cut_snapshots_total")] = feeder.outlet.cut
    feeder.recovery.report(seg)


def _report_feed(feeder: Feeder, feed: str, rest: Counter[str], now_us: int) -> None:
    seg: Segment = feeder.segment
    own = [c for c in feeder.hub.connections if c.feed.name == feed]
    counts = core_counts(feeder, feed)
    for event in CORE_EVENTS:
        seg.counters[seg.counter("feeder_core_events_total", feed=feed, event=event)] = counts[event]
    for event in CONNECTION_EVENTS:
        total = sum(c.counts[event] for c in own)
        seg.counters[seg.counter("feeder_connections_total", feed=feed, event=event)] = total
    known = {status: rest[status] for status in REST_STATUSES}
    known["other"] = rest.total() - sum(known.values())
    for status, count in known.items():
        seg.counters[seg.counter("feeder_rest_requests_total", feed=feed, status=status)] = count
    said = [c.core.last_heard_us()[0] for c in own]
    quiet_s = (now_us - min(said)) / 1e6 if said and min(said) > 0 else 0.0
    figures = {
        "feeder_open_connections": sum(c.open for c in own),
        "feeder_mute_connections": sum(c in feeder.hub.mute for c in own),
        "feeder_symbols": sum(len(c.core.symbols) for c in own),
        "feeder_synchronised_symbols": sum(c.core.synchronised(s) for c in own for s in c.core.symbols),
        "feeder_quiet_seconds": max(0.0, quiet_s),
    }
    for name, value in figures.items():
        seg.gauges[seg.gauge(name, feed=feed)] = value


def status(feeder: Feeder) -> dict[str, Any]:
    """Return the document of /status; what a replay says too has the same key."""
    t, hub = feeder.transmission, feeder.hub
    return {
        "state": feeder.state,
        "source": "feeder",
        "seed": feeder.settings.seed,
        "lines": len(t.sockets),
        "sent": t.sent(),
        "offered_messages_per_s": 0.0,
        "speed": 1.0,
        "sender_late": summary(t.sender.late[0]),
        "updates": int(t.sender.state[UPDATES_SENT]),
        "trades": int(t.sender.state[TRADES_SENT]),
        "starved": int(t.sender.state[STARVED]),
        "instruments": int(feeder.outlet.listing.used[0]),
        "malformed_lines": 0,
        "bad_lines": [],
        "feeds": {m.feed.name: _feed_status(feeder, m.feed.name, m.rest.counts) for m in feeder.markets},
        "hub": dict(hub.counts),
        "raw": dict(hub.raw.counts) if hub.raw is not None else {},
        "inbox": {
            "items": len(feeder.inbox),
            "high_water": feeder.inbox.high_water,
            "waits": feeder.inbox.waits,
            "bytes": feeder.inbox.bytes,
        },
        "recovery": feeder.recovery.status(),
    }


def _feed_status(feeder: Feeder, feed: str, rest: Counter[str]) -> dict[str, Any]:
    own = [c for c in feeder.hub.connections if c.feed.name == feed]
    return {
        "connections": [
            {
                "name": c.name,
                "open": c.open,
                "mute": c in feeder.hub.mute,
                "generation": c.generation,
                "last_reason": c.last_reason,
                "symbols": len(c.core.symbols),
                "synchronised": sum(c.core.synchronised(s) for s in c.core.symbols),
                "counts": dict(c.counts),
            }
            for c in own
        ],
        "counts": dict(core_counts(feeder, feed)),
        "rest": dict(rest),
        "unverifiable": sorted({line for c in own for line in c.core.unverifiable}),
    }
