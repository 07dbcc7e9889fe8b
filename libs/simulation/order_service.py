"""One life of the order service: the desk, its readers and its writer, between a start and a crash."""

from __future__ import annotations

import random
from decimal import Decimal

from libs.execution.desk import Desk, Parts
from libs.execution.fees import FREE
from libs.execution.market import Market
from libs.execution.paper import PaperVenue
from libs.execution.paper_log import encode_snapshot
from libs.execution.rows import by_run
from libs.execution.settings import DeskSettings
from libs.market.exchanges import EXCHANGES
from libs.orders.ledger import Ledger
from libs.simulation.disk import Disk, VirtualJournal, VirtualSwitch
from libs.simulation.order_checks import OrderChecks
from libs.simulation.schedule import WALL_NS
from libs.streams.connection import Surroundings
from libs.streams.reader import PackedReader, Record, RecordReader
from libs.streams.record_writer import RecordWriter

VENUE_LATENCY_US = 5_000
MAX_BOOKS, MAX_SYMBOLS = 8, 4
# A schedule has tens of orders and starts this service tens of times: room for 100,000 costs 7 ms a start.
KEPT_INTENTS = 4_000
BACKLOG = 64


class OrderService:
    """Threads take turns in an order that the generator of random numbers chooses.

    Parameters
    ----------
    disk : Disk
        What an earlier life left.
    world : Surroundings
        Of the connections to Redis.
    checks : OrderChecks
        Told what the desk is shown.
    """

    def __init__(
        self, settings: DeskSettings, disk: Disk, world: Surroundings, checks: OrderChecks, rng: random.Random
    ) -> None:
        self.checks, self.rng = checks, rng
        self.journal, self.venue_log = VirtualJournal(disk, "journal"), VirtualJournal(disk, "paper")
        market, ledger = Market(MAX_BOOKS, MAX_SYMBOLS), Ledger(KEPT_INTENTS)
        ledger.restore(self.journal.found)
        latency_us = dict.fromkeys(EXCHANGES, VENUE_LATENCY_US)
        self.venue = PaperVenue(market, FREE, latency_us, self.venue_log.append, self.venue_log.found)
        parts = Parts(market, ledger, self.venue, self.journal, VirtualSwitch(disk))  # type: ignore[arg-type]
        self.desk = Desk(settings, parts)
        self.status = PackedReader("virtual", "", ["status"], start="0", block_ms=0, world=world)
        self.market = PackedReader("virtual", "", ["book", "nbbo"], start="$", block_ms=0, world=world)
        self.signals = RecordReader(
            "virtual", "", ["signals"], group="oms", consumer="1", start="0", block_ms=0, world=world
        )
        self.writer = RecordWriter("virtual", "", {}, BACKLOG, world)

    def recover(self, now: int) -> None:
        """Bring the journal up to what the venue knows, compact, and mind the kill switch, as services/oms does."""
        desk, wall_ns = self.desk, WALL_NS + now
        desk.recover(wall_ns)
        if desk.switch.on:
            for name in list(desk.ledger.open):
                desk.cancel(name, wall_ns, "kill switch")
        desk.compact()
        self.venue_log.replace([encode_snapshot(self.venue.book.snapshot())])

    def turn(self, now: int) -> None:
        """Let each thread do something, or nothing."""
        acts = [self.read_status, self.read_market, self.read_signals, self.publish]
        self.rng.shuffle(acts)
        for act in acts[: self.rng.randint(1, len(acts))]:
            act(now)
        self.desk.value(4, WALL_NS + now)

    def read_status(self, now: int) -> None:
        """Take in rows of the status stream."""
        self._show(self.status, now)

    def read_market(self, now: int) -> None:
        """Take in rows of the book and nbbo streams."""
        self._show(self.market, now)

    def _show(self, reader: PackedReader, now: int) -> None:
        for rows in by_run(reader.read()):
            self.checks.delivered(rows)
            self.desk.on_rows(rows, WALL_NS + now)

    def read_signals(self, now: int) -> None:
        """Act on signals, then acknowledge them."""
        records: list[Record] = self.signals.read()
        for record in records:
            self.desk.on_signal(record.fields, WALL_NS + now)
        if records:
            self.signals.ack(records)

    def publish(self, now: int) -> None:
        """Write what the desk left."""
        records, self.desk.out = self.desk.out, []
        if records or self.writer.waiting or not self.writer.connected:
            self.writer.write(records)

    def holdings(self) -> dict[tuple[str, str], Decimal]:
        """Return the ledger's positions that are not flat."""
        return {(p.exchange, p.symbol): p.quantity for p in self.desk.ledger.positions if p.quantity}
