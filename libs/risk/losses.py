"""The day's loss and the fall from the highest PnL; both survive restarts through the journal."""

from __future__ import annotations

from decimal import Decimal

from libs.orders.decimals import ZERO
from libs.orders.ledger import Marks

DAY_NS = 86_400 * 1_000_000_000


class Losses:
    """Where the day began and how high PnL once was, in USD.

    Parameters
    ----------
    marks : Marks or None
        As journalled last; None: a fresh account.
    """

    def __init__(self, marks: Marks | None = None) -> None:
        self.marks = marks or Marks(-1, ZERO, ZERO)

    def note(self, pnl: Decimal, now_ns: int) -> bool:
        """Take in the PnL of this moment; return whether the marks changed and should be journalled.

        Parameters
        ----------
        now_ns : int
            Wall clock; a day begins at midnight UTC.
        """
        day, before = now_ns // DAY_NS, self.marks
        start = pnl if day != before.day and before.day >= 0 else before.day_start_usd
        self.marks = Marks(day, start, max(before.peak_usd, pnl))
        return self.marks != before

    def today(self, pnl: Decimal) -> Decimal:
        """Return what was won since midnight."""
        return pnl - self.marks.day_start_usd

    def reset_peak(self, pnl: Decimal) -> None:
        """Measure the fall from here on."""
        self.marks = Marks(self.marks.day, self.marks.day_start_usd, pnl)
