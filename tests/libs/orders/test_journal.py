"""The journal on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from libs.errors import MissingError
from libs.orders.frames import frames
from libs.orders.journal import Journal, JournalError


def reopened(path: Path) -> tuple[list[bytes], int]:
    """What a new process finds."""
    journal = Journal(path)
    journal.close()
    return journal.found, journal.torn_bytes


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_appended_records_come_back(tmp_path: Path, fsync: str) -> None:
    """What was appended is there for the next process, whatever the policy."""
    journal = Journal(tmp_path / "j", fsync)  # type: ignore[arg-type]
    journal.append([b"a", b"b"])
    journal.append([b"c"])
    journal.close()
    assert reopened(tmp_path / "j") == ([b"a", b"b", b"c"], 0)


def test_records_are_with_the_system_when_append_returns(tmp_path: Path) -> None:
    """Another reader sees a record at once: the death of the process cannot take it."""
    journal = Journal(tmp_path / "j", "never")
    journal.append([b"intent"])
    assert (tmp_path / "j").read_bytes() == frames([b"intent"])
    journal.close()


def test_a_torn_tail_is_cut_and_written_over(tmp_path: Path) -> None:
    """After a crash in the middle of a write the journal goes on from the last whole record."""
    path = tmp_path / "j"
    path.write_bytes(frames([b"a", b"b"])[:-1])
    journal = Journal(path)
    assert (journal.found, journal.torn_bytes) == ([b"a"], 8)
    journal.append([b"c"])
    journal.close()
    assert reopened(path) == ([b"a", b"c"], 0)


def test_a_damaged_journal_stops_the_start(tmp_path: Path) -> None:
    """Damage before the end names the file, and leaves it as it is."""
    data = bytearray(frames([b"abc", b"def"]))
    data[30] ^= 1
    (tmp_path / "j").write_bytes(data)
    with pytest.raises(JournalError, match=r"j: damaged at byte 20.*move it away"):
        Journal(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == data


def test_one_process_has_it(tmp_path: Path) -> None:
    """A second opener is refused by name until the first lets go, also after a rewrite."""
    journal = Journal(tmp_path / "j")
    journal.replace([b"x"])
    with pytest.raises(MissingError, match="belongs to another process"):
        Journal(tmp_path / "j")
    journal.close()
    assert reopened(tmp_path / "j")[0] == [b"x"]


def test_replace_bounds_the_file(tmp_path: Path) -> None:
    """A rewrite leaves only what it was given; later records follow it."""
    journal = Journal(tmp_path / "j")
    for _ in range(100):
        journal.append([b"x" * 100])
    journal.replace([b"snapshot"])
    assert journal.size == len(frames([b"snapshot"])) == (tmp_path / "j").stat().st_size
    journal.append([b"after"])
    journal.close()
    assert reopened(tmp_path / "j")[0] == [b"snapshot", b"after"]


def test_a_full_disk_is_an_error_and_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a write fails half-way the caller is told, and the file ends where it did before."""
    journal = Journal(tmp_path / "j", "never")
    journal.append([b"kept"])
    real = os.pwrite

    def half(fd: int, data: memoryview, at: int) -> int:
        real(fd, data[: len(data) // 2], at)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(JournalError, match="No space left on device"):
        journal.append([b"lost" * 10])
    monkeypatch.undo()
    journal.append([b"after"])
    journal.close()
    assert reopened(tmp_path / "j") == ([b"kept", b"after"], 0)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A state directory that is a file is refused with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError, match="name another state_dir"):
        Journal(tmp_path / "file" / "j")
