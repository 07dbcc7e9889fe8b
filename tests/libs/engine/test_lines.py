"""Lines beside each other: silent, behind, first."""

from __future__ import annotations

from libs.engine.lines import note_line
from libs.engine.timers import run_timers
from libs.engine.words import FIRST, LAGGING, LAGS, SILENCES, SILENT, TRANSIT_NS
from tests.libs.engine.harness import MS, Host

A, B = 0, 1


def _speak(host: Host, line: int, transit_ns: int = 0, first: int = 0) -> None:
    note_line(host.directory, line, 2, transit_ns, first, host.now)


def test_a_line_is_silent_only_beside_one_that_speaks(host: Host) -> None:
    """After three heartbeats without a datagram a line is silent, once, until it is heard again."""
    lines = host.engine.arrays["lines"]
    for _ in range(5):
        _speak(host, A)
        _speak(host, B)
        host.wait(100 * MS)
    for _ in range(4):
        _speak(host, A)
        host.wait(100 * MS)
    assert (lines[B, 2, SILENT], lines[B, 2, SILENCES], lines[A, 2, SILENT]) == (1, 1, 0)
    _speak(host, B)
    host.wait(10 * MS)
    assert (lines[B, 2, SILENT], lines[B, 2, SILENCES]) == (0, 1)
    host.wait(500 * MS)
    assert lines[:, 2, SILENT].sum() == 0, "with both quiet it is the channel that is silent"


def test_a_line_that_never_spoke_is_silent(host: Host) -> None:
    """A line that is configured and brings nothing is reported."""
    for _ in range(4):
        _speak(host, A)
        host.wait(100 * MS)
    assert host.engine.arrays["lines"][B, 2, SILENT] == 1


def test_one_line_alone_is_never_silent(host: Host) -> None:
    """With one line configured there is nobody to be beside."""
    host.engine.arrays["receive_settings"][6] = 1
    for _ in range(4):
        _speak(host, A)
        host.wait(100 * MS)
    assert host.engine.arrays["lines"][:, 2, SILENT].sum() == 0


def test_a_line_that_is_behind_lags(host: Host) -> None:
    """A line whose datagrams are 5 ms longer under way lags; its average follows when it catches up."""
    lines = host.engine.arrays["lines"]
    for _ in range(100):
        _speak(host, A, 100_000, first=1)
        _speak(host, B, 9 * MS)
    host.wait(10 * MS)
    assert (lines[B, 2, LAGGING], lines[B, 2, LAGS], lines[A, 2, LAGGING]) == (1, 1, 0)
    assert (lines[A, 2, FIRST], lines[B, 2, FIRST]) == (100, 0)
    assert abs(int(lines[A, 2, TRANSIT_NS]) - 100_000) < 100
    for _ in range(100):
        _speak(host, A, 100_000)
        _speak(host, B, 120_000)
    host.wait(10 * MS)
    assert (lines[B, 2, LAGGING], lines[B, 2, LAGS]) == (0, 1)


def test_looks_are_taken_every_10_ms_only(host: Host) -> None:
    """Lines are not looked at on every turn of the loop."""
    _speak(host, A)
    _speak(host, B)
    host.wait(0)
    host.now += 1000 * MS
    _speak(host, A)
    host.engine.arrays["receive_scratch"][7] = host.now + 1
    run_timers(host.directory, host.now)
    assert host.engine.arrays["lines"][B, 2, SILENT] == 0
    run_timers(host.directory, host.now + 1)
    assert host.engine.arrays["lines"][B, 2, SILENT] == 1
