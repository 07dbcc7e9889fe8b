"""Filters that the kernel runs for a listening socket, so that a fast feed does not keep the doctor busy.

Classic BPF, as setsockopt(SO_ATTACH_FILTER) takes it. Bytes that are not there end a program with 0: not wanted.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26
MAGIC_ON_WIRE = 0x50544648
HEARTBEAT = 2
TEXT = ord("{")
UDP = 17
ALL = 0x40000
IFINDEX = 0xFFFFF000 + 8  # SKF_AD_OFF + SKF_AD_IFINDEX

LOAD_WORD, LOAD_HALF, LOAD_BYTE = 0x20, 0x28, 0x30
LOAD_WORD_AT, LOAD_HALF_AT, LOAD_BYTE_AT = 0x40, 0x48, 0x50  # X + k
HEADER_LENGTH = 0xB1  # X = 4 * (byte & 15)
AND, EQUAL, ANY_BIT, RETURN = 0x54, 0x15, 0x45, 0x06

Step = tuple[int, int, int, int]
"""Code, steps to skip when true, when false, operand."""


def heartbeats_only() -> list[Step]:
    """Return the program of a UDP socket that wants heartbeats and text; the UDP header is 8 bytes."""
    return [
        (LOAD_BYTE, 0, 0, 8),
        (EQUAL, 2, 0, TEXT),
        (LOAD_BYTE, 0, 0, 8 + 21),
        (EQUAL, 0, 1, HEARTBEAT),
        (RETURN, 0, 0, ALL),
        (RETURN, 0, 0, 0),
    ]


def foreign_hftp(link: int, known: list[tuple[str, int]]) -> list[Step]:
    """Return the program of a packet socket that wants HFTP sent to a group, but for the known ones on one interface.

    Parameters
    ----------
    link : int
        Index of the interface on which the known ones are heard anyway.
    known : list of (str, int)
        Group and port.
    """
    unwanted: Step = (RETURN, 0, 0, 0)
    steps = [
        (LOAD_BYTE, 0, 0, 9), (EQUAL, 1, 0, UDP), unwanted,
        (LOAD_HALF, 0, 0, 6), (ANY_BIT, 0, 1, 0x1FFF), unwanted,
        (LOAD_BYTE, 0, 0, 16), (AND, 0, 0, 0xF0), (EQUAL, 1, 0, 0xE0), unwanted,
        (HEADER_LENGTH, 0, 0, 0),
        (LOAD_WORD, 0, 0, IFINDEX), (EQUAL, 0, 5 * len(known), link),
    ]  # fmt: skip
    for group, port in known:
        address = struct.unpack(">I", socket.inet_aton(group))[0]
        steps += [(LOAD_WORD, 0, 0, 16), (EQUAL, 0, 3, address), (LOAD_HALF_AT, 0, 0, 2), (EQUAL, 0, 1, port), unwanted]
    steps += [(LOAD_WORD_AT, 0, 0, 8), (EQUAL, 0, 1, MAGIC_ON_WIRE), (RETURN, 0, 0, ALL), unwanted]
    return steps


def attach(sock: socket.socket, steps: list[Step]) -> None:
    """Let the kernel run a program on what arrives at a socket; without it the socket hears more, nothing else."""
    code = b"".join(struct.pack("<HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(memory))
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
