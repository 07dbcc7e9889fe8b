"""Threads, steal and clock, as Linux tells them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from libs.scheduling import name_thread
from libs.telemetry import host


def _burn(seconds: float) -> None:
    name_thread("burner")
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_cpu_time_is_summed_by_the_threads_names() -> None:
    """Two threads of one name that burn 0.1 s each are one row of 0.2 s; the main thread has its own."""
    done = threading.Event()
    threads = [threading.Thread(target=lambda: (_burn(0.1), done.wait())) for _ in range(2)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while host.thread_seconds(os.getpid()).get("burner", 0.0) < 0.18 and time.monotonic() < end:
        time.sleep(0.01)
    found = host.thread_seconds(os.getpid())
    done.set()
    for thread in threads:
        thread.join()
    assert 0.18 <= found["burner"] <= 0.5
    assert len(found) > 1


def test_a_process_that_is_gone_has_no_threads() -> None:
    """Nothing is said of a process that is not there."""
    assert host.thread_seconds(2**22 + 1) == {}


def test_names_are_bounded(tmp_path: Path) -> None:
    """Threads beyond the 32nd name are summed under `others`, spaces and brackets in a name notwithstanding."""
    for number in range(host.MOST_THREADS + 3):
        folder = tmp_path / "7" / "task" / f"{100 + number}"
        folder.mkdir(parents=True)
        fields = " ".join(["0"] * 10 + ["100", "50"] + ["0"] * 30)
        (folder / "stat").write_text(f"{100 + number} (a) b{number}) S {fields}\n")
    found = host.thread_seconds(7, tmp_path)
    assert len(found) == host.MOST_THREADS + 1
    assert found["a) b0"] * host.TICKS == 150
    assert found[host.OTHERS] * host.TICKS == 3 * 150


def test_steal_is_the_eighth_figure_of_the_first_line(tmp_path: Path) -> None:
    """user nice system idle iowait irq softirq steal."""
    (tmp_path / "stat").write_text("cpu  1 2 3 4 5 6 7 800 9 10\ncpu0 1 1 1 1 1 1 1 1\n")
    assert host.steal_seconds(tmp_path) == 800 / host.TICKS
    assert host.steal_seconds() >= 0


def test_the_clock_is_asked_and_not_changed() -> None:
    """adjtimex tells whether the clock is synchronised and how wrong it may be; it needs no right to tell."""
    before = time.time()
    found = host.clock()
    assert found is not None
    assert found.max_error_s >= 0
    assert abs(time.time() - before) < 5
