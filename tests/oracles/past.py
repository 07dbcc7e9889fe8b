"""The features of markets.md that need the past, in exact fractions: naive, every window summed anew at every event.

Shares no code with libs.features. Logarithms are decimals of 60 digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice, takewhile

from tests.oracles import features
from tests.oracles.book import WAITS, OracleBook
from tests.oracles.features import ratio, sides_of
from tests.oracles.levels import Content
from tests.oracles.moments import FOLLOWED, Moment, Print, Value, changes, known_best, root, squared_log, term, weighted

MS = 1_000
SECOND = 1_000_000
UNLIMITED = 1 << 40
LAGS = {"wap_100ms": 100 * MS, "wap_200ms": 200 * MS, "wap_300ms": 300 * MS}
BEYOND_KNOWN, TAINTED, CUT, NOT_FITTED = 1, 2, 4, 8


@dataclass
class Capacities:
    """Entries that the kernels' histories hold; enough for anything unless said."""

    wap: int = UNLIMITED
    flow: int = UNLIMITED
    trades: int = UNLIMITED
    returns: int = UNLIMITED


@dataclass
class Table:
    """A fitted microprice: G by imbalance bucket and spread in ticks, the last spread standing for wider ones."""

    tick: Fraction
    rows: list[list[float]]


