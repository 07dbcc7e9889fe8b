"""Datagrams out of one thread to one or two lines, with faults injected by a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.libc import sendmmsg
from libs.memory import address_of
from libs.sending.rng import uniform

CHANNELS = 5
MAX_DATAGRAMS = 64
_LISTED = 2 * MAX_DATAGRAMS + 2
_HEADER_WORDS = 8  # struct mmsghdr

LOSS, DUPLICATE, REORDER = range(3)
DATAGRAMS, BYTES, LOST, DUPLICATED, REORDERED, ERRORS, MESSAGES, HEARTBEATS = range(8)
"""Columns of ``stats``, per channel. DATAGRAMS and BYTES count what was handed to the kernel, on all lines."""
LENGTH, CHANNEL = 0, 1
"""Columns of ``open``."""
FD, HELD_LENGTH, HELD_CHANNEL = range(3)
"""Columns of ``sockets``. HELD_LENGTH: 0 nothing is held back; negative: listed, about to go."""


class Lines(NamedTuple):
    """Open datagrams and where they go."""

    data: np.ndarray
    """uint8[MAX_DATAGRAMS * stride]: datagram d begins at d * stride"""
    open: np.ndarray
    """int64[MAX_DATAGRAMS, 2]"""
    sockets: np.ndarray
    """int64[lines, 3]: connected"""
    held: np.ndarray
    """uint8[lines * stride]: a datagram that lets the next one pass"""
    listed: np.ndarray
    """int64[_LISTED, 3]: address, length, channel of what goes out"""
    io: np.ndarray
    """int64[_LISTED * 10]: every mmsghdr, then every iovec"""
    stats: np.ndarray
    """int64[CHANNELS, 8]"""
    odds: np.ndarray
    """float64[lines, 3]: LOSS, DUPLICATE, REORDER, per datagram; a loss of 1: the line is dead"""
    rng: np.ndarray


def new_lines(fds: list[int], mtu_payload: int, rng: np.ndarray) -> Lines:
    """Return the lines of these sockets.

    Parameters
    ----------
    fds : list of int
        One connected socket a line, open as long as the lines are used.
    mtu_payload : int
        Bytes a datagram at most: the stride.
    rng : uint64[1]
        Where the faults come from.
    """
    sockets = np.zeros((len(fds), 3), np.int64)
    sockets[:, FD] = fds
    return Lines(
        data=np.zeros(MAX_DATAGRAMS * mtu_payload, np.uint8),
        open=np.zeros((MAX_DATAGRAMS, 2), np.int64),
        sockets=sockets,
        held=np.zeros(len(fds) * mtu_payload, np.uint8),
        listed=np.zeros((_LISTED, 3), np.int64),
        io=np.zeros(_LISTED * (_HEADER_WORDS + 2), np.int64),
        stats=np.zeros((CHANNELS, 8), np.int64),
        odds=np.zeros((len(fds), 3)),
        rng=rng,
    )


@kernel
def _list(listed: np.ndarray, n: int, address: int, length: int, channel: int) -> int:
    listed[n, 0], listed[n, 1], listed[n, 2] = address, length, channel
    return n + 1


@kernel
def _list_held(x: Lines, line: int, n: int) -> int:
    s = x.sockets[line]
    address = address_of(x.held, line * (len(x.data) // MAX_DATAGRAMS))
    n = _list(x.listed, n, address, s[HELD_LENGTH], s[HELD_CHANNEL])
    s[HELD_LENGTH] = -s[HELD_LENGTH]
    return n


@kernel
def _hold(x: Lines, line: int, d: int) -> None:
    stride = len(x.data) // MAX_DATAGRAMS
    for k in range(x.open[d, LENGTH]):
        x.held[line * stride + k] = x.data[d * stride + k]
    x.sockets[line, HELD_LENGTH], x.sockets[line, HELD_CHANNEL] = x.open[d, LENGTH], x.open[d, CHANNEL]


@kernel
def _choose(x: Lines, line: int, count: int) -> int:
    """List what goes out on a line for the open datagrams: some lost, some twice, some after the next one."""
    n = 0
    stride = len(x.data) // MAX_DATAGRAMS
    odds = x.odds[line]
    faulty = odds[LOSS] > 0.0 or odds[DUPLICATE] > 0.0 or odds[REORDER] > 0.0
    for d in range(count):
        address, length, channel = address_of(x.data, d * stride), x.open[d, LENGTH], x.open[d, CHANNEL]
        if faulty:
            # Three draws a datagram whatever happens, so that one odd does not shift what another one hits.
            lost, twice, late = uniform(x.rng), uniform(x.rng), uniform(x.rng)
            if lost < odds[LOSS]:
                x.stats[channel, LOST] += 1
                continue
            if twice < odds[DUPLICATE]:
                x.stats[channel, DUPLICATED] += 1
                n = _list(x.listed, n, address, length, channel)
            if late < odds[REORDER] and x.sockets[line, HELD_LENGTH] == 0:
                x.stats[channel, REORDERED] += 1
                _hold(x, line, d)
                continue
        n = _list(x.listed, n, address, length, channel)
        if x.sockets[line, HELD_LENGTH] > 0:
            n = _list_held(x, line, n)
    return n


@kernel
def _send_listed(listed: np.ndarray, io: np.ndarray, stats: np.ndarray, fd: int, n: int) -> None:
    iovecs = _LISTED * _HEADER_WORDS
    for k in range(n):
        v, h = iovecs + 2 * k, _HEADER_WORDS * k
        io[v], io[v + 1] = listed[k, 0], listed[k, 1]
        io[h + 2], io[h + 3] = address_of(io, v), 1
    done = 0
    while done < n:
        sent = int(sendmmsg(fd, address_of(io, _HEADER_WORDS * done), n - done, 0))
        if sent <= 0:
            # The datagram that the kernel refuses is dropped and counted: to repeat it is to hang.
            stats[listed[done, 2], ERRORS] += 1
            done += 1
            continue
        for k in range(done, done + sent):
            stats[listed[k, 2], DATAGRAMS] += 1
            stats[listed[k, 2], BYTES] += listed[k, 1]
        done += sent


@kernel
def transmit(x: Lines, count: int) -> None:
    """Send the first ``count`` open datagrams on every line; 0: only what was held back for one that never came."""
    for line in range(len(x.sockets)):
        n = _choose(x, line, count)
        if count == 0 and x.sockets[line, HELD_LENGTH] > 0:
            n = _list_held(x, line, n)
        _send_listed(x.listed, x.io, x.stats, x.sockets[line, FD], n)
        x.sockets[line, HELD_LENGTH] = max(x.sockets[line, HELD_LENGTH], 0)
