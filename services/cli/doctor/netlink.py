"""Interfaces and routes of this network namespace, as the kernel says over netlink; needs no rights and no tools."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

NEWLINK, GETLINK, NEWADDR, GETADDR, NEWROUTE, GETROUTE = 16, 18, 20, 22, 24, 26
ERROR, DONE = 2, 3
REQUEST, DUMP = 1, 0x300
IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_LINK_NETNSID = 3, 4, 18, 37
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
FLAG_UP, FLAG_LOOPBACK, FLAG_MULTICAST, FLAG_CARRIER = 1, 8, 0x1000, 0x10000


@dataclass(frozen=True, slots=True)
class Link:
    """An interface.

    Attributes
    ----------
    carrier : bool
        A cable, or the other end, is there.
    kind : str
        ``veth``, ``bridge`` …; empty for hardware and loopback.
    peer_outside : bool
        It is one end of a pair whose other end is in another network namespace: a container's.
    addresses : tuple of (str, int)
        IPv4 addresses with the length of their network's prefix.
    """

    index: int
    name: str
    up: bool = True
    carrier: bool = True
    multicast: bool = True
    loopback: bool = False
    mtu: int = 1500
    kind: str = ""
    peer_outside: bool = False
    addresses: tuple[tuple[str, int], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Route:
    """Where a datagram to an address would go; ``link`` is an interface's index, ``error`` the kernel's word."""

    link: int = 0
    gateway: str = ""
    error: str = ""


def links() -> list[Link]:
    """Return the interfaces with their addresses."""
    found: dict[int, Link] = {}
    for kind, body in _ask(GETLINK, struct.pack("<BBHiII", socket.AF_UNSPEC, 0, 0, 0, 0, 0), DUMP):
        if kind == NEWLINK:
            index, flags = struct.unpack_from("<iI", body, 4)
            known = dict(_attributes(body[16:]))
            found[index] = Link(
                index=index,
                name=known[IFLA_IFNAME].rstrip(b"\0").decode(),
                up=bool(flags & FLAG_UP),
                carrier=bool(flags & FLAG_CARRIER),
                multicast=bool(flags & FLAG_MULTICAST),
                loopback=bool(flags & FLAG_LOOPBACK),
                mtu=int.from_bytes(known.get(IFLA_MTU, b""), "little"),
                kind=dict(_attributes(known.get(IFLA_LINKINFO, b""))).get(1, b"").rstrip(b"\0").decode(),
                peer_outside=IFLA_LINK_NETNSID in known,
            )
    for kind, body in _ask(GETADDR, struct.pack("<BBBBi", socket.AF_INET, 0, 0, 0, 0), DUMP):
        if kind == NEWADDR:
            prefix, index = body[1], struct.unpack_from("<i", body, 4)[0]
            known = dict(_attributes(body[8:]))
            own = socket.inet_ntoa(known.get(IFA_LOCAL) or known[IFA_ADDRESS])
            if index in found:
                link = found[index]
                found[index] = replace(link, addresses=(*link.addresses, (own, prefix)))
    return list(found.values())


def route_to(address: str) -> Route:
    """Return the route to an IPv4 address, of a group too."""
    body = struct.pack("<BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("<HH4s", 8, RTA_DST, socket.inet_aton(address))
    for kind, answer in _ask(GETROUTE, body, 0):
        if kind == ERROR:
            return Route(error=os.strerror(-struct.unpack_from("<i", answer)[0]))
        if kind == NEWROUTE:
            known = dict(_attributes(answer[12:]))
            gateway = known.get(RTA_GATEWAY)
            link = int.from_bytes(known.get(RTA_OIF, b""), "little")
            return Route(link, socket.inet_ntoa(gateway) if gateway else "")
    return Route(error="no answer")


def _ask(kind: int, body: bytes, flags: int) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the body of each message that answers."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.settimeout(1.0)
        sock.bind((0, 0))
        sock.sendto(struct.pack("<IHHII", 16 + len(body), kind, REQUEST | flags, 1, 0) + body, (0, 0))
        while True:
            data = sock.recv(1 << 16)
            at = 0
            while at + 16 <= len(data):
                length, found = struct.unpack_from("<IH", data, at)
                if length < 16 or found == DONE:
                    return
                yield found, data[at + 16 : at + length]
                at += length + 3 & ~3
            if not flags & DUMP:
                return


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("<HH", data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += length + 3 & ~3
