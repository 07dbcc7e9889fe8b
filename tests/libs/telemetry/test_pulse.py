"""What a service notes of itself: pauses, lateness, and the latencies of the last ten seconds."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

from libs.telemetry import pulse
from libs.telemetry.hdr import BUCKETS, summary
from libs.telemetry.pulse import Pulse, with_pulse
from libs.telemetry.segment import Segment
from tests.libs.telemetry.series import SERIES, record

SECOND_NS = 1_000_000_000


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 5 * SECOND_NS

    def monotonic_ns(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(pulse, "time", found)
    return found


@pytest.fixture
def beating(clock: Clock) -> Iterator[tuple[Segment, Pulse]]:
    segment = Segment.create("consumer", with_pulse(SERIES))
    found = Pulse(segment, 0.2)
    yield segment, found
    found.close()


def _window(segment: Segment, path: str, quantile: str) -> float:
    return float(segment.gauges[segment.gauge("md_latency_window_seconds", path=path, quantile=quantile)])


def test_quantiles_are_those_of_the_last_ten_seconds(beating: tuple[Segment, Pulse], clock: Clock) -> None:
    """What was recorded more than ten seconds ago is in no quantile of the window, and none is a number before."""
    segment, found = beating
    assert np.isnan(_window(segment, "book", "0.5"))
    record(segment, "book", [50_000_000] * 100)
    found.beat()
    assert _window(segment, "book", "0.5") == pytest.approx(0.05, rel=0.04)
    for _ in range(pulse.WINDOW_S):
        clock.now += SECOND_NS
        record(segment, "book", [1_000_000] * 10)
        found.beat()
    assert _window(segment, "book", "1") == pytest.approx(0.001, rel=0.04)
    assert np.isnan(_window(segment, "publish", "0.5"))
    for _ in range(pulse.WINDOW_S + 1):
        clock.now += SECOND_NS
        found.beat()
    assert np.isnan(_window(segment, "book", "1"))


def test_lateness_is_counted_from_the_beat_that_was_due(beating: tuple[Segment, Pulse], clock: Clock) -> None:
    """A beat 0.2 s after the last is on time; one 0.7 s after it is half a second late."""
    segment, found = beating
    found.beat()
    for wait_ns in (200_000_000, 700_000_000):
        clock.now += wait_ns
        found.beat()
    lag = summary(segment.rows[segment.row("md_loop_lag_seconds")])
    assert lag["count"] == 2
    assert lag["p50_ns"] == 0
    assert lag["max_ns"] == 500_000_000


def test_pauses_of_the_collector_are_noted_until_closed(beating: tuple[Segment, Pulse], clock: Clock) -> None:
    """A collection is one pause; after the end none is noted."""
    segment, found = beating
    row = segment.rows[segment.row("md_gc_pause_seconds")]
    before = int(row[:BUCKETS].sum())
    gc.collect()
    assert int(row[:BUCKETS].sum()) > before
    found.close()
    before = int(row[:BUCKETS].sum())
    gc.collect()
    assert int(row[:BUCKETS].sum()) == before
    gc.callbacks.append(found._on_gc)


def test_a_beat_is_a_sign_of_life(beating: tuple[Segment, Pulse]) -> None:
    """/livez wants one every five seconds."""
    segment, found = beating
    segment._words[1] = 0
    found.beat()
    assert segment._words[1] > 0
