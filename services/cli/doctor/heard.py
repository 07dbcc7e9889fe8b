"""Listens on the configured lines for a while, beside whoever else listens there."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from services.cli.doctor import filters
from services.cli.doctor.setup import Line

SO_TIMESTAMPNS, IP_RECVTTL, IP_TTL, IP_PKTINFO, IP_MULTICAST_ALL = 35, 12, 2, 8, 49
ETH_P_IP = 0x0800
SAMPLE_DATAGRAMS, SAMPLE_NS = 2_000, 300_000_000
MOST_PLACES, MOST_CAPTURED, MOST_HEARTBEATS = 16, 400, 2_000
MOST_UNFILTERED = 100_000
BUFFER_BYTES = 1 << 20
CHANNELS = 5
HEADER, BODY = struct.Struct("<IQqBBH"), struct.Struct("<QQq")
MAGIC = 0x48465450


@dataclass
class LineHeard:
    """What arrived at one line.

    Attributes
    ----------
    trouble : str
        Why it could not be joined; empty when it could.
    datagrams, payload_bytes : int
        Of the sample at the beginning.
    first_ns, last_ns : int
        Kernel receive times of the sample's ends.
    foreign : int
        Datagrams of the sample that are neither HFTP nor text.
    offsets_us : list of int
        Kernel receive time minus timestamp of each heartbeat.
    sessions : dict
        By channel: each session's senders, in the order in which they were last heard.
    sources : dict
        Address of a sender to the time to live of what arrived.
    returns : dict
        By channel: how often its heartbeats went from one session to another.
    """

    trouble: str = ""
    datagrams: int = 0
    payload_bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    foreign: int = 0
    text: bool = False
    offsets_us: list[int] = field(default_factory=list)
    sessions: dict[int, dict[int, str]] = field(default_factory=dict)
    returns: dict[int, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    _last: dict[int, int] = field(default_factory=dict)
    _filtered: bool = False

    @property
    def rate(self) -> float:
        """Datagrams a second in the sample; 0 when there were too few to say."""
        span = self.last_ns - self.first_ns
        return (self.datagrams - 1) * 1e9 / span if self.datagrams > 10 and span > 0 else 0.0

    @property
    def mean_bytes(self) -> int:
        """Mean payload of the sample's datagrams."""
        return self.payload_bytes // self.datagrams if self.datagrams else 0

    def take(self, data: bytes, source: str, ttl: int, received_ns: int) -> None:
        """Note one datagram."""
        if not self._filtered:
            self.datagrams += 1
            self.payload_bytes += len(data)
            self.first_ns = self.first_ns or received_ns
            self.last_ns = received_ns
        if len(self.sources) < MOST_PLACES or source in self.sources:
            self.sources[source] = ttl
        if data[:1] == b"{":
            self.text = True
        elif len(data) < HEADER.size or HEADER.unpack_from(data)[0] != MAGIC:
            self.foreign += 1
        elif len(data) >= HEADER.size + BODY.size:
            self._heartbeat(data, source, received_ns)

    def _heartbeat(self, data: bytes, source: str, received_ns: int) -> None:
        _, _, timestamp_us, channel, kind, symbol = HEADER.unpack_from(data)
        if kind != filters.HEARTBEAT or symbol or channel >= CHANNELS or len(self.offsets_us) >= MOST_HEARTBEATS:
            return
        session = BODY.unpack_from(data, HEADER.size)[0]
        self.offsets_us.append(received_ns // 1000 - timestamp_us)
        if self._last.setdefault(channel, session) != session:
            self.returns[channel] = self.returns.get(channel, 0) + 1
            self._last[channel] = session
        if len(known := self.sessions.setdefault(channel, {})) < MOST_PLACES:
            known[session] = source


@dataclass
class Heard:
    """What arrived on the lines and, when it could be seen, elsewhere.

    Attributes
    ----------
    elsewhere : dict
        (group, port, interface's index) to the sender's address; HFTP that no configured line takes.
    everywhere : bool
        The machine's interfaces were watched; otherwise only some likely groups were joined.
    """

    lines: dict[str, LineHeard] = field(default_factory=dict)
    elsewhere: dict[tuple[str, int, int], str] = field(default_factory=dict)
    everywhere: bool = False

    @property
    def anything(self) -> bool:
        """Whether any heartbeat arrived on any line."""
        return any(line.sessions for line in self.lines.values())


def open_line(group: str, port: int, interface: str) -> socket.socket:
    """Return a socket that hears a group beside others, with receive times and times to live.

    Raises
    ------
    OSError
        As the kernel says.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        sock.bind((group, port))
        if group:
            _join(sock, group, interface)
    except OSError:
        sock.close()
        raise
    return sock


def listen(
    lines: tuple[Line, ...], interface: str, link: int, candidates: list[str], timeout_s: float,
    *, capture: bool = True,
) -> Heard:  # fmt: skip
    """Listen for ``timeout_s`` seconds.

    Parameters
    ----------
    lines : tuple of Line
    interface : str
        Address of the interface.
    link : int
        Its index; 0 where there is none.
    candidates : list of str
        Groups to join when the machine's interfaces may not be watched.
    capture : bool
        Whether to try to watch them.
    """
    heard = Heard({line.name: LineHeard() for line in lines})
    known = [(line.group, line.port) for line in lines]
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as opened:

        def watch(sock: socket.socket, take: Callable[[socket.socket], None]) -> None:
            opened.enter_context(sock)
            selector.register(sock, selectors.EVENT_READ, take)

        for line in lines:
            try:
                sock = open_line(line.group, line.port, interface)
            except OSError as error:
                heard.lines[line.name].trouble = error.strerror or str(error)
            else:
                watch(sock, partial(_drain_line, heard.lines[line.name]))
        watcher = _open_capture(link, known) if capture else None
        if watcher is not None:
            heard.everywhere = True
            watch(watcher, partial(_drain_capture, heard, selector))
        else:
            for port in {line.port for line in lines}:
                with contextlib.suppress(OSError):
                    watch(_open_candidates(port, interface, candidates), partial(_drain_candidates, heard, known))
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data(key.fileobj)
    return heard


def _join(sock: socket.socket, group: str, interface: str) -> None:
    membership = socket.inet_aton(group) + socket.inet_aton(interface)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def _open_capture(link: int, known: list[tuple[str, int]]) -> socket.socket | None:
    """Return a socket that sees what the interfaces see; None where that takes more rights than ours."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_IP))
    except OSError:
        return None
    filters.attach(sock, filters.foreign_hftp(link, known))
    # It hears from its first moment on; what came before the filter stood goes.
    with contextlib.suppress(OSError):
        for _ in range(MOST_UNFILTERED):
            sock.recv(1)
    return sock


def _open_candidates(port: int, interface: str, groups: list[str]) -> socket.socket:
    sock = open_line("", port, interface)
    for group in groups:
        with contextlib.suppress(OSError):
            _join(sock, group, interface)
    return sock


def _drain_line(line: LineHeard, sock: socket.socket) -> None:
    for _ in range(256):
        try:
            data, control, _, (source, _) = sock.recvmsg(2048, 256)
        except OSError:
            return
        ttl, received_ns, _ = _read_control(control)
        line.take(data, source, ttl, received_ns or time.time_ns())
        if not line._filtered and (line.datagrams >= SAMPLE_DATAGRAMS or line.last_ns - line.first_ns > SAMPLE_NS):
            filters.attach(sock, filters.heartbeats_only())
            line._filtered = True


def _read_control(control: list[tuple[int, int, bytes]]) -> tuple[int, int, tuple[str, int]]:
    """Return time to live, receive time in ns, and the group with the interface's index."""
    ttl, received_ns, place = -1, 0, ("", 0)
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == IP_TTL:
            ttl = struct.unpack("i", data[:4])[0]
        elif level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            place = (socket.inet_ntoa(data[8:12]), struct.unpack("i", data[:4])[0])
        elif level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, ns = struct.unpack("qq", data[:16])
            received_ns = seconds * 1_000_000_000 + ns
    return ttl, received_ns, place


def _drain_capture(heard: Heard, selector: selectors.BaseSelector, sock: socket.socket) -> None:
    for _ in range(MOST_CAPTURED):
        try:
            data, address = sock.recvfrom(128)
        except OSError:
            return
        header = (data[0] & 15) * 4
        group, source = socket.inet_ntoa(data[16:20]), socket.inet_ntoa(data[12:16])
        port = int.from_bytes(data[header + 2 : header + 4], "big")
        _note_place(heard, (group, port, socket.if_nametoindex(address[0])), source)
    selector.unregister(sock)


def _drain_candidates(heard: Heard, known: list[tuple[str, int]], sock: socket.socket) -> None:
    port = sock.getsockname()[1]
    for _ in range(256):
        try:
            data, control, _, (source, _) = sock.recvmsg(128, 256)
        except OSError:
            return
        _, _, (group, link) = _read_control(control)
        if (group, port) not in known and data[:4] == MAGIC.to_bytes(4, "little"):
            _note_place(heard, (group, port, link), source)


def _note_place(heard: Heard, place: tuple[str, int, int], source: str) -> None:
    if len(heard.elsewhere) < MOST_PLACES:
        heard.elsewhere.setdefault(place, source)
