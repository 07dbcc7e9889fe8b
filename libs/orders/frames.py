"""Framed append-only files: ``u32 length, u32 CRC-32, payload`` after a magic line.

A crash leaves at most a torn tail, which is cut off at the next start and counted. Bytes that are wrong anywhere else
mean that the file was damaged, and nothing is read past them in silence.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

MAGIC = b"crossbook journal 1\n"
HEAD = struct.Struct("<II")
MAX_PAYLOAD = 1 << 28


class DamagedError(ValueError):
    """A file is damaged before its end; the message says at which byte."""


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes
    ----------
    payloads : list of bytes
    good_bytes : int
        Where the torn tail begins; the file's length when there is none.
    torn_bytes : int
    """

    payloads: list[bytes]
    good_bytes: int
    torn_bytes: int


def frame(payload: bytes) -> bytes:
    """Return a payload with its head."""
    return HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def frames(payloads: Iterable[bytes]) -> bytes:
    """Return a file's bytes, magic included."""
    return MAGIC + b"".join(map(frame, payloads))


def parse(data: bytes) -> Content:
    """Return the payloads of a file's bytes, up to a torn tail.

    Raises
    ------
    DamagedError
        When it does not begin as such a file does, or a frame is wrong and others follow it.
    """
    if len(data) < len(MAGIC):
        if not MAGIC.startswith(data):
            raise DamagedError("not a journal")
        return Content([], 0, len(data))
    if not data.startswith(MAGIC):
        raise DamagedError("not a journal")
    payloads = []
    at = len(MAGIC)
    while at < len(data):
        end = at + HEAD.size
        length, crc = HEAD.unpack_from(data, at) if end <= len(data) else (MAX_PAYLOAD, 0)
        whole = end + length <= len(data) and 0 < length <= MAX_PAYLOAD
        if whole and zlib.crc32(data[end : end + length]) == crc:
            payloads.append(data[end : end + length])
            at = end + length
            continue
        # A write that a crash cut short ends with the file; a file system may have filled it up with zeros.
        if end + length >= len(data) or not any(data[at:]):
            return Content(payloads, at, len(data) - at)
        raise DamagedError(f"damaged at byte {at:,} of {len(data):,}")
    return Content(payloads, at, 0)
