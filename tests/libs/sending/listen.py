"""Hear what a playback sends on loopback multicast."""

from __future__ import annotations

import select
import socket
import struct
import time
from functools import cache
from typing import Any

import msgspec
import numpy as np

from libs.telemetry.hdr import new_rows
from services.replay.app import warm
from services.replay.playback import Playback
from services.replay.settings import Settings
from services.replay.source import open_source
from tests.oracles.hftp import Message, messages

GROUP_A, GROUP_B = "239.192.7.1", "239.192.7.2"


def open_ear(group: str, port: int) -> socket.socket:
    """Join a group on loopback."""
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    ear.bind((group, port))
    member = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton("127.0.0.1"))
    ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    ear.setblocking(False)
    return ear


@cache
def compiled() -> None:
    """Compile every kernel once, so that no test measures the compiler."""
    warm()


class Heard:
    """A playback with an ear on each line; ``datagrams`` holds (line, receive time in ns, bytes) in order."""

    def __init__(self, port: int, **settings: Any) -> None:
        plain = {
            "group": GROUP_A,
            "port": port,
            "line_b": {"group": GROUP_B, "port": port + 1},
            "symbols": 5,
            "rate": 2000,
        }
        self.settings = msgspec.convert(plain | settings, Settings)
        targets = self.settings.targets
        compiled()
        self.ears = [open_ear(group, at) for group, at in targets]
        self.datagrams: list[tuple[int, int, bytes]] = []
        self.late = new_rows(1)
        self.playback = Playback(self.settings, open_source(self.settings), self.late)
        self.playback.prepare()

    def listen(self, seconds: float) -> None:
        """Take what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for ear in select.select(self.ears, [], [], left)[0]:
                self.datagrams.append((self.ears.index(ear), time.time_ns(), ear.recv(65_536)))

    def finish(self) -> dict[str, Any]:
        """Stop, take what is left, close everything, and return the last status."""
        self.playback.stop()
        self.listen(0.05)
        self.playback.close()
        for ear in self.ears:
            ear.close()
        return self.playback.status()

    def messages(self, line: int = 0) -> list[Message]:
        """Return the messages of a line, in order."""
        return [m for at, _, data in self.datagrams if at == line for m in messages(data)]

    def sequences(self, line: int = 0) -> dict[int, np.ndarray]:
        """Return the sequences of each channel on a line, heartbeats apart."""
        found: dict[int, list[int]] = {}
        for m in self.messages(line):
            if m.kind != 2:
                found.setdefault(m.exchange, []).append(m.sequence)
        return {channel: np.array(s) for channel, s in found.items()}
