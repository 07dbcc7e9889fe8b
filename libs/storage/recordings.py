"""What kind of recording a path holds, and which venue's core reads it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from libs.errors import MissingError, RecordingError
from libs.market.instruments import Instrument
from libs.storage import captures
from libs.storage.captures import Said
from libs.storage.collector import Stream, find_streams, merge, split_line
from libs.storage.lines import BadLines, read_lines
from libs.storage.pcap import is_pcap
from libs.venues import binance, bybit, coinbase, deribit, kraken, okx
from libs.venues.binance.symbols import Market
from libs.venues.core import Output, VenueCore

Canonical = Callable[[str], str]
MakeCore = Callable[[Sequence[str], Mapping[str, Instrument]], VenueCore]
HEAD = 2000
"""Bytes of a message in which it names its symbol."""
PEEKED = 20
"""Lines of which one tells a collector's file."""
ODD_FOLDER = "snapshot_bids.csv.gz"
SUFFIXES = (".jsonl", ".jsonl.gz", ".txt.gz", ".csv.gz", ".dat.gz", ".gz", ".dat", ".zst")


@dataclass(frozen=True, slots=True)
class Venue:
    """How a venue's messages are read: where they name a symbol, and whose core takes them."""

    name: str
    symbol: re.Pattern[bytes]
    canonical: Canonical
    core: MakeCore
    instruments: Callable[[bytes], list[tuple[str, Instrument]]]
    exchange: str
    """Whose channel its events belong to; empty: a witness, which is never multicast."""
    of_url: Callable[[str], str | None] = lambda url: None
    """The venue's own symbol whose snapshot a REST answer is."""


class Survey(NamedTuple):
    """What a recording names: canonical symbols in their order, and what its lists of instruments say of them."""

    symbols: list[str]
    instruments: dict[str, Instrument]


@dataclass(frozen=True, slots=True)
class Recording:
    """One stream of messages: its files, and how to read it, as often as wanted."""

    path: Path
    parts: tuple[Path, ...]
    venue: Venue
    read: Callable[[BadLines], Iterator[Said]]

    def survey(self) -> Survey:
        """Read all of it once; names that are none are passed over."""
        seen: dict[bytes, None] = {}
        listed: dict[str, Instrument] = {}
        for said in self.read(BadLines()):
            if not said.url:
                for name in self.venue.symbol.findall(said.text[:HEAD]):
                    seen.setdefault(name)
                continue
            with contextlib.suppress(ValueError):
                listed |= {i.symbol: i for _, i in self.venue.instruments(said.text)}
        found = [s for s in dict.fromkeys(self._canonical(name.decode()) for name in seen) if s]
        return Survey(found, {symbol: listed[symbol] for symbol in found if symbol in listed})

    def played(self, survey: Survey, bad: BadLines) -> Iterator[tuple[Said, list[Output]]]:
        """Yield what was received, with what the venue's core makes of it."""
        return self.play(self.core(survey), bad)

    def core(self, survey: Survey) -> VenueCore:
        """Return a core for it."""
        return self.venue.core(survey.symbols, survey.instruments)

    def play(self, core: VenueCore, bad: BadLines) -> Iterator[tuple[Said, list[Output]]]:
        """Give what was received to a core; yield it with what came of it."""
        begun = False
        for said in self.read(bad):
            if said.event == captures.CLOSED:
                yield said, core.closed(said.us)
                continue
            if said.event or not begun:
                begun = True
                core.opened(said.us)
                if said.event:
                    continue
            if not said.url:
                yield said, core.received(said.text, said.us)
                continue
            symbol = self._symbol_of(said.url)
            yield said, core.answered(symbol, said.text, said.us) if symbol in core.by_symbol else []

    def _symbol_of(self, url: str) -> str:
        """Return the canonical symbol whose snapshot the answer from an address is; empty: it is none."""
        name = self.venue.of_url(url)
        return self._canonical(name) if name else ""

    def _canonical(self, name: str) -> str:
        try:
            return self.venue.canonical(name)
        except ValueError:
            return ""


_SYMBOL = re.compile(rb'"s": ?"([^"]+)"')


