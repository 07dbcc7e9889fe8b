"""Lines of files in any state."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from libs.storage.lines import BadLines, read_lines

LINES = [f"line {i} ".encode() * (i % 7 + 1) for i in range(20_000)]
TEXT = b"\n".join(LINES) + b"\n"


def read(path: Path) -> tuple[list[bytes], BadLines]:
    bad = BadLines()
    return [line for _, line in read_lines(path, bad)], bad


@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress, lambda b: gzip.compress(b[:50]) + gzip.compress(b[50:])])
def test_plain_and_gzip_give_the_same_lines(tmp_path: Path, pack: object) -> None:
    """Plain text, gzip and several gzip members read alike, whatever the name says."""
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
