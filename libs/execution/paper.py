"""The paper venue (markets.md, *Paper venue*): our orders against the levels that the streams show.

An order arrives at its feed time plus the latency, once its channel has shown that feed time, and meets the levels
then shown: the book's latest row, which is of that time or later, or in force since before it. It never fills on a
book that is invalid, mute, stale, halted or crossed. A level gives at most its size less what our fills took since it
last changed. On arrival an order trades at the levels' prices; one that rests trades at its own price, as a maker,
when the other side comes to it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from libs.book.flags import CROSSED, HALTED, INVALID, MUTE, STALE
from libs.execution.fees import Fees
from libs.execution.gateway import Key, Statement
from libs.execution.market import Market
from libs.execution.paper_log import Accepted, Entry, PaperBook, PaperOrder, Rested
from libs.execution.taken import Taken
from libs.market.exchanges import EXCHANGES, exchange_id
from libs.orders.decimals import exact
from libs.orders.events import Changed, Event, Filled, Order, Side
from libs.orders.positions import Position
from libs.orders.states import State
from libs.streams.shards import WHOLE

NO_FILL = INVALID | MUTE | STALE | HALTED | CROSSED
KEPT_FILLS = 500

Write = Callable[[Sequence[bytes]], None]
_ENCODER = msgspec.json.Encoder()


class PaperVenue:
    """All exchanges, on paper.

    Parameters
    ----------
    market : Market
    fees : Fees
    latency_us : dict
        Feed time from the OMS to the venue's book, by exchange.
    write : callable
        Appends entries to the venue's log; they are in the log before anybody hears of them.
    payloads : sequence of bytes
        What the log holds.
    """

    def __init__(
        self, market: Market, fees: Fees, latency_us: dict[str, int], write: Write, payloads: Sequence[bytes] = ()
    ) -> None:
        self.market, self.fees, self.latency_us, self._write = market, fees, latency_us, write
        self.book = PaperBook()
        self.book.restore(payloads)
        self._taken = Taken()
        self._runs = market.runs.copy()
        self._sessions = market.session.max(axis=0)
        self._resting: dict[Key, dict[str, PaperOrder]] = {}
        self._start_timers()

    def submit(self, order: Order, now_ns: int) -> list[Event]:
        """Accept an order; one whose id was here before changes nothing and is answered with its history."""
        if self.book.order(order.client_order_id) is not None:
            return self.book.history(order.client_order_id)
        # One entry says both, so that no crash leaves an order that was accepted and not acknowledged.
        acknowledged = Changed(order.client_order_id, State.ACKNOWLEDGED, now_ns)
        taken = PaperOrder(
            order.client_order_id,
            order.exchange,
            order.symbol,
            order.side,
            order.quantity,
            order.price,
            order.multiplier,
            order.inverse,
            order.time_in_force,
            order.feed_ts_us + self.latency_us[order.exchange],
            order.expires_feed_us,
            order.session,
            events=[acknowledged],
        )
        self._commit([Accepted(taken)])
        self._wait(taken, taken.due_us)
        return [acknowledged]

    def cancel(self, client_order_id: str, now_ns: int, reason: str) -> list[Event]:
        """Cancel an order that is open."""
        order = self.book.open.get(client_order_id)
        return [] if order is None else self._end([order], State.CANCELLED, now_ns, reason)

    def history(self, client_order_id: str) -> list[Event]:
        """Return every event of an order; see :class:`libs.execution.gateway.Gateway`."""
        return self.book.history(client_order_id)

    def statement(self) -> Statement:
        """Return the venue's own account of us, from its log."""
        orders = [*list(self.book.ended.values())[-KEPT_FILLS:], *self.book.open.values()]
        fills = [event.fill_id for order in orders for event in order.events if isinstance(event, Filled)]
        return Statement(self.book.account.holdings(), frozenset(self.book.open), fills)

    def advance(self, changed: np.ndarray, now_ns: int) -> list[Event]:
        """Fill and expire what the market as shown now fills and lets expire."""
        self._notice_runs()
        books = changed.tolist()
        for book in books:
            if book in self._taken:
                self._taken.look(book, self.market)
        events = self._end_old_sessions(now_ns) + self._reach(now_ns)
        if self._resting:
            for book in books:
                for order in list(self._resting.get(self.market.key(book), {}).values()):
                    events += self._match(order, now_ns)
        return events

    def _start_timers(self) -> None:
        self._timers = Timers(self.market.runs.of)
        for order in self.book.open.values():
            if order.rests:
                self._rest(order)
            else:
                self._wait(order, order.due_us)

    def _wait(self, order: PaperOrder, at_us: int) -> None:
        place = self.market.shard_of(order.symbol), exchange_id(order.exchange)
        self._timers.add(*place, at_us, order.client_order_id)

    def _notice_runs(self) -> None:
        """Forget takings of books whose ids mean others now; where symbols are shared anew, wait by other shards."""
        runs = self.market.runs.copy()
        if runs == self._runs:
            return
        for shard in [shard for shard, run in runs.items() if self._runs.get(shard) != run]:
            self._taken.clear(shard)
        self._runs = runs
        if self._timers.shards != self.market.runs.of:
            self._taken.clear(WHOLE)
            self._start_timers()

    def _reach(self, now_ns: int) -> list[Event]:
        """Let arrive and expire what the channels' feed times have reached."""
        events: list[Event] = []
        for name in self._timers.due(self.market.feed_us):
            order = self.book.open.get(name)
            if order is not None and order.rests:
                events += self._end([order], State.EXPIRED, now_ns, "its time is over")
            elif order is not None:
                events += self._arrive(order, now_ns)
        return events

    def _arrive(self, order: PaperOrder, now_ns: int) -> list[Event]:
        events = self._match(order, now_ns)
        if order.client_order_id not in self.book.open:
            return events
        if order.time_in_force == "ioc":
            return events + self._end([order], State.EXPIRED, now_ns, "not filled on arrival")
        self._commit([Rested(order.client_order_id)])
        self._rest(order)
        return events

    def _rest(self, order: PaperOrder) -> None:
        self._resting.setdefault((order.exchange, order.symbol), {})[order.client_order_id] = order
        if order.time_in_force == "gtd":
            self._wait(order, order.expires_us)

    def _end_old_sessions(self, now_ns: int) -> list[Event]:
        """Expire orders of sessions that are over: the channel's new feed time says nothing of theirs."""
        sessions = self.market.session.max(axis=0)
        if (sessions == self._sessions).all():
            return []
        self._sessions = sessions
        current = dict(zip(EXCHANGES, self._sessions.tolist(), strict=True))
        old = [order for order in self.book.open.values() if order.session < current[order.exchange]]
        return self._end(old, State.EXPIRED, now_ns, "another session of the channel began")

    def _end(self, orders: list[PaperOrder], state: State, now_ns: int, reason: str) -> list[Event]:
        events = [Changed(order.client_order_id, state, now_ns, reason) for order in orders]
        self._commit(events)
        return list(events)

    @exact
    def _match(self, order: PaperOrder, now_ns: int) -> list[Event]:
        """Fill an order against the levels shown."""
        book = self.market.book_id(order.exchange, order.symbol)
        flags = self.market.flags(book)
        if flags is None or flags & NO_FILL:
            return []
        from_side: Side = "sell" if order.side == "buy" else "buy"
        feed_us = max(order.due_us, int(self.market.books["feed_ts_us"][book]))
        fills: list[Filled] = []
        left = order.remaining
        for price, shown in self.market.levels(book, from_side):
            beyond = price > order.price if order.side == "buy" else price < order.price
            if left == 0 or beyond or price <= 0:
                break
            quantity = min(left, shown - self._taken.of(book, from_side, price))
            if quantity > 0:
                left -= quantity
                self._taken.take(book, from_side, price, shown, quantity)
                fills.append(self._filled(order, len(fills), quantity, price, feed_us, now_ns))
        self._commit(fills)
        return list(fills)

    def _filled(
        self, order: PaperOrder, before: int, quantity: Decimal, level: Decimal, feed_us: int, now_ns: int
    ) -> Filled:
        price = order.price if order.rests else level
        worth = Position(order.exchange, order.symbol, order.multiplier, order.inverse).value(quantity, price)
        return Filled(
            order.client_order_id,
            f"{order.client_order_id}-{len(order.events) + before}",
            quantity,
            price,
            worth * self.fees.rate(order.exchange, order.symbol, order.rests),
            feed_us,
            now_ns,
            "maker" if order.rests else "taker",
        )

    def _commit(self, entries: Sequence[Entry]) -> None:
        """Log entries, then let them have happened."""
        if not entries:
            return
        self._write([_ENCODER.encode(entry) for entry in entries])
        for entry in entries:
            self.book.apply(entry)
        for entry in entries:
            order = None if isinstance(entry, Accepted) else self.book.ended.get(entry.client_order_id)
            if order is not None:
                self._resting.get((order.exchange, order.symbol), {}).pop(order.client_order_id, None)


class Timers:
    """What waits for a feed time, by shard and exchange: channels keep their own time, in each consumer."""

    def __init__(self, shards: int = 1) -> None:
        self.shards = shards
        self._heaps: list[list[tuple[int, int, str]]] = [[] for _ in range(shards * len(EXCHANGES))]
        self._count = 0

    def add(self, shard: int, exchange: int, at_us: int, name: str) -> None:
        """Let a name wait; of two with the same time the first one comes first."""
        self._count += 1
        heapq.heappush(self._heaps[shard * len(EXCHANGES) + exchange], (at_us, self._count, name))

    def due(self, feed_us: np.ndarray) -> list[str]:
        """Take out the names whose time has come."""
        found = []
        for heap, now_us in zip(self._heaps, feed_us[: self.shards].ravel().tolist(), strict=True):
            while heap and heap[0][0] <= now_us:
                found.append(heapq.heappop(heap)[2])
        return found
