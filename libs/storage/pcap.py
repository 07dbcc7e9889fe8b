"""Packet captures: written with nanosecond stamps (IPv4 and UDP headers made up), read as whatever tool wrote them.

Source: draft-ietf-opsawg-pcap, link types of tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from libs.errors import RecordingError
from libs.storage.lines import BadLines

NANOSECONDS, MICROSECONDS = 0xA1B23C4D, 0xA1B2C3D4
RAW, ETHERNET, COOKED, COOKED_2 = 101, 1, 113, 276
_LINK_BYTES = {RAW: 0, ETHERNET: 14, COOKED: 16, COOKED_2: 20}
_TYPE_AT = {ETHERNET: 12, COOKED: 14, COOKED_2: 0}
_IPV4, _VLAN, _UDP = 0x0800, (0x8100, 0x88A8), 17
_FILE, _RECORD = "IHHiIII", "IIII"
_HEADERS = 28
SNAPLEN = 65_535 + _HEADERS
_GZIP = b"\x1f\x8b"


class Packet(NamedTuple):
    """A UDP datagram: when it was received (ns since the epoch), where it was sent to, and what it held."""

    ns: int
    address: str
    port: int
    payload: bytes


class PcapWriter:
    """Writes datagrams; link type RAW (IPv4).

    Parameters
    ----------
    path : Path
        Replaced if it is there.
    """

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = path.open("wb")
        self.packets = self.bytes = 0
        self._write(struct.pack("<" + _FILE, NANOSECONDS, 2, 4, 0, 0, SNAPLEN, RAW))
        self.flush()

    def __enter__(self) -> PcapWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put(self, ns: int, source: tuple[str, int], target: tuple[str, int], payload: bytes) -> None:
        """Write a datagram."""
        length = _HEADERS + len(payload)
        udp = struct.pack(">HHHH", source[1], target[1], 8 + len(payload), 0)
        head = struct.pack(">BBHHHBBH", 0x45, 0, length, self.packets & 0xFFFF, 0x4000, 1, _UDP, 0)
        addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
        head = head[:10] + struct.pack(">H", _checksum(head + addresses)) + addresses
        seconds, nanoseconds = divmod(ns, 10**9)
        self._write(struct.pack("<" + _RECORD, seconds, nanoseconds, length, length) + head + udp + payload)
        self.packets += 1

    def flush(self) -> None:
        """Bring what was written to the file."""
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _write(self, data: bytes) -> None:
        self.file.write(data)
        self.bytes += len(data)


def _checksum(header: bytes) -> int:
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def is_pcap(path: Path) -> bool:
    """Return whether a file begins as a capture does, gzip or not."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] == _GZIP:
        try:
            with gzip.open(path) as unzipped:
                head = unzipped.read(4)
        except (OSError, EOFError):
            return False
    return len(head) == 4 and any(struct.unpack(order + "I", head)[0] in (NANOSECONDS, MICROSECONDS) for order in "<>")


def read_pcap(path: Path, bad: BadLines) -> Iterator[Packet]:
    """Yield the UDP datagrams over IPv4 of a capture; everything else on the network is passed over.

    A capture that was cut gives what is whole; the rest counts as one bad line, numbered by packets.

    Raises
    ------
    RecordingError
        When it is no capture, or of a kind of link that is not known.
    """
    with path.open("rb") as plain:
        zipped = plain.read(2) == _GZIP
    with gzip.open(path) if zipped else path.open("rb") as file:
        head = file.read(24)
        order = next((o for o in "<>" if len(head) == 24 and struct.unpack(o + "I", head[:4])[0] in _UNITS), "")
        if not order:
            raise RecordingError(f"{path}: expected a capture (pcap), found {head[:8]!r}")
        magic, *_, link = struct.unpack(order + _FILE, head)
        link &= 0xFFFF
        if link not in _LINK_BYTES:
            raise RecordingError(f"{path}: expected link type {', '.join(map(str, _LINK_BYTES))}, found {link}")
        number = 0
        while record := file.read(16):
            number += 1
            fields = struct.unpack(order + _RECORD, record) if len(record) == 16 else (0, 0, SNAPLEN + 1, 0)
            data = file.read(fields[2]) if fields[2] <= SNAPLEN else b""
            if len(data) != fields[2]:
                bad.add(path, number, "a packet that is cut", record)
                return
            found = _datagram(data, link)
            if found is not None:
                yield Packet(fields[0] * 10**9 + fields[1] * _UNITS[magic], *found)


_UNITS = {NANOSECONDS: 1, MICROSECONDS: 1000}


def _datagram(data: bytes, link: int) -> tuple[str, int, bytes] | None:
    """Return address, port and payload of a packet that is a whole UDP datagram over IPv4."""
    at = _LINK_BYTES[link]
    if link in _TYPE_AT:
        kind_at = _TYPE_AT[link]
        kind = int.from_bytes(data[kind_at : kind_at + 2], "big")
        while link == ETHERNET and kind in _VLAN:
            kind = int.from_bytes(data[at + 2 : at + 4], "big")
            at += 4
        if kind != _IPV4:
            return None
    ip = data[at:]
    if len(ip) < _HEADERS or ip[0] >> 4 != 4 or ip[9] != _UDP:
        return None
    fragment = int.from_bytes(ip[6:8], "big") & 0x3FFF
    size = 4 * (ip[0] & 0xF)
    udp = ip[size:]
    length = int.from_bytes(udp[4:6], "big")
    if fragment or length < 8 or len(udp) < length:
        return None
    return socket.inet_ntoa(ip[16:20]), int.from_bytes(udp[2:4], "big"), udp[8:length]
