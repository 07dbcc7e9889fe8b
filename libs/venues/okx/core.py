"""One connection of OKX: books by their chain of ids or by checksum, trades, tickers as a witness. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from libs.market.instruments import Instrument
from libs.venues.checksum import TextBook
from libs.venues.connection import Connection, batches
from libs.venues.core import Close, Fetch, Output, Send
from libs.venues.events import BUYER, SELLER, BookEvent
from libs.venues.okx.chain import Chain, Verdict
from libs.venues.okx.messages import (
    ARGS_A_REQUEST,
    CHECKED_LEVELS,
    Book,
    checksum,
    decode_answer,
    decode_books,
    decode_envelope,
    decode_texts,
    decode_tickers,
    decode_trades,
    request,
)
from libs.venues.okx.symbols import native
from libs.venues.rows import PLAIN, RowParser

BOOK_LEVELS = {"books": 400, "books5": 5}
SNAPSHOT_WAIT_US, FETCH_RETRY_US = 2_000_000, 1_000_000
HOUR_US = 3_600_000_000
REQUESTS_AN_HOUR = 480
SIDES = {"buy": BUYER, "sell": SELLER}
NO_CHECKSUM = "checksum 0: the venue sends none"


class OkxCore(Connection):
    """One connection of OKX.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    instruments : mapping of str to Instrument
        Units by canonical symbol.
    channel : str
        ``books`` (snapshot and deltas of 400 levels) or ``books5`` (snapshots of 5 levels).
    witness : bool
        Subscribe to ``bbo-tbt`` as well.
    """

    exchange = "okx"

    def __init__(
        self,
        symbols: Sequence[str],
        instruments: Mapping[str, Instrument] | None = None,
        channel: str = "books",
        *,
        witness: bool = False,
    ) -> None:
        super().__init__(symbols, native, instruments)
        if channel not in BOOK_LEVELS:
            raise ValueError(f"expected channel books or books5, found {channel!r}")
        self.channel = channel
        self._channels = (channel, "trades", *(["bbo-tbt"] if witness else []))
        self._chains = {symbol: Chain() for symbol in self.symbols}
        self._parser = RowParser(PLAIN)
        self._requests: deque[int] = deque()

    def opened(self, now_us: int) -> list[Output]:
        """Begin a connection: subscriptions in batches."""
        self._requests.clear()
        self._opening(now_us)
        for symbol in self.symbols:
            self._chains[symbol] = Chain(asked_us=now_us)
        args = [(channel, self.native[symbol]) for channel in self._channels for symbol in self.symbols]
        found: list[Output] = []
        for some in batches(args, ARGS_A_REQUEST):
            self._requests.append(now_us)
            found.append(Send(request("subscribe", some)))
        return found

    def tick(self, now_us: int) -> list[Output]:
        """Ping every 20 s, close when nothing answers; fetch a snapshot that has not come in 2 s."""
        found = self._ping("ping", now_us)
        for symbol, chain in self._chains.items():
            if chain.asked_us >= 0 and not chain.fetching and now_us - chain.asked_us >= SNAPSHOT_WAIT_US:
                found += self._fetch(symbol)
        return found

    def position(self, symbol: str) -> int:
        """Return the seqId of the book, which ``bbo-tbt`` shares; -1: none."""
        seq = self._chains[symbol].seq
        return -1 if seq is None else seq

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid and subscribe to it anew; without the requests for that, splice a REST snapshot."""
        found = self._lose(symbol, reason, now_us)
        self._count("resync", symbol)
        chain = Chain(asked_us=now_us)
        self._chains[symbol] = chain
        while self._requests and now_us - self._requests[0] >= HOUR_US:
            self._requests.popleft()
        if len(self._requests) + 2 > REQUESTS_AN_HOUR:
            self._count("rationed", symbol)
            return found + self._fetch(symbol)
        self._requests += [now_us, now_us]
        args = [(self.channel, self.native[symbol])]
        return [*found, Send(request("unsubscribe", args)), Send(request("subscribe", args))]

    def answered(self, symbol: str, body: bytes, now_us: int) -> list[Output]:
        """Splice a REST snapshot into the deltas kept; one that is older than they are is fetched again later."""
        chain = self._chains[symbol]
        chain.fetching = False
        if chain.asked_us < 0:
            return self._ignored()
        chain.asked_us = now_us - SNAPSHOT_WAIT_US + FETCH_RETRY_US
        try:
            answer = decode_answer(body)
            if answer.code != "0":
                raise ValueError(f"expected code 0, found {answer.code}: {answer.msg}")
            books = decode_books(answer.data)
            if len(books) != 1 or books[0].seqId is None:
                raise ValueError("expected one book with a seqId")
            return self._splice(symbol, books[0], books[0].seqId, now_us)
        except (msgspec.DecodeError, ValueError) as error:
            return self._refused("REST book", error, symbol)

    def failed(self, symbol: str, now_us: int) -> list[Output]:
        """Fetch again at a later tick."""
        chain = self._chains[symbol]
        chain.fetching = False
        if chain.asked_us >= 0:
            chain.asked_us = now_us - SNAPSHOT_WAIT_US + FETCH_RETRY_US
        self._count("fetch_failed", symbol)
        return []

    def _fetch(self, symbol: str) -> list[Output]:
        self._chains[symbol].fetching = True
        self._count("fetch", symbol)
        return [Fetch(symbol, f"/api/v5/market/books?instId={self.native[symbol]}&sz=400", 1)]

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        if message == b"pong":
            self._alive_us = now_us
            return []
        m = decode_envelope(message)
        if m.event is not None:
            return self._event(m.event, f"{m.code}: {m.msg}")
        if m.arg is None:
            raise ValueError("expected arg or event, found neither")
        symbol = self.canonical.get(m.arg.instId)
        if symbol is None:
            return self._ignored()
        self.by_symbol[symbol]["messages"] += 1
        channel = m.arg.channel
        if channel == self.channel:
            return self._books(symbol, m.action, m.data, now_us)
        if channel == "trades":
            return self._prints(symbol, m.data, now_us)
        try:
            if channel == "tickers":
                return [
                    self._top(symbol, -1, (t.bidPx, t.bidSz), (t.askPx, t.askSz), 1000 * int(t.ts), now_us)
                    for t in decode_tickers(m.data)
                ]
            if channel == "bbo-tbt":
                return [self._bbo(symbol, book, now_us) for book in decode_books(m.data)]
        except (msgspec.DecodeError, ValueError) as error:
            return self._refused(channel, error, symbol)
        return self._ignored()

    def _event(self, event: str, text: str) -> list[Output]:
        if event == "error":
            return self._refused("request", ValueError(f"the venue answers {text}"))
        if event == "notice":
            return [Close(f"okx: {text}")]
        return self._ignored()

    def _bbo(self, symbol: str, book: Book, now_us: int) -> Output:
        bid, ask = (
            (texts[0][0], texts[0][1]) if texts else ("", "")
            for texts in (decode_texts(book.bids), decode_texts(book.asks))
        )
        return self._top(symbol, -1 if book.seqId is None else book.seqId, bid, ask, 1000 * int(book.ts), now_us)

    def _prints(self, symbol: str, data: msgspec.Raw, now_us: int) -> list[Output]:
        found: list[Output] = []
        try:
            for t in decode_trades(data):
                last = int(t.tradeId)
                if t.side not in SIDES:
                    raise ValueError(f"expected side buy or sell, found {t.side!r}")
                numbers = (last - max(int(t.count or "1"), 1) + 1, last)
                found += self._print(symbol, numbers, last, SIDES[t.side], t.px, t.sz, 1000 * int(t.ts), now_us)
        except (msgspec.DecodeError, ValueError) as error:
            found += self._refused("trades", error, symbol) + self._trades_missed(symbol, "refused", now_us)
        return found

    def _books(self, symbol: str, action: str | None, data: msgspec.Raw, now_us: int) -> list[Output]:
        found: list[Output] = []
        try:
            for book in decode_books(data):
                if self.channel == "books5":
                    self.valid.add(symbol)
                    self._chains[symbol].asked_us = -1
                    found.append(self._event_of(symbol, book, now_us, snapshot=True))
                elif action == "snapshot":
                    found += self._snapshot(symbol, book, now_us, spliced=False)
                elif action == "update":
                    found += self._update(symbol, book, now_us)
                else:
                    raise ValueError(f"expected action snapshot or update, found {action!r}")
        except (msgspec.DecodeError, ValueError) as error:
            found += self._refused(self.channel, error, symbol) + self.resync(symbol, "message refused", now_us)
        return found

    def _event_of(self, symbol: str, book: Book, now_us: int, *, snapshot: bool) -> BookEvent:
        unit = self.units[symbol]
        parsed = self._parser.parse(memoryview(book.bids), memoryview(book.asks), unit.price, unit.size)
        limit = BOOK_LEVELS[self.channel]
        return self._book(symbol, parsed, 1000 * int(book.ts), now_us, snapshot=snapshot, limit=limit)

    def _snapshot(self, symbol: str, book: Book, now_us: int, *, spliced: bool) -> list[Output]:
        event = self._event_of(symbol, book, now_us, snapshot=True)
        chain = self._chains[symbol]
        chain.begin(book.seqId, spliced=spliced)
        if book.seqId is None:
            self._cannot_verify("books without seqId: continuity is proved by checksums alone")
        chain.texts = TextBook() if book.checksum != 0 else None
        if not self._checksum_holds(symbol, book, snapshot=True):
            return self.resync(symbol, "checksum", now_us)
        return self._fresh(event)

    def _update(self, symbol: str, book: Book, now_us: int) -> list[Output]:
        chain = self._chains[symbol]
        if symbol not in self.valid:
            kept = chain.keep(book)
            self._count("before_snapshot" if kept is None else "kept", symbol)
            if kept is Verdict.GAP:
                self._count("kept_gap", symbol)
            if book.checksum == 0:
                self._cannot_verify(NO_CHECKSUM)
            return []
        verdict = chain.judge(book)
        if verdict is Verdict.GAP:
            self._count("gap", symbol)
            reason = f"prevSeqId {book.prevSeqId} does not follow {chain.seq}"
            found = self.resync(symbol, reason, now_us)
            self._chains[symbol].keep(book)
            return found
        if verdict is not Verdict.NEXT:
            self._count(verdict.value, symbol)
            return []
        event = self._event_of(symbol, book, now_us, snapshot=False)
        if not self._checksum_holds(symbol, book, snapshot=False):
            return self.resync(symbol, "checksum", now_us)
        return [event]

    def _splice(self, symbol: str, book: Book, seq: int, now_us: int) -> list[Output]:
        rest = self._chains[symbol].after(seq)
        if rest is None:
            self._count("snapshot_too_old", symbol)
            return []
        found = self._snapshot(symbol, book, now_us, spliced=True)
        for delta in rest:
            found += self._update(symbol, delta, now_us)
        return found

    def _checksum_holds(self, symbol: str, book: Book, *, snapshot: bool) -> bool:
        texts = self._chains[symbol].texts
        if texts is None or book.checksum == 0:
            self._count("checksum_absent", symbol)
            self._cannot_verify(NO_CHECKSUM)
            if texts is None:
                return True
        rows = decode_texts(book.bids), decode_texts(book.asks)
        if snapshot:
            texts.replace(*rows)
        else:
            texts.put(*rows)
        if book.checksum == 0:
            return True
        best = texts.bids.best(CHECKED_LEVELS), texts.asks.best(CHECKED_LEVELS)
        holds = checksum(*best) == book.checksum
        self._count("checksum_ok" if holds else "checksum_bad", symbol)
        return holds
