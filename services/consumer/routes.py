"""HTTP of the consumer, served by its second process from shared arrays: books, NBBO, channels."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from aiohttp import web

from libs.book import flags as book_flags
from libs.book.reader import snapshot_levels
from libs.engine import report
from libs.engine.state import bind_books, bind_families, bind_joined, bind_nbbo, bind_table
from libs.market.exchanges import EXCHANGES
from libs.market.symbol_table import t_name, t_symbol_name
from libs.nbbo import families
from libs.nbbo.states import EXCLUSIONS, STATES
from libs.streams.schemas import BOOK, NBBO, TOP_LEVELS
from libs.telemetry.segment import Segment
from libs.units import format_decimal
from services.consumer.metrics import top_of

DEFAULT_DEPTH = 20
MAX_DEPTH = 8192
TRIES = 50


def add_routes(app: web.Application, segment: Segment) -> None:
    """Add the consumer's routes to the front's application."""
    views = Views(dict(segment.arrays))
    app.router.add_get("/books", views.books)
    app.router.add_get("/books/{exchange}/{symbol}", views.book)
    app.router.add_get("/nbbo/{symbol}", views.nbbo)
    app.router.add_get("/channels", views.channels)


def _not_found(what: str, found: str, known: list[str]) -> web.Response:
    near = difflib.get_close_matches(found, known, n=5, cutoff=0.4)
    return web.json_response({"error": f"{what} {found!r} is not known", "near": near}, status=404)


class Views:
    """Handlers over the engine's arrays; none of them makes the book thread wait."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self.table = bind_table(arrays)
        self.state = bind_books(arrays)
        self.quotes, self.joined = bind_nbbo(arrays), bind_joined(arrays)
        self.families = bind_families(arrays)
        self._known: dict[tuple[str, str], int] = {}

    def _total(self) -> int:
        return int(self.arrays["table_counts"][0])

    def _books(self) -> dict[tuple[str, str], int]:
        """Return (exchange, symbol) → book. No kernel: loading one holds every answer for half a second and more."""
        for book in range(len(self._known), self._total()):
            self._known[EXCHANGES[self.table.book_exchange[book]], t_name(self.table, book)] = book
        return self._known

    async def channels(self, request: web.Request) -> web.Response:
        """Answer with the ledgers, as in the report."""
        return web.json_response(report.channels_report(self.arrays))

    async def books(self, request: web.Request) -> web.Response:
        """Answer with every book's top, one line each."""
        lines = []
        for book in range(self._total()):
            line = top_of(self.arrays, t_name(self.table, book), book)
            flags = int(self.state.flags[book])
            lines.append(line | {"valid": flags & book_flags.INVALID == 0, "flags": book_flags.names(flags)})
        return web.json_response(lines, dumps=_lines)

    async def book(self, request: web.Request) -> web.Response:
        """Answer with one book to ``?depth=`` levels a side, as of its last completed event."""
        name, symbol = request.match_info["exchange"].lower(), request.match_info["symbol"]
        if name not in EXCHANGES:
            return _not_found("exchange", name, list(EXCHANGES))
        known = self._books()
        book = known.get((name, symbol))
        if book is None:
            return _not_found(f"symbol of {name}", symbol, [theirs for exchange, theirs in known if exchange == name])
        text = request.query.get("depth", str(DEFAULT_DEPTH))
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_DEPTH:
            return web.json_response({"error": f"depth: expected 1 to {MAX_DEPTH}, found {text!r}"}, status=400)
        for _ in range(TRIES):
            answer = self._read(book, int(text))
            if answer is not None:
                return web.json_response({"exchange": name, "symbol": symbol} | answer)
            await asyncio.sleep(0.002)
        return web.json_response({"error": "the book is in the middle of an event; try again"}, status=503)

    def _read(self, book: int, depth: int) -> dict[str, Any] | None:
        """Return a consistent copy, or None while the book thread is writing it."""
        if depth > TOP_LEVELS:
            view = snapshot_levels(self.state, book, depth)
            if view is None:
                return None
            return _answer(
                view.flags, view.sequence, view.feed_ts_us, view.price_exp, view.size_exp, view.bids, view.asks
            )
        version = int(self.arrays["out_book_version"][book])
        row = self.arrays["out_books"][book].copy().view(BOOK)[0]
        flags = int(self.state.flags[book])
        if version & 1 or int(self.arrays["out_book_version"][book]) != version:
            return None
        bids = _pairs(row["bid_prices"], row["bid_sizes"], min(depth, int(row["bid_count"])))
        asks = _pairs(row["ask_prices"], row["ask_sizes"], min(depth, int(row["ask_count"])))
        price, size = int(row["price_exponent"]), int(row["size_exponent"])
        return _answer(flags, int(row["sequence"]), int(row["feed_ts_us"]), price, size, bids, asks)

    async def nbbo(self, request: web.Request) -> web.Response:
        """Answer with the NBBO of one canonical symbol, or of a family of joined quote currencies."""
        symbol = request.match_info["symbol"]
        names = [t_symbol_name(self.table, i) for i in range(int(self.arrays["table_counts"][1]))]
        places = {name: at for at, name in enumerate(names)}
        own = len(self.quotes.state)
        joined = {families.t_name(self.families, k): k for k in range(int(self.families.counts[families.COUNT]))}
        places |= {name: own + k for name, k in joined.items()}
        if symbol not in places:
            return _not_found("symbol", symbol, list(places))
        place = places[symbol]
        row = self.arrays["out_nbbo"][place].copy().view(NBBO)[0]
        price = int(row["price_exponent"])
        sides = {}
        for side in ("bid", "ask"):
            bits = int(row[f"{side}_exchanges"])
            sides[side] = {
                "price": format_decimal(int(row[f"{side}_price"]), price) if bits else None,
                "size": float(row[f"{side}_size"]) if bits else None,
                "exchanges": [name for i, name in enumerate(EXCHANGES) if bits >> i & 1],
            }
        excluded = {name: EXCLUSIONS[int(row["excluded"][i])] for i, name in enumerate(EXCHANGES) if row["excluded"][i]}
        return web.json_response(
            {"symbol": symbol, "state": STATES[int(row["state"])], **sides, "excluded": excluded,
             "quotes": families.currencies(symbol), "joined": symbol in joined,
             "state_us": self._state_us(place), "feed_ts_us": int(row["feed_ts_us"])}
        )  # fmt: skip

    def _state_us(self, place: int) -> dict[str, int]:
        """Return the feed time that a quote has spent in each state."""
        n, own = self.quotes, len(self.quotes.state)
        row = n.state_us[place] if place < own else self.joined.state_us[place - own]
        return dict(zip(STATES, row.tolist(), strict=True))


Levels = Sequence[tuple[int, int]]


def _answer(
    flags: int, sequence: int, feed_ts_us: int, price_exp: int, size_exp: int, bids: Levels, asks: Levels
) -> dict[str, Any]:
    return {
        "valid": flags & book_flags.INVALID == 0,
        "flags": book_flags.names(flags),
        "sequence": sequence,
        "feed_ts_us": feed_ts_us,
        "bids": [[format_decimal(p, price_exp), format_decimal(s, size_exp)] for p, s in bids],
        "asks": [[format_decimal(p, price_exp), format_decimal(s, size_exp)] for p, s in asks],
    }


def _pairs(prices: np.ndarray, sizes: np.ndarray, n: int) -> list[tuple[int, int]]:
    return [(int(prices[i]), int(sizes[i])) for i in range(n)]


def _lines(rows: list[dict[str, Any]]) -> str:
    import json

    return "[" + ",\n ".join(json.dumps(row) for row in rows) + "]\n"
