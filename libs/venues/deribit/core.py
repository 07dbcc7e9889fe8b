"""One connection of Deribit: books by their chain of change ids, trades by their numbers. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from libs.market.instruments import Instrument
from libs.venues.connection import Connection, batches, text_id
from libs.venues.core import Close, Output, Send
from libs.venues.deribit.messages import (
    CHANNELS_A_REQUEST,
    HEARTBEAT_S,
    Book,
    Envelope,
    decode_book,
    decode_envelope,
    decode_names,
    decode_top,
    decode_trades,
    request,
    subscribe,
    text_of,
    unsubscribe,
)
from libs.venues.deribit.symbols import native
from libs.venues.events import BUYER, SELLER
from libs.venues.rows import ACTION, RowParser

INTERVALS = ("100ms", "agg2", "raw")
SNAPSHOT_WAIT_US = 10_000_000
SILENCE_US = 3_000_000 * HEARTBEAT_S
SIDES = {"buy": BUYER, "sell": SELLER}


@dataclass(slots=True)
class Chain:
    """One book: ids of the last change, and since when a snapshot is awaited (-1: it is not)."""

    last: int = -1
    previous: int | None = None
    asked_us: int = -1


class DeribitCore(Connection):
    """One connection of Deribit.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    instruments : mapping of str to Instrument
        Units by canonical symbol.
    interval : str
        ``100ms``; ``agg2`` and ``raw`` are faster, raw needs a key.
    key : (str, str)
        Client id and secret: the connection signs in before it subscribes.
    witness : bool
        Subscribe to ``quote`` as well.

    Raises
    ------
    ValueError
        For another interval.
    """

    exchange = "deribit"

    def __init__(
        self,
        symbols: Sequence[str],
        instruments: Mapping[str, Instrument] | None = None,
        interval: str = "100ms",
        key: tuple[str, str] | None = None,
        *,
        witness: bool = False,
    ) -> None:
        super().__init__(symbols, native, instruments)
        if interval not in INTERVALS:
            raise ValueError(f"expected interval {', '.join(INTERVALS)}, found {interval!r}")
        self.interval = interval
        self._key = key
        self._witness = witness
        self._chains = {symbol: Chain() for symbol in self.symbols}
        self._parser = RowParser(ACTION)
        self._number = 0
        self._asked: dict[int, list[str]] = {}
        self._sign_in = -1

    def opened(self, now_us: int) -> list[Output]:
        """Begin a connection: heartbeats, sign in if there is a key, and the subscriptions."""
        self._alive_us = self._heard_us = now_us
        self._asked.clear()
        self._chains = {symbol: Chain(asked_us=now_us) for symbol in self.symbols}
        found: list[Output] = [
            Send(request(self._next(), "public/set_heartbeat", {"interval": HEARTBEAT_S})),
        ]
        if self._key is None:
            return found + self._subscriptions()
        self._sign_in = self._next()
        params = {"grant_type": "client_credentials", "client_id": self._key[0], "client_secret": self._key[1]}
        return [*found, Send(request(self._sign_in, "public/auth", params))]

    def tick(self, now_us: int) -> list[Output]:
        """Subscribe again to a book whose snapshot has not come in 10 s; close after 30 s without a heartbeat."""
        if now_us - self._heard_us >= SILENCE_US:
            self._count("mute", None)
            self._heard_us = now_us
            return [Close("deribit: no heartbeat")]
        found: list[Output] = []
        for symbol, chain in self._chains.items():
            if chain.asked_us >= 0 and now_us - chain.asked_us >= SNAPSHOT_WAIT_US:
                found += self.resync(symbol, "no snapshot came", now_us)
        return found

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid and subscribe to it anew, unless that has been asked already."""
        found = self._lose(symbol, reason, now_us)
        self._count("resync", symbol)
        asked_us = self._chains[symbol].asked_us
        if asked_us >= 0 and now_us - asked_us < SNAPSHOT_WAIT_US:
            return found
        self._chains[symbol] = Chain(asked_us=now_us)
        channels = [self._book_channel(symbol)]
        return [*found, Send(unsubscribe(self._next(), channels)), Send(self._subscribe(channels))]

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _book_channel(self, symbol: str) -> str:
        return f"book.{self.native[symbol]}.{self.interval}"

    def _subscribe(self, channels: list[str]) -> str:
        number = self._next()
        self._asked[number] = channels
        return subscribe(number, channels)

    def _subscriptions(self) -> list[Output]:
        channels = [self._book_channel(symbol) for symbol in self.symbols]
        channels += [f"trades.{self.native[symbol]}.{self.interval}" for symbol in self.symbols]
        if self._witness:
            channels += [f"quote.{self.native[symbol]}" for symbol in self.symbols]
        return [Send(self._subscribe(some)) for some in batches(channels, CHANNELS_A_REQUEST)]

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        m = decode_envelope(message)
        if m.method == "subscription" and m.params is not None:
            return self._notified(m.params.channel, m.params.data, now_us)
        if m.method == "heartbeat" and m.params is not None:
            self._alive_us = now_us
            if m.params.type == "test_request":
                return [Send(request(self._next(), "public/test", {}))]
            return []
        if m.id is not None:
            return self._answer(m.id, m, now_us)
        if m.method is None and m.error is None:
            raise ValueError("expected method or id, found neither")
        return self._ignored()

    def _answer(self, number: int, m: Envelope, now_us: int) -> list[Output]:
        asked = self._asked.pop(number, None)
        if m.error is not None:
            what = f"{len(asked)} channels, the first {asked[0]}" if asked else f"request {number}"
            return self._refused(what, ValueError(f"the venue answers {m.error.code}: {m.error.message}"))
        if number == self._sign_in:
            for chain in self._chains.values():
                chain.asked_us = now_us
            return self._subscriptions()
        missing = sorted(set(asked) - set(decode_names(m.result))) if asked else []
        return [
            output
            for channel in missing
            for output in self._refused(f"channel {channel}", ValueError("the venue has none of that name"))
        ]

    def _notified(self, channel: str, data: msgspec.Raw, now_us: int) -> list[Output]:
        kind, _, rest = channel.partition(".")
        symbol = self.canonical.get(rest.partition(".")[0])
        if symbol is None:
            return self._ignored()
        self.by_symbol[symbol]["messages"] += 1
        if kind == "book" and rest.count(".") == 1:
            try:
                return self._change(symbol, decode_book(data), now_us)
            except (msgspec.DecodeError, ValueError) as error:
                return self._refused(channel, error, symbol) + self.resync(symbol, "message refused", now_us)
        if kind == "trades":
            return self._prints(symbol, data, now_us)
        if kind in ("ticker", "quote"):
            try:
                t = decode_top(data)
                bid = text_of(t.best_bid_price), text_of(t.best_bid_amount)
                ask = text_of(t.best_ask_price), text_of(t.best_ask_amount)
                return [self._top(symbol, -1, bid, ask, 1000 * t.timestamp, now_us)]
            except (msgspec.DecodeError, ValueError) as error:
                return self._refused(channel, error, symbol)
        return self._ignored()

    def _change(self, symbol: str, book: Book, now_us: int) -> list[Output]:
        if book.type not in ("snapshot", "change", None):
            raise ValueError(f"expected type snapshot or change, found {book.type!r}")
        # The first change of a new instrument follows 0, an empty book: it is its own snapshot.
        snapshot = book.type == "snapshot" or not book.prev_change_id
        chain = self._chains[symbol]
        if not snapshot:
            if symbol not in self.valid:
                self._count("before_snapshot", symbol)
                return []
            if book.prev_change_id != chain.last:
                if (book.prev_change_id, book.change_id) == (chain.previous, chain.last):
                    self._count("old", symbol)
                    return []
                self._count("gap", symbol)
                return self.resync(symbol, f"change {book.prev_change_id} does not follow {chain.last}", now_us)
        unit = self.units[symbol]
        parsed = self._parser.parse(memoryview(book.bids), memoryview(book.asks), unit.price, unit.size)
        chain.last, chain.previous = book.change_id, book.prev_change_id
        event = self._book(symbol, parsed, 1000 * book.timestamp, now_us, snapshot=snapshot)
        if not snapshot:
            return [event]
        chain.asked_us = -1
        return self._fresh(event)

    def _prints(self, symbol: str, data: msgspec.Raw, now_us: int) -> list[Output]:
        found: list[Output] = []
        try:
            for t in decode_trades(data):
                if t.direction not in SIDES:
                    raise ValueError(f"expected direction buy or sell, found {t.direction!r}")
                price, amount = text_of(t.price), text_of(t.amount)
                numbers, name = (t.trade_seq, t.trade_seq), text_id(t.trade_id)
                found += self._print(
                    symbol, numbers, name, SIDES[t.direction], price, amount, 1000 * t.timestamp, now_us
                )
        except (msgspec.DecodeError, ValueError) as error:
            found += self._refused("trades", error, symbol) + self._trades_missed(symbol, "refused", now_us)
        return found
