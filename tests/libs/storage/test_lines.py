"""Lines of files in any state."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from libs.storage.lines import BadLines, read_lines

LINES = [f"line {i} ".encode() * (i % 7 + 1) for i in range(20_000)]
TEXT = b"\n".join(LINES) + b"\n"


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def read(path: Path) -> tuple[list[bytes], BadLines]:
    bad = BadLines()
    return [line for _, line in read_lines(path, bad)], bad


PACKS = [
    lambda b: b,
    gzip.compress,
    lambda b: gzip.compress(b[:50]) + gzip.compress(b[50:]),
    zstd,
    lambda b: zstd(b[:50]) + zstd(b[50:]),
]


@pytest.mark.parametrize("pack", PACKS)
def test_every_packing_gives_the_same_lines(tmp_path: Path, pack: object) -> None:
    """Plain text, gzip, zstd, and several members or frames of them read alike, whatever the name says."""
    path = tmp_path / "x.gz"
    path.write_bytes(pack(TEXT))  # type: ignore[operator]
    lines, bad = read(path)
    assert lines == LINES
    assert bad.count == 0


def test_numbers_count_empty_lines_and_the_last_needs_no_end(tmp_path: Path) -> None:
    """Line numbers are those of an editor."""
    path = tmp_path / "x"
    path.write_bytes(b"a\n\nb")
    assert list(read_lines(path, BadLines())) == [(1, b"a"), (3, b"b")]


@pytest.mark.parametrize("cut", [10, 1000, 5000, 20_000])
def test_truncated_gzip_gives_what_it_holds_and_one_bad_line(tmp_path: Path, cut: int) -> None:
    """Every whole line before the end is used; the rest is one bad line that is named."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(TEXT)[:-cut])
    lines, bad = read(path)
    assert lines == LINES[: len(lines)]
    assert bad.count == 1
    assert bad.examples[0].reason == "truncated gzip"
    assert bad.examples[0].line == len(lines) + 1
    assert str(path) in str(bad.examples[0])


def spoilt(path: Path, spoil: Callable[[bytes], bytes]) -> tuple[list[bytes], list[bytes], BadLines]:
    """Give the lines of a zstd file, those that are read once it is spoilt, and what was said of it."""
    rng = random.Random(1)
    written = [b"%d" % rng.getrandbits(200) for _ in range(40_000)]
    path.write_bytes(spoil(zstd(b"\n".join(written))))
    return written, *read(path)


@pytest.mark.parametrize("share", [2, 3, 10])
def test_zstd_that_ends_early_gives_what_it_holds(tmp_path: Path, share: int) -> None:
    """Whoever wrote it was killed: only the last line may be cut."""
    written, lines, bad = spoilt(tmp_path / "x", lambda b: b[: len(b) - len(b) // share])
    assert 0 < len(lines) < len(written)
    assert lines[:-1] == written[: len(lines) - 1]
    assert written[len(lines) - 1].startswith(lines[-1])
    assert bad.count == 0


def test_damaged_zstd_gives_the_lines_before_the_damage(tmp_path: Path) -> None:
    """The rest is one bad line."""
    written, lines, bad = spoilt(tmp_path / "x", lambda b: b[: len(b) // 2] + b"\xff" * (len(b) // 2))
    assert 0 < len(lines) < len(written)
    assert lines == written[: len(lines)]
    assert [(b.reason, b.line) for b in bad.examples] == [("damaged zstd", len(lines) + 1)]


def test_damaged_gzip_gives_the_lines_before_the_damage(tmp_path: Path) -> None:
    """Bytes that cannot be inflated end the file there."""
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(TEXT) + packer.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / "x.gz"
    path.write_bytes(packed + b"\x07" * 200_000)
    lines, bad = read(path)
    assert lines == LINES[: len(lines)]
    assert len(lines) >= len(LINES) - 1
    assert [b.reason for b in bad.examples] == ["damaged gzip"]


def test_examples_are_bounded_and_short() -> None:
    """All are counted, the first are kept, 80 characters of each."""
    bad = BadLines(keep=2)
    for i in range(5):
        bad.add(Path("f"), i, "why", b"\xff" + b"y" * 500)
    assert (bad.count, len(bad.examples)) == (5, 2)
    assert len(bad.examples[0].text) == 80
