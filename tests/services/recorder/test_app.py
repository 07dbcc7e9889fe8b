"""The recorder as a process, with a real Redis and the real writer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from libs.storage.partitions import parts_of
from libs.streams.schemas import SCHEMAS, TRADES
from libs.streams.shards import Shard
from libs.streams.writer import PackedWriter
from tests.libs.streams.server import Server
from tests.services.recorder.running import START_US, Numbered, Service, numbers

pytestmark = pytest.mark.integration

Start = Callable[..., Service]
SOON = "flush_interval_s = 0.2\n"
NEVER = "flush_interval_s = 3600.0\n"


def test_streams_become_parts_by_hour(start: Start, own_redis: Server) -> None:
    """Every row of every stream is in the folder of its hour, with its run and entry; DuckDB reads all of it."""
    source = Numbered(own_redis.url, run=17)
    source.write(4, rows=1000)
    service = start(own_redis.url, SOON)
    service.wait_recorded(4000 * len(SCHEMAS))
    status = service.status()
    ids = [identity.decode() for identity, _ in own_redis.client().xrange("trades")]
    assert status["streams"]["trades"] | {"bytes": 0, "parts": 0} == {
        "rows": 4000, "parts": 0, "bytes": 0, "gaps": 0, "position": ids[-1],
    }  # fmt: skip
    assert status["waiting"]["rows"] == 0
    metrics = service.get("/metrics")[1]
    assert 'rec_rows_total{stream="book"} 4000.0' in metrics
    assert f"rec_kept_bytes {float(status['kept_bytes'])}" in metrics
    assert service.stop() == 0
    for stream in SCHEMAS:
        assert numbers(service.root, stream) == list(range(4000))
    folders = {
        str(path.parent.relative_to(service.root / "trades"))
        for path, p in parts_of(service.root)
        if p.stream == "trades"
    }
    assert folders == {"date=2024-08-09/hour=00", "date=2024-08-09/hour=01"}
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{service.root}'")
        connection.execute((service.root / "schema.sql").read_text())
        found = connection.execute(
            "SELECT hour, count(*), min(run), min(entry) FROM trades GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert found == [(0, 3600, "17", ids[0]), (1, 400, "17", ids[3])]
        assert connection.execute("SELECT count(DISTINCT symbol) FROM features").fetchone() == (5,)


def test_a_restart_goes_on_where_it_stopped(start: Start, own_redis: Server) -> None:
    """Two recorders, with entries between and after, record each row once; what waits at a stop is written."""
    source = Numbered(own_redis.url)
    service = start(own_redis.url, NEVER)
    service.wait_ready()
    source.write(5)
    service.wait(lambda: service.status()["waiting"]["rows"] == 15 * len(SCHEMAS))
    assert list(parts_of(service.root)) == []
    assert service.stop() == 0
    source.write(7)
    service = start(own_redis.url, NEVER)
    service.wait(lambda: service.status().get("waiting", {}).get("rows") == 21 * len(SCHEMAS))
    assert service.stop() == 0
    for stream in SCHEMAS:
        assert numbers(service.root, stream) == list(range(36))


def test_runs_and_shards_have_parts_of_their_own(start: Start, own_redis: Server) -> None:
    """Ids mean other books in another run or shard: no part mixes them."""
    for run, shard in ((1, Shard(1, 2)), (1, Shard(2, 2)), (2, Shard(1, 2))):
        writer = PackedWriter(own_redis.url, "", run, {}, shard=shard)
        rows = np.zeros(2, TRADES)
        rows["feed_ts_us"], rows["trade_id"] = START_US, 10 * run + shard.number
        assert writer.write([("trades", 2, rows.tobytes())])
        writer.close()
    service = start(own_redis.url, SOON)
    service.wait_recorded(6)
    assert service.stop() == 0
    tables = [pq.read_table(path, partitioning=None).to_pydict() for path, _ in parts_of(service.root)]
    found = sorted((t["run"], t["shard"], t["trade_id"]) for t in tables)
    assert found == [
        (["1"] * 2, ["1/2"] * 2, [11, 11]),
        (["1"] * 2, ["2/2"] * 2, [12, 12]),
        (["2"] * 2, ["1/2"] * 2, [21, 21]),
    ]


def test_what_redis_trimmed_is_a_gap(start: Start, own_redis: Server) -> None:
    """Entries that Redis dropped before they were read: counted, one log line, and a row in the recording."""
    source = Numbered(own_redis.url)
    source.write(2, streams=("trades", "status"))
    service = start(own_redis.url, SOON)
    service.wait_recorded(12)
    before = service.status()["streams"]["trades"]["position"]
    assert service.stop() == 0
    source.write(10, streams=("trades",))
    client = own_redis.client()
    client.xtrim("trades", maxlen=4, approximate=False)
    first = client.xrange("trades", count=1)[0][0].decode()
    service = start(own_redis.url, SOON)
    service.wait(lambda: service.status().get("gaps") == 1)
    service.wait_recorded(13)
    assert service.status()["recent_gaps"] == [{"stream": "trades", "after": before, "next": first}]
    assert 'rec_gaps_total{stream="trades"} 1.0' in service.get("/metrics")[1]
    assert service.stop() == 0
    assert numbers(service.root, "trades") == [*range(6), *range(24, 36)]
    rows = [
        row for path, p in parts_of(service.root) if p.stream == "status" for row in pq.read_table(path).to_pylist()
    ]
    (own,) = [row for row in rows if row["note"] is not None]
    assert own["kind"] == "break" and own["entry"] is None and own["book_ts_ns"] > 0
    assert all(word in own["note"] for word in ("trades", before, first))
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if '"event": "gap"' in line]
    assert [(line["stream"], line["after"], line["next"]) for line in lines] == [("trades", before, first)]


def test_a_folder_that_cannot_be_written_costs_nothing(start: Start, own_redis: Server) -> None:
    """While a write fails it is not ready and says why, reads no more than it may hold, and catches up later."""
    source = Numbered(own_redis.url)
    service = start(own_redis.url, SOON + "flush_rows = 50\n")
    service.wait_ready()
    source.write(1)
    service.wait_recorded(3 * len(SCHEMAS))
    folder = service.root / "trades"
    folder.rename(service.root / "aside")
    folder.touch()
    source.write(200, streams=("trades",))
    service.wait(lambda: service.get("/readyz")[0] == 503)
    service.wait(lambda: "reading has stopped" in service.get("/readyz")[1])
    assert "Not a directory" in service.get("/readyz")[1] or "File exists" in service.get("/readyz")[1]
    waiting = service.status()["waiting"]["rows"]
    assert 50 <= waiting < 50 + 3 * 32
    assert service.status()["write_errors"] > 0
    folder.unlink()
    (service.root / "aside").rename(folder)
    service.wait_ready()
    service.wait_recorded(3 * len(SCHEMAS) + 600)
    assert service.stop() == 0
    assert numbers(service.root, "trades") == list(range(603))
    events = [json.loads(line)["event"] for line in service.log.read_text().splitlines()]
    assert events.count("not_written") == events.count("writing_again") == 1


def test_drafts_that_somebody_removed_are_made_again(start: Start, own_redis: Server) -> None:
    """A folder that vanishes under it is made again, and what waited is in it."""
    source = Numbered(own_redis.url)
    service = start(own_redis.url, SOON)
    service.wait_ready()
    source.write(1)
    service.wait_recorded(3 * len(SCHEMAS))
    shutil.rmtree(service.root)
    source.write(1)
    service.wait_recorded(6 * len(SCHEMAS))
    assert service.stop() == 0
    assert numbers(service.root, "trades") == [3, 4, 5]


def test_what_cannot_be_written_at_a_stop_is_exit_1(start: Start, own_redis: Server) -> None:
    """It says so, and the next recorder gets it from Redis."""
    source = Numbered(own_redis.url)
    service = start(own_redis.url, NEVER)
    service.wait_ready()
    source.write(1, streams=("trades",))
    service.wait(lambda: service.status()["waiting"]["rows"] == 3)
    (service.root / "trades").touch()
    assert service.stop() == 1
    assert "not_written" in service.log.read_text()
    (service.root / "trades").unlink()
    service = start(own_redis.url, SOON)
    service.wait_recorded(3)
    assert service.stop() == 0
    assert numbers(service.root, "trades") == [0, 1, 2]


def test_the_oldest_hours_go(start: Start, own_redis: Server) -> None:
    """With max_bytes the recording stays within it, the newest rows stay, and what went is counted."""
    source = Numbered(own_redis.url)
    service = start(own_redis.url, SOON + "flush_rows = 3600\nmax_bytes = 30000\n")
    service.wait_ready()
    for hour in range(1, 7):
        source.write(36, rows=100, streams=("trades",))
        service.wait_recorded(3600 * hour)
    service.wait(lambda: service.status()["removed_parts"] > 0)
    status = service.status()
    assert status["kept_bytes"] == sum(path.stat().st_size for path, _ in parts_of(service.root))
    assert service.stop() == 0
    found = numbers(service.root, "trades")
    assert found[-1] == 6 * 3600 - 1 and found[0] > 0
    assert found == list(range(found[0], 6 * 3600))


def test_it_waits_for_a_redis_that_comes_back(start: Start, own_redis: Server) -> None:
    """Redis away: alive, not ready, and the reason; when it is back, with nothing of what it had, it goes on."""
    source = Numbered(own_redis.url)
    service = start(own_redis.url, SOON)
    service.wait_ready()
    source.write(1)
    service.wait_recorded(3 * len(SCHEMAS))
    own_redis.kill()
    service.wait(lambda: "Redis is not readable" in service.get("/readyz")[1])
    assert service.get("/livez")[0] == 200
    own_redis.start()
    service.wait_ready()
    source.close()
    later = Numbered(own_redis.url, run=2)
    later.next = source.next
    later.write(1)
    service.wait(lambda: len(numbers(service.root, "book")) == 6)
    assert service.stop() == 0
    assert numbers(service.root, "book") == list(range(6))


def test_an_unknown_schema_ends_it_after_what_was_read(start: Start, own_redis: Server) -> None:
    """Rows of a version that it does not know end it with exit 1; what came before is written."""
    source = Numbered(own_redis.url)
    service = start(own_redis.url, NEVER)
    service.wait_ready()
    source.write(1, streams=("trades",))
    service.wait(lambda: service.status()["waiting"]["rows"] == 3)
    own_redis.client().xadd("book", {"v": "99", "run": "1", "n": "0", "d": b""})
    assert service.process.wait(10) == 1
    assert "expected version 1, found 99" in service.log.read_text()
    assert numbers(service.root, "trades") == [0, 1, 2]


def test_a_folder_of_another_recorder_is_exit_3(start: Start, own_redis: Server, tmp_path: Path) -> None:
    """Two recorders never share a folder; a file in its place is exit 2."""
    first = start(own_redis.url)
    first.wait_ready()
    second = start(own_redis.url)
    assert second.process.wait(20) == 3
    assert "belongs to another recorder" in second.log.read_text()
    (tmp_path / "file").touch()
    third = start(own_redis.url, target=tmp_path / "file")
    assert third.process.wait(20) == 2
    assert first.stop() == 0
