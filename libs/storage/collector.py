"""Collector recordings: one message a line, ``<local receive time> <JSON>``, one symbol a stream, a file a day.

The receive time is in nanoseconds or microseconds. All streams of a recording share one clock.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from libs.errors import MissingError
from libs.storage.lines import BadLines, read_lines
from libs.venues.binance.symbols import Market

_CUT = re.compile(r"[-_.]?\d{4}-?\d{2}-?\d{2}$")
_SUFFIXES = {"", ".gz", ".dat", ".txt", ".log", ".jsonl"}
_PEEK_LINES = 2000


class Line(NamedTuple):
    """One line: receive time in ns, which stream, the JSON, and where it stands."""

    recv_ns: int
    stream: int
    payload: bytes
    file: Path
    number: int


@dataclass(frozen=True, slots=True)
class Stream:
    """The files of one symbol's recording, in order of time.

    Parameters
    ----------
    name : str
        The files' common name, without market and date: ``btcusdt``.
    market : Market
        From the name's prefix (``spot_``, ``usdm_``, ``cm_``; none: spot).
    files : tuple of Path
        A day's cut each.
    """

    name: str
    market: Market
    files: tuple[Path, ...]


def find_streams(paths: Iterable[Path]) -> list[Stream]:
    """Return the streams of the files given, and of the files in the folders given.

    Raises
    ------
    MissingError
        When a path is not there, or a folder holds no recording.
    """
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in paths:
        for file in _files(path):
            key = (file.parent.resolve(), _stem(file))
            files = groups.setdefault(key, [])
            if file.resolve() not in [f.resolve() for f in files]:
                files.append(file)
    return [_stream(stem, files) for (_, stem), files in sorted(groups.items())]


def merge(streams: Sequence[Stream], bad: BadLines) -> Iterator[Line]:
    """Yield the lines of all streams on one clock, in order of receive time."""
    sources = [_lines(i, stream, bad) for i, stream in enumerate(streams)]
    return heapq.merge(*sources, key=itemgetter(0)) if len(sources) > 1 else iter(sources[0]) if sources else iter(())


def split_line(line: bytes) -> tuple[int, bytes] | None:
    """Return (receive time in ns, JSON) of a line, or None when it is not one."""
    stamp, blank, payload = line.partition(b" ")
    if not blank or not stamp.isdigit() or not 16 <= len(stamp) <= 19:
        return None
    time = int(stamp)
    return (time if len(stamp) == 19 else time * 1000 if len(stamp) == 16 else -1), payload


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise MissingError(f"{path}: no such recording; give a collector file or a folder of them")
    files = [f for f in sorted(path.iterdir()) if f.is_file() and f.name[0] != "." and f.suffix in _SUFFIXES]
    if not files:
        raise MissingError(f"{path}: no recording in this folder; give a collector file or a folder of them")
    return files


def _stem(file: Path) -> str:
    name = file.name
    while (suffix := Path(name).suffix) and suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return _CUT.sub("", name) or name


def _stream(stem: str, files: list[Path]) -> Stream:
    market = Market.SPOT
    for candidate in Market:
        if stem.startswith(candidate.value + "_"):
            market, stem = candidate, stem.removeprefix(candidate.value + "_")
            break
    return Stream(stem, market, tuple(sorted(files, key=lambda f: (_first_time(f), f.name))))


def _first_time(file: Path) -> int:
    for count, (_, line) in enumerate(read_lines(file, BadLines())):
        parsed = split_line(line)
        if parsed:
            return parsed[0]
        if count > _PEEK_LINES:
            break
    return 0


def _lines(index: int, stream: Stream, bad: BadLines) -> Iterator[Line]:
    latest = 0
    for file in stream.files:
        for number, line in read_lines(file, bad):
            parsed = split_line(line)
            if parsed is None or parsed[0] < 0:
                bad.add(file, number, "not '<receive time> <JSON>'", line)
                continue
            # heapq.merge needs order within a source; a step back of the recorder's clock is flattened.
            latest = max(latest, parsed[0])
            yield Line(latest, index, parsed[1], file, number)
