"""Join a group and drain its socket in batches, from inside a kernel."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from libs.config import check_address, check_group, check_port
from libs.jit import kernel
from libs.libc import errno, recvmmsg
from libs.memory import address_of

SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SO_RXQ_OVFL = 40

MSG_DONTWAIT = 0x40
MSG_TRUNC = 0x20
EAGAIN = 11
EINTR = 4

BATCH = 64
STRIDE = 65_536
CONTROL_BYTES = 128
HEADER_WORDS = 8  # struct mmsghdr: 64 bytes


@dataclass(frozen=True)
class ReceiverSocket:
    """An open receiving socket.

    Attributes
    ----------
    fd : int
    rcvbuf : int
        Bytes that the kernel granted (twice what was asked, for its own bookkeeping).
    inode : int
        Names the socket in /proc/net/udp.
    """

    fd: int
    rcvbuf: int
    inode: int

    def close(self) -> None:
        """Leave the group."""
        os.close(self.fd)


def open_receiver(group: str, port: int, interface: str, buffer_size: int) -> ReceiverSocket:
    """Join ``group`` on the interface that has the address ``interface``.

    The socket is bound to the group, so that datagrams of other groups on the same port stay out. Receive times and
    drop counts come with the datagrams (SO_TIMESTAMPNS, SO_RXQ_OVFL).

    Parameters
    ----------
    buffer_size : int
        Bytes; SO_RCVBUFFORCE where allowed, else SO_RCVBUF, which net.core.rmem_max caps.

    Raises
    ------
    ConfigError
        When the group is no multicast address.
    OSError
        When it cannot be joined there.
    """
    check_group("command line", "group", group)
    check_port("command line", "port", port)
    check_address("command line", "interface", interface)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer_size)
        except OSError:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        # Without this a socket also gets what other sockets of this host have joined.
        sock.setsockopt(socket.IPPROTO_IP, 49, 0)  # IP_MULTICAST_ALL
        sock.bind((group, port))
        membership = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(interface))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        return ReceiverSocket(os.dup(sock.fileno()), granted, os.fstat(sock.fileno()).st_ino)
    finally:
        sock.close()


class ReceiveBatch(NamedTuple):
    """Memory of one recvmmsg, built once.

    Attributes
    ----------
    data : uint8[n * stride]
        Datagram i starts at ``i * stride``.
    lengths, recv_ts_ns, source_ip, truncated : int64[n]
        Bytes; kernel receive time (CLOCK_REALTIME; 0: none given); IPv4 source in host order; 1 when it was cut.
    drops : int64[1]
        The last SO_RXQ_OVFL count seen: datagrams that this socket dropped.
    headers, iovecs, names, control : int64[:]
        struct mmsghdr, iovec, sockaddr_in and control messages.
    """

    data: np.ndarray
    lengths: np.ndarray
    recv_ts_ns: np.ndarray
    source_ip: np.ndarray
    truncated: np.ndarray
    drops: np.ndarray
    headers: np.ndarray
    iovecs: np.ndarray
    names: np.ndarray
    control: np.ndarray


def new_batch(n: int = BATCH, stride: int = STRIDE) -> ReceiveBatch:
    """Return memory for ``n`` datagrams of up to ``stride`` bytes; pages are touched only where used."""
    batch = ReceiveBatch(
        data=np.zeros(n * stride, np.uint8),
        lengths=np.zeros(n, np.int64),
        recv_ts_ns=np.zeros(n, np.int64),
        source_ip=np.zeros(n, np.int64),
        truncated=np.zeros(n, np.int64),
        drops=np.zeros(1, np.int64),
        headers=np.zeros(n * HEADER_WORDS, np.int64),
        iovecs=np.zeros(2 * n, np.int64),
        names=np.zeros(2 * n, np.int64),
        control=np.zeros(n * CONTROL_BYTES // 8, np.int64),
    )
    for i in range(n):
        batch.iovecs[2 * i] = batch.data.ctypes.data + i * stride
        batch.iovecs[2 * i + 1] = stride
        at = i * HEADER_WORDS
        batch.headers[at] = batch.names.ctypes.data + 16 * i
        batch.headers[at + 2] = batch.iovecs.ctypes.data + 16 * i
        batch.headers[at + 3] = 1
        batch.headers[at + 4] = batch.control.ctypes.data + CONTROL_BYTES * i
    return batch


@kernel
def _read_control(batch: ReceiveBatch, i: int, length: int) -> None:
    """Find the receive time and the drop count among the control messages of datagram ``i``."""
    batch.recv_ts_ns[i] = 0
    word = i * (CONTROL_BYTES // 8)
    end = word + length // 8
    while word + 2 < end:
        size = batch.control[word]
        if size < 16:
            return
        kind = batch.control[word + 1]
        level = kind & 0xFFFFFFFF
        if level == 1 and kind >> 32 == SO_TIMESTAMPNS:
            batch.recv_ts_ns[i] = batch.control[word + 2] * 1_000_000_000 + batch.control[word + 3]
        elif level == 1 and kind >> 32 == SO_RXQ_OVFL:
            batch.drops[0] = batch.control[word + 2] & 0xFFFFFFFF
        word += (size + 7) // 8


@kernel
def receive(fd: int, batch: ReceiveBatch) -> int:
    """Take what the socket holds, up to a batch, without waiting.

    Returns
    -------
    int
        Datagrams taken; 0 when there are none; -errno otherwise.
    """
    n = len(batch.lengths)
    for i in range(n):
        at = i * HEADER_WORDS
        batch.headers[at + 1] = 16
        batch.headers[at + 5] = CONTROL_BYTES
        batch.headers[at + 6] = 0
    got = recvmmsg(fd, address_of(batch.headers, 0), n, MSG_DONTWAIT, 0)
    if got < 0:
        code = errno()
        return 0 if code in (EAGAIN, EINTR) else -code
    for i in range(got):
        at = i * HEADER_WORDS
        batch.lengths[i] = batch.headers[at + 7] & 0xFFFFFFFF
        batch.truncated[i] = 1 if batch.headers[at + 6] & MSG_TRUNC else 0
        name = batch.names[2 * i]
        address = name >> 32 & 0xFFFFFFFF
        batch.source_ip[i] = (
            (address & 0xFF) << 24 | (address >> 8 & 0xFF) << 16 | (address >> 16 & 0xFF) << 8 | address >> 24 & 0xFF
        )
        _read_control(batch, i, batch.headers[at + 5])
    return got
