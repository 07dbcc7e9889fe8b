"""Packed streams through a real Redis: every schema there and back, versions, outages, error replies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pytest
import redis

from libs.errors import SchemaError
from libs.streams.reader import Batch, PackedReader
from libs.streams.schemas import SCHEMAS, STATUS_KINDS
from libs.streams.writer import LATEST, PackedWriter
from tests.libs.streams.server import Server

pytestmark = pytest.mark.integration

RUN = 1_700_000_000_000_000_000
PATIENCE_S = 30.0


def rows(name: str, n: int, seed: int = 1) -> np.ndarray:
    """Return records of any bytes."""
    dtype = SCHEMAS[name].dtype
    return np.frombuffer(np.random.default_rng(seed).bytes(n * dtype.itemsize), dtype)


def entry(name: str, n: int = 1, seed: int = 1) -> tuple[str, int, bytes]:
    return (name, n, rows(name, n, seed).tobytes())


def read_until(reader: PackedReader, enough: Callable[[list[Batch]], bool]) -> list[Batch]:
    found: list[Batch] = []
    deadline = time.monotonic() + PATIENCE_S
    while not enough(found) and time.monotonic() < deadline:
        found += reader.read()
    assert enough(found), [batch.stream for batch in found]
    return found


def write_until_through(writer: PackedWriter) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not writer.write([]):
        assert time.monotonic() < deadline, writer.last_error
        time.sleep(0.01)


def kinds(batches: list[Batch]) -> list[str]:
    return [STATUS_KINDS[k] for batch in batches if batch.stream == "status" for k in batch.rows["kind"]]


@pytest.mark.parametrize("name", SCHEMAS)
def test_records_come_back_as_they_went(redis_server: str, prefix: str, name: str) -> None:
    """Records of each schema come back byte for byte, in order, with the run that wrote them."""
    writer = PackedWriter(redis_server, prefix, RUN, {})
    reader = PackedReader(redis_server, prefix, [name], start="0", block_ms=50)
    assert writer.write([entry(name, 3, 1), entry(name, 2, 2)])
    found = read_until(reader, lambda batches: len(batches) == 2)
    assert [batch.rows.tobytes() for batch in found] == [rows(name, 3, 1).tobytes(), rows(name, 2, 2).tobytes()]
    assert {(batch.stream, batch.run) for batch in found} == {(name, str(RUN))}
    assert found[0].rows.dtype == SCHEMAS[name].dtype
    assert (writer.published, writer.dropped, reader.breaks) == (5, 0, 0)
    assert reader.read() == []
    writer.close()
    reader.close()


def test_layouts_are_published(redis_server: str, prefix: str) -> None:
    """Beside each stream stands its version and layout, from which numpy builds the same dtype."""
    writer = PackedWriter(redis_server, prefix, RUN, {})
    writer.write([])
    client = redis.Redis.from_url(redis_server)
    for name, schema in SCHEMAS.items():
        found = client.hgetall(f"{prefix}schema:{name}")
        fields = [tuple(tuple(x) if isinstance(x, list) else x for x in f) for f in json.loads(found[b"fields"])]
        assert np.dtype(fields) == schema.dtype
        assert (int(found[b"version"]), int(found[b"itemsize"])) == (schema.version, schema.dtype.itemsize)
    writer.close()


def test_a_reader_from_now_on_sees_nothing_old(redis_server: str, prefix: str) -> None:
    """A reader that starts at $ gets what is written after its first read, and nothing in between is missed."""
    writer = PackedWriter(redis_server, prefix, RUN, {})
    writer.write([entry("trades", 1, 1)])
    reader = PackedReader(redis_server, prefix, ["trades"], block_ms=1)
    assert reader.read() == []
    writer.write([entry("trades", 1, 2)])
    writer.write([entry("trades", 1, 3)])
    found = read_until(reader, lambda batches: len(batches) == 2)
    assert [batch.rows.tobytes() for batch in found] == [entry("trades", 1, n)[2] for n in (2, 3)]


def test_another_version_is_refused_by_name(redis_server: str, prefix: str) -> None:
    """A published schema, an entry's version or a size that is not known raises with stream, expected and found."""
    client = redis.Redis.from_url(redis_server)
    client.xadd(f"{prefix}nbbo", {"v": 2, "run": 1, "n": 1, "d": b"x" * 168})
    with pytest.raises(SchemaError, match=r"stream nbbo, entry .*expected version 1, found 2"):
        PackedReader(redis_server, prefix, ["nbbo"], start="0").read()
    client.xadd(f"{prefix}trades", {"v": 1, "run": 1, "n": 1, "d": b"x" * 135})
    with pytest.raises(SchemaError, match=r"stream trades, .* a multiple of 136 bytes, found 135"):
        PackedReader(redis_server, prefix, ["trades"], start="0").read()
    client.hset(f"{prefix}schema:trades", mapping={"version": 7, "itemsize": 144})
    reader = PackedReader(redis_server, prefix, ["trades"], start="0")
    for _ in range(2):
        with pytest.raises(SchemaError, match="stream trades: expected version 1 of 136 bytes, found version 7 of 144"):
            reader.read()


