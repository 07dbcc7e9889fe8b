"""Metrics of recovery, brought up to date by the main thread."""

from __future__ import annotations

from libs.market.exchanges import EXCHANGES
from libs.recovery.counts import DROPS, KINDS
from libs.recovery.reading import REFUSALS
from libs.telemetry.segment import Segment, Series
from libs.wire.recovery import STATUSES
from services.consumer.recovery import Recovery

_LABELLED = {
    "requests": ("md_recovery_requests_total", "kind", tuple(KINDS.values())),
    "answers": ("md_recovery_answers_total", "status", STATUSES),
    "refused": ("md_recovery_refused_total", "reason", REFUSALS),
    "dropped": ("md_recovery_dropped_total", "reason", DROPS),
}
_BY_CHANNEL = {"recovered": "md_messages_recovered_total", "snapshots": "md_snapshots_recovered_total"}
_PLAIN = {"timeouts": "md_recovery_timeouts_total", "disconnects": "md_recovery_disconnects_total"}
_STATES = ("configured", "connected")


def series() -> list[Series]:
    """Return every series of recovery; they stand at 0 where it is off."""
    found = [Series("md_recovery_servers", {"state": state}) for state in _STATES]
    for name, label, values in _LABELLED.values():
        found += [Series(name, {label: value}) for value in values]
    for name in _BY_CHANNEL.values():
        found += [Series(name, {"channel": exchange}) for exchange in EXCHANGES]
    return found + [Series(name) for name in _PLAIN.values()]


def update(segment: Segment, recovery: Recovery) -> None:
    """Copy what the thread counted into the exported series.

    Parameters
    ----------
    segment : Segment
        Made with :func:`series` among others.
    """
    counters = recovery.counters
    for what, (name, label, values) in _LABELLED.items():
        for value in values:
            segment.counters[segment.counter(name, **{label: value})] = counters[f"{what}_{value}"]
    for what, name in _BY_CHANNEL.items():
        for channel, exchange in enumerate(EXCHANGES):
            segment.counters[segment.counter(name, channel=exchange)] = counters[f"{what}_{channel}"]
    for what, name in _PLAIN.items():
        segment.counters[segment.counter(name)] = counters[what]
    for state, n in zip(_STATES, (len(recovery.links), recovery.connected), strict=True):
        segment.gauges[segment.gauge("md_recovery_servers", state=state)] = n
