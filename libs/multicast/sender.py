"""Send datagrams to a group in batches, from inside a kernel."""

from __future__ import annotations

import socket
from typing import NamedTuple

import numpy as np

from libs.config import check_address, check_group, check_port
from libs.jit import kernel
from libs.libc import errno, sendmmsg
from libs.memory import address_of

BATCH = 64
STRIDE = 2048
HEADER_WORDS = 8  # struct mmsghdr: 64 bytes


def open_sender(group: str, port: int, interface: str, ttl: int = 0) -> socket.socket:
    """Return a socket connected to a group.

    IP_MULTICAST_IF is always set: without it datagrams follow the default route out of the machine. A TTL of 0 keeps
    them on this host.

    Raises
    ------
    ConfigError
        When the group is no multicast address.
    OSError
        When no interface has that address.
    """
    check_group("command line", "group", group)
    check_port("command line", "port", port)
    check_address("command line", "interface", interface)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sock.connect((group, port))
    except OSError:
        sock.close()
        raise
    return sock


class SendBatch(NamedTuple):
    """Memory of one sendmmsg, built once.

    Attributes
    ----------
    data : uint8[n * STRIDE]
        Datagram i starts at ``i * STRIDE``.
    headers, iovecs : int64[:]
        struct mmsghdr and iovec.
    """

    data: np.ndarray
    headers: np.ndarray
    iovecs: np.ndarray


def new_send_batch(n: int = BATCH) -> SendBatch:
    """Return memory for ``n`` datagrams of up to STRIDE bytes."""
    batch = SendBatch(np.zeros(n * STRIDE, np.uint8), np.zeros(n * HEADER_WORDS, np.int64), np.zeros(2 * n, np.int64))
    for i in range(n):
        batch.iovecs[2 * i] = batch.data.ctypes.data + i * STRIDE
        batch.headers[i * HEADER_WORDS + 2] = batch.iovecs.ctypes.data + 16 * i
        batch.headers[i * HEADER_WORDS + 3] = 1
    return batch


@kernel(inline=True)
def set_length(batch: SendBatch, i: int, length: int) -> None:
    """Say how many bytes datagram ``i`` has."""
    batch.iovecs[2 * i + 1] = length


@kernel
def send(fd: int, batch: SendBatch, first: int, count: int) -> int:
    """Send ``count`` datagrams from ``first`` on.

    Returns
    -------
    int
        How many the kernel took; -errno when not even the first.
    """
    sent = sendmmsg(fd, address_of(batch.headers, first * HEADER_WORDS), count, 0)
    return sent if sent >= 0 else -errno()