def test_a_new_run_is_a_break(redis_server: str, prefix: str) -> None:
    """A reader notices that the writer restarted."""
    reader = PackedReader(redis_server, prefix, ["features"], start="0", block_ms=1)
    for run in (RUN, RUN, RUN + 1):
        writer = PackedWriter(redis_server, prefix, run, {})
        writer.write([entry("features")])
        writer.close()
    read_until(reader, lambda batches: len(batches) == 3)
    assert reader.breaks == 1


def test_streams_are_bounded(redis_server: str, prefix: str) -> None:
    """A stream keeps about as many entries as it was told to, not more than one node of Redis above."""
    writer = PackedWriter(redis_server, prefix, RUN, {"trades": 50})
    for seed in range(20):
        assert writer.write([entry("trades", 1, seed)] * 50)
    length = redis.Redis.from_url(redis_server).xlen(f"{prefix}trades")
    assert 50 <= length <= 150
    writer.close()


def test_outage_keeps_events_and_shows_a_break(own_redis: Server) -> None:
    """While Redis is away events wait and latest states do not; afterwards a break stands before what waited."""
    writer = PackedWriter(own_redis.url, "", RUN, {})
    reader = PackedReader(own_redis.url, "", ["status", "trades", "features"], start="0", block_ms=20)
    assert writer.write([entry("status"), entry("trades"), entry("features")])
    read_until(reader, lambda batches: len(batches) == 3)
    own_redis.kill()
    assert not writer.write([entry("trades", 1, 2), entry("features", 1, 2)])
    assert not writer.connected and writer.last_error
    start = time.monotonic()
    assert not writer.write([entry("trades", 1, 3), entry("status", 1, 3)])
    assert time.monotonic() - start < 0.2
    assert reader.read() == []
    assert not reader.connected and reader.last_error
    own_redis.start()
    write_until_through(writer)
    assert writer.write([entry("features", 1, 4)])
    found = read_until(reader, lambda batches: len(batches) == 5)
    trades = [batch.rows.tobytes() for batch in found if batch.stream == "trades"]
    assert trades == [entry("trades", 1, 2)[2], entry("trades", 1, 3)[2]]
    assert [b.rows.tobytes() for b in found if b.stream == "features"] == [entry("features", 1, 4)[2]]
    status = [batch for batch in found if batch.stream == "status"]
    assert kinds(status[:1]) == ["break"]
    assert status[1].rows.tobytes() == entry("status", 1, 3)[2]
    assert reader.breaks == 3
    assert (writer.reconnects, reader.reconnects, writer.dropped) == (1, 1, 0)
    writer.close()
    reader.close()


def test_backlog_is_bounded_and_its_loss_is_told(own_redis: Server) -> None:
    """Of more events than the backlog holds the oldest are dropped and counted, and the break says how many."""
    writer = PackedWriter(own_redis.url, "", RUN, {}, backlog_entries=3)
    assert writer.write([entry("trades")])
    own_redis.kill()
    for seed in range(10):
        writer.write([entry("trades", 2, seed), entry("book", 1, seed)])
    assert writer.dropped_by_stream == {"trades": 14}
    own_redis.start()
    write_until_through(writer)
    reader = PackedReader(own_redis.url, "", ["status", "trades", "book"], start="0")
    found = read_until(reader, lambda batches: len(batches) == 4)
    assert [b.rows.tobytes() for b in found if b.stream == "trades"] == [entry("trades", 2, n)[2] for n in (7, 8, 9)]
    (broken,) = [batch.rows[0] for batch in found if batch.stream == "status"]
    assert (STATUS_KINDS[broken["kind"]], int(broken["sequence"])) == ("break", 14)
    own_redis.kill()
    writer.write([entry("trades", 5)])
    writer.close()
    assert writer.dropped_by_stream == {"trades": 19}


def test_latest_states_are_never_kept() -> None:
    """Features, books and quotes come again by themselves; trades, arbitrage phases and statuses do not."""
    assert set(SCHEMAS) - LATEST == {"trades", "arbitrage", "status"}


