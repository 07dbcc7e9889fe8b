"""Reading on where an earlier process stopped, with a real Redis."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from libs.errors import SchemaError
from libs.streams.reader import Batch, PackedReader
from libs.streams.resumed import COUNT, Gap
from libs.streams.writer import PackedWriter
from tests.libs.streams.server import Server
from tests.libs.streams.test_packed import RUN, entry, read_until

pytestmark = pytest.mark.integration


def _reader(url: str, prefix: str, resume: dict[str, str]) -> PackedReader:
    return PackedReader(url, prefix, ["trades", "status"], start="0", block_ms=1, resume=resume)


def _ids(batches: list[Batch]) -> list[str]:
    return [batch.id for batch in batches]


def _until(n: int) -> Callable[[list[Batch]], bool]:
    return lambda batches: len(batches) >= n


def test_nothing_is_read_twice_or_missed(redis_server: str, prefix: str) -> None:
    """Readers that follow each other get every entry once, however many there are in a read."""
    writer = PackedWriter(redis_server, prefix, RUN, {})
    n = 3 * COUNT + 5
    assert writer.write([entry("trades", 1, seed) for seed in range(n)])
    first = _reader(redis_server, prefix, {})
    found = read_until(first, _until(COUNT))
    assert len(found) == COUNT
    second = _reader(redis_server, prefix, {"trades": found[-1].id})
    rest = read_until(second, _until(n - COUNT))
    writer.write([entry("trades"), entry("status")])
    rest += read_until(second, _until(2))
    client = redis.Redis.from_url(redis_server)
    trades = [identity.decode() for identity, _ in client.xrange(f"{prefix}trades")]
    assert _ids(found) + _ids([batch for batch in rest if batch.stream == "trades"]) == trades
    assert second.read() == []
    assert (first.gaps(), second.gaps()) == ([], [])
    writer.close()


def test_what_was_trimmed_is_a_gap(redis_server: str, prefix: str) -> None:
    """Where the last entry taken in is gone the gap is told once, between the entries that it lies between."""
    writer = PackedWriter(redis_server, prefix, RUN, {})
    writer.write([entry("trades", 1, seed) for seed in range(10)])
    client = redis.Redis.from_url(redis_server)
    ids = [identity.decode() for identity, _ in client.xrange(f"{prefix}trades")]
    client.xtrim(f"{prefix}trades", maxlen=5, approximate=False)
    exact, behind = (_reader(redis_server, prefix, {"trades": ids[k]}) for k in (5, 2))
    assert _ids(read_until(exact, _until(4))) == ids[6:]
    assert exact.gaps() == []
    assert _ids(read_until(behind, _until(5))) == ids[5:]
    assert behind.gaps() == [("trades", Gap(f"{prefix}trades", ids[2], ids[5]))]
    writer.write([entry("trades")])
    assert len(read_until(behind, _until(1))) == 1
    assert behind.gaps() == []
    writer.close()


def test_a_redis_that_lost_its_streams_is_a_gap(own_redis: Server) -> None:
    """After Redis started empty the next entry follows a gap; until it comes nothing is told."""
    writer = PackedWriter(own_redis.url, "", RUN, {})
    writer.write([entry("trades")])
    reader = _reader(own_redis.url, "", {})
    (first,) = read_until(reader, _until(1))
    own_redis.client().flushall()
    assert reader.read() == []
    assert reader.gaps() == []
    writer.write([entry("trades", 1, 2)])
    (second,) = read_until(reader, _until(1))
    assert reader.gaps() == [("trades", Gap("trades", first.id, second.id))]
    writer.close()


def test_a_stream_that_began_anew_with_lower_numbers_is_read(own_redis: Server) -> None:
    """Where a clock went back, the stream is read from its beginning, after a gap; nobody waits for the old numbers."""
    writer = PackedWriter(own_redis.url, "", RUN, {})
    writer.write([entry("trades"), entry("trades", 1, 2)])
    reader = _reader(own_redis.url, "", {"trades": "9999999999999-7"})
    found = read_until(reader, _until(2))
    assert [gap.after for _, gap in reader.gaps()] == ["9999999999999-7"]
    assert found[0].rows.tobytes() == entry("trades")[2]
    assert reader.read() == []
    writer.close()


def test_an_entry_that_was_deleted_brings_nothing_again(own_redis: Server) -> None:
    """Where somebody deleted the newest entry, those before it are not read a second time."""
    writer = PackedWriter(own_redis.url, "", RUN, {})
    writer.write([entry("trades"), entry("trades", 1, 2)])
    reader = _reader(own_redis.url, "", {})
    found = read_until(reader, _until(2))
    own_redis.client().xdel("trades", found[-1].id)
    assert reader.read() == []
    assert reader.gaps() == []
    writer.close()


def test_an_outage_changes_no_position(own_redis: Server) -> None:
    """While Redis is away nothing is read; what it tells of a stream of another type is no gap."""
    reader = _reader(own_redis.url, "", {"trades": "5-0"})
    own_redis.client().set("trades", "no stream")
    assert reader.read() == []
    assert "WRONGTYPE" in reader.last_error
    own_redis.kill()
    assert reader.read() == []
    own_redis.start()
    writer = PackedWriter(own_redis.url, "", RUN, {})
    assert writer.write([entry("trades")])
    read_until(reader, _until(1))
    assert len(reader.gaps()) == 1
    writer.close()


def test_an_unknown_version_is_refused(redis_server: str, prefix: str) -> None:
    """Schemas are checked as in any reading."""
    redis.Redis.from_url(redis_server).xadd(f"{prefix}trades", {"v": 9, "run": 1, "n": 0, "d": b""})
    with pytest.raises(SchemaError, match="found 9"):
        _reader(redis_server, prefix, {}).read()
