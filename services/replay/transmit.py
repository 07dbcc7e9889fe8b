"""Datagrams out of one thread to one or two lines, with faults injected by a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.libc import sendmmsg
from libs.memory import address_of
from services.replay.rng import uniform

MAX_DATAGRAMS = 64
_LISTED = 2 * MAX_DATAGRAMS + 2

LOSS, DUPLICATE, REORDER = range(3)
DATAGRAMS, BYTES, LOST, DUPLICATED, REORDERED, ERRORS, MESSAGES, HEARTBEATS = range(8)
"""Columns of ``stats``, per channel. DATAGRAMS and BYTES count what was handed to the kernel, on all lines."""
CHANNELS = 5


class Lines(NamedTuple):
    """Open datagrams and where they go: ``fds`` holds one connected socket a line."""

    fds: np.ndarray
    """int64[lines]"""
    data: np.ndarray
    """uint8[MAX_DATAGRAMS, stride]"""
    lengths: np.ndarray
    channels: np.ndarray
    """int64[MAX_DATAGRAMS]"""
    held: np.ndarray
    """uint8[lines, stride]: a datagram that lets the next one pass"""
    held_info: np.ndarray
    """int64[lines, 2]: length (0: none), channel"""
    headers: np.ndarray
    """int64[_LISTED, 8]: struct mmsghdr"""
    iov: np.ndarray
    """int64[_LISTED, 2]"""
    listed: np.ndarray
    """int64[_LISTED, 3]: address, length, channel"""
    odds: np.ndarray
    """float64[3]: LOSS, DUPLICATE, REORDER, per datagram and line"""
    rng: np.ndarray
    stats: np.ndarray
    """int64[CHANNELS, 8]"""


def new_lines(fds: list[int], mtu_payload: int, rng: np.ndarray) -> Lines:
    """Return the lines of these sockets.

    Parameters
    ----------
    fds : list of int
        One connected socket a line, open as long as the lines are used.
    mtu_payload : int
        Bytes a datagram at most.
    rng : uint64[1]
        Where the faults come from.
    """
    n = len(fds)
    return Lines(
        np.array(fds, np.int64),
        np.zeros((MAX_DATAGRAMS, mtu_payload), np.uint8),
        np.zeros(MAX_DATAGRAMS, np.int64),
        np.zeros(MAX_DATAGRAMS, np.int64),
        np.zeros((n, mtu_payload), np.uint8),
        np.zeros((n, 2), np.int64),
        np.zeros((_LISTED, 8), np.int64),
        np.zeros((_LISTED, 2), np.int64),
        np.zeros((_LISTED, 3), np.int64),
        np.zeros(3),
        rng,
        np.zeros((CHANNELS, 8), np.int64),
    )


@kernel
def _list(x: Lines, n: int, address: int, length: int, channel: int) -> int:
    x.listed[n, 0], x.listed[n, 1], x.listed[n, 2] = address, length, channel
    return n + 1


@kernel
def _hold(x: Lines, line: int, d: int) -> None:
    length = x.lengths[d]
    x.held[line, :length] = x.data[d, :length]
    x.held_info[line, 0], x.held_info[line, 1] = length, x.channels[d]


@kernel
def _choose(x: Lines, line: int, count: int) -> int:
    """List what goes out on a line for the open datagrams: some lost, some twice, some after the next one."""
    n = 0
    stride = x.held.shape[1]
    faulty = x.odds[LOSS] > 0.0 or x.odds[DUPLICATE] > 0.0 or x.odds[REORDER] > 0.0
    for d in range(count):
        channel = x.channels[d]
        address, length = address_of(x.data.reshape(-1), d * stride), x.lengths[d]
        if faulty:
            # Three draws a datagram whatever happens, so that one odd does not shift what another one hits.
            lost, twice, late = uniform(x.rng), uniform(x.rng), uniform(x.rng)
            if lost < x.odds[LOSS]:
                x.stats[channel, LOST] += 1
                continue
            if twice < x.odds[DUPLICATE]:
                x.stats[channel, DUPLICATED] += 1
                n = _list(x, n, address, length, channel)
            if late < x.odds[REORDER] and x.held_info[line, 0] == 0:
                x.stats[channel, REORDERED] += 1
                _hold(x, line, d)
                continue
        n = _list(x, n, address, length, channel)
        if x.held_info[line, 0] > 0:
            n = _list(x, n, address_of(x.held.reshape(-1), line * stride), x.held_info[line, 0], x.held_info[line, 1])
            x.held_info[line, 0] = -x.held_info[line, 0]
    return n


@kernel
def _send_listed(x: Lines, line: int, n: int) -> None:
    for k in range(n):
        x.iov[k, 0], x.iov[k, 1] = x.listed[k, 0], x.listed[k, 1]
        h = x.headers[k]
        h[0], h[1] = 0, 0
        h[2], h[3] = address_of(x.iov.reshape(-1), 2 * k), 1
        h[4], h[5], h[6], h[7] = 0, 0, 0, 0
    done = 0
    while done < n:
        sent = int(sendmmsg(x.fds[line], address_of(x.headers.reshape(-1), 8 * done), n - done, 0))
        if sent <= 0:
            # The datagram that the kernel refuses is dropped and counted: to repeat it is to hang.
            x.stats[x.listed[done, 2], ERRORS] += 1
            done += 1
            continue
        for k in range(done, done + sent):
            x.stats[x.listed[k, 2], DATAGRAMS] += 1
            x.stats[x.listed[k, 2], BYTES] += x.listed[k, 1]
        done += sent


@kernel
def transmit(x: Lines, count: int) -> None:
    """Send the first ``count`` open datagrams on every line."""
    for line in range(len(x.fds)):
        _send_listed(x, line, _choose(x, line, count))
        x.held_info[line, 0] = max(x.held_info[line, 0], 0)


@kernel
def flush_held(x: Lines) -> None:
    """Send what was held back for a datagram that never came."""
    for line in range(len(x.fds)):
        if x.held_info[line, 0] > 0:
            address = address_of(x.held.reshape(-1), line * x.held.shape[1])
            _send_listed(x, line, _list(x, 0, address, x.held_info[line, 0], x.held_info[line, 1]))
            x.held_info[line, 0] = 0
