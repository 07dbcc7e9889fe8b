"""Samples of a soak: what services say is read, what does not answer is left out, and the quiet point is waited for."""

from __future__ import annotations

import contextlib
from typing import Any

from services.cli.api import Endpoint
from services.cli.soak import sampling
from tests.services.cli.soak.answers import Service, serving

CHANNEL = {
    "lost": 3, "applied": 90, "unaccounted": 0, "pending": 0, "missing": 0, "sent": 100, "ledger_checks": {"failed": 1},
}  # fmt: skip
METRICS = """
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1e+08
# TYPE process_open_fds gauge
process_open_fds 21
# TYPE md_thread_cpu_seconds_total counter
md_thread_cpu_seconds_total{thread="book"} 1
md_thread_cpu_seconds_total{thread="receive"} 2
# TYPE md_redis_stream_length gauge
md_redis_stream_length{stream="book"} 7
md_redis_stream_length{stream="nbbo"} NaN
# TYPE md_e2e_latency_seconds histogram
md_e2e_latency_seconds_bucket{path="signal",le="0.005"} 9
md_e2e_latency_seconds_bucket{path="signal",le="+Inf"} 10
md_e2e_latency_seconds_bucket{path="features",le="+Inf"} 99
md_e2e_latency_seconds_count{path="signal"} 10
md_e2e_latency_seconds_sum{path="signal"} 1
"""


def consumer(**changes: Any) -> Service:
    document = {
        "channels": {"okx": CHANNEL | changes},
        "books": {"valid": 4, "total": 5},
        "ring": {"dropped": 2},
        "redis": {"dropped": 1},
    }
    return Service(status=document, metrics=METRICS)


def test_a_sample_is_what_the_services_say() -> None:
    """Counts of the channels summed, buckets of the signal service alone, memory by service; NaN is no length."""
    sender = Service(status={"sender_late": {"p99_ns": 2_500_000}})
    with serving(consumer()) as there, serving(Service(metrics=METRICS)) as signals, serving(sender) as replay:
        found = sampling.read({"consumer": there, "signals": signals, "replay": replay}, 7.0)
    assert (found.at_s, found.lost, found.applied, found.unbalanced) == (7.0, 3, 90, 1)
    assert (found.valid, found.books, found.ring_dropped, found.redis_dropped) == (4, 5, 2, 1)
    assert found.late_p99_ms == 2.5
    assert found.buckets == {0.005: 9.0, float("inf"): 10.0}
    assert found.rss == {"consumer": 1e8, "signals": 1e8}
    assert found.threads["consumer"] == 2
    assert found.stream_entries == 7


def test_what_does_not_answer_is_left_out() -> None:
    """Nobody there: zeroes, which the judge takes for books that are not valid."""
    nobody = Endpoint("127.0.0.1", 1)
    found = sampling.read({"consumer": nobody, "replay": nobody, "signals": nobody}, 1.0)
    assert (found.books, found.buckets, found.rss) == (0, {}, {})


def test_the_quiet_point_counts_what_nobody_heard() -> None:
    """The sender is paused and goes on afterwards; messages that it numbered and nobody heard of are told."""
    sender = Service(status={"sent": {"okx": {"messages": 104}, "bybit": {"messages": 2}}})
    with serving(consumer()) as there, serving(sender) as replay:
        found = sampling.drained({"consumer": there, "replay": replay}, timeout_s=1.2)
    assert found == {"unaccounted": 0, "pending": 0, "missing": 0, "unheard": 6}
    assert [path for path, _ in sender.commands] == ["/pause", "/resume"]


def test_a_balanced_quiet_point_is_not_waited_for() -> None:
    """It ends as soon as everything is accounted for; without an answer each figure is -1, which no check takes."""
    sender = Service(status={"sent": {"okx": {"messages": 100}}})
    with serving(consumer()) as there, serving(sender) as replay:
        assert not any(sampling.drained({"consumer": there, "replay": replay}, timeout_s=60.0).values())
    nobody = Endpoint("127.0.0.1", 1)
    assert set(sampling.drained({"consumer": nobody, "replay": nobody}, timeout_s=0.6).values()) == {-1}


def test_the_sampler_stops() -> None:
    """It reads until told to stop, and has at least one sample."""
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(serving(consumer()))
        sampler = sampling.Sampler({"consumer": there, "replay": there, "signals": there})
        sampler.start()
        sampler.stop()
    assert sampler.samples and not sampler.is_alive()
    assert sampler.error == ""


def test_a_sampler_that_dies_says_of_what() -> None:
    """A document that is none of ours ends it, and the verdict has the reason."""
    with serving(Service(status={"channels": {"okx": {}}}, metrics=METRICS)) as there:
        sampler = sampling.Sampler({"consumer": there, "replay": there, "signals": there})
        sampler.run()
    assert "lost" in sampler.error
