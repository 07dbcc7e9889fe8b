"""OKX's chain of one book: prevSeqId and seqId, and how a REST snapshot is spliced in (markets.md)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from libs.venues.checksum import TextBook
from libs.venues.okx.messages import Book

KEPT_DELTAS = 2000


class Verdict(Enum):
    """What a delta is to the book."""

    NEXT = "next"
    EMPTY = "keep_alive"
    """A keep-alive: nothing changed, the chain goes on."""
    OLD = "old"
    """It is in the book already."""
    GAP = "gap"


@dataclass(slots=True)
class Chain:
    """One symbol: the ids of the last change, deltas kept while there is no snapshot, what was asked when."""

    asked_us: int = -1
    """When a snapshot was asked for; -1: none is awaited."""
    fetching: bool = False
    seq: int | None = None
    """The book's seqId; None on a recording from before 2022-12, which has none."""
    previous: int | None = None
    spliced: bool = False
    """On a REST snapshot whose first delta is still to come."""
    kept: deque[Book] = field(default_factory=lambda: deque(maxlen=KEPT_DELTAS))
    texts: TextBook | None = None
    """The venue's own texts, while it sends checksums."""

    def begin(self, seq: int | None, *, spliced: bool) -> None:
        """Stand on a snapshot."""
        self.seq, self.previous, self.spliced = seq, None, spliced
        self.asked_us, self.fetching = -1, False
        self.kept.clear()

    def judge(self, book: Book) -> Verdict:
        """Judge the next delta, and go on with it on NEXT and EMPTY.

        Raises
        ------
        ValueError
            When the chain's ids are missing.
        """
        if self.seq is None and book.seqId is None:
            return Verdict.NEXT
        seq, previous = book.seqId, book.prevSeqId
        if self.seq is None or seq is None or previous is None:
            raise ValueError("expected seqId and prevSeqId, found none")
        if self.spliced and previous != self.seq:
            if seq <= self.seq:
                return Verdict.OLD
            if previous > self.seq:
                return Verdict.GAP
        elif previous != self.seq:
            return Verdict.OLD if (previous, seq) == (self.previous, self.seq) else Verdict.GAP
        verdict = Verdict.EMPTY if seq == previous else Verdict.NEXT
        if verdict is Verdict.NEXT:
            self.previous = previous
        self.seq, self.spliced = seq, False
        return verdict

    def keep(self, book: Book) -> Verdict | None:
        """Keep a delta for the snapshot to come; what went before a GAP is thrown away. None: it has no ids."""
        if book.seqId is None or book.prevSeqId is None:
            return None
        verdict = Verdict.NEXT
        if self.kept and book.prevSeqId != (last := self.kept[-1]).seqId:
            if (book.prevSeqId, book.seqId) == (last.prevSeqId, last.seqId):
                return Verdict.OLD
            verdict = Verdict.GAP
            self.kept.clear()
        self.kept.append(book)
        return verdict

    def after(self, seq: int) -> list[Book] | None:
        """Return the kept deltas that follow a snapshot of ``seq``; None when it is older than they are."""
        every = list(self.kept)
        at = next((i for i in reversed(range(len(every))) if every[i].prevSeqId == seq), None)
        if at is not None:
            return every[at:]
        if every and every[-1].seqId == seq:
            return []
        rest = [book for book in every if book.seqId is not None and book.seqId > seq]
        if rest and rest[0].prevSeqId is not None and rest[0].prevSeqId > seq:
            return None
        return rest
