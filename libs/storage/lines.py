"""Lines of a text file, plain, gzip or zstd, whatever state its end is in."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import zstandard

CHUNK = 1 << 16
MAX_LINE = 16 << 20
SHOWN = 80
_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be used: where, why, and its first 80 characters."""

    file: str
    line: int
    reason: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}: {self.text!r}"


@dataclass(slots=True)
class BadLines:
    """Counts bad lines and keeps the first ``keep`` of them."""

    keep: int = 20
    count: int = 0
    examples: list[BadLine] = field(default_factory=list)

    def add(self, file: Path, line: int, reason: str, text: bytes) -> None:
        """Count one."""
        self.count += 1
        if len(self.examples) < self.keep:
            shown = text[: 4 * SHOWN].decode("utf-8", "replace")[:SHOWN]
            self.examples.append(BadLine(str(file), line, reason, shown))


def read_lines(path: Path, bad: BadLines) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line without its end) of every non-empty line.

    A gzip or zstd that is damaged gives the lines before the damage; the rest counts as one bad line. So does a gzip
    that ends early; of a zstd that does, a service was killed while it wrote, only the last line may be cut.

    Parameters
    ----------
    path : Path
        Told to be gzip or zstd by its first bytes, not by its name.
    bad : BadLines
        Where damage is counted.
    """
    number, tail = 0, b""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == _GZIP_MAGIC:
            chunks = _inflate(file)
        elif magic == _ZSTD_MAGIC:
            chunks = _decompress(file)
        else:
            chunks = iter(lambda: file.read(CHUNK), b"")
        try:
            for chunk in chunks:
                lines = (tail + chunk).split(b"\n")
                tail = lines.pop()
                for line in lines:
                    number += 1
                    if line:
                        yield number, line
                if len(tail) > MAX_LINE:
                    raise _DamagedError(f"a line of more than {MAX_LINE} bytes")
        except _DamagedError as error:
            bad.add(path, number + 1, str(error), tail)
            return
    if tail:
        yield number + 1, tail


class _DamagedError(Exception):
    pass


def _decompress(file: BinaryIO) -> Iterator[bytes]:
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
    try:
        while chunk := reader.read(CHUNK):
            yield chunk
    except zstandard.ZstdError:
        raise _DamagedError("damaged zstd") from None


def _inflate(file: BinaryIO) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    while chunk := file.read(CHUNK):
        while chunk:
            before = inflater.copy()
            try:
                data = inflater.decompress(chunk)
            except zlib.error:
                yield from _up_to_damage(before, chunk)
                raise _DamagedError("damaged gzip") from None
            yield data
            chunk = inflater.unused_data
            if inflater.eof and chunk.lstrip(b"\0"):
                inflater = zlib.decompressobj(wbits=31)
            elif inflater.eof:
                chunk = b""
    if not inflater.eof:
        raise _DamagedError("truncated gzip")


def _up_to_damage(inflater: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """Give what the chunk holds before the damage; zlib keeps nothing of a call that fails."""
    for byte in range(len(chunk)):
        try:
            yield inflater.decompress(chunk[byte : byte + 1])
        except zlib.error:
            return
