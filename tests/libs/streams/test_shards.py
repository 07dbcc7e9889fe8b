"""Shards, and ids that do not meet."""

from __future__ import annotations

import numpy as np
import pytest
import redis

from libs.errors import SchemaError
from libs.streams.reader import PackedReader
from libs.streams.schemas import BOOK, NBBO, STATUS, TRADES
from libs.streams.shards import NO_BOOK, WHOLE, Shard, parse_shard, with_shared_ids
from libs.streams.writer import PackedWriter
from tests.libs.streams.test_packed import RUN, entry, read_until


def test_a_shard_reads_as_it_writes() -> None:
    """``I/N`` there and back; which one it is counts from 1, its place from 0."""
    assert parse_shard("1/1") == WHOLE
    assert parse_shard("16/16").offset == 15
    assert str(parse_shard("2/3")) == "2/3"


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/17", "1/0", "a/b", "1/2/3", "-1/2", " 1/2", "1/2\n", "١/٢"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match="I/N with 1 <= I <= N <= 16"):
        parse_shard(text)


def test_ids_of_shards_never_meet() -> None:
    """Every shard's dense ids are places of its own, which it finds again."""
    seen: set[int] = set()
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        rows = np.zeros(5, BOOK)
        rows["book_id"] = rows["symbol_id"] = np.arange(5)
        shared = with_shared_ids(rows, shard)
        ids = shared["book_id"].tolist()
        assert ids == shared["symbol_id"].tolist() == list(range(15))[shard.ids]
        assert all(map(shard.owns, ids)) and rows["book_id"].tolist() == list(range(5))
        seen.update(ids)
    assert seen == set(range(15))


def test_records_of_a_whole_channel_have_no_id() -> None:
    """A status of no book keeps saying so; every packed record is known."""
    rows = np.zeros(2, STATUS)
    rows["book_id"] = NO_BOOK, 7
    assert with_shared_ids(rows, Shard(2, 2))["book_id"].tolist() == [NO_BOOK, 15]
    for dtype, names in ((NBBO, {"symbol_id": 2}), (TRADES, {"book_id": 2})):
        shared = with_shared_ids(np.zeros(1, dtype), Shard(3, 4))
        assert {name: int(shared[name][0]) for name in ("book_id", "symbol_id") if name in dtype.names} == names
    assert with_shared_ids(rows, WHOLE) is rows


@pytest.mark.integration
def test_two_writers_that_share_the_symbols_are_no_restart(redis_server: str, prefix: str) -> None:
    """Each entry says whose it is; only another run of the same shard is a break."""
    one, two = Shard(1, 2), Shard(2, 2)
    reader = PackedReader(redis_server, prefix, ["book"], start="0", block_ms=1)
    writers = {
        (run, shard): PackedWriter(redis_server, prefix, run, {}, shard=shard)
        for run, shard in ((RUN, one), (RUN + 5, two), (RUN + 9, one))
    }
    order = [(RUN, one), (RUN + 5, two), (RUN, one), (RUN + 5, two)]
    for who in order:
        assert writers[who].write([entry("book")])
    found = read_until(reader, lambda batches: len(batches) == len(order))
    assert [(int(batch.run), batch.shard) for batch in found] == order
    assert reader.breaks == 0
    for who in ((RUN + 9, one), (RUN + 5, two)):
        assert writers[who].write([entry("book")])
    read_until(reader, lambda batches: len(batches) == 2)
    assert reader.breaks == 1


@pytest.mark.integration
def test_a_writer_alone_says_nothing_of_shards(redis_server: str, prefix: str) -> None:
    """Entries of the only consumer are as ever; a shard that cannot be is refused."""
    writer = PackedWriter(redis_server, prefix, RUN, {})
    reader = PackedReader(redis_server, prefix, ["nbbo"], start="0", block_ms=1)
    assert writer.write([entry("nbbo")])
    client = redis.Redis.from_url(redis_server)
    ((_, fields),) = client.xrange(f"{prefix}nbbo")
    assert set(fields) == {b"v", b"run", b"n", b"d"}
    assert reader.read()[0].shard == WHOLE
    client.xadd(f"{prefix}nbbo", {**fields, b"shard": b"3/2"})
    with pytest.raises(SchemaError, match=r"stream nbbo, entry .*: shard: expected I/N .*, found '3/2'"):
        reader.read()