def _depth_symbol(url: str) -> str | None:
    found = re.search(r"/depth\?(?:.*&)?symbol=([A-Za-z0-9_]+)", url)
    return found[1] if found else None


def _okx_symbol(url: str) -> str | None:
    found = re.search(r"/market/books\?(?:.*&)?instId=([A-Za-z0-9.-]+)", url)
    return found[1] if found else None


def _binance(name: str, rules: binance.Rules) -> Venue:
    core = partial(binance.BinanceCore, rules=rules)
    exchange = "" if name == "binanceus" else "binance"
    return Venue(name, _SYMBOL, rules.canonical, core, rules.instruments, exchange, _depth_symbol)


def _bybit(name: str, rules: bybit.Rules) -> Venue:
    core = partial(bybit.BybitCore, rules=rules)
    symbol = re.compile(rb'"topic": ?"(?:orderbook\.\d+|publicTrade)\.([^"]+)"')
    return Venue(name, symbol, rules.canonical, core, rules.instruments, "bybit")


def _none(body: bytes) -> list[tuple[str, Instrument]]:
    """Read no list of instruments."""
    return []


_PRODUCT = re.compile(rb'"product_id": ?"([^"]+)"')
VENUES = {
    "BINANCE": _binance("binance", binance.SPOT),
    "BINANCE_FUTURES": _binance("binance_usdm", binance.USDM),
    "BINANCE_DELIVERY": _binance("binance_coinm", binance.COINM),
    "BINANCE_US": _binance("binanceus", binance.SPOT),
    "BYBIT": _bybit("bybit_linear", bybit.LINEAR),
    "BYBIT_SPOT": _bybit("bybit", bybit.SPOT),
    "BYBIT_INVERSE": _bybit("bybit_inverse", bybit.INVERSE),
    "COINBASE": Venue("coinbase", _PRODUCT, coinbase.canonical, coinbase.CoinbaseCore, coinbase.ADVANCED.instruments,
                      "coinbase"),
    "EXCHANGE": Venue("coinbase_exchange", _PRODUCT, coinbase.canonical, coinbase.ExchangeCore,
                      coinbase.EXCHANGE.instruments, "coinbase"),
    "OKX": Venue("okx", re.compile(rb'"instId": ?"([^"]+)"'), okx.canonical, okx.OkxCore, okx.instruments, "okx",
                 _okx_symbol),
    "DERIBIT": Venue("deribit", re.compile(rb'"instrument_name": ?"([^"]+)"'), deribit.canonical, deribit.DeribitCore,
                     deribit.instruments, "deribit"),
    "KRAKEN": Venue("kraken", re.compile(rb'"([A-Z0-9.]+/[A-Z0-9.]+)"\]$'), kraken.canonical, kraken.KrakenCore, _none,
                    ""),
}  # fmt: skip
"""By the exchange that a header names."""
VENUES |= {venue.name: venue for venue in VENUES.values()}
"""The feeder names its feeds."""
_MARKETS = {Market.SPOT: "BINANCE", Market.USDM: "BINANCE_FUTURES", Market.COINM: "BINANCE_DELIVERY"}
_FIELDS = ((b'"arg"', "OKX"), (b'"topic"', "BYBIT"), (b'"jsonrpc"', "DERIBIT"), (b'"sequence_num"', "COINBASE"))
"""What tells the venue of messages alone."""


def find(paths: Iterable[Path]) -> list[Recording]:
    """Return the recordings of the files given, and of the files in the folders given.

    Raises
    ------
    MissingError
        When a path is not there, or a folder holds no recording.
    RecordingError
        When a file is no recording of a venue that is known.
    """
    found: list[Recording] = []
    collected: list[Path] = []
    own: dict[tuple[Path, str], list[Path]] = {}
    for path in _opened(paths):
        if path.is_dir() and (path / ODD_FOLDER).exists():
            found.append(_hour(path))
            continue
        for file in _files(path):
            if (named := captures.header(file)) and named.connection:
                own.setdefault((file.parent, named.connection), []).append(file)
                continue
            recording = _recognised(file)
            if recording is None:
                collected.append(file)
            else:
                found.append(recording)
    for files in own.values():
        files.sort()
        named = captures.header(files[0])
        parts = tuple(files)
        found.append(Recording(files[0], parts, _venue(named, files[0]), partial(captures.ordered, parts)))
    for stream in find_streams(collected) if collected else ():
        venue = VENUES[_MARKETS[stream.market]]
        found.append(Recording(stream.files[0], stream.files, venue, partial(_collected, stream)))
    return found


