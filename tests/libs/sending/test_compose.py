"""What the composer writes: parts, Instruments, REFRESH, in an order that a reader can follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from libs.sending.chunk import STATUS as STATUS_EVENT
from libs.sending.chunk import Chunk, new_chunk
from libs.sending.listing import add_row, new_listing
from libs.sending.outbox import END, FEED_US, SRC, UPDATES
from libs.storage.source import RecordingSource
from services.replay.synthetic.source import SyntheticSource
from tests.libs.sending.composed import Composed
from tests.oracles.hftp import BOOK, INSTRUMENT, LAST, REFRESH, SNAPSHOT, STATUS, TRADE, PlainBook

DATA = Path(__file__).resolve().parents[2] / "data/binance"
Key = tuple[int, str]


def test_a_plain_reader_follows_the_synthetic_market_and_every_refresh_agrees() -> None:
    """No book is ever crossed, and each REFRESH is the plain book of everything before it."""
    composed = Composed(SyntheticSource(4, 3, 7, 2000.0, 4.0), refresh_s=0.5)
    books: dict[Key, PlainBook] = {}
    refreshes = 0
    for m, _ in composed.messages(12_000):
        if m.kind != BOOK:
            continue
        book = books.setdefault((m.exchange, m.symbol), PlainBook())
        refreshes += bool(m.body["flags"] & REFRESH)
        if book.take(m):
            assert not book.crossed
    assert len(books) == 12
    assert refreshes > 50


def test_messages_fit_a_datagram_and_parts_are_marked() -> None:
    """SNAPSHOT stands on the first part, LAST and the end of the event on the last, parts of an event together."""
    composed = Composed(SyntheticSource(3, 2, 1, 2000.0, 4.0), mtu=512)
    inside: Key | None = None
    multipart = 0
    for m, row in composed.messages(3000):
        assert m.size <= 512
        if m.kind != BOOK:
            assert row[END] == 1
            continue
        key = (m.exchange, m.symbol)
        assert inside in (None, key)
        assert not (inside and m.body["flags"] & SNAPSHOT)
        last = bool(m.body["flags"] & LAST)
        assert row[END] == last
        multipart += inside is not None
        inside = None if last else key
    assert multipart > 10


def test_an_instrument_comes_before_a_symbols_first_message_and_before_each_refresh() -> None:
    """And all of them again within every round of instruments."""
    composed = Composed(SyntheticSource(5, 5, 1, 2000.0, 4.0), instruments_s=1.0, refresh_s=0.5)
    told: dict[Key, int] = {}
    previous: Key | None = None
    for m, row in composed.messages(9000):
        key = (m.exchange, m.symbol)
        if m.kind == INSTRUMENT:
            told[key] = int(row[SRC])
            assert m.body["tick"] > 0
            assert m.body["multiplier"] == 1
        else:
            assert key in told
            assert row[SRC] - told[key] <= 1.1 * 1.0e6 * 2
        if m.kind == BOOK and m.body["flags"] & REFRESH and m.body["flags"] & SNAPSHOT:
            assert previous == key
        previous = key if m.kind == INSTRUMENT else None


def test_times_never_go_back_and_updates_are_counted() -> None:
    """Source time and feed time are sorted; a level change or a trade is an update, a REFRESH is none."""
    composed = Composed(SyntheticSource(4, 3, 2, 2000.0, 4.0), refresh_s=0.5)
    src = feed = 0
    for m, row in composed.messages(6000):
        assert row[SRC] >= src
        assert row[FEED_US] >= feed
        src, feed = int(row[SRC]), int(row[FEED_US])
        if m.kind == BOOK:
            levels = m.body["n_bids"] + m.body["n_asks"]
            assert row[UPDATES] == (0 if m.body["flags"] & REFRESH else levels)
            assert m.body["feed_us"] == feed
        elif m.kind == TRADE:
            assert (row[UPDATES], m.body["feed_us"]) == (1, feed)


def test_a_recording_follows_through_its_snapshots_and_rounds() -> None:
    """Each round begins with Status 2 and waits for the recording's own snapshot; feed time goes on."""
    composed = Composed(RecordingSource([DATA], rate=100.0, loop=True), refresh_s=0.5)
    books: dict[str, PlainBook] = {}
    statuses = snapshots = 0
    feed = 0
    for m, row in composed.messages(2500):
        assert row[FEED_US] >= feed
        feed = int(row[FEED_US])
        if m.kind == STATUS:
            statuses += 1
            assert m.body["code"] == 2
            books[m.symbol].valid = False
        elif m.kind == BOOK:
            snapshots += m.body["flags"] & (SNAPSHOT | REFRESH) == SNAPSHOT
            if books.setdefault(m.symbol, PlainBook()).take(m):
                assert not books[m.symbol].crossed
    assert composed.source.rounds >= 3
    assert statuses in (2 * composed.source.rounds - 2, 2 * composed.source.rounds)
    assert snapshots >= statuses


