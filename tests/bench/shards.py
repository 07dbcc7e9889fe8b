"""What several consumers cost: one that takes everything beside each of two that share the symbols, or the channels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from libs.engine import words
from libs.engine.datagrams import take_datagram
from libs.engine.process import drain
from libs.jit import kernel
from libs.market.symbol_table import t_shard
from libs.sequencing.state import CHANNELS
from libs.wire.messages import encode
from tests.bench import shard_processes
from tests.bench.runner import Row, Scale, compare, cpu_ns
from tests.libs.engine.harness import LAST, Feed, Host

WHAT = "a message of the feed (4 levels) in the receive and the book thread, CPU time; features and NBBO on"
UNIT = "ns/message"
HALF = 20
"""Symbols of each of two shards."""
LEVELS = 4
SIZES = {"ring_capacity": 65_536, "max_books": 512, "max_symbols": 128}


@kernel
def take_all(r: np.ndarray, data: np.ndarray, starts: np.ndarray, recv_ns: int, mono_ns: int) -> None:
    """Receive a datagram a message; message i is ``data[starts[i]:starts[i + 1]]``."""
    for i in range(len(starts) - 1):
        take_datagram(r, data, starts[i], starts[i + 1] - starts[i], recv_ns, mono_ns)


@kernel
def apply_all(p: np.ndarray, mono_ns: int) -> None:
    """Empty the rings."""
    for ch in range(CHANNELS):
        while drain(p, ch, 16, mono_ns) > 0:
            pass


def evenly() -> list[str]:
    """Return symbols of which each of two shards takes half, so that a shard's cost is that of half of them."""
    names = (f"S{number}-USDT" for number in range(10_000))
    found: dict[int, list[str]] = {0: [], 1: []}
    for name in names:
        if len(found[t_shard(name, 2)]) < HALF:
            found[t_shard(name, 2)].append(name)
    return found[0] + found[1]


class Stream:
    """Messages of every exchange in turns, each with a number that is told anew before every run."""

    def __init__(self, messages: int) -> None:
        symbols = evenly()
        feeds = [Feed(exchange) for exchange in range(CHANNELS)]
        self.opening = [encode(feed.heartbeat()) for feed in feeds]
        self.opening += [encode(part) for f in feeds for s in symbols for part in (f.instrument(s), f.snapshot(s))]
        self.began = feeds[0].next
        rng = np.random.default_rng(1)
        parts = []
        for i in range(messages - messages % CHANNELS):
            bids = [(9_995 + k, int(rng.integers(1, 99))) for k in range(LEVELS)]
            parts.append(encode(feeds[i % CHANNELS].book(LAST, bids, [], symbols[int(rng.integers(len(symbols)))])))
        self.starts = np.cumsum([0, *map(len, parts)])
        self.data = np.frombuffer(b"".join(parts), np.uint8).copy()
        self._places = self.starts[:-1, None] + np.arange(4, 12)
        self._numbers = np.arange(len(parts)) // CHANNELS

    @property
    def count(self) -> int:
        """Messages a run."""
        return len(self._numbers)

    def number(self, run: int) -> None:
        """Give every message the sequence that it has in a run, from 0."""
        numbers = self._numbers + self.began + run * (self.count // CHANNELS)
        self.data[self._places] = numbers.astype("<i8").view(np.uint8).reshape(-1, 8)


class Side:
    """One consumer: what its threads take of a stream's runs."""

    def __init__(self, stream: Stream, *, shard: int = 0, shards: int = 1, other_channels: int = 0) -> None:
        self.stream, self.runs = stream, 0
        self.host = Host(**SIZES)
        settings = self.host.engine.arrays["receive_settings"]
        settings[words.SHARD], settings[words.SHARDS], settings[words.OTHER_CHANNELS] = shard, shards, other_channels
        for data in stream.opening:
            self.host.take_bytes(data)

    def run(self) -> tuple[float, float]:
        """Take the stream once; return the receive thread's and the book thread's ns a message."""
        self.stream.number(self.runs)
        self.runs += 1
        began = cpu_ns()
        take_all(self.host.directory, self.stream.data, self.stream.starts, 1, self.host.now)
        received = cpu_ns()
        apply_all(self.host.directory, self.host.now)
        return (received - began) / self.stream.count, (cpu_ns() - received) / self.stream.count

    def thread(self, which: int) -> Callable[[], float]:
        """Return what measures one thread: 0 receive, 1 books."""
        return lambda: self.run()[which]

    def check(self) -> None:
        """Raise when something was lost or is not accounted for."""
        for exchange in range(CHANNELS):
            if self.host.column("RECEIVED", exchange) and (lost := self.host.ledger(exchange)["lost"]):
                raise AssertionError(f"{lost} lost of exchange {exchange}")


def rows(scale: Scale) -> list[Row]:
    """Measure each thread, alone and of two shards, a channel that is left to others, and whole processes."""
    stream = Stream(scale.pick(20_000, 500))
    alone, one, two = Side(stream), Side(stream, shard=0, shards=2), Side(stream, shard=1, shards=2)
    channels = Side(stream, other_channels=0b11110)
    found = []
    for which, thread in enumerate(("receive thread", "book thread")):
        for case, side in (("shard 1 of 2", one), ("shard 2 of 2", two), ("one of 5 channels", channels)):
            runs = {"ours": side.thread(which), "takes everything": alone.thread(which)}
            found.append(compare(f"{thread}, {case}", UNIT, runs, scale.repeats, against="takes everything"))
    runs = {"ours": lambda: sum(one.run()) + sum(two.run()), "takes everything": lambda: sum(alone.run())}
    found.append(compare("both threads of both shards", UNIT, runs, scale.repeats, against="takes everything"))
    for side in (alone, one, two, channels):
        side.check()
    if not scale.tiny:
        found.append(shard_processes.row(30.0 if scale.full else 10.0))
    return found
