"""Mutated datagrams through the receive kernel and the books: no crash, no read out of bounds, a ledger that balances.

    python -m tests.fuzz.datagrams --count 10000000 --seed 1 --jobs 2
    NUMBA_BOUNDSCHECK=1 python -m tests.fuzz.datagrams --count 100000

Each datagram ends at a page that may not be touched. With NUMBA_BOUNDSCHECK=1 every index of every kernel is checked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from libs.engine import report
from libs.engine.control import tick
from libs.engine.datagrams import take_datagram
from libs.engine.process import drain
from libs.engine.recovered import PREFIX_BYTES, take_recovered
from libs.engine.timers import run_timers
from libs.jit import kernel
from libs.sending.rng import new_rng
from libs.sequencing import state as seq
from libs.wire.kernels import REASONS
from libs.wire.messages import Message, encode
from tests.fuzz.mutate import ROOM, guarded_buffer, mutated
from tests.libs.engine.harness import BAD, LAST, MS, REFRESH, SESSION, SNAPSHOT, Feed, Host
from tests.libs.wire.golden import MESSAGES

BLOCK = 512
RECV_NS = 1_800_000_000_000_000_000


def corpus() -> list[bytes]:
    """Return datagrams of every message type, flag and status code; some with several messages, some with padding."""
    feed = Feed(0)
    single: list[Message] = [*MESSAGES.values()]
    for symbol in ("BTC-USDT", "ETH-USDT"):
        single += [feed.instrument(symbol), feed.snapshot(symbol), feed.trade(symbol), feed.instrument(symbol, 10)]
        single += [
            feed.book(flags, [(9_990 + flags, 3)], [(10_003, flags)], symbol, cut=flags % 4) for flags in range(16)
        ]
        single += [feed.status(code, symbol) for code in range(10)]
    single += [feed.status(code) for code in range(10)]
    single += [feed.heartbeat(), replace(feed.heartbeat(), session=SESSION + 1), feed.heartbeat(1)]
    wide = [(10_000 - k, 1 + k) for k in range(80)]
    single += [feed.book(SNAPSHOT, wide, []), feed.book(LAST, [], [(p + 200, s) for p, s in wide])]
    single += [feed.book(SNAPSHOT | REFRESH, wide, []), feed.book(BAD | LAST, [(1, 1)], [])]
    other = Feed(3)
    single += [other.instrument(), other.snapshot(), other.book(LAST, [(9_999, 0)], []), other.heartbeat()]
    found = [encode(message) for message in single]
    found += [b"".join(found[i : i + 5]) for i in range(0, len(found) - 5, 3) if sum(map(len, found[i : i + 5])) < 1472]
    return [*found, found[0] + b"\0" * 40, b"\0" * 30, b"", found[-1] + b"\0" * 7]


@kernel
def _take(
    d: np.ndarray, datagrams: np.ndarray, starts: np.ndarray, work: np.ndarray, out: np.ndarray, expected: np.ndarray,
    rng: np.ndarray, n: int, now: int, recovered: bool,
) -> None:  # fmt: skip
    for _ in range(n):
        length = mutated(datagrams, starts, work, out, expected, rng)
        if recovered:
            take_recovered(d, out, ROOM - length, length, RECV_NS, now)
        else:
            take_datagram(d, out, ROOM - length, length, RECV_NS, now)


class Target:
    """An engine under fire."""

    def __init__(self, seed: int) -> None:
        self.host = Host(depth=32).with_requests()
        self.rng = new_rng(seed)
        self.choice = np.random.default_rng(seed)
        found = corpus()
        self.datagrams = np.frombuffer(b"".join(found), np.uint8)
        self.starts = np.cumsum([0, *map(len, found)])
        prefix = [
            bytes([1 + i % 2, i % 5, 0, 0, 0, 0, 0, 0]) + SESSION.to_bytes(8, "little") for i in range(len(found))
        ]
        self.answers = np.frombuffer(b"".join(p + data for p, data in zip(prefix, found, strict=True)), np.uint8)
        self.answer_starts = np.cumsum([0, *(PREFIX_BYTES + len(data) for data in found)])
        self.work, self.out = np.zeros(ROOM, np.uint8), guarded_buffer()
        self.taken = 0

    def block(self) -> None:
        """Take a block of datagrams, with the book thread and the timers in between; check the ledgers."""
        host, left = self.host, BLOCK
        expected = host.engine.arrays["sequencer_channels"][:, seq.EXPECTED]
        while left > 0:
            n = min(left, int(self.choice.integers(1, 24)))
            recovered = bool(self.choice.integers(0, 8) == 0)
            source = (self.answers, self.answer_starts) if recovered else (self.datagrams, self.starts)
            _take(host.directory, *source, self.work, self.out, expected, self.rng, n, host.now, recovered)
            for ch in range(5):
                drain(host.directory, ch, int(self.choice.integers(0, 32)), host.now)
            left -= n
            host.now += int(self.choice.choice([0, 100_000, 2 * MS, 60 * MS]))
            run_timers(host.directory, host.now)
        self.taken += BLOCK
        host.process()
        tick(host.directory, host.now)
        self._check()

    def _check(self) -> None:
        host, arrays = self.host, self.host.engine.arrays
        while host.requests("range") or host.requests("snapshot"):
            pass
        for ch in range(5):
            found = report.channel_report(
                arrays["sequencer_channels"][ch], arrays["ledger"][ch], arrays["sequencer_holes"][ch]
            )
            if found["unaccounted"] or found["ledger_checks"]["failed"]:
                raise AssertionError(f"after {self.taken} datagrams: {found}")

    def summary(self) -> dict[str, int]:
        """Return how far the datagrams came."""
        arrays = self.host.engine.arrays
        counts = arrays["receive_counts"]
        found = {name: int(counts[16 + code]) for code, name in REASONS.items()}
        return found | {
            "received": int(arrays["sequencer_channels"][:, seq.RECEIVED].sum()),
            "applied": int(arrays["ledger"][:, 0].sum()),
        }


def run(count: int, seed: int) -> dict[str, int]:
    """Take ``count`` mutated datagrams; return how far they came.

    Raises
    ------
    AssertionError
        When a ledger does not balance.
    """
    target = Target(seed)
    while target.taken < count:
        target.block()
    return target.summary()


def main() -> int:
    """Run in child processes, so that a crash is a report; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(f"seed {options.seed}: {options.count} datagrams: {json.dumps(run(options.count, options.seed))}")
        return 0
    began = time.monotonic()
    share = -(-options.count // options.jobs)
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.datagrams", "--child", "--count", str(share), "--seed", str(seed)]
        )
        for seed in range(options.seed, options.seed + options.jobs)
    ]
    worst = 0
    for seed, child in enumerate(children, options.seed):
        status = child.wait()
        if status:
            print(f"seed {seed}: ended with {status}", file=sys.stderr)
            worst = 1
    print(f"{share * options.jobs} datagrams in {time.monotonic() - began:.1f} s")
    return worst


if __name__ == "__main__":
    sys.exit(main())
