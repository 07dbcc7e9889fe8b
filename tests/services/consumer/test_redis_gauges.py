"""Redis's own gauges, from a real Redis, and while there is none."""

from __future__ import annotations

import numpy as np
import pytest
import redis

from libs.telemetry.segment import Segment
from services.consumer.redis_gauges import RedisGauges
from services.consumer.series import series

pytestmark = pytest.mark.integration


def _gauge(segment: Segment, name: str, **labels: str) -> float:
    return float(segment.gauges[segment.gauge(name, **labels)])


def test_lengths_and_memory_are_redis_own(redis_server: str) -> None:
    """A stream's length is XLEN's; a stream that is not there is empty; a key of another type is no number."""
    client = redis.Redis.from_url(redis_server)
    for _ in range(3):
        client.xadd("gauges-nbbo", {"a": "b"})
    client.set("gauges-book", "text")
    segment = Segment.create("consumer", series())
    gauges = RedisGauges(segment, redis_server, "gauges-")
    gauges.ask()
    assert _gauge(segment, "md_redis_stream_length", stream="nbbo") == 3
    assert _gauge(segment, "md_redis_stream_length", stream="fills") == 0
    assert np.isnan(_gauge(segment, "md_redis_stream_length", stream="book"))
    assert _gauge(segment, "md_redis_memory_bytes") == pytest.approx(client.info("memory")["used_memory"], rel=0.5)
    assert _gauge(segment, "md_redis_connected_clients") >= 2
    client.delete("gauges-nbbo", "gauges-book")
    client.close()


def test_without_redis_they_are_no_numbers(free_port: int) -> None:
    """While nobody answers, no gauge keeps what it was; the next try is put off."""
    segment = Segment.create("consumer", series())
    gauges = RedisGauges(segment, f"redis://127.0.0.1:{free_port}/0", "")
    segment.gauges[:] = 1.0
    gauges.ask()
    assert np.isnan(_gauge(segment, "md_redis_memory_bytes"))
    assert np.isnan(_gauge(segment, "md_redis_stream_length", stream="book"))
    assert not gauges._connection.due()
