"""When messages are due, and how to wait for it: source time to the monotonic clock."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.libc import CLOCK_MONOTONIC, clock_nanosleep, now_ns
from libs.memory import address_of, load_acquire

RUN, PAUSE, STOP = 0, 1, 2
"""Commands."""
COMMAND, PACE_VERSION, BUSY, BEAT_NS, GROUP_NS, LIVE = range(6)
"""Words of ``control``, written by Python. PACE_VERSION goes up when the wanted pace has changed. LIVE: source time is
CLOCK_MONOTONIC in ns."""
IN_FORCE, WANTED = 0, 1
"""Words of ``pace`` (float64): nanoseconds a unit of source time."""

(
    SESSION_NS,
    SESSION_MONO,
    BASE_SRC,
    BASE_DUE,
    PACE_SEEN,
    NEXT_BEAT,
    FEED,
    PAUSED,
    DONE,
    STARVED,
    UPDATES_SENT,
    TRADES_SENT,
) = range(12)
"""Words of ``state``, written by the sender. FEED: the watermark. STARVED: naps for want of a batch."""
NEXT_SEQUENCE, ACTIVE, OPEN = 16, 24, 32
"""From here on a word a channel: the next sequence; 1 when it has heartbeats; its open datagram, -1 none."""

_TIMER_ABSTIME = 1


@kernel
def now(scratch: np.ndarray) -> int:
    """Return CLOCK_MONOTONIC in ns; ``scratch`` is int64[4] of the calling thread."""
    return now_ns(scratch, CLOCK_MONOTONIC)


@kernel
def wall_us(state: np.ndarray, mono_ns: int) -> int:
    """Return a moment of the monotonic clock on the session's wall clock, which nobody steps."""
    return (state[SESSION_NS] + (mono_ns - state[SESSION_MONO])) // 1000


@kernel
def due_ns(state: np.ndarray, pace: np.ndarray, src: int) -> int:
    """Return when a source time is due, on the monotonic clock."""
    return state[BASE_DUE] + int((src - state[BASE_SRC]) * pace[IN_FORCE])


@kernel
def sleep_until(control: np.ndarray, scratch: np.ndarray, target: int) -> None:
    """Sleep, or spin where the settings say so."""
    if control[BUSY] != 0:
        while now(scratch) < target:
            pass
        return
    scratch[2], scratch[3] = target // 1_000_000_000, target % 1_000_000_000
    clock_nanosleep(CLOCK_MONOTONIC, _TIMER_ABSTIME, address_of(scratch, 2), 0)


@kernel
def set_origin(state: np.ndarray, control: np.ndarray, scratch: np.ndarray, src: int) -> None:
    """Make a first source time due now, after the session's first heartbeats; a live one was due when it was."""
    if control[LIVE] != 0:
        state[BASE_SRC] = state[BASE_DUE] = state[SESSION_MONO]
    else:
        state[BASE_SRC], state[BASE_DUE] = src, max(now(scratch), state[NEXT_BEAT])


@kernel
def rebase(state: np.ndarray, pace: np.ndarray, moment: int) -> None:
    """Make a moment the origin of the pace. Source time stands still in a pause; what is late stays late."""
    if state[PAUSED] == 0:
        state[BASE_SRC] += int((moment - state[BASE_DUE]) / pace[IN_FORCE])
    state[BASE_DUE] = moment


@kernel
def take_new_pace(state: np.ndarray, pace: np.ndarray, control: np.ndarray, scratch: np.ndarray) -> None:
    """Follow a change of the wanted pace from now on."""
    version = load_acquire(control, PACE_VERSION)
    if version != state[PACE_SEEN]:
        state[PACE_SEEN] = version
        rebase(state, pace, now(scratch))
        pace[IN_FORCE] = pace[WANTED]
