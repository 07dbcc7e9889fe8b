"""A few seconds of ``make fuzz``, and proof that it can fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.fuzz.datagrams import BLOCK, Target
from tests.fuzz.mutate import ROOM

COUNT = 200_000


def test_mutated_datagrams_neither_crash_nor_unbalance() -> None:
    """Mutated datagrams of a fixed seed go through receive and books in a process of their own; every reason occurs."""
    command = [sys.executable, "-m", "tests.fuzz.datagrams", "--child", "--count", str(COUNT), "--seed", "11"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.split("datagrams: ")[1])
    assert counts["received"] > COUNT // 3 and counts["applied"] > COUNT // 20
    assert all(counts.values()), counts


def test_a_read_past_the_end_ends_the_process() -> None:
    """The page after the buffer may not be touched."""
    code = (
        "import ctypes; from tests.fuzz.mutate import ROOM, guarded_buffer; b = guarded_buffer();"
        "ctypes.string_at(b.ctypes.data + ROOM - 8, 8); print('inside', flush=True);"
        "ctypes.string_at(b.ctypes.data + ROOM - 7, 8)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "inside\n" and done.returncode in (-signal.SIGSEGV, -signal.SIGBUS)


def test_a_message_that_vanishes_is_found() -> None:
    """One message too few in a ledger fails the block."""
    target = Target(5)
    target.block()
    target.host.engine.arrays["ledger"][0, 0] -= 1
    with pytest.raises(AssertionError, match=f"after {2 * BLOCK} datagrams"):
        target.block()


def test_a_seed_gives_the_same_datagrams() -> None:
    """What a seed found can be found again."""
    first, second = Target(9), Target(9)
    first.block()
    second.block()
    assert first.summary() == second.summary()
    assert np.array_equal(first.out, second.out) and len(first.out) == ROOM
