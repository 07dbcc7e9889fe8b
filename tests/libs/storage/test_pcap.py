"""Captures: what is written is read again, whatever kind of link and order of bytes; what is cut is counted."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import RecordingError
from libs.storage.lines import BadLines
from libs.storage.pcap import Packet, PcapWriter, is_pcap, read_pcap

NS = 1_700_000_000_123_456_789


def written(path: Path, *payloads: bytes) -> Path:
    with PcapWriter(path) as writer:
        for k, payload in enumerate(payloads):
            writer.put(NS + k, ("127.0.0.1", 40_000), ("239.192.0.1", 9001), payload)
    return path


@given(st.lists(st.binary(max_size=1500), max_size=8))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]) -> None:
    """To the nanosecond, empty datagrams too; gzip as well."""
    path = written(tmp_path_factory.mktemp("pcap") / "x.pcap", *payloads)
    wanted = [Packet(NS + k, "239.192.0.1", 9001, payload) for k, payload in enumerate(payloads)]
    assert list(read_pcap(path, BadLines())) == wanted
    zipped = path.with_suffix(".gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_pcap(zipped, BadLines())) == wanted
    assert is_pcap(path) and is_pcap(zipped)


def test_a_capture_that_is_cut(tmp_path: Path) -> None:
    """Gives what is whole, at every length."""
    path = written(tmp_path / "x.pcap", b"one", b"two")
    data = path.read_bytes()
    ends = [24, 24 + 16 + 31, len(data)]
    for length in range(24, len(data)):
        path.write_bytes(data[:length])
        bad = BadLines()
        found = list(read_pcap(path, bad))
        assert len(found) == sum(length >= end for end in ends[1:])
        assert bad.count == (length not in ends)


UDP = struct.pack(">HHHH", 1, 9001, 11, 0) + b"abc"
IP = bytes([0x45, 0, 0, 31, 0, 0, 0x40, 0, 1, 17, 0, 0, 127, 0, 0, 1, 239, 192, 0, 1])
FRAMES = {
    1: b"\0" * 12 + b"\x08\x00" + IP + UDP,
    113: b"\0" * 14 + b"\x08\x00" + IP + UDP,
    276: b"\x08\x00" + b"\0" * 18 + IP + UDP,
    101: IP + UDP,
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("link", FRAMES)
def test_other_tools_captures(tmp_path: Path, link: int, order: str) -> None:
    """Microseconds, either order of bytes, Ethernet with a VLAN, cooked; what is no datagram is passed over."""
    frames = [FRAMES[link], FRAMES[link][:-12]]
    if link == 1:
        frames += [b"\0" * 12 + b"\x81\x00\x00\x05\x08\x00" + IP + UDP, b"\0" * 12 + b"\x86\xdd" + b"\0" * 40]
    if link == 101:
        frames += [IP[:6] + b"\x20\x00" + IP[8:] + UDP, IP[:9] + b"\x06" + IP[10:] + UDP, b"\x60" + IP[1:] + UDP]
    data = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for frame in frames:
        data += struct.pack(order + "IIII", 5, 7, len(frame), len(frame)) + frame
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    found = list(read_pcap(path, BadLines()))
    assert found == [Packet(5_000_007_000, "239.192.0.1", 9001, b"abc")] * (2 if link == 1 else 1)


def test_what_is_no_capture(tmp_path: Path) -> None:
    """Said with what was found; a link that is not known too."""
    path = tmp_path / "x.pcap"
    path.write_bytes(b"hello")
    assert not is_pcap(path)
    with pytest.raises(RecordingError, match="hello"):
        list(read_pcap(path, BadLines()))
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 147))
    with pytest.raises(RecordingError, match=r"link type .* found 147"):
        list(read_pcap(path, BadLines()))
