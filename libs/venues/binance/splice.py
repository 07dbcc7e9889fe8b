"""Joining Binance's diffs to a REST snapshot: the state machine of one symbol (markets.md, *Book maintenance*)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Verdict(Enum):
    """What became of a diff or a snapshot."""

    BUFFERED = "buffered"
    """No snapshot yet: kept."""
    APPLIED = "applied"
    OLD = "old"
    """All of it is in the book already."""
    GAP = "gap"
    """Updates are missing: the book is invalid until its own new snapshot; the diff is kept for that."""
    TOO_OLD = "too_old"
    """The snapshot ends before the kept diffs begin: fetch another."""
    WITNESS = "witness"
    """The book is valid and no older than this snapshot: nothing to gain from it."""


@dataclass(slots=True)
class Diff(Generic[T]):
    """The ids of one diff (``previous`` is futures' pu) and whatever the caller wants back with it."""

    first: int
    last: int
    previous: int | None
    payload: T


@dataclass(slots=True)
class Splice(Generic[T]):
    """One symbol's continuity.

    Parameters
    ----------
    futures : bool
        Judge by ``pu`` (USD-M, COIN-M) instead of consecutive ids (spot).
    capacity : int
        Diffs kept while there is no snapshot; past it the oldest go, counted in ``overflowed``.
    """

    futures: bool
    capacity: int = 10_000
    book_id: int = -1
    """Update id of the book; -1 while there is none."""
    gaps: int = 0
    overflowed: int = 0
    broken: int = 0
    """Gaps among the diffs kept while there is no snapshot."""
    _first_pending: bool = False
    _kept: deque[Diff[T]] = field(default_factory=deque)

    @property
    def synchronised(self) -> bool:
        """Whether the book stands on a snapshot without a gap since."""
        return self.book_id >= 0

    def diff(self, d: Diff[T]) -> Verdict:
        """Judge the next diff. On APPLIED the caller applies it now; on GAP the book is invalid from now on."""
        if not self.synchronised:
            self._keep(d)
            return Verdict.BUFFERED
        if self._is_old(d, self.book_id):
            return Verdict.OLD
        fits = self._fits_snapshot(d, self.book_id) if self._first_pending else self._follows(d, self.book_id)
        if not fits:
            self.gaps += 1
            self.lose()
            self._keep(d)
            return Verdict.GAP
        self.book_id = d.last
        self._first_pending = False
        return Verdict.APPLIED

    def snapshot(self, last_update_id: int) -> tuple[Verdict, list[Diff[T]]]:
        """Judge a snapshot.

        Returns
        -------
        tuple of Verdict and list of Diff
            APPLIED with the kept diffs that follow it, in order; TOO_OLD; or WITNESS.
        """
        if self.synchronised and last_update_id <= self.book_id:
            return Verdict.WITNESS, []
        rest = [d for d in self._kept if not self._is_old(d, last_update_id)]
        if rest and not self._fits_snapshot(rest[0], last_update_id):
            return Verdict.TOO_OLD, []
        self._kept.clear()
        self.book_id = rest[-1].last if rest else last_update_id
        self._first_pending = not rest
        return Verdict.APPLIED, rest

    def lose(self) -> None:
        """Forget the book and what was kept: a snapshot must come."""
        self.book_id = -1
        self._first_pending = False
        self._kept.clear()

    def _keep(self, d: Diff[T]) -> None:
        if self._kept and not self._follows(d, self._kept[-1].last):
            if d.last <= self._kept[-1].last:
                return
            self.broken += 1
            self._kept.clear()
        if len(self._kept) == self.capacity:
            self._kept.popleft()
            self.overflowed += 1
        self._kept.append(d)

    def _is_old(self, d: Diff[T], book_id: int) -> bool:
        # A futures diff with u equal to the book's id is still wanted as the first after a snapshot (U <= id <= u).
        if self.futures and (self._first_pending or not self.synchronised):
            return d.last < book_id
        return d.last <= book_id

    def _fits_snapshot(self, d: Diff[T], last_update_id: int) -> bool:
        if self.futures:
            # pu equal to the snapshot's id: half of the recorded snapshots end exactly at a diff's end.
            return d.first <= last_update_id <= d.last or d.previous == last_update_id
        return d.first <= last_update_id + 1 <= d.last

    def _follows(self, d: Diff[T], book_id: int) -> bool:
        return d.previous == book_id if self.futures else d.first <= book_id + 1
