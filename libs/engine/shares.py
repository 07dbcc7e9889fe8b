"""Which messages this process leaves to other consumers: whole channels, or symbols of other shards."""

from __future__ import annotations

import numpy as np

from libs.engine.directory import RECEIVE_BODY, RECEIVE_SETTINGS, SEQUENCER, ring_of, table_of
from libs.engine.push import push_message
from libs.engine.words import OTHER_CHANNELS, SHARD, SHARDS
from libs.jit import kernel
from libs.market.symbol_table import shard_of
from libs.memory import words1, words2
from libs.sequencing import state as columns
from libs.wire import kernels as wire


@kernel(inline=True)
def is_other_channel(r: np.ndarray, ch: int) -> bool:
    """Return whether a channel is left to other processes."""
    return words1(r, RECEIVE_SETTINGS)[OTHER_CHANNELS] >> ch & 1 != 0


@kernel
def _is_other_symbol(settings: np.ndarray, code: int, buf: np.ndarray, m: np.ndarray) -> bool:
    if code != wire.OK or m[wire.SYMBOL_LEN] == 0:
        return False
    return shard_of(buf, m[wire.SYMBOL_OFF], m[wire.SYMBOL_LEN], settings[SHARDS]) != settings[SHARD]


@kernel(inline=True)
def hand_on(r: np.ndarray, ch: int, code: int, buf: np.ndarray, m: np.ndarray, recv_ns: int) -> bool:
    """Hand the next message of a channel to the book thread, or count it where it is of another shard.

    Parameters
    ----------
    code : int
        What the walk said, as in :func:`libs.engine.push.push_message`.
    buf : uint8[:]
        Where the message stands.
    m : int64[16]
        Its decoded header.
    recv_ns : int
        Kernel receive time, CLOCK_REALTIME.

    Returns
    -------
    bool
        False when the ring has no room: the message is as if it had never been read.
    """
    settings = words1(r, RECEIVE_SETTINGS)
    if settings[SHARDS] > 1 and _is_other_symbol(settings, code, buf, m):
        words2(r, SEQUENCER)[ch, columns.OTHER_SHARD] += 1
        return True
    return push_message(ring_of(r, ch), table_of(r), code, buf, m, words1(r, RECEIVE_BODY), recv_ns)
