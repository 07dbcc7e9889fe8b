"""SIGKILL in the middle: nothing twice, nothing missing."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from libs.storage.partitions import parts_of
from libs.streams.schemas import SCHEMAS
from tests.libs.streams.server import Server
from tests.services.recorder.running import Numbered, Service, numbers

pytestmark = pytest.mark.integration

KILLS = 8
MOST_KILLS = 30


def test_kills_cost_and_double_nothing(start: Callable[..., Service], own_redis: Server) -> None:
    """A recorder that flushes all the time is killed again and again while a writer goes on; each row is there once."""
    source = Numbered(own_redis.url)
    rng = random.Random(3)
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.004):
            source.write(1, rows=rng.randint(1, 40))

    writer = threading.Thread(target=write)
    writer.start()
    left = kills = 0
    try:
        while kills < KILLS or (left == 0 and kills < MOST_KILLS):
            kills += 1
            service = start(own_redis.url, "flush_rows = 400\nflush_interval_s = 0.05\n")
            service.wait_recorded(1)
            time.sleep(rng.uniform(0.0, 0.3))
            service.kill()
            left += len(list(parts_of(service.root, drafts=True)))
    finally:
        ended.set()
        writer.join()
    service = start(own_redis.url, "flush_interval_s = 0.1\n")
    total = sum(source.next.values())
    service.wait(lambda: sum(len(numbers(service.root, stream)) for stream in SCHEMAS) >= total)
    assert service.status()["gaps"] == 0
    assert service.stop() == 0
    for stream in SCHEMAS:
        assert numbers(service.root, stream) == list(range(source.next[stream]))
        entries = [
            entry
            for path, place in parts_of(service.root)
            if place.stream == stream
            for entry in set(pq.read_table(path, columns=["entry"])["entry"].to_pylist())
        ]
        known = {identity.decode() for identity, _ in own_redis.client().xrange(stream)}
        assert set(entries) == known
    assert left > 0, "no kill fell into a flush: the test shows nothing"
