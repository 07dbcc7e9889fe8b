"""``crossbook capture FILE.pcap``: HFTP as it is received on both lines, with the kernel's nanosecond stamps."""

from __future__ import annotations

import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from types import FrameType

from libs.errors import ConfigError, MissingError
from libs.market.config import UdpConfig, load_consumer_config
from libs.multicast.receiver import SO_RXQ_OVFL, SO_TIMESTAMPNS, open_receiver
from libs.storage.pcap import PcapWriter
from services.cli.arguments import FILE, config_folder, symbols_file

LONGEST = 65_535
BATCH = 256
WAIT_S = 0.2
BUFFER = 32 << 20
_TIMESPEC = struct.Struct("@ll")


class _Line:
    """A line's socket."""

    def __init__(self, group: str, port: int, interface: str) -> None:
        opened = open_receiver(group, port, interface, BUFFER)
        self.socket = socket.socket(fileno=opened.fd)
        self.target = (group, port)
        self.dropped = 0

    def take(self, writer: PcapWriter) -> bool:
        """Write one datagram; False when none is there."""
        try:
            payload, ancillary, _, source = self.socket.recvmsg(LONGEST, 256)
        except BlockingIOError:
            return False
        ns = 0
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
                ns = seconds * 10**9 + nanoseconds
            elif level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
                (self.dropped,) = struct.unpack("@I", data[:4])
        writer.put(ns or time.time_ns(), source, self.target, payload)
        return True


def run(target: str, duration: str | None, most: str | None, config: str | None) -> int:
    """Write what arrives until SIGINT, SIGTERM, a time or a size.

    Returns
    -------
    int
        0; 1 when the kernel dropped datagrams, which are not in the file.

    Raises
    ------
    ConfigError
        When an option or the configuration is wrong.
    MissingError
        When the group cannot be joined, or the file not written.
    """
    seconds = _positive(duration, "--duration")
    size = int(_positive(most, "--max-mib") * 1024 * 1024)
    udp = _udp(config)
    path = Path(target)
    ended = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        ended = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        lines = [_Line(udp.group, udp.port, udp.interface)]
        if udp.line_b is not None:
            lines.append(_Line(udp.line_b.group, udp.line_b.port, udp.interface))
    except OSError as error:
        raise MissingError(f"cannot join {udp.group}:{udp.port} on {udp.interface}: {error.strerror}") from None
    try:
        writer = PcapWriter(path)
    except OSError as error:
        raise MissingError(f"cannot write {path}: {error.strerror}") from None
    groups = ", ".join("{}:{}".format(*line.target) for line in lines)
    print(f"capture: {groups} to {path}; Ctrl-C ends it", file=sys.stderr, flush=True)
    began = time.monotonic()
    with writer:
        while not ended and not 0 < seconds <= time.monotonic() - began and not 0 < size <= writer.bytes:
            ready, _, _ = select.select([line.socket for line in lines], [], [], WAIT_S)
            for line in lines:
                if line.socket in ready:
                    for _ in range(BATCH):
                        if not line.take(writer):
                            break
            if not ready:
                writer.flush()
    dropped = sum(line.dropped for line in lines)
    print(f"{path}: {writer.packets:,} datagrams, {writer.bytes:,} bytes, {dropped:,} dropped by the kernel")
    return 1 if dropped else 0


def _positive(given: str | None, option: str) -> float:
    """Return a number above 0; 0: none was given."""
    if given is None:
        return 0.0
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ConfigError(FILE, option, "a number above 0", f'"{given}"')
    return value


def _udp(config: str | None) -> UdpConfig:
    """Return where to listen: of ``--config``, else of the newest `crossbook up` that is running, else of config."""
    from services.cli.rundir import running

    if config is None and (notes := running()):
        return load_consumer_config(Path(notes[0]["directory"]) / "symbols.json").udp_config
    return load_consumer_config(symbols_file(config_folder(config))).udp_config
