"""Cost of a datagram from the batch to the ring: one line, and the same messages again by a second line.

    python -m tests.bench.receive_lines

Reference of the second figure is the first one, in the same run. No sockets: a batch as recvmmsg leaves it.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from libs.engine import receive, state
from libs.multicast.receiver import ReceiveBatch, new_batch
from libs.ring.state import CLAIMED, HEAD, TAIL, TAIL_SEEN
from libs.sequencing import state as seq
from libs.wire.messages import Instrument, OrderBook, encode

DATAGRAMS = 4096
STRIDE = 2048
ROUNDS = 41
SESSION_US = 1_700_000_000_000_000


def _batch(levels: int) -> ReceiveBatch:
    batch = new_batch(DATAGRAMS, STRIDE)
    for i in range(DATAGRAMS):
        bids = tuple((10_000 - k, 5) for k in range(levels))
        data = encode(OrderBook(i + 2, SESSION_US + i, 0, "BTC-USDT", 2, -2, -3, 0, 0, SESSION_US, bids, ()))
        batch.data[i * STRIDE : i * STRIDE + len(data)] = np.frombuffer(data, np.uint8)
        batch.lengths[i] = len(data)
        batch.recv_ts_ns[i] = (SESSION_US + i) * 1000 + 50_000
    return batch


def _rewind(arrays: dict[str, np.ndarray]) -> None:
    channel = arrays["sequencer_channels"][0]
    channel[seq.EXPECTED], channel[seq.HIGHEST] = 2, 1
    control = arrays["ring_controls"][0]
    control[TAIL] = control[TAIL_SEEN] = control[CLAIMED] = control[HEAD]


def main() -> None:
    """Print nanoseconds a datagram, medians of interleaved rounds."""
    engine = state.new(ring_capacity=65_536, max_books=16, max_symbols=8, depth=64)
    arrays = dict(engine.arrays)
    first = np.frombuffer(encode(Instrument(1, SESSION_US, 0, "BTC-USDT", 0, -2, -3, 0, 1, 1, 1)), np.uint8).copy()
    opening = new_batch(1, STRIDE)
    opening.data[: len(first)] = first
    opening.lengths[0], opening.recv_ts_ns[0] = len(first), SESSION_US * 1000
    take = receive._take_batch
    take(engine.directory, opening, 1, 0, -1, 1)
    batch = _batch(4)
    one, two = [], []
    for _ in range(ROUNDS):
        _rewind(arrays)
        began = time.perf_counter_ns()
        take(engine.directory, batch, DATAGRAMS, 0, -1, 1)
        one.append((time.perf_counter_ns() - began) / DATAGRAMS)
        began = time.perf_counter_ns()
        take(engine.directory, batch, DATAGRAMS, 1, -1, 1)
        two.append(one[-1] + (time.perf_counter_ns() - began) / DATAGRAMS)
    assert int(arrays["sequencer_channels"][0, seq.DUPLICATE]) == ROUNDS * DATAGRAMS
    a, ab = statistics.median(one), statistics.median(two)
    print(f"one line   {a:7.1f} ns a datagram of one message (4 levels)")
    print(f"two lines  {ab:7.1f} ns for both, {ab / a:.2f} × one line")


if __name__ == "__main__":
    main()
