"""What the venues said, kept and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
import zstandard

from libs.errors import MissingError
from libs.storage.captures import CLOSED, OPENED
from libs.storage.lines import BadLines, read_lines
from libs.storage.recordings import find
from services.feeder.raw import RawRecorder

HOUR_US = 3_600_000_000
BEGIN_US = 497_000 * HOUR_US


def recorder(folder: Path, **options: Any) -> RawRecorder:
    return RawRecorder(
        folder, {"okx-1": "okx", "okx-2": "okx"}, options.pop("keep_hours", 0), structlog.get_logger(), **options
    )


def book(previous: int, seq: int, action: str = "update") -> bytes:
    data = {"asks": [], "bids": [["1.5", "1", "0", "1"]], "ts": "5", "checksum": 0, "seqId": seq, "prevSeqId": previous}
    return json.dumps({"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": action, "data": [data]}).encode()


def test_a_file_a_connection_and_hour(tmp_path: Path) -> None:
    """Each with a header; in order; read again as one recording a connection."""
    raw = recorder(tmp_path / "raw")
    raw.start()
    raw.put("open", "okx-1", BEGIN_US)
    raw.put("recv", "okx-1", BEGIN_US + 1, book(-1, 5, "snapshot"))
    raw.put("recv", "okx-2", BEGIN_US + 2, b'{"event":"subscribe"}')
    raw.put("http", "okx-1", BEGIN_US + 3, b'{"code":"0","data":[]}', "/api/v5/market/books?instId=BTC-USDT&sz=400")
    raw.put("recv", "okx-1", BEGIN_US + HOUR_US, book(5, 7))
    raw.put("close", "okx-1", BEGIN_US + HOUR_US + 1)
    raw.stop()
    names = sorted(path.name for path in (tmp_path / "raw").iterdir())
    assert names == ["okx-1_20260912T08.jsonl.zst", "okx-1_20260912T09.jsonl.zst", "okx-2_20260912T08.jsonl.zst"]
    assert raw.counts["messages"] == 6
    one, two = find([tmp_path / "raw"])
    assert [len(one.parts), len(two.parts)] == [2, 1]
    said = list(one.read(BadLines()))
    assert [s.us - BEGIN_US for s in said] == [0, 1, 3, HOUR_US, HOUR_US + 1]
    assert [s.event for s in said] == [OPENED, "", "", "", CLOSED]
    assert said[1].text == book(-1, 5, "snapshot")
    assert said[2].url.startswith("/api/v5/market/books")
    outputs = [type(o).__name__ for _, found in one.played(one.survey(), BadLines()) for o in found]
    assert outputs == ["BookEvent", "BookEvent", "StatusEvent", "StatusEvent"]


def test_a_restart_within_the_hour_appends(tmp_path: Path) -> None:
    """Another frame, which readers go through; what a kill cuts costs at most its last line."""
    for k in range(2):
        raw = recorder(tmp_path)
        raw.start()
        raw.put("recv", "okx-1", BEGIN_US + k, b"x" * 100)
        raw.stop()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    assert [json.loads(line)["t"] for _, line in read_lines(path, BadLines())] == ["header", "recv", "header", "recv"]
    path.write_bytes(whole[:-9])
    lines = [line for _, line in read_lines(path, BadLines())]
    assert len(lines) >= 2
    damaged = bytearray(whole)
    damaged[len(whole) // 2 :] = b"\xff" * (len(whole) - len(whole) // 2)
    path.write_bytes(bytes(damaged))
    bad = BadLines()
    assert len([line for _, line in read_lines(path, bad)]) <= 3
    assert bad.count <= 1


def test_old_files_go_and_only_its_own(tmp_path: Path) -> None:
    """Those of this feeder's connections that are older than the hours to be kept."""
    for name in ("okx-1_20200101T00.jsonl.zst", "okx-9_20200101T00.jsonl.zst", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    raw = recorder(tmp_path, keep_hours=2)
    raw.start()
    for hour in range(4):
        raw.put("recv", "okx-1", BEGIN_US + hour * HOUR_US, b"x")
    raw.stop()
    names = sorted(path.name for path in tmp_path.iterdir())
    kept = [f"okx-1_20260912T{hour}.jsonl.zst" for hour in ("09", "10", "11")]
    assert names == ["notes.txt", *kept, "okx-9_20200101T00.jsonl.zst"]
    assert raw.counts["removed"] == 2


def test_nobody_waits_for_the_disk(tmp_path: Path) -> None:
    """What finds the queue full is counted; a file that cannot be written too."""
    raw = recorder(tmp_path, most=3)
    for k in range(5):
        raw.put("recv", "okx-1", BEGIN_US + k, b"x")
    assert raw.counts["dropped"] == 2
    (tmp_path / "okx-1_20260912T08.jsonl.zst").mkdir()
    raw.start()
    raw.stop()
    assert raw.counts["errors"] == 3
    assert raw.counts["messages"] == 0


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Said at the start."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MissingError, match="raw_dir: cannot write"):
        recorder(tmp_path / "file" / "raw")


def test_any_zstd_file_is_read(tmp_path: Path) -> None:
    """Told by its first bytes."""
    path = tmp_path / "x.dat"
    path.write_bytes(zstandard.compress(b"a\nb\n"))
    assert list(read_lines(path, BadLines())) == [(1, b"a"), (2, b"b")]
