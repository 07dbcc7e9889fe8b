"""Events to the outbox, with nobody sending."""

from __future__ import annotations

import numpy as np
import pytest

from libs.market.instruments import Instrument
from libs.sending.outbox import AT, COUNTS, FREE, LENGTH, READY, SLOTS, STATES, Outbox, new_outbox
from libs.sending.settings import SendingSettings
from libs.venues.events import CUT_ASKS, CUT_BIDS, BookEvent, StatusEvent, TradeEvent
from services.feeder.outlet import DEEPEST, MOST_LEVELS, Outlet
from tests.oracles.hftp import BOOK, INSTRUMENT, STATUS, TRADE, Message, messages

SYMBOLS = ("A-B", "C-D")


class Drained:
    """An outlet whose outbox a test empties."""

    def __init__(self, **settings: object) -> None:
        self.outbox: Outbox = new_outbox()
        self.outlet = Outlet(self.outbox, SendingSettings(**settings), 4)  # type: ignore[arg-type]
        for symbol in SYMBOLS:
            self.outlet.list(Instrument(symbol, "okx", (1, -2), (1, -3)))
        self.outlet.begin(10**18)
        self.slot = 0

    def drain(self) -> list[Message]:
        """Take what is ready, as the sender does."""
        found: list[Message] = []
        control = self.outbox.control
        while control[STATES + self.slot] == READY:
            for row in self.outbox.messages[self.slot, : control[COUNTS + self.slot]]:
                found += messages(self.outbox.data[row[AT] : row[AT] + row[LENGTH]].tobytes())
            control[STATES + self.slot] = FREE
            self.slot = (self.slot + 1) % SLOTS
        return found


def book(symbol: str, bids: int, asks: int, *, snapshot: bool = False, shuffle: int = 0) -> BookEvent:
    """Return an event of so many levels, the best price last or in any order."""
    prices = np.concatenate((np.arange(1, bids + 1), np.arange(bids + 2, bids + 2 + asks)))
    if shuffle:
        rng = np.random.default_rng(shuffle)
        rng.shuffle(prices[:bids])
        rng.shuffle(prices[bids:])
    levels = np.stack((prices, np.full(bids + asks, 7)), axis=1).reshape(-1).astype(np.int64)
    return BookEvent(symbol, snapshot, -2, -3, bids, asks, levels, 0, 5, 6)


def test_events_go_out_in_order_with_an_instrument_first() -> None:
    """Each book's Instrument before its first message, every event once."""
    d = Drained()
    assert d.outlet.put("okx", book("A-B", 2, 2, snapshot=True), 100)
    assert d.outlet.put("okx", TradeEvent("C-D", 2**64 - 1, 1, 5, -2, 6, -3, 0, 7), 101)
    assert d.outlet.put("okx", StatusEvent("A-B", 2, "", 8), 102)
    d.outlet.flush(103)
    assert [(m.kind, m.symbol) for m in d.drain()] == [
        (INSTRUMENT, "A-B"), (BOOK, "A-B"), (INSTRUMENT, "C-D"), (TRADE, "C-D"), (STATUS, "A-B"),
    ]  # fmt: skip
    assert not d.outlet.blocked


def test_a_sender_that_stands_still_loses_nothing() -> None:
    """What the outbox cannot take waits, is told of, and goes out in order later."""
    d = Drained()
    total = 30_000
    for k in range(total):
        d.outlet.put("okx", TradeEvent("A-B", k, 0, 1 + k, -2, 6, -3, 0, 7), 100 + k)
        d.outlet.flush(100 + k)
    assert d.outlet.blocked
    assert d.outlet.overfull
    found: list[Message] = []
    for _ in range(1000):
        found += d.drain()
        d.outlet.flush(10**6)
        if not d.outlet.blocked:
            break
    found += d.drain()
    assert [m.body["id"] for m in found if m.kind == TRADE] == list(range(total))
    assert not d.outlet.overfull


@pytest.mark.parametrize("shuffle", [0, 3])
def test_a_deep_snapshot_keeps_its_best_levels(shuffle: int) -> None:
    """In whatever order they came, and says which side goes on."""
    d = Drained()
    event = book("A-B", DEEPEST + 50, DEEPEST, snapshot=True, shuffle=shuffle)
    assert d.outlet.put("okx", event, 1)
    d.outlet.flush(2)
    parts = [m for m in d.drain() if m.kind == BOOK]
    assert parts[0].body["cut"] == CUT_BIDS != CUT_ASKS
    bids = sorted(p for m in parts for p, _ in m.body["bids"])
    asks = sorted(p for m in parts for p, _ in m.body["asks"])
    assert bids == list(range(51, DEEPEST + 51))
    assert (len(asks), asks[0]) == (DEEPEST, DEEPEST + 52)
    assert d.outlet.cut == 1


def test_what_the_wire_cannot_carry_is_refused() -> None:
    """A delta of too many levels, a trade beyond 64 bits or of nothing."""
    d = Drained()
    assert not d.outlet.put("okx", book("A-B", MOST_LEVELS, 1), 1)
    for price, size in ((2**63, 1), (1, 2**63), (0, 1), (1, 0)):
        assert not d.outlet.put("okx", TradeEvent("A-B", 1, 0, price, 0, size, 0, 0, 0), 1)
    assert d.outlet.put("okx", book("A-B", 3000, 3000), 1)
    d.outlet.flush(2)
    assert sum(len(m.body["bids"]) + len(m.body["asks"]) for m in d.drain() if m.kind == BOOK) == 6000


def test_a_silent_market_repeats_its_instruments_and_books() -> None:
    """Every round, with what is in force; a delisting is said once more with its flag."""
    d = Drained(instrument_round_s=1.0, refresh_round_s=1.0)
    d.outlet.begin(0)
    d.outlet.put("okx", book("A-B", 1, 1, snapshot=True), 1)
    d.outlet.put("okx", StatusEvent("C-D", 6, "", 8), 2)
    d.outlet.flush(3)
    d.drain()
    second = 10**9
    d.outlet.flush(5 * second, idle=True)
    kinds = [(m.kind, m.symbol) for m in d.drain()]
    assert kinds.count((INSTRUMENT, "C-D")) >= 4
    assert kinds.count((STATUS, "C-D")) >= 4
    assert kinds.count((BOOK, "A-B")) >= 3
    assert d.outlet.delist("okx", "C-D", delisted=True)
    assert not d.outlet.delist("okx", "C-D", delisted=True)
    d.outlet.flush(7 * second, idle=True)
    flags = [m.body["flags"] for m in d.drain() if m.kind == INSTRUMENT and m.symbol == "C-D"]
    assert flags
    assert set(flags) == {2}