class OracleMarket:
    """One symbol on one exchange: its book, prints and events since start."""

    def __init__(self, depth: int, capacities: Capacities | None = None, table: Table | None = None) -> None:
        self.book = OracleBook(depth)
        self.capacities, self.table = capacities or Capacities(), table
        self.tick: Fraction | None = None
        self.moments: list[Moment] = []  # of this life of the book
        self.prints: list[Print] = []
        self.lives = 0
        self.trades_since = 0
        self.trades_pending = False
        self.flow = [Fraction(0)] * FOLLOWED
        self.traded = {1: (0, Fraction(0)), -1: (0, Fraction(0))}
        self.squared = Decimal(0)

    def message(self, *message: object) -> str:
        """Give the book a message; return its outcome (``done``: an event, and a row when the book is valid)."""
        outcome = self.book.message(*message)  # type: ignore[arg-type]
        if self.book.flags & WAITS:
            return outcome.code
        if outcome.code == "done":
            self._heard(self.book.last[2])
            self._event(refresh=False)
        elif outcome.code in {"healed", "same"}:
            self._event(refresh=True)
        return outcome.code

    def _event(self, *, refresh: bool) -> None:
        content: Content = self.book.shown
        bids, asks = sides_of(content, FOLLOWED)
        known = tuple(all(known_best(content, side, n) for side in range(2)) for n in (1, FOLLOWED))
        sequence, _, time = self.book.last
        moment = Moment(time, sequence, bids, asks, (known[0], known[1]), weighted(bids, asks))
        if self.lives != self.book.lives:
            self.lives = self.book.lives
            moment.time = self.book.valid_since
            moment.tainted = (not known[0], not known[1])
            self.moments = [moment]
            return
        before = self.moments[-1]
        if refresh:
            # No event: only what the next one is compared with.
            before.bids, before.asks, before.known = bids, asks, moment.known
            return
        moment.tainted = tuple(not (now and was) for now, was in zip(moment.known, before.known, strict=True))  # type: ignore[assignment]
        moment.flow = [term(bids, before.bids, k, 1) - term(asks, before.asks, k, -1) for k in range(FOLLOWED)]
        moment.squared = squared_log(moment.mid, before.mid)
        self.flow = [total + e for total, e in zip(self.flow, moment.flow, strict=True)]
        self.squared += moment.squared or 0
        self.moments.append(moment)

    def trade(self, side: int, size: Fraction, sequence: int, time: int) -> None:
        """Take in a print."""
        self._heard(time)
        if side:
            self.prints.append(Print(time, sequence, side, size))
            count, volume = self.traded[side]
            self.traded[side] = count + 1, volume + size

    def trades_missed(self, time: int) -> None:
        """Prints were lost, up to the time of the book's next message."""
        self.trades_since = max(self.trades_since, time)
        self.trades_pending = True

    def _heard(self, time: int) -> None:
        if self.trades_pending:
            self.trades_pending = False
            self.trades_since = max(self.trades_since, time)

    @property
    def now(self) -> int:
        """Feed time of the last event."""
        return self.moments[-1].time

    def whole(self, span: int) -> bool:
        """Return whether the book was valid all through the span before now."""
        return self.now - span >= self.book.valid_since

    def within(self, span: int) -> Iterator[Moment]:
        """Yield the events of the window (now − span, now], the newest first."""
        for moment in reversed(self.moments):
            if moment.time <= self.now - span:
                return
            yield moment

    def row(self, depth_levels: int = 20, liquidity_bps: int = 10) -> tuple[dict[str, Value], int]:
        """Return every column (None for NaN) and the bits, after an event of a valid book."""
        found = features.present(self.book.shown, depth_levels, liquidity_bps)
        bits = BEYOND_KNOWN if features.incomplete(self.book.shown, depth_levels, liquidity_bps) else 0
        for part in (self._lags, self._trades, self._flow, self._returns, self._microprice):
            values, more = part()
            found |= values
            bits |= more
        return found, bits

    def _lags(self) -> tuple[dict[str, Value], int]:
        found: dict[str, Value] = dict.fromkeys(LAGS)
        bits = 0
        for name, lag in LAGS.items():
            if not self.whole(lag):
                continue
            if self.capacities.wap < UNLIMITED and changes(self.moments, self.now - lag) > self.capacities.wap:
                bits |= CUT
                continue
            found[name] = next(m for m in reversed(self.moments) if m.time <= self.now - lag).wap
            if any(m.tainted[0] for m in self.within(lag)):
                bits |= TAINTED
        return found, bits

    def _trades(self) -> tuple[dict[str, Value], int]:
        later = list(takewhile(lambda p: p.sequence > self.moments[-1].sequence, reversed(self.prints)))
        found: dict[str, Value] = {"tick_flow_imbalance": None, "trade_flow_imbalance": None}
        for name, side in (("buy", 1), ("sell", -1)):
            count, total = self.traded[side]
            unseen = [p.size for p in later if p.side == side]
            found[f"total_{name}_trades"] = Fraction(count - len(unseen))
            found[f"total_{name}_volume"] = total - sum(unseen, Fraction(0))
        start = self.now - SECOND
        if not self.whole(SECOND) or start < self.trades_since or self.trades_pending:
            return found, 0
        inside = list(takewhile(lambda p: p.time > start, islice(reversed(self.prints), len(later), None)))
        if len(inside) > self.capacities.trades:
            return found, CUT
        volume = sum((p.size for p in inside), Fraction(0))
        found["tick_flow_imbalance"] = ratio(Fraction(sum(p.side for p in inside)), Fraction(len(inside)))
        found["trade_flow_imbalance"] = ratio(sum((p.side * p.size for p in inside), Fraction(0)), volume)
        return found, 0

    def _flow(self) -> tuple[dict[str, Value], int]:
        found: dict[str, Value] = {f"total_ofi_l{k + 1}": self.flow[k] for k in range(FOLLOWED)}
        found["total_order_flow"] = self.flow[0]
        names = [f"ofi_l{k}" for k in range(1, 6)]
        found |= dict.fromkeys(["order_flow_imbalance", *names])
        if not self.whole(SECOND):
            return found, 0
        inside = list(self.within(SECOND))
        if len({m.time for m in inside if any(m.flow)}) > self.capacities.flow:
            return found, CUT
        for k, name in enumerate(names):
            found[name] = sum((m.flow[k] for m in inside), Fraction(0))
        found["order_flow_imbalance"] = found["ofi_l1"]
        return found, TAINTED if any(m.tainted[1] for m in inside) else 0

    def _returns(self) -> tuple[dict[str, Value], int]:
        found: dict[str, Value] = {"total_squared_return": Fraction(self.squared)}
        bits = 0
        for name, span in (("realized_vol_1s", SECOND), ("realized_vol_60s", 60 * SECOND)):
            found[name] = None
            if not self.whole(span):
                continue
            inside = list(self.within(span))
            if sum(bool(m.squared) for m in inside) > self.capacities.returns:
                bits |= CUT
                continue
            found[name] = root(sum((m.squared for m in inside if m.squared), Decimal(0)))
            if any(m.tainted[0] for m in inside):
                bits |= TAINTED
        return found, bits

    def _microprice(self) -> tuple[dict[str, Value], int]:
        moment = self.moments[-1]
        if moment.mid is None or moment.wap is None:
            return {"microprice": None}, 0
        if self.table is None or self.tick != self.table.tick:
            return {"microprice": moment.wap}, NOT_FITTED
        (bid, qb), (ask, qa) = moment.bids[0], moment.asks[0]
        if bid > ask:
            return {"microprice": None}, 0
        buckets, widest = len(self.table.rows), len(self.table.rows[0]) - 1
        i = min(buckets - 1, buckets * qb // (qb + qa))
        s = min(widest, (ask - bid) // self.tick)
        return {"microprice": moment.mid + self.tick * Fraction(self.table.rows[int(i)][int(s)])}, 0
