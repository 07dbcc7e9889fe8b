"""Short turns of threads, asked of the real scheduler."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from libs.scheduling import SHORTEST_NS, cores, name_thread, short_turns, slice_of
from tests.needs import needed

RELEASE = tuple(int(word) for word in platform.release().split(".")[:2])
granted = needed(RELEASE >= (6, 12), "threads choose their slice from Linux 6.12 on")


def in_thread(act: object) -> list[object]:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(act()))  # type: ignore[operator]
    thread.start()
    thread.join()
    return found


@granted
def test_a_thread_gets_the_slice_that_it_asks_for() -> None:
    """The kernel reports the slice back."""
    assert in_thread(lambda: (short_turns(), slice_of())) == [(True, SHORTEST_NS)]
    assert in_thread(lambda: (short_turns(slice_ns=500_000), slice_of())) == [(True, 500_000)]


@granted
def test_other_threads_keep_theirs() -> None:
    """Only the thread that asks changes."""
    before = slice_of()
    in_thread(short_turns)
    assert slice_of() == before != SHORTEST_NS


@granted
def test_a_child_process_by_its_id() -> None:
    """A process that cannot ask for itself, as Redis, is asked for by its id."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        assert short_turns(child.pid)
        assert slice_of(child.pid) == SHORTEST_NS


@granted
def test_the_niceness_stays() -> None:
    """Asking for a slice leaves the niceness of the thread."""

    def nice_and_short() -> tuple[int, bool, int]:
        tid = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, tid, 3)
        return os.getpriority(os.PRIO_PROCESS, tid), short_turns(), os.getpriority(os.PRIO_PROCESS, tid)

    assert in_thread(nice_and_short) == [(3, True, 3)]


def test_what_cannot_be_is_answered_with_false() -> None:
    """No such thread, and a slice that the kernel clamps, are no errors."""
    assert not short_turns(thread=2**22 + 1)
    assert slice_of(2**22 + 1) == 0
    assert not short_turns(slice_ns=1)


@pytest.mark.parametrize(
    ("text", "share"), [("max 100000", None), ("150000 100000", 1), ("50000 100000", 1), ("?", None)]
)
def test_a_quota_counts_as_fewer_cores(tmp_path: Path, text: str, share: int | None) -> None:
    """A container that may use one core and a half has one to spin on, whatever the machine has."""
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    allowed = len(os.sched_getaffinity(0))
    assert cores(quota) == (allowed if share is None else share)
    assert cores(tmp_path / "absent") == allowed


def test_a_thread_has_the_name_that_it_was_given() -> None:
    """Linux shows 15 bytes of it, for that thread alone."""

    def named() -> str:
        name_thread("publisher of books")
        return Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text().strip()

    before = Path("/proc/self/comm").read_text()
    assert in_thread(named) == ["publisher of bo"]
    assert Path("/proc/self/comm").read_text() == before
