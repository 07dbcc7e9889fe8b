"""Readable streams and consumer groups through a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from libs.streams.reader import PackedReader, Record, RecordReader
from libs.streams.record_writer import RecordWriter
from libs.streams.schemas import SCHEMAS
from libs.streams.writer import PackedWriter
from tests.libs.streams.server import Server

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0


def signal(n: int) -> tuple[str, dict[str, str]]:
    return ("signals", {"id": str(n), "symbol": "BTC-€"})


def read_until(reader: RecordReader, enough: Callable[[list[Record]], bool]) -> list[Record]:
    found: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while not enough(found) and time.monotonic() < deadline:
        found += reader.read()
    assert enough(found), found
    return found


def write_until_through(writer: RecordWriter) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not writer.write([]):
        assert time.monotonic() < deadline, writer.last_error
        time.sleep(0.01)


def ids(records: list[Record]) -> list[str]:
    return [record.fields["id"] for record in records]


def test_fields_come_back_as_they_went(redis_server: str, prefix: str) -> None:
    """Records come back with their stream and text fields, in order, to a reader without a group."""
    writer = RecordWriter(redis_server, prefix, {})
    reader = RecordReader(redis_server, prefix, ["signals", "orders"], start="0", block_ms=20)
    assert writer.write([signal(1), signal(2), ("orders", {"side": "buy"})])
    found = read_until(reader, lambda records: len(records) == 3)
    assert [(r.stream, r.fields) for r in found if r.stream == "signals"] == [signal(1), signal(2)]
    assert [r.fields for r in found if r.stream == "orders"] == [{"side": "buy"}]
    assert (writer.published, writer.dropped, writer.waiting) == (3, 0, 0)
    writer.close()
    reader.close()


def test_nothing_is_written_twice_beside_a_refusal(redis_server: str, prefix: str) -> None:
    """A record that Redis refuses waits; those before and after it in the pipeline are written once."""
    client = redis.Redis.from_url(redis_server)
    client.set(f"{prefix}orders", "not a stream")
    writer = RecordWriter(redis_server, prefix, {})
    assert not writer.write([signal(1), ("orders", {"id": "a"}), signal(2), ("orders", {"id": "b"}), signal(3)])
    assert "WRONGTYPE" in writer.last_error
    assert (writer.published, writer.waiting) == (3, 2)
    client.delete(f"{prefix}orders")
    write_until_through(writer)
    assert [f[b"id"] for _, f in client.xrange(f"{prefix}signals")] == [b"1", b"2", b"3"]
    assert [f[b"id"] for _, f in client.xrange(f"{prefix}orders")] == [b"a", b"b"]
    assert (writer.published, writer.waiting, writer.dropped) == (5, 0, 0)
    writer.close()


def test_outage_keeps_records_in_order_up_to_the_bound(own_redis: Server) -> None:
    """While Redis is away records wait, the oldest go when there are too many, and all that wait come in order."""
    writer = RecordWriter(own_redis.url, "", {}, backlog_entries=3)
    assert writer.write([signal(0)])
    own_redis.kill()
    for n in range(1, 6):
        assert not writer.write([signal(n)])
    assert (writer.waiting, writer.dropped, writer.connected) == (3, 2, False)
    own_redis.start()
    write_until_through(writer)
    assert [f[b"id"] for _, f in own_redis.client().xrange("signals")] == [b"3", b"4", b"5"]
    assert writer.reconnects == 1
    own_redis.kill()
    writer.write([signal(6)])
    writer.close()
    assert writer.dropped == 3


def test_a_group_gives_each_record_once(redis_server: str, prefix: str) -> None:
    """Acknowledged records do not come again; two consumers of a group share, and none gets what another has."""
    writer = RecordWriter(redis_server, prefix, {})
    first = RecordReader(redis_server, prefix, ["signals"], group="g", consumer="1", start="0", block_ms=20)
    second = RecordReader(redis_server, prefix, ["signals"], group="g", consumer="2", start="0", block_ms=20)
    writer.write([signal(n) for n in range(4)])
    found = read_until(first, lambda records: len(records) == 4)
    assert second.read() == []
    first.ack(found)
    writer.write([signal(9)])
    assert ids(read_until(second, lambda records: len(records) == 1)) == ["9"]
    assert first.read() == []
    pending = redis.Redis.from_url(redis_server).xpending(f"{prefix}signals", "g")
    assert (pending["pending"], pending["consumers"]) == (1, [{"name": b"2", "pending": 1}])


def test_own_unacknowledged_records_come_first_after_a_restart(redis_server: str, prefix: str) -> None:
    """A consumer that restarts under its name gets what it had not acknowledged, then what is new."""
    writer = RecordWriter(redis_server, prefix, {})
    writer.write([signal(n) for n in range(3)])
    before = RecordReader(redis_server, prefix, ["signals"], group="g", consumer="1", start="0", block_ms=20)
    found = read_until(before, lambda records: len(records) == 3)
    before.ack(found[:1])
    before.close()
    writer.write([signal(3)])
    after = RecordReader(redis_server, prefix, ["signals"], group="g", consumer="1", start="0", block_ms=20)
    again = read_until(after, lambda records: len(records) == 3)
    assert ids(again) == ["1", "2", "3"]
    after.ack(again)
    assert after.read() == []


def test_records_of_a_dead_consumer_are_claimed(redis_server: str, prefix: str) -> None:
    """What a consumer left unacknowledged for long enough goes to one that lives."""
    writer = RecordWriter(redis_server, prefix, {})
    writer.write([signal(n) for n in range(3)])
    dead = RecordReader(redis_server, prefix, ["signals"], group="g", consumer="dead", start="0", block_ms=20)
    read_until(dead, lambda records: len(records) == 3)
    dead.close()
    time.sleep(0.06)
    alive = RecordReader(
        redis_server, prefix, ["signals"], group="g", consumer="alive", start="0", block_ms=20, claim_idle_ms=50
    )
    claimed = read_until(alive, lambda records: len(records) == 3)
    assert ids(claimed) == ["0", "1", "2"]
    alive.ack(claimed)
    assert redis.Redis.from_url(redis_server).xpending(f"{prefix}signals", "g")["pending"] == 0


def test_a_group_that_redis_lost_is_made_again(own_redis: Server) -> None:
    """A Redis that restarts empty has no group; the reader makes it again and misses nothing written since."""
    writer = RecordWriter(own_redis.url, "", {})
    reader = RecordReader(own_redis.url, "", ["signals"], group="g", block_ms=20)
    assert reader.read() == []
    writer.write([signal(1)])
    reader.ack(read_until(reader, lambda records: ids(records) == ["1"]))
    own_redis.kill()
    assert reader.read() == []
    own_redis.start()
    own_redis.client().xadd("signals", {"id": "2"})
    reader.ack(read_until(reader, lambda records: ids(records) == ["2"]))
    own_redis.client().flushall()
    own_redis.client().xadd("signals", {"id": "3"})
    assert ids(read_until(reader, lambda records: len(records) == 1)) == ["3"]
    assert reader.connected


def test_acknowledging_while_redis_is_away_raises_nothing(own_redis: Server) -> None:
    """An acknowledgement that cannot be made is noted as trouble of the connection."""
    own_redis.client().xadd("signals", {"id": "1"})
    reader = RecordReader(own_redis.url, "", ["signals"], group="g", start="0", block_ms=20)
    found = read_until(reader, lambda records: len(records) == 1)
    own_redis.kill()
    reader.ack(found)
    assert not reader.connected and reader.last_error


def test_packed_streams_in_a_group(redis_server: str, prefix: str) -> None:
    """A packed stream is read in a group too: acknowledged batches are gone, others come again."""
    data = bytes(2 * SCHEMAS["trades"].dtype.itemsize)
    writer = PackedWriter(redis_server, prefix, 1, {})
    writer.write([("trades", 2, data), ("trades", 2, data)])
    reader = PackedReader(redis_server, prefix, ["trades"], group="g", consumer="1", start="0", block_ms=20)
    found = reader.read() or reader.read()
    assert [len(batch.rows) for batch in found] == [2, 2]
    reader.ack(found[:1])
    reader.close()
    again = PackedReader(redis_server, prefix, ["trades"], group="g", consumer="1", start="0", block_ms=20)
    assert [batch.id for batch in again.read()] == [found[1].id]