def test_a_cut_book_is_refreshed_as_far_as_it_is_known() -> None:
    """A mirror with less room than the book shows its best levels and says that the side goes on."""
    composed = Composed(SyntheticSource(2, 2, 3, 1000.0, 4.0), refresh_s=0.2, depth=20)
    books: dict[Key, PlainBook] = {}
    cut = 0
    for m, _ in composed.messages(3000):
        if m.kind == BOOK:
            cut += m.body["cut"] == 3
            if m.body["flags"] & REFRESH and m.body["flags"] & SNAPSHOT:
                assert m.body["n_bids"] <= 20
            elif not m.body["flags"] & REFRESH:
                books.setdefault((m.exchange, m.symbol), PlainBook()).take(m)
    assert cut > 10


class OneBook:
    """A cut snapshot, a level beyond what it knows, and small changes for as long as they are asked for."""

    ns_per_unit = 1_000_000.0

    def __init__(self) -> None:
        self.listing = new_listing(1)
        add_row(self.listing, 0, "BTC-USDT", (1, 0), (1, 0))

    def chunks(self) -> Iterator[Chunk]:
        """Yield a chunk an event."""
        c = new_chunk(4, 16)
        for n in range(3000):
            levels = (
                [(100, 1), (99, 1), (101, 1), (102, 1)] if n == 0 else [(90, 5), (110, 5)] if n == 1 else [(100, n)]
            )
            bids = {0: 2, 1: 1}.get(n, 1)
            c.levels[: 2 * len(levels)] = [word for level in levels for word in level]
            c.events[0] = (n, BOOK, 0, n == 0, 0, 0, 3 if n == 0 else 0, bids, len(levels) - bids, 1, n, 0, 0, 0, 0, 0)
            c.used[:] = 1, 2 * len(levels)
            yield c


def test_levels_beyond_a_cut_snapshot_are_no_part_of_a_refresh() -> None:
    """What was added below the last level of a cut snapshot is not all there is: a REFRESH ends before it."""
    composed = Composed(OneBook(), refresh_s=0.1)
    book = PlainBook()
    refreshes = []
    for m, _ in composed.messages(3000):
        if m.kind == BOOK:
            refreshes += [m] if m.body["flags"] & REFRESH else []
            book.take(m)
    assert len(refreshes) > 10
    assert all((m.body["n_bids"], m.body["n_asks"], m.body["cut"]) == (2, 2, 3) for m in refreshes)


class Halted(OneBook):
    """A book that is halted and mute for a while, among changes."""

    codes: ClassVar[dict[int, int]] = {500: 3, 700: 6, 1500: 4, 2000: 7}

    def chunks(self) -> Iterator[Chunk]:
        """Yield a chunk an event."""
        for n, c in enumerate(super().chunks()):
            if n in self.codes:
                c.events[0] = (n, STATUS_EVENT, 0, self.codes[n], 0, 0, 0, 0, 0, 1, n, 0, 0, 0, 0, 0)
            yield c


def test_what_is_in_force_is_repeated_with_the_instruments() -> None:
    """A late joiner learns that a book is halted, or mute, from what follows its Instrument, as long as it is so."""
    composed = Composed(Halted(), instruments_s=0.05, refresh_s=0.1)
    told: list[set[int]] = []
    after_instrument = False
    for m, _ in composed.messages(3000):
        if m.kind == INSTRUMENT:
            told.append(set())
        elif m.kind == STATUS and after_instrument:
            told[-1].add(m.body["code"])
        after_instrument = m.kind == INSTRUMENT or (after_instrument and m.kind == STATUS)
    changes = [kept for i, kept in enumerate(told) if i == 0 or kept != told[i - 1]]
    assert changes == [set(), {3}, {3, 6}, {6}, set()]
    assert len(told) > 40


def test_inverse_contracts_are_announced_as_such() -> None:
    """Without an instrument file: tick and lot from the decimals seen, 100 USD a contract for BTC."""
    composed = Composed(RecordingSource([DATA], rate=100.0))
    told = {m.symbol: m.body for m, _ in composed.messages(10**6) if m.kind == INSTRUMENT}
    inverse, spot = told["BTC-USD-PERP"], told["BTC-USDT"]
    assert (inverse["flags"], inverse["multiplier"], inverse["tick_exp"], inverse["lot_exp"]) == (1, 100, -1, 0)
    assert (spot["flags"], spot["multiplier"], spot["tick_exp"], spot["lot_exp"]) == (0, 1, -2, -3)
