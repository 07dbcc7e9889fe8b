"""The most level changes a second with nothing lost: 10 an event, features and NBBO on; the sender alone beside it."""

from __future__ import annotations

import ctypes
import socket
import time
from typing import Any

from tests.bench import native
from tests.bench.runner import Disturbance, Row, Scale
from tests.bench.stack import up

WHAT = "level changes a second through the whole pipe with 0 lost, 10 an event, several messages a datagram"
GOAL = 1_000_000
LEVELS = 10
FIRST, MOST = 20_000, 160_000
"""Messages a second that the search begins with, and that it ends at."""
KEPT_UP, SLACK = 0.98, 100
"""Of the rate, and messages a second beside it that the ends of a short run may cost."""
DATAGRAM, MESSAGES = 1_400, 5
"""Bytes of the C sender's datagrams, and how many messages of 10 levels go into so many."""


def holds(report: dict[str, Any], rate: int) -> bool:
    """Return whether nothing was lost or dropped, and the rate was kept."""
    lost = sum(channel["lost"] + channel["unaccounted"] for channel in report["channels"].values())
    kept_up = report["messages_per_s"] >= KEPT_UP * rate - SLACK
    return lost == 0 and report["ring"]["dropped"] == 0 and kept_up


def sends_per_s(count: int) -> float:
    """Return the datagrams a second of a C loop over sendto that nobody reads, full ones."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unread:
        unread.bind(("127.0.0.1", 0))
        library = native.build("send")
        send_many = native.function(library, "send_many", ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
        took = send_many(unread.getsockname()[1], DATAGRAM, count)
    assert took > 0, "sendto fails"
    return count / (took / 1e9)


def search(measure: Any, first: int, most: int, finest: float = 1.15) -> tuple[int, dict[str, Any] | None]:
    """Double until it no longer holds, then halve the interval; return the largest rate that held, and its report."""
    good, bad, best = 0, 0, None
    rate = first
    while True:
        report = measure(rate)
        if holds(report, rate):
            good, best = rate, report
            if rate >= most:
                return good, best
            rate = min(most, 2 * rate) if not bad else int((good * bad) ** 0.5)
        else:
            bad = rate
            rate = int((good * bad) ** 0.5) if good else rate // 2
        if (good and bad and bad / good < finest) or rate < 1_000:
            return good, best


def rows(scale: Scale) -> list[Row]:
    """Search for 10 s a step, or 60."""
    seconds = 3 if scale.tiny else 60 if scale.full else 10
    tried: list[int] = []

    load = ("--levels", str(LEVELS), "--symbols", str(scale.pick(100, 2)), "--duration", str(seconds))

    def measure(rate: int) -> dict[str, Any]:
        tried.append(rate)
        return up("--rate", str(rate), *load)

    began = time.monotonic()
    with Disturbance() as disturbance:
        rate, report = search(measure, *((500, 500) if scale.tiny else (FIRST, MOST)))
    ours = report["updates_per_s"] if report else 0.0
    alone = sends_per_s(scale.pick(400_000, 2_000))
    row: Row = {
        "case": f"{rate:,} messages a second held of {', '.join(f'{each:,}' for each in tried)} tried",
        "ours": round(ours),
        "unit": "updates/s",
        "references": {"c sender alone": round(alone * LEVELS * MESSAGES)},
        "ratio": {"c sender alone": round(ours / (alone * LEVELS * MESSAGES), 4)},
        "goal": {"least": GOAL},
        "took_s": round(time.monotonic() - began, 1),
    }
    if report:
        row["latency_us"] = {stage: round(report["latency_ns"][stage]["p99_ns"] / 1e3) for stage in ("book", "signal")}
    if disturbance.reason:
        row["disturbed"] = disturbance.reason
    return [row]
