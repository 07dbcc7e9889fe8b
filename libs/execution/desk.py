"""The desk: signals to intents, intents through risk to the venue, the venue's events into the ledger.

It does no I/O but the journal's: time is passed in, records to publish are left in ``out``. One thread owns it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from libs.execution.gateway import Gateway
from libs.execution.inbox import Signal, parse
from libs.execution.market import Market
from libs.execution.reconcile import differences, recover
from libs.execution.records import denied_record, fill_record, order_record
from libs.execution.router import route
from libs.execution.rows import Rows
from libs.execution.settings import DeskSettings
from libs.orders.decimals import EXACT, ONE, ZERO, exact
from libs.orders.events import Changed, Event, Filled, Intended, Order
from libs.orders.ids import client_order_id
from libs.orders.journal import Journal, JournalError
from libs.orders.ledger import Ledger, encode
from libs.orders.states import State
from libs.risk.checks import first_denial, order_usd
from libs.risk.denials import Denial
from libs.risk.exposure import Exposure
from libs.risk.kill_switch import KillSwitch
from libs.risk.losses import Losses
from libs.risk.rate import OrderRate
from libs.risk.rounding import quantity_of, round_price
from libs.risk.views import AccountView, MarketView, Proposal
from libs.risk.working import Working

Outgoing = tuple[str, dict[str, str]]
BPS = Decimal(10_000)
NO_BOOKS = np.zeros(0, np.int64)


@dataclass
class Parts:
    """What a desk works with."""

    market: Market
    ledger: Ledger
    venue: Gateway
    journal: Journal
    switch: KillSwitch


class Desk:
    """See the module.

    Attributes
    ----------
    out : list of (stream, fields)
        Records to publish; whoever publishes them empties it.
    handed_over : list of (int, int)
        Of each order handed over to the venue: scheduled send of the event behind it (µs), and when its signal was made
        (ns); whoever measures empties it.
    denied : Counter
        Intents by denial code.
    """

    def __init__(self, settings: DeskSettings, parts: Parts) -> None:
        self.settings = settings
        self.market, self.ledger, self.venue = parts.market, parts.ledger, parts.venue
        self.journal, self.switch = parts.journal, parts.switch
        self.exposure = Exposure(self.ledger.positions, self.market)
        self.working = Working()
        self.losses = Losses(self.ledger.marks)
        self.rate = OrderRate(settings.limits.max_orders_per_s)
        self.out: list[Outgoing] = []
        self.handed_over: list[tuple[int, int]] = []
        self.denied: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.signals = 0
        self.mismatches = 0
        self.different: list[str] = []

    def recover(self, now_ns: int) -> int:
        """Bring what the journal left open to what the venue says of it; return the events taken in."""
        for order in self.ledger.open.values():
            self.working.update(order, self._worth(order))
        taken = recover(self.ledger, self.venue, now_ns, lambda event: self._record([event]))
        self.exposure.revalue_all()
        self.reconcile()
        return taken

    def on_signal(self, fields: Mapping[str, Any], now_ns: int) -> None:
        """Act on a signal, or deny it; one delivered again is a duplicate."""
        self.signals += 1
        signal = parse(fields)
        if isinstance(signal, str):
            self.denied[Denial.MALFORMED_SIGNAL] += 1
            return
        exchange = route(self.market, signal.exchange, signal.symbol, signal.action, self.settings.orders.route)
        book = self.market.book_id(exchange, signal.symbol)
        view = self._market_view(signal, exchange, book, now_ns)
        proposal = self._propose(signal, exchange, book, view)
        denial = first_denial(proposal, view, self._account_view(proposal, now_ns), self.settings.limits)
        if denial is None:
            denial = self._send(signal, proposal, view, now_ns)
        if denial is not None:
            self.denied[denial] += 1
            self.out.append(("orders", denied_record(signal, proposal, denial, now_ns)))

    def _market_view(self, signal: Signal, exchange: str, book: int, now_ns: int) -> MarketView:
        market = self.market
        opposite = market.best(book, "sell" if signal.action == "buy" else "buy")
        mid = market.nbbo_mid(signal.symbol)
        behind_us = signal.sent_ts_us - int(market.books["sent_ts_us"][book]) if exchange == signal.exchange else 0
        return MarketView(
            steps=market.steps.get((exchange, signal.symbol)),
            flags=market.flags(book),
            has_quote=opposite is not None,
            reference=market.mid(book) if mid is None else mid,
            usd_rate=market.notional_rate(signal.symbol),
            signal_age_ms=(now_ns - signal.signal_ts_ns) // 1_000_000,
            book_lag_ms=behind_us // 1000,
        )

    @exact
    def _propose(self, signal: Signal, exchange: str, book: int, view: MarketView) -> Proposal:
        """Make an order of a signal: a limit a little beyond the best opposite price, in whole lots."""
        orders = self.settings.orders
        price = quantity = ZERO
        best = self.market.best(book, "sell" if signal.action == "buy" else "buy")
        if best is not None and view.steps is not None:
            offset = best * orders.limit_offset_bps / BPS
            price = round_price(
                best + offset if signal.action == "buy" else best - offset, view.steps.tick, signal.action
            )
            if view.usd_rate and price > 0:
                worth = orders.capital_usd * signal.size_fraction / view.usd_rate
                quantity = quantity_of(view.steps, worth, price)
        return Proposal(signal.intent_id, exchange, signal.symbol, signal.action, quantity, price)

    def _account_view(self, proposal: Proposal, now_ns: int) -> AccountView:
        position = self.ledger.positions.get(proposal.exchange, proposal.symbol)
        buys, sells = self.working.of_symbol(proposal.symbol)
        bid, ask = self.working.best(proposal.exchange, proposal.symbol)
        pnl = self.exposure.total.pnl
        return AccountView(
            kill_switch=self.switch.on,
            seen=self.ledger.knows_intent(proposal.intent_id),
            held=(position.multiplier, position.inverse) if position is not None and position.quantity else None,
            position_usd=self.exposure.by_symbol.get(proposal.symbol, ZERO),
            open_buys_usd=buys,
            open_sells_usd=sells,
            gross_usd=self.exposure.gross + self.working.total,
            own_bid=bid,
            own_ask=ask,
            open_orders=len(self.ledger.open),
            orders_last_s=self.rate.last_second(now_ns),
            pnl_today_usd=self.losses.today(pnl),
            peak_pnl_usd=self.losses.marks.peak_usd,
            pnl_usd=pnl,
        )

    def _send(self, signal: Signal, proposal: Proposal, view: MarketView, now_ns: int) -> Denial | None:
        """Journal the intent, then hand the order over; a journal that cannot be written denies it."""
        assert view.steps is not None
        orders = self.settings.orders
        order = Order(
            client_order_id(proposal.intent_id),
            proposal.intent_id,
            proposal.exchange,
            proposal.symbol,
            proposal.side,
            proposal.quantity,
            proposal.price,
            view.steps.multiplier,
            view.steps.inverse,
            orders.time_in_force,
            signal.feed_ts_us,
            now_ns,
            session=signal.session
            if proposal.exchange == signal.exchange
            else self.market.session_of(proposal.exchange),
            sequence=signal.sequence,
            sent_ts_us=signal.sent_ts_us,
            expires_feed_us=signal.feed_ts_us + 1000 * orders.expire_after_ms if orders.time_in_force == "gtd" else 0,
            model=signal.model,
        )
        try:
            self._record([Intended(order)])
        except JournalError:
            return Denial.JOURNAL
        self.working.update(order, order_usd(proposal, view))
        self.rate.note(now_ns)
        answer = self.venue.submit(order, now_ns)
        self.handed_over.append((signal.sent_ts_us, signal.signal_ts_ns))
        self.sent[order.side] += 1
        self._record([Changed(order.client_order_id, State.SENT, now_ns), *answer])
        return None

    def on_rows(self, rows: Rows, now_ns: int) -> bool:
        """Take in rows of the market's streams; those of a run that is over are passed over.

        Returns
        -------
        bool
            Whether another run of the consumer took the place of one that had shown books.
        """
        market, shard, restarted = self.market, rows.shard, False
        if rows.run != market.runs.known(shard):
            # The status stream is read from its beginning, which may be of runs long over.
            if market.runs.is_over(rows.run, shard):
                return False
            restarted = market.begin_run(rows.run, shard)
        changed = market.take_books(rows.streams["book"], shard) if "book" in rows.streams else NO_BOOKS
        if "nbbo" in rows.streams:
            market.take_nbbo(rows.streams["nbbo"])
        if "status" in rows.streams:
            market.take_status(rows.streams["status"], shard)
        self.on_market(changed, now_ns)
        return restarted

    def on_market(self, changed: np.ndarray, now_ns: int) -> None:
        """Let the venue fill and expire what the market as it is now fills and lets expire."""
        self._record(self.venue.advance(changed, now_ns))

    def _record(self, events: list[Event]) -> None:
        """Journal events, in one write, and let them have happened."""
        if not events:
            return
        self.journal.append([encode(event) for event in events])
        for event in events:
            order = self.ledger.apply(event)
            if order is None:
                continue
            self.working.update(order)
            self.out.append(("orders", order_record(order)))
            if isinstance(event, Filled):
                position = self.ledger.positions.get(order.exchange, order.symbol)
                assert position is not None
                self.exposure.revalue(position)
                self.out.append(("fills", fill_record(order, event, position)))

    def _worth(self, order: Order) -> Decimal:
        """Return what an order found in the journal is worth in USD; at a rate of 1 where none is known yet."""
        rate = self.market.notional_rate(order.symbol) or ONE
        worth = EXACT.multiply(order.quantity, order.multiplier)
        return EXACT.multiply(worth if order.inverse else EXACT.multiply(worth, order.price), rate)

    def value(self, most: int, now_ns: int) -> None:
        """Revalue a few positions, and journal what losses are measured from when it changed."""
        self.exposure.revalue_some(most)
        self.losses.note(self.exposure.total.pnl, now_ns)

    def keep_marks(self) -> None:
        """Journal what losses are measured from, if it changed."""
        if self.losses.marks != self.ledger.marks:
            self.journal.append([encode(self.losses.marks)])
            self.ledger.marks = self.losses.marks

    def compact(self) -> None:
        """Put everything into the journal's first record and drop the rest."""
        self.journal.replace([encode(self.ledger.snapshot())])

    def reconcile(self) -> list[str]:
        """Return what the venue's own account says otherwise."""
        self.different = differences(self.ledger, self.venue.statement())
        self.mismatches += len(self.different)
        return self.different

    def kill(self, reason: str, now_ns: int) -> int:
        """Turn the kill switch on and cancel everything; return how many orders were open.

        Raises
        ------
        CrossbookError
            When it is on but not on the disk.
        """
        try:
            self.switch.throw(reason, now_ns)
        finally:
            names = list(self.ledger.open)
            for name in names:
                self.cancel(name, now_ns, "kill switch")
        return len(names)

    def cancel(self, name: str, now_ns: int, reason: str) -> None:
        """Take an order back."""
        self._record(self.venue.cancel(name, now_ns, reason))

    def reset(self) -> bool:
        """Turn the kill switch off and measure drawdown from here; return whether it was on."""
        was_on = self.switch.reset()
        self.losses.reset_peak(self.exposure.total.pnl)
        self.keep_marks()
        return was_on
