"""What must hold of orders, whatever dies: looked at in what reaches the disk and what the streams showed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from libs.book.flags import names
from libs.execution.rows import Rows
from libs.market.exchanges import EXCHANGES
from libs.simulation.schedule import MS
from libs.simulation.shown import FORBIDDEN, ShownMarket

OLDEST_NS = 1_600 * MS
"""A signal may be 500 ms old, and the book 1,000 ms behind it; some turns of the desk come on top."""

Fail = Callable[[str], None]
Key = tuple[str, str]


class OrderChecks:
    """An account of its own, made of what was written, beside the ledger and the venue.

    Attributes
    ----------
    intents, orders : set of str
        Journalled; accepted by the venue.
    positions : dict
        Sum of the venue's fills.
    """

    def __init__(self, market: ShownMarket, fail: Fail) -> None:
        self.market, self.fail = market, fail
        self.now = 0
        self.killed = False
        self.run = 0
        self.shown: dict[Key, tuple[int, int]] = {}
        self.intents: set[str] = set()
        self.orders: dict[str, dict[str, Any]] = {}
        self.fills: set[str] = set()
        self.filled: dict[str, Decimal] = defaultdict(Decimal)
        self.positions: dict[Key, Decimal] = defaultdict(Decimal)

    def restarted(self) -> None:
        """The order service knows nothing of the market any more."""
        self.run = 0
        self.shown.clear()

    def delivered(self, rows: Rows) -> None:
        """Take in what the desk is about to be shown: of each book the newest word on its flags counts."""
        run = int(rows.run)
        if run < self.run:
            return
        if run > self.run:
            self.shown.clear()
            self.run = run
        for name in ("book", "status"):
            for row in rows.streams.get(name, ()):
                if row["book_id"] == 0xFFFFFFFF:
                    continue
                key = EXCHANGES[row["exchange"]], row["symbol"].decode()
                ts_ns, flags = int(row["book_ts_ns"]), int(row["flags"])
                if ts_ns >= self.shown.get(key, (0, 0))[0]:
                    self.shown[key] = ts_ns, flags

    def written(self, file: str, payloads: Sequence[bytes]) -> None:
        """Look at what a file has from now on."""
        for payload in payloads:
            entry = msgspec.json.decode(payload)
            kind = entry["type"]
            if file == "journal" and kind == "intent":
                self._intended(entry["order"])
            elif file == "paper" and kind == "accepted":
                self._accepted(entry["order"])
            elif file == "paper" and kind == "fill":
                self._filled(entry)

    def _intended(self, order: dict[str, Any]) -> None:
        if order["intent_id"] in self.intents:
            self.fail(f"intent {order['intent_id'][:8]} was acted on twice")
        self.intents.add(order["intent_id"])

    def _accepted(self, order: dict[str, Any]) -> None:
        name, key = order["client_order_id"], (order["exchange"], order["symbol"])
        if name in self.orders:
            self.fail(f"order {name[:10]} was sent twice")
        self.orders[name] = order
        if not any(name == f"cb{intent[:30]}" for intent in self.intents):
            self.fail(f"order {name[:10]} left without its intent in the journal")
        if self.killed:
            self.fail(f"order {name[:10]} left with the kill switch on")
        self._ground(f"order {name[:10]}", key)
        book = next(b for b in self.market.books if (EXCHANGES[b.exchange], b.symbol) == key)
        if self.now - book.unflagged_ns > OLDEST_NS:
            ago = (self.now - book.unflagged_ns) / MS
            self.fail(f"order {name[:10]} on {' '.join(key)}, which was last right {ago:.0f} ms ago")

    def _ground(self, what: str, key: Key) -> None:
        if key not in self.shown:
            self.fail(f"{what} on {' '.join(key)}, which nothing was heard of")
        elif self.shown[key][1] & FORBIDDEN:
            self.fail(f"{what} on {' '.join(key)}, which is {' '.join(names(self.shown[key][1]))}")

    def _filled(self, fill: dict[str, Any]) -> None:
        order = self.orders[fill["client_order_id"]]
        key = order["exchange"], order["symbol"]
        if fill["fill_id"] in self.fills:
            self.fail(f"fill {fill['fill_id']} happened twice")
        self.fills.add(fill["fill_id"])
        self._ground(f"fill {fill['fill_id'][:14]}", key)
        quantity = Decimal(fill["quantity"])
        self.filled[fill["client_order_id"]] += quantity
        if self.filled[fill["client_order_id"]] > Decimal(order["quantity"]):
            self.fail(f"order {fill['client_order_id'][:10]} filled beyond its quantity")
        self.positions[key] += quantity if order["side"] == "buy" else -quantity


class TradeChecks:
    """A reader of the trades stream: what is missing or comes twice is said by a break."""

    def __init__(self, fail: Fail) -> None:
        self.fail = fail
        self.last = 0
        self.unbroken = 0

    def read(self, batches: Sequence[Any], breaks: int) -> None:
        """Look at what a reader got, and how many breaks it has seen so far."""
        for batch in batches:
            for number in batch.rows["trade_id"].tolist():
                if self.last and number != self.last + 1:
                    self.unbroken += 1
                self.last = number
        if self.unbroken > breaks:
            self.fail(f"trades stream: {self.unbroken} gaps or repeats, {breaks} breaks told of")
