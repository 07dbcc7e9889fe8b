"""Ports and groups that a run may have to itself, so that a second `crossbook up` beside the first works.

A port that is looked at and found free may be taken by another run before it is used. A name in the abstract socket
space belongs to one process, is seen by all that share the network, and goes with the process, however it ends.
"""

from __future__ import annotations

import socket
from pathlib import Path

from libs.errors import MissingError

TRIES = 64


class Claims:
    """Names that this process holds until :meth:`release` or its end."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self, name: str) -> bool:
        """Return whether the name was free; it is ours from now on."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            sock.bind(f"\0crossbook-{name}")
        except OSError:
            sock.close()
            return False
        self._held.append(sock)
        return True

    def tcp_port(self, host: str, wanted: int) -> int:
        """Return the wanted TCP port on a host, or a free one where it is taken.

        Raises
        ------
        MissingError
            When the host is none of this machine's addresses.
        """
        if wanted and _tcp_free(host, wanted) and self.take(f"tcp-{wanted}"):
            return wanted
        for _ in range(TRIES):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                try:
                    probe.bind((host, 0))
                except OSError as error:
                    raise MissingError(
                        f"cannot listen on {host}: {error.strerror}; set http_host to an own address"
                    ) from error
                port = int(probe.getsockname()[1])
            if self.take(f"tcp-{port}"):
                return port
        raise MissingError(f"no free TCP port on {host}")

    def group_port(self, group: str, wanted: int) -> int:
        """Return the wanted port of a multicast group, or a free one where a receiver already sits on it."""
        if wanted not in _udp_ports(group) and self.take(f"udp-{group}-{wanted}"):
            return wanted
        for _ in range(TRIES):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("", 0))
                port = int(probe.getsockname()[1])
            if self.take(f"udp-{group}-{port}"):
                return port
        raise MissingError(f"no free port for the multicast group {group}")

    def release(self) -> None:
        """Give all names back."""
        for sock in self._held:
            sock.close()
        self._held.clear()


def _tcp_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _udp_ports(group: str) -> set[int]:
    """Return the ports on which a datagram to the group would be heard, of every process of this network."""
    # /proc/net/udp shows addresses as the hexadecimal of a little-endian word.
    heard = {socket.inet_aton(address)[::-1].hex().upper() for address in (group, "0.0.0.0")}
    ports = set()
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        address, _, port = line.split()[1].partition(":")
        if address in heard:
            ports.add(int(port, 16))
    return ports