def only_collected(paths: Iterable[Path]) -> bool:
    """Return whether these are a collector's files and nothing else; MissingError when one is not there."""
    opened = list(_opened(paths))
    return not any((path / ODD_FOLDER).exists() for path in opened) and all(
        _is_collected(file) for path in opened for file in _files(path)
    )


def _is_collected(file: Path) -> bool:
    if is_pcap(file):
        return False
    # A file of a collector may begin with damage.
    lines = (line for _, line in read_lines(file, BadLines()))
    return any(split_line(line) is not None for line in islice(lines, PEEKED)) or file.name.endswith(
        (".dat", ".dat.gz")
    )


def _hour(folder: Path) -> Recording:
    """Return a folder of tables: a snapshot, and what changed in an hour."""
    parts = tuple(sorted(folder.glob("*.csv.gz")))
    return Recording(folder, parts, VENUES["EXCHANGE"], partial(captures.gdax_hour, folder))


def _opened(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the paths, each followed by the folders in it that are one recording."""
    for path in paths:
        yield path
        if path.is_dir():
            yield from (folder for folder in sorted(path.iterdir()) if (folder / ODD_FOLDER).exists())


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise MissingError(f"{path}: no such recording")
    inside = sorted(f for f in path.iterdir() if f.is_file() and f.name.endswith(SUFFIXES) and f.name[0] != ".")
    if not inside:
        raise MissingError(f"{path}: no recording in this folder")
    return inside


def _recognised(file: Path) -> Recording | None:
    """Return what a file is; None: collector lines."""
    if named := captures.header(file):
        read = partial(captures.ordered, (file,)) if named.ordered else partial(captures.captured, file)
        return Recording(file, (file,), _venue(named, file), read)
    first = next((line for _, line in read_lines(file, BadLines())), b"")
    if split_line(first) is not None:
        return None
    columns = captures.first_row(file) if file.name.endswith((".csv", ".csv.gz", ".csv.zst")) else []
    if columns[:5] == ["ts_ns", "type", "side", "price", "qty"]:
        venue = replace(VENUES["EXCHANGE"], name="binanceus", exchange="")
        return Recording(file, (file,), venue, partial(captures.binanceus_events, file))
    if {"changes", "maker_order_id", "type"} <= set(columns):
        return Recording(file, (file,), VENUES["EXCHANGE"], partial(captures.gdax_messages, file))
    if first.startswith(b"ws") and b"coinbase" in first:
        return Recording(file, (file,), VENUES["EXCHANGE"], partial(captures.texts, file))
    if first.startswith(b"{"):
        for field, name in _FIELDS:
            if field in first:
                return Recording(file, (file,), VENUES[name], partial(captures.bare, file))
    raise RecordingError(
        f"{file}: expected collector lines, capture lines or messages of a known venue, found {first[:60]!r}"
    )


def _venue(named: captures.Header | None, file: Path) -> Venue:
    exchange = named.exchange if named else ""
    if exchange not in VENUES:
        raise RecordingError(f"{file}: expected one of {', '.join(VENUES)}, found exchange {exchange!r}")
    return VENUES[exchange]


def _collected(stream: Stream, bad: BadLines) -> Iterator[Said]:
    """Yield a collector's lines; a snapshot gets the address that it came from: that of the symbol of the rest."""
    lines = (line for file in stream.files for _, line in read_lines(file, BadLines()))
    named = (_SYMBOL.search(line[:HEAD]) for line in lines)
    name = next((found[1].decode() for found in named if found), stream.name.upper())
    address = f"/depth?symbol={name}"
    for line in merge([stream], bad):
        answer = not line.payload.startswith(b'{"stream"')
        yield Said(line.recv_ns // 1000, address if answer else "", line.payload)
