"""The end of a run: the sender stops, everyone catches up, everyone's last word is taken, then they stop in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from services.cli.api import Endpoint
from services.cli.report import Statuses, sent_by_channel
from services.cli.stack import Stack

REPLAY_STOP_S = 10.0
DRAIN_S = 8.0
# A service writes its status five times a second: what stays the same over two of them has come to rest.
REST_S = 0.5
POLL_S = 0.05


def end_sending(endpoint: Endpoint, statuses: Statuses, given_up: Callable[[], bool]) -> None:
    """Ask the replay to end its session, and wait until it has said so on the wire."""
    deadline = time.monotonic() + REPLAY_STOP_S
    asked = False
    while time.monotonic() < deadline and not given_up():
        status = endpoint.status()
        statuses.take("replay", status)
        if status is None or status.get("state") == "done":
            return
        if not asked:
            asked = endpoint.post("/stop") is not None
        time.sleep(POLL_S)


def drain(endpoints: dict[str, Endpoint], statuses: Statuses, given_up: Callable[[], bool]) -> None:
    """Wait until what was sent has reached every service, and keep what each says then.

    Parameters
    ----------
    endpoints : dict
    statuses : Statuses
        Brought up to date.
    given_up : callable
        Whether the user no longer wants to wait.
    """
    deadline = time.monotonic() + DRAIN_S
    last: Any = None
    since = time.monotonic()
    while time.monotonic() < deadline and not given_up():
        for name in ("consumer", "signals", "oms"):
            statuses.take(name, endpoints[name].status())
        now = _progress(statuses)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= REST_S and _consumer_is_done(statuses):
            return
        time.sleep(POLL_S)


def stop_in_order(stack: Stack) -> None:
    """Stop the readers of streams first, so that none sees its source vanish; Redis last."""
    stack.stop("signals", "oms")
    stack.stop("replay")
    stack.stop("consumer")
    stack.stop("redis")


def _progress(statuses: Statuses) -> Any:
    consumer, signals, oms = statuses.consumer, statuses.signals, statuses.oms
    channels = consumer.get("channels", {}).values()
    return (
        sum(channel["received"] for channel in channels),
        consumer.get("redis", {}).get("published"),
        signals.get("rows"),
        signals.get("signals"),
        oms.get("orders"),
        oms.get("fills"),
    )


def _consumer_is_done(statuses: Statuses) -> bool:
    """Return whether the consumer has nothing pending and knows of every message that was sent."""
    channels = statuses.consumer.get("channels", {})
    return all(
        name in channels and not channels[name].get("pending") and channels[name].get("sent", 0) >= sent
        for name, sent in sent_by_channel(statuses.replay).items()
        if sent
    )
