"""Rows that a publisher takes at any moment, beside the sender's books."""

from __future__ import annotations

from math import isnan

from libs.book import flags as book_flags
from libs.book.state import FLAGS, SEQUENCE, TOP_SIDES, TOPS
from libs.engine.outputs import BOOKS, FEATURE, STATE, SYMBOLS, TRADE
from libs.engine.rows import (
    BOOK_COUNTS,
    BOOK_LEVELS,
    FEATURE_TOPS,
    KEY_SEQUENCE,
    KEY_SESSION,
)
from libs.simulation.checks import Fail
from libs.simulation.receiver import Receiver
from libs.simulation.source import SIZE_EXPONENT
from libs.simulation.truth import State, Truth
from libs.streams.schemas import TOP_LEVELS

EXCLUDED = book_flags.INVALID | book_flags.HALTED | book_flags.MUTE | book_flags.STALE
COMMON_EXPONENT = -3
"""Prices of all venues are compared in this unit."""


class RowChecks:
    """Rows taken from the queues."""

    def __init__(self, receiver: Receiver, truth: Truth, fail: Fail) -> None:
        self.receiver, self.truth, self.fail = receiver, truth, fail
        self.last_trade: dict[int, tuple[int, int]] = {}
        self.taken = 0

    def take_all(self) -> None:
        """Take everything that waits, as the publisher does, and look at each row."""
        flags = self.receiver.flags
        features = self.receiver.latest(FEATURE, "features")
        for words, values in zip(features.tolist(), features.view(float).tolist(), strict=True):
            self._features(words, values, int(flags[words[0] & 0xFFFFFFFF]))
        for words in self.receiver.latest(BOOKS, "books").tolist():
            self._book(words, int(flags[words[0] & 0xFFFFFFFF]))
        self.receiver.latest(SYMBOLS, "nbbo")
        for words in self.receiver.records(TRADE, "trades").tolist():
            self._trade(words)
        self.receiver.records(STATE, "status")
        self.nbbo()

    def _states(self, words: list[int]) -> tuple[str, list[State]]:
        channel, symbol = self.receiver.books()[words[0] & 0xFFFFFFFF]
        number, sequence = words[KEY_SESSION], words[KEY_SEQUENCE]
        states = [
            book.at(sequence)
            for (of, exchange, name), book in self.truth.books.items()
            if (exchange, name) == (channel, symbol) and number in (of, 0)
        ]
        return f"{channel}/{symbol} of sequence {sequence}", states

    def _flags(self, kind: str, name: str, word: int, now: int) -> bool:
        """Check a row's flags against the book's; return whether the row says valid."""
        self.taken += 1
        valid = word >> 8 & 0xFF == 1
        flags = word >> 32 & 0xFFFFFFFF
        if valid != (flags & book_flags.INVALID == 0):
            self.fail("wrong", f"{kind} row {name}: valid is {valid} with flags {book_flags.names(flags)}")
        if valid and now & book_flags.INVALID:
            self.fail("wrong", f"{kind} row {name} says valid, its book is {book_flags.names(now)}")
        return valid

    def _features(self, words: list[int], values: list[float], now: int) -> None:
        name, states = self._states(words)
        if not self._flags("features", name, words[1], now):
            return
        found = values[FEATURE_TOPS : FEATURE_TOPS + 4]
        for state in states:
            wanted = [
                _value(state.top(side), state.exponent, field) if state.knows_top(side) else found[2 * field + side]
                for field in range(2)
                for side in range(2)
            ]
            if state.valid and all(map(_close, found, wanted)):
                return
        self.fail("wrong", f"features row {name} says valid with tops {found}")

    def _book(self, words: list[int], now: int) -> None:
        name, states = self._states(words)
        if not self._flags("book", name, words[1], now):
            return
        n = TOP_LEVELS
        whole = words[1] >> 32 & book_flags.TRUNCATED == 0
        for state in states:
            if not state.valid:
                continue
            for side in range(2):
                count = words[BOOK_COUNTS] >> (16 * side) & 0xFFFF
                at = BOOK_LEVELS + 2 * n * side
                shown = min(count, n if whole else int(state.knows_top(side)))
                mine = list(zip(words[at : at + shown], words[at + n : at + n + shown], strict=True))
                if mine != sorted(state.sides[side].items(), reverse=side == 0)[:shown] or (
                    whole and count < min(n, len(state.sides[side]))
                ):
                    break
            else:
                return
        self.fail("wrong", f"book row {name} says valid and is not the sender's")

    def _trade(self, words: list[int]) -> None:
        channel, symbol = self.receiver.books()[words[0] & 0xFFFFFFFF]
        number, sequence, price, size = words[9], words[10], words[12], words[13]
        sent = (
            [
                trade
                for (of, exchange, number_), trade in self.truth.trades.items()
                if exchange == channel and number_ == sequence and number in (of, 0)
            ]
            if number == 0
            else [self.truth.trades.get((number, channel, sequence))]
        )
        if (symbol, price, size) not in sent:
            self.fail("wrong", f"trade {channel}/{symbol} of sequence {sequence} was never sent: {price} {size}")
        before = self.last_trade.get(channel, (0, 0))
        if before[0] == number and before[1] >= sequence:
            self.fail("wrong", f"trade {channel}/{symbol} of sequence {sequence} after {before[1]}")
        self.last_trade[channel] = (number, sequence)

    def nbbo(self) -> None:
        """Compare every consolidated quote with one made of the sender's books and the flags of ours."""
        best: dict[tuple[str, int], tuple[int, int]] = {}
        heads = self.receiver.words[: len(self.receiver.books()), :32].tolist()
        symbols: dict[str, int] = {}
        unknown: set[tuple[str, int]] = set()
        for b, (channel, symbol) in enumerate(self.receiver.books()):
            head = heads[b]
            symbols[symbol] = int(self.receiver.arrays["table_book_symbol"][b])
            if head[FLAGS] & EXCLUDED or head[TOPS + TOP_SIDES] == 0:
                continue
            number = int(self.receiver.arrays["ledger"][channel, 18])
            book = self.truth.books.get((number, channel, symbol))
            if book is None:
                return
            state = book.at(head[SEQUENCE])
            for side in range(2):
                top = state.top(side)
                if not state.knows_top(side):
                    unknown.add((symbol, side))
                if top is None:
                    continue
                price = top[0] * 10 ** (state.exponent - COMMON_EXPONENT)
                known, exchanges = best.get((symbol, side), (price, 0))
                if (1 - 2 * side) * price > (1 - 2 * side) * known:
                    known, exchanges = price, 0
                if price == known:
                    exchanges |= 1 << channel
                best[symbol, side] = known, exchanges
        self._compare_nbbo(symbols, {key: value for key, value in best.items() if key not in unknown}, unknown)

    def _compare_nbbo(
        self, symbols: dict[str, int], best: dict[tuple[str, int], tuple[int, int]], unknown: set[tuple[str, int]]
    ) -> None:
        for symbol, row in symbols.items():
            words = self.receiver.arrays["out_nbbo"][row, :13].tolist()
            exponent = words[1] >> 8 & 0xFF
            exponent -= 256 if exponent > 127 else 0
            for side in range(2):
                if (symbol, side) in unknown:
                    continue
                exchanges = words[0] >> (40 + 8 * side) & 0xFF
                price, wanted = best.get((symbol, side), (0, 0))
                found = words[11 + side] * 10 ** (exponent - COMMON_EXPONENT) if exchanges else 0
                if exchanges != wanted or found != price:
                    self.fail(
                        "wrong", f"nbbo {symbol} side {side}: {found} of {exchanges:b}, should be {price} of {wanted:b}"
                    )


def _close(a: float, b: float) -> bool:
    return (isnan(a) and isnan(b)) or abs(a - b) <= 1e-9 * abs(b)


def _value(top: tuple[int, int] | None, exponent: int, field: int) -> float:
    if top is None:
        return float("nan")
    return top[field] * 10.0 ** (SIZE_EXPONENT if field else exponent)
