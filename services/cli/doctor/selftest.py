"""Sends itself datagrams on the configured group and interface, on a port of its own, where no consumer listens.

They carry no HFTP and a time to live of 0: nothing of them leaves the machine.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from dataclasses import dataclass

from services.cli.doctor.check import Check, broken, ok, warning
from services.cli.doctor.heard import open_line
from services.cli.doctor.setup import Line, Setup

MARK = b"crossbook doctor"
PINGS, BURST = 200, 64
WAIT_S = 0.25
GIVE_UP = 3
PAYLOAD = 1472
SO_RCVBUFFORCE, SO_MEMINFO = 33, 55
SLOW_US = 5_000
LITTLE_MS, ENOUGH_MS = 10, 50


@dataclass(frozen=True, slots=True)
class Echo:
    """What came back.

    Attributes
    ----------
    sent, came : int
        Datagrams.
    trips_us : tuple of float
        From sendto to recv, one datagram at a time.
    trouble : str
        Why it could not be tried; empty when it could.
    """

    sent: int = 0
    came: int = 0
    trips_us: tuple[float, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Buffer:
    """A receive buffer as the consumer would get it.

    Attributes
    ----------
    asked, granted : int
        Bytes; the kernel doubles both for its own bookkeeping and so does ``granted`` here.
    plain : int
        What is granted to a process that may not go beyond net.core.rmem_max; as ``granted`` where this one may not.
    per_datagram : int
        Bytes of it that one datagram takes, measured; 0: nothing came.
    """

    asked: int
    granted: int
    plain: int
    per_datagram: int


def echo(group: str, interface: str) -> Echo:
    """Send datagrams one by one, then a burst, and count what comes back."""
    try:
        with open_line(group, 0, interface) as receiver, _sender(group, receiver, interface) as sender:
            receiver.settimeout(WAIT_S)
            missed = 0
            trips: list[float] = []
            for number in range(PINGS):
                began = time.perf_counter_ns()
                sender.send(MARK + struct.pack("<Q", number))
                if not _came(receiver, number):
                    missed += 1
                    if missed >= GIVE_UP:
                        return Echo(number + 1, len(trips), tuple(trips))
                    continue
                trips.append((time.perf_counter_ns() - began) / 1000)
            for number in range(PINGS, PINGS + BURST):
                sender.send((MARK + struct.pack("<Q", number)).ljust(PAYLOAD, b"\0"))
            burst = 0
            while burst < BURST and _came(receiver, PINGS + burst):
                burst += 1
            return Echo(PINGS + BURST, len(trips) + burst, tuple(trips))
    except OSError as error:
        return Echo(trouble=error.strerror or str(error))


def buffer(group: str, interface: str, asked: int, payload: int) -> Buffer | None:
    """Ask for a receive buffer as the consumer does and measure what a datagram of ``payload`` bytes takes of it.

    Returns
    -------
    Buffer or None
        None when the group cannot be joined.
    """
    try:
        with open_line(group, 0, interface) as receiver, _sender(group, receiver, interface) as sender:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, asked)
            plain = receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            with contextlib.suppress(OSError):
                receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, asked)
            granted = receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            before = _taken(receiver)
            for _ in range(BURST // 4):
                sender.send(MARK.ljust(max(payload, len(MARK)), b"\0"))
            time.sleep(0.01)
            return Buffer(asked, granted, plain, (_taken(receiver) - before) // (BURST // 4))
    except OSError:
        return None


def _sender(group: str, receiver: socket.socket, interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sock.connect((group, receiver.getsockname()[1]))
    except OSError:
        sock.close()
        raise
    return sock


def _came(receiver: socket.socket, number: int) -> bool:
    """Return whether the datagram of that number came before the time was over; earlier ones that are late pass."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            data = receiver.recv(2048)
        except TimeoutError:
            return False
        if data.startswith(MARK) and struct.unpack_from("<Q", data, len(MARK))[0] == number:
            return True
    return False


def _taken(sock: socket.socket) -> int:
    """Return the bytes of kernel memory that a socket's queue holds."""
    return int(struct.unpack_from("I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64))[0])


def check_echo(setup: Setup, line: Line, result: Echo) -> Check:
    """Judge what came back of the doctor's own datagrams."""
    name = f"self_test_{line.name.lower()}"
    key = f"udp_config.interface in {setup.files['symbols']}"
    where = f"{line.group} on {setup.interface}"
    if result.trouble:
        return broken(name, f"cannot send to {where}: {result.trouble}", f"set {key}; ip -4 address")
    lost = result.sent - result.came
    if not result.came:
        mend = "iptables -S and nft list ruleset: look for a rule that drops it"
        return broken(name, f"none of {result.sent} datagrams to {where} came back", mend)
    trips = sorted(result.trips_us)
    p50, p99 = (trips[int(share * (len(trips) - 1))] for share in (0.5, 0.99)) if trips else (0.0, 0.0)
    found = f"{lost} of {result.sent} lost, round trip p50 {p50:.0f} µs, p99 {p99:.0f} µs"
    if lost:
        return broken(name, found, "iptables -S and nft list ruleset; tc qdisc show: look for what drops datagrams")
    if p99 > SLOW_US:
        return warning(name, found, "top: something else takes the CPU")
    return ok(name, found)


def check_buffer(setup: Setup, found: Buffer | None, rate: float, payload: int, limit: int | None) -> Check:
    """Judge for how long the receive buffer holds what comes while the consumer does not read.

    Parameters
    ----------
    found : Buffer or None
    rate : float
        Datagrams a second: heard, or by configuration.
    payload : int
        Bytes of a datagram.
    limit : int or None
        net.core.rmem_max.
    """
    name, key = "buffer", f"udp_config.buffer_size in {setup.files['symbols']}"
    if found is None:
        return warning(name, "not measured: the group cannot be joined", "see membership")
    each = found.per_datagram or payload + 832
    hold_ms, plain_ms = (size / each / rate * 1000 for size in (found.granted, found.plain))
    said = (
        f"{found.granted / 2 / 1024:,.0f} KiB granted of {found.asked / 1024:,.0f} asked: "
        f"{found.granted // each:,} datagrams of {payload} bytes, {hold_ms:,.0f} ms at {rate:,.0f}/s"
    )
    if found.plain < found.granted:
        said += f"; without the right to go beyond rmem_max ({limit}) {plain_ms:,.0f} ms"
    mend = f"sysctl -w net.core.rmem_max={found.asked}"
    if found.plain >= 2 * found.asked:
        enough = int(rate * ENOUGH_MS / 1000 * each / 2 / 4096 + 1) * 4096
        mend = f"set {key} to {enough}, and: sysctl -w net.core.rmem_max={enough}"
    if hold_ms < LITTLE_MS:
        return broken(name, f"{said}: a short pause loses data", mend)
    if found.granted < 2 * found.asked:
        return warning(name, f"{said}; net.core.rmem_max is {limit}", mend)
    return warning(name, said, mend) if plain_ms < ENOUGH_MS else ok(name, said)
