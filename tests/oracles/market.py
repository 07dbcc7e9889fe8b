"""A symbol's kernels and its oracle, given the same messages, and compared in every feature at every event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from libs.book import kernels as book
from libs.book import state
from libs.features import history, kernels, microprice, notes, trades
from libs.features.definitions import COLUMNS, INDEX
from libs.units import normalise
from tests.oracles.features import ulps
from tests.oracles.moments import Value
from tests.oracles.past import UNLIMITED, Capacities, OracleMarket, Table

SNAPSHOT, LAST, REFRESH = 1, 2, 8

COUNTED = frozenset(
    {"order_book_imbalance", "queue_imbalance", "tick_flow_imbalance", "trade_flow_imbalance", "spread"}
    | {f"{side}_volume_{bps}bps" for side in ("bid", "ask") for bps in (10, 20)}
    | {"order_flow_imbalance", "total_order_flow", "total_buy_trades", "total_sell_trades"}
    | {"total_buy_volume", "total_sell_volume"}
    | {f"{total}ofi_l{k}" for total in ("", "total_") for k in range(1, 6)}
)
"""Columns that integers decide: the correctly rounded value while the integers stay below 2^53."""

LIMITS: dict[str, float] = dict.fromkeys(COLUMNS, 4.0) | {
    "realized_vol_1s": 8.0,
    "realized_vol_60s": 8.0,
    "total_squared_return": 16.0,
}
"""Most ulps that a column may be off."""


class DiffersError(AssertionError):
    """A column, or the incomplete bits, are not what the definitions say."""


@dataclass(frozen=True)
class Cores:
    """The kernels that are compared; a test puts changed ones in their place."""

    note_event: Callable[..., Any] = notes.note_event
    note_refresh: Callable[..., Any] = notes.note_refresh
    note_trade: Callable[..., Any] = trades.note_trade
    note_trades_missed: Callable[..., Any] = notes.note_trades_missed
    complete_row: Callable[..., Any] = kernels.complete_row


@dataclass
class Count:
    """What was compared."""

    rows: int = 0
    values: int = 0
    defined: int = 0
    """Values that are not NaN."""
    exact: int = 0
    """Values that are the correctly rounded ones."""
    left_out: int = 0
    """Rows that were not compared, as the kernels say that they are incomplete."""
    worst: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0.0))
    """Largest difference of each column in ulps."""

    def compare(
        self,
        row: np.ndarray,
        bits: int,
        wanted: Mapping[str, Value],
        wanted_bits: int,
        *,
        integers_decide: bool = True,
        where: str = "a row",
    ) -> None:
        """Compare a row (float64[len(COLUMNS)]) and its bits with what the definitions say.

        Raises
        ------
        DiffersError
            Naming the first column that differs.
        """
        if bits != wanted_bits:
            raise DiffersError(f"{where}: incomplete bits {bits}, the definitions say {wanted_bits}")
        if missing := set(COLUMNS) ^ set(wanted):
            raise DiffersError(f"{where}: columns of one side only: {sorted(missing)}")
        self.rows += 1
        self.values += len(COLUMNS)
        for name, exact in wanted.items():
            found = float(row[INDEX[name]])
            if exact is None:
                if found == found:
                    raise DiffersError(f"{where}: {name} is {found}, the definitions say NaN")
                continue
            self.defined += 1
            if found == _nearest(exact):
                self.exact += 1
                continue
            off = ulps(found, exact)
            if off > (0.5 if integers_decide and name in COUNTED else LIMITS[name]):
                raise DiffersError(f"{where}: {name} is {found!r}, not {_nearest(exact)!r}: {off:.2f} ulp")
            self.worst[name] = max(self.worst[name], off)

    def add(self, other: Count) -> None:
        """Add what was compared elsewhere."""
        self.rows += other.rows
        self.values += other.values
        self.defined += other.defined
        self.exact += other.exact
        self.left_out += other.left_out
        self.worst = {name: max(off, other.worst[name]) for name, off in self.worst.items()}

    def __str__(self) -> str:
        worst = max(self.worst, key=self.worst.__getitem__)
        left_out = f" ({self.left_out:,} incomplete left out)" if self.left_out else ""
        return (
            f"{self.rows:,} events{left_out} × {len(COLUMNS)} columns = {self.values:,} values compared, "
            f"{self.defined:,} defined, {self.exact:,} correctly rounded; worst {self.worst[worst]:.2f} ulp ({worst})"
        )


class Market:
    """A kernel book with its history and an oracle that get the same messages.

    Parameters
    ----------
    depth : int
        Levels that the kernels' book keeps.
    capacities : mapping
        Of the kernels' histories, as libs.features.history.CAPACITIES.
    integers_decide : bool
        Whether COUNTED columns must be correctly rounded (mantissas below 2^53).
    unlimited : bool
        Whether the oracle's book keeps every level; then only rows that are not incomplete are compared.
    """

    def __init__(
        self,
        depth: int,
        capacities: Mapping[str, int] | None = None,
        table: Table | None = None,
        cores: Cores | None = None,
        *,
        integers_decide: bool = True,
        unlimited: bool = False,
    ) -> None:
        self.books = state.new(1, depth)
        self.history = history.new(1, capacities)
        self.unlimited = unlimited
        self.oracle = OracleMarket(UNLIMITED if unlimited else depth, Capacities(**dict(capacities or {})), table)
        if table is not None:
            self._fitted(table)
        self.cores = cores or Cores()
        self.integers_decide = integers_decide
        self.row = np.zeros(len(COLUMNS))
        self.count = Count()
        self.sequence = 0

    def _fitted(self, table: Table) -> None:
        """Give both a fitted microprice, and an instrument of its tick."""
        exponent = 0
        while (table.tick / Fraction(10) ** exponent).denominator != 1:
            exponent -= 1
        mantissa = int(table.tick / Fraction(10) ** exponent)
        book.set_instrument(self.books, 0, mantissa, exponent, 1, -3, 1, 0, 0)
        self.oracle.book.instrument(exponent, -3, 1, 0)
        self.oracle.tick = table.tick
        tick = normalise(mantissa, exponent)
        microprice.put(self.history, 0, microprice.Table("", "", tick, np.array(table.rows)))

    def book(
        self,
        bits: int,
        sides: tuple[list[tuple[int, int]], list[tuple[int, int]]],
        feed_us: int,
        unit: tuple[int, int] = (-2, -3),
        cut: int = 0,
        depth_levels: int = 20,
        liquidity_bps: int = 10,
    ) -> str:
        """Give a book message to both; after an event of a valid book compare everything."""
        self.sequence += 1
        stamp = (self.sequence, 0, feed_us)
        data = np.array([x for side in sides for level in side for x in level], np.int64)
        code = book.apply_message(self.books, 0, bits, *unit, cut, data, 0, len(sides[0]), len(sides[1]), *stamp)
        outcome = self.oracle.message(bits, *unit, cut, (list(sides[0]), list(sides[1])), stamp)
        if code == book.EVENT_DONE and self.books.flags[0] & book.NEEDS_SNAPSHOT == 0:
            self.cores.note_event(self.history, self.books, 0)
            if book.is_valid(self.books, 0):
                self.compare(depth_levels, liquidity_bps)
        elif code in {book.REFRESH_HEALED, book.REFRESH_SAME}:
            self.cores.note_refresh(self.history, self.books, 0)
        return outcome

    def trade(self, side: int, size: int, size_exp: int, feed_us: int) -> None:
        """Give a print to both: side 1 bought, -1 sold, 0 unknown."""
        self.sequence += 1
        waits = bool(self.books.flags[0] & book.NEEDS_SNAPSHOT)
        self.cores.note_trade(self.history, 0, side, size, size_exp, self.sequence, feed_us, waits)
        self.oracle.trade(side, Fraction(size) * Fraction(10) ** size_exp, self.sequence, feed_us)

    def trades_missed(self, feed_us: int) -> None:
        """Say that prints were lost."""
        self.cores.note_trades_missed(self.history, 0, feed_us)
        self.oracle.trades_missed(feed_us)

    def set_flags(self, bits: int, clear: int = 0) -> None:
        """Set and clear flags from outside."""
        book.set_flags(self.books, 0, bits, clear)
        self.oracle.book.set_flags(bits, clear)

    def compare(self, depth_levels: int = 20, liquidity_bps: int = 10) -> None:
        """Compare every column and the bits of the row of the last event.

        Raises
        ------
        DiffersError
            Naming the columns.
        """
        bits = self.cores.complete_row(self.history, self.books, 0, depth_levels, liquidity_bps, self.row)
        if self.unlimited and bits & kernels.INCOMPLETE:
            self.count.left_out += 1
            return
        wanted, wanted_bits = self.oracle.row(depth_levels, liquidity_bps)
        where = f"event {self.sequence}"
        self.count.compare(self.row, bits, wanted, wanted_bits, integers_decide=self.integers_decide, where=where)


def _nearest(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return float("inf")
