"""State of the sequencer: one row of counters a channel, its open holes, and the messages held behind them.

Sans-I/O: time is passed in (ns of a monotonic clock) and messages are handed out to be applied; nothing here knows of
sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

CHANNELS = 5
MAX_HOLES = 64
HOLD_MESSAGES = 4096
"""How far ahead of the expected sequence a message may be held; a power of two."""
HOLD_BYTES = 2048
"""A longer message cannot be held: the hole before it is given up at once."""
FARTHEST_AHEAD = 1 << 32
"""A sequence farther ahead than this is not believed: at 20,000 messages a second a channel needs 60 hours for it."""
LOST_MEMORY = 65_536
"""How many given-up sequences are remembered, to tell late from duplicate; a power of two."""

# Columns of Sequencer.channels.
JOINED = 0
SESSION = 1  # ns since the epoch; 0: not known yet
EXPECTED = 2  # the next sequence to apply
HIGHEST = 3  # the highest sequence seen or announced
HEARD_NS = 4  # monotonic time of the last message or heartbeat of the session
SENT_BEFORE = 5  # sequences of closed sessions
BEFORE_JOIN = 6
RECEIVED = 7
DUPLICATE = 8
LATE = 9
LOST = 10
HELD = 11
RELEASED = 12  # handed out to be applied
GAPS = 13
HEALED_LINE = 14
HEALED_RETRANSMISSION = 15
HOLES_LOST = 16  # holes given up
FOREIGN_SESSION = 17
SESSIONS = 18
HEARTBEATS = 19
SUSPECT = 20  # 1 while the channel's books carry the flag
N_HOLES = 21
SEQUENCE_BACK = 22  # heartbeats that announced less than was seen
JOINED_AT = 23  # the first sequence of the session that could be heard
BACK_SINCE_NS = 24  # since when heartbeats announce less than was seen, and nothing new came; 0: they do not
BACK_HIGHEST = 25
FAR_AHEAD = 26  # messages and heartbeats refused for a sequence that cannot be
REQUESTED_RANGES = 27
JOINED_SENT_US = 28  # header time of the message that was joined at; 0: a heartbeat was
LATEST_SENT_US = 29  # the newest header time heard of the session
UNNAMED = 30  # messages not taken because a heartbeat that should have come before them did not
HIGHEST_SENT_US = 31  # header time of the highest sequence, if it came after the latest heartbeat
OTHER_SHARD = 32  # of RELEASED, messages of symbols that another process takes
COLUMNS = 40

# Columns of Sequencer.holes.
LOW = 0
HIGH = 1
MISSING = 2
OPENED_NS = 3
REQUESTED = 4  # the next sequence to ask for; 0: nothing was asked for yet
HOLE_WORDS = 8


class Sequencer(NamedTuple):
    """All channels.

    Attributes
    ----------
    channels : int64[CHANNELS, COLUMNS]
    holes : int64[CHANNELS, MAX_HOLES, HOLE_WORDS]
        Oldest first; LOW..HIGH inclusive, MISSING of them not here, OPENED_NS, REQUESTED.
    hold_sequence : int64[CHANNELS, HOLD_MESSAGES]
        The sequence held in each place (sequence modulo HOLD_MESSAGES); 0: none.
    hold_length, hold_recv_ns : int64[CHANNELS, HOLD_MESSAGES]
    hold_bytes : uint8[CHANNELS * HOLD_MESSAGES * HOLD_BYTES]
    lost_sequence : int64[CHANNELS, LOST_MEMORY]
    """

    channels: np.ndarray
    holes: np.ndarray
    hold_sequence: np.ndarray
    hold_length: np.ndarray
    hold_recv_ns: np.ndarray
    hold_bytes: np.ndarray
    lost_sequence: np.ndarray


def spec(prefix: str = "sequencer") -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory."""
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "channels": ("<i8", (CHANNELS, COLUMNS)),
        "holes": ("<i8", (CHANNELS, MAX_HOLES, HOLE_WORDS)),
        "hold_sequence": ("<i8", (CHANNELS, HOLD_MESSAGES)),
        "hold_length": ("<i8", (CHANNELS, HOLD_MESSAGES)),
        "hold_recv_ns": ("<i8", (CHANNELS, HOLD_MESSAGES)),
        "hold_bytes": ("u1", (CHANNELS * HOLD_MESSAGES * HOLD_BYTES,)),
        "lost_sequence": ("<i8", (CHANNELS, LOST_MEMORY)),
    }
    return {f"{prefix}_{name}": shape for name, shape in shapes.items()}


def bind(arrays: Mapping[str, np.ndarray], prefix: str = "sequencer") -> Sequencer:
    """Return the sequencer whose arrays :func:`spec` named."""
    return Sequencer(*(arrays[f"{prefix}_{field}"] for field in Sequencer._fields))


def new() -> Sequencer:
    """Return a sequencer that has joined nothing, in this process's memory."""
    return bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec().items()})


def ledger(channel: np.ndarray) -> dict[str, int]:
    """Return the receive side of a channel's ledger.

    Parameters
    ----------
    channel : int64[COLUMNS]
        A row of ``Sequencer.channels``.
    """
    return {
        "sent": int(channel[SENT_BEFORE] + channel[HIGHEST]),
        "received": int(channel[RECEIVED]),
        "before_join": int(channel[BEFORE_JOIN]),
        "duplicate": int(channel[DUPLICATE]),
        "late": int(channel[LATE]),
        "lost": int(channel[LOST]),
        "held": int(channel[HELD]),
        "gaps": int(channel[GAPS]),
    }