def test_one_wrong_stream_does_not_repeat_the_others(redis_server: str, prefix: str) -> None:
    """Where one stream's key is of another type, its text is told, others are written once, and it is made up for."""
    client = redis.Redis.from_url(redis_server)
    client.set(f"{prefix}trades", "not a stream")
    writer = PackedWriter(redis_server, prefix, RUN, {})
    assert not writer.write([entry("trades", 1, 1), entry("status", 1, 1), entry("book", 1, 1)])
    assert "WRONGTYPE" in writer.last_error
    assert list(writer.errors) == ["WRONGTYPE"]
    assert writer.published_by_stream == {"status": 1, "book": 1}
    client.delete(f"{prefix}trades")
    write_until_through(writer)
    assert client.xlen(f"{prefix}trades") == 1
    assert [f[b"d"] for _, f in client.xrange(f"{prefix}status")].count(entry("status")[2]) == 1
    assert client.xlen(f"{prefix}book") == 1
    writer.close()


def test_out_of_memory_is_told_in_redis_own_words(own_redis: Server) -> None:
    """A Redis that is full gives its text, keeps events waiting, and gets them once it has room."""
    writer = PackedWriter(own_redis.url, "", RUN, {})
    assert writer.write([])
    client = own_redis.client()
    client.config_set("maxmemory", "1")
    assert not writer.write([entry("trades")])
    assert "maxmemory" in writer.last_error
    assert writer.published == 0
    client.config_set("maxmemory", "0")
    write_until_through(writer)
    assert client.xlen("trades") == 1
    writer.close()


def test_missing_password_is_told() -> None:
    """Without its password Redis's text is what both ends report."""
    server = Server(requirepass="secret")
    try:
        writer = PackedWriter(server.url, "", RUN, {})
        reader = PackedReader(server.url, "", ["trades"])
        assert not writer.write([entry("trades")])
        assert reader.read() == []
        assert "authenticat" in writer.last_error
        assert "authenticat" in reader.last_error
        assert sum(writer.errors.values()) == 1
    finally:
        server.close()


def instrument(book: int, tick: int) -> tuple[str, int, bytes]:
    """Return an entry that says an instrument."""
    row = np.zeros(1, SCHEMAS["status"].dtype)
    row["book_id"], row["kind"], row["tick"] = book, STATUS_KINDS.index("instrument"), tick
    return ("status", 1, row.tobytes())


def test_instruments_are_said_again_to_a_redis_that_lost_them(own_redis: Server) -> None:
    """After an outage the latest instrument of each book follows what waited."""
    writer = PackedWriter(own_redis.url, "", RUN, {})
    assert writer.write([instrument(1, 5), instrument(2, 7)])
    own_redis.kill()
    writer.write([instrument(1, 6)])
    own_redis.start()
    write_until_through(writer)
    reader = PackedReader(own_redis.url, "", ["status"], start="0")
    found = np.concatenate([batch.rows for batch in read_until(reader, lambda batches: len(batches) == 3)])
    assert found["tick"].tolist() == [0, 6, 6, 7]
    writer.close()
    reader.close()


def test_what_was_dropped_before_the_first_connection_is_told(own_redis: Server) -> None:
    """A Redis that comes after the backlog ran over gets a break first."""
    own_redis.kill()
    writer = PackedWriter(own_redis.url, "", RUN, {}, backlog_entries=1)
    for seed in range(3):
        writer.write([entry("trades", 1, seed)])
    own_redis.start()
    write_until_through(writer)
    reader = PackedReader(own_redis.url, "", ["status"], start="0")
    (batch,) = read_until(reader, lambda batches: len(batches) == 1)
    assert (kinds([batch]), int(batch.rows["sequence"][0])) == (["break"], 2)
    writer.close()
    reader.close()


def test_a_reader_knows_how_far_it_is_behind(redis_server: str, prefix: str) -> None:
    """Behind by the age of what it read last, by Redis's own numbering; by nothing once nothing more is there."""
    writer = PackedWriter(redis_server, prefix, RUN, {})
    assert writer.write([entry("nbbo")])
    reader = PackedReader(redis_server, prefix, ["nbbo"], start="0", block_ms=0)
    assert reader.lag_s == 0.0
    time.sleep(0.25)
    assert len(reader.read()) == 1
    assert 0.25 <= reader.lag_s < PATIENCE_S
    assert not reader.read()
    assert reader.lag_s == 0.0
    reader.close()
    writer.close()
