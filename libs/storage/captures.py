"""Recordings of a venue's messages in whatever form they were kept: what was received, when, and REST answers.

Capture lines (an object a line: t, conn, ts, data), text captures (``<time>: <JSON>``), messages alone (a line each),
and tables (CSV) of Coinbase and Binance.US, which become messages of the Exchange feed.
"""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import msgspec

from libs.storage.lines import BadLines, read_lines

SORTED_BYTES = 512 << 20
"""Of capture lines, which are sorted in memory; recordings of collectors are not."""


OPENED, CLOSED = "opened", "closed"


class Said(NamedTuple):
    """One thing that was received: ``url`` is that of a REST answer, empty for a message.

    ``event``: the connection was opened or closed.
    """

    us: int
    url: str
    text: bytes
    event: str = ""


class _Captured(msgspec.Struct, frozen=True, gc=False):
    t: str
    ts: float = 0.0
    url: str = ""
    data: str = ""
    exchange: str = ""
    connection: str = ""
    ordered: bool = False


_decode = msgspec.json.Decoder(_Captured).decode
_EVENTS = {"open": OPENED, "close": CLOSED}


class Header(NamedTuple):
    """What the first of capture lines says; ``connection`` is empty but in the feeder's own files."""

    exchange: str
    connection: str
    ordered: bool


def header(path: Path) -> Header | None:
    """Return the header of capture lines; None: they are none."""
    for _, line in read_lines(path, BadLines()):
        try:
            m = _decode(line)
        except msgspec.DecodeError:
            return None
        return Header(m.exchange, m.connection, m.ordered) if m.exchange else None
    return None


def ordered(paths: Iterable[Path], bad: BadLines) -> Iterator[Said]:
    """Yield what capture lines hold that are in order of time: files of one connection, one after the other."""
    for path in paths:
        for number, line in read_lines(path, bad):
            try:
                m = _decode(line)
            except msgspec.DecodeError as error:
                bad.add(path, number, str(error), line)
                continue
            if m.t in ("recv", "http"):
                yield Said(round(m.ts * 1e6), m.url, m.data.encode())
            elif m.t in _EVENTS:
                yield Said(round(m.ts * 1e6), "", b"", _EVENTS[m.t])


def captured(path: Path, bad: BadLines) -> Iterator[Said]:
    """Yield what capture lines received, sorted by time: they are grouped by connection.

    Raises
    ------
    ValueError
        When there is more than fits in memory.
    """
    kept: list[Said] = []
    size = 0
    for number, line in read_lines(path, bad):
        try:
            m = _decode(line)
        except msgspec.DecodeError as error:
            bad.add(path, number, str(error), line)
            continue
        if m.t in ("recv", "http"):
            size += len(line)
            if size > SORTED_BYTES:
                raise ValueError(f"expected at most {SORTED_BYTES >> 20} MiB of capture lines, found more")
            kept.append(Said(round(m.ts * 1e6), m.url, m.data.encode()))
    kept.sort(key=itemgetter(0))
    yield from kept


def texts(path: Path, bad: BadLines) -> Iterator[Said]:
    """Yield what a text capture received."""
    for number, line in read_lines(path, bad):
        stamp, _, text = line.partition(b": ")
        if stamp.replace(b".", b"").isdigit():
            yield Said(round(float(stamp) * 1e6), "", text)
        elif not line.startswith((b"ws", b"http")):
            bad.add(path, number, "not '<time>: <JSON>' nor '<url> <- …'", line)


def bare(path: Path, bad: BadLines) -> Iterator[Said]:
    """Yield messages that have no time of their own, a microsecond apart."""
    for number, line in read_lines(path, bad):
        if line.startswith((b"{", b"[")):
            yield Said(number, "", line)
        else:
            bad.add(path, number, "not JSON", line)


def rows_of(path: Path, bad: BadLines) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file."""
    lines = (line.decode("utf-8", "replace") for _, line in read_lines(path, bad))
    # A cell may hold a whole snapshot.
    before = csv.field_size_limit(64 << 20)
    try:
        yield from csv.DictReader(lines)
    finally:
        csv.field_size_limit(before)


def _message(us: int, **fields: object) -> Said:
    return Said(us, "", json.dumps(fields).encode())


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _mended(text: str) -> str:
    """Return a decimal that went through floating point with the eight places that the venue had."""
    return f"{float(text):.8f}"


def gdax_hour(folder: Path, bad: BadLines) -> Iterator[Said]:
    """Yield the snapshot and the changes of ``gdax_btcusd_20180424_1h`` as messages of the Exchange feed."""
    sides: dict[str, list[list[str]]] = {}
    for side in ("bids", "asks"):
        rows = rows_of(folder / f"snapshot_{side}.csv.gz", bad)
        sides[side] = [[_mended(row["price"]), _mended(row["size"])] for row in rows]
    begun = False
    for file in sorted(folder.glob("l2update_*.csv.gz")):
        for row in rows_of(file, bad):
            us = _us(row["time"])
            if not begun:
                yield _message(us, type="snapshot", product_id="BTC-USD", **sides)
                begun = True
            change = [[row["side"], _mended(row["price"]), _mended(row["size"])]]
            yield _message(us, type="l2update", product_id="BTC-USD", changes=change, time=row["time"])


def gdax_messages(path: Path, bad: BadLines) -> Iterator[Said]:
    """Yield the rows of ``gdax_btcusd_20180416_2min``: a message each, lists as Python writes them."""
    us = 0
    for row in rows_of(path, bad):
        us = _us(row["time"]) if row["time"] else us + 1
        fields: dict[str, object] = {"type": row["type"], "product_id": row["product_id"] or "BTC-USD"}
        for name in ("bids", "asks", "changes"):
            if row[name]:
                fields[name] = ast.literal_eval(row[name])
        for name in ("price", "size", "side", "message", "reason"):
            if row[name]:
                fields[name] = row[name]
        if row["trade_id"]:
            fields["trade_id"] = int(float(row["trade_id"]))
        if row["time"]:
            fields["time"] = row["time"]
        yield _message(us, **fields)


def binanceus_events(path: Path, bad: BadLines) -> Iterator[Said]:
    """Yield the changes of one time at a time; the book begins empty, for there is no snapshot."""
    changes: list[list[str]] = []
    last_us = trades = 0
    name = "BTC-USDT"
    for row in rows_of(path, bad):
        us = int(row["ts_ns"]) // 1000
        if not last_us:
            yield _message(us, type="snapshot", product_id=name, bids=[], asks=[])
        if changes and (us != last_us or row["type"] == "trade"):
            yield _message(last_us, type="l2update", product_id=name, changes=changes)
            changes = []
        last_us = us
        if row["type"] == "trade":
            trades += 1
            side = "buy" if row["side"] == "B" else "sell"
            more = {"price": row["price"], "size": row["qty"], "side": side, "trade_id": trades}
            yield _message(us, type="match", product_id=name, **more)
        else:
            changes.append(["buy" if row["side"] == "B" else "sell", row["price"], row["qty"]])
    if changes:
        yield _message(last_us, type="l2update", product_id=name, changes=changes)


def first_row(path: Path) -> list[str]:
    """Return the names of a CSV file's columns."""
    for _, line in read_lines(path, BadLines()):
        return next(csv.reader(io.StringIO(line.decode("utf-8", "replace"))), [])
    return []
