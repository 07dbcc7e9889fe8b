"""What outlives the process: the journal, the paper venue's log, the kill switch, all in the state directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from libs.clock import wall_ns
from libs.execution.desk import Desk, Parts
from libs.execution.market import Market
from libs.execution.paper import PaperVenue
from libs.execution.paper_log import encode_snapshot
from libs.orders.journal import Journal
from libs.orders.ledger import Ledger
from libs.risk.kill_switch import KillSwitch
from services.oms.settings import Settings


class State:
    """The state directory, opened, and the desk made of it.

    Parameters
    ----------
    settings : Settings
    log : structlog logger

    Raises
    ------
    MissingError
        When the directory cannot be written or belongs to another process.
    JournalError
        When the journal or the paper venue's log is damaged.
    """

    def __init__(self, settings: Settings, log: Any) -> None:
        self.log, self._most_bytes = log, settings.journal_max_bytes
        folder = Path(settings.state_dir)
        self.market = Market(settings.max_books, settings.max_symbols)
        self.journal = Journal(folder / "orders.journal", settings.fsync)
        self.venue_log = Journal(folder / "paper.log", settings.fsync)
        ledger = Ledger()
        ledger.restore(self.journal.found)
        latency_us = settings.latency_ms.microseconds()
        log_entries = self.venue_log.found
        self.venue = PaperVenue(self.market, settings.fees, latency_us, self.venue_log.append, log_entries)
        self.desk = Desk(settings, Parts(self.market, ledger, self.venue, self.journal, KillSwitch(folder)))

    def recover(self) -> None:
        """Bring the journal up to what the venue knows, compact both files, and mind the kill switch."""
        for file in (self.journal, self.venue_log):
            if file.torn_bytes:
                self.log.warning("torn_tail", file=str(file.path), bytes=file.torn_bytes)
        replayed = len(self.journal.found)
        taken = self.desk.recover(wall_ns())
        self.say_differences()
        if self.desk.switch.kill is not None:
            self.log.warning("kill_switch_on", reason=self.desk.switch.kill.reason)
            for name in list(self.desk.ledger.open):
                self.desk.cancel(name, wall_ns(), "kill switch")
        self.desk.compact()
        self._compact_venue_log()
        self.journal.found.clear()
        self.venue_log.found.clear()
        if replayed:
            ledger = self.desk.ledger
            positions = sum(1 for position in ledger.positions if position.quantity)
            self.log.info(
                "recovered", records=replayed, events=taken, open_orders=len(ledger.open), positions=positions
            )

    def keep(self) -> None:
        """Journal what losses are measured from; compact what has grown too long."""
        self.desk.keep_marks()
        if self.journal.size > self._most_bytes:
            self.desk.compact()
        if self.venue_log.size > self._most_bytes:
            self._compact_venue_log()

    def _compact_venue_log(self) -> None:
        self.venue_log.replace([encode_snapshot(self.venue.book.snapshot())])

    def reconcile(self) -> None:
        """Compare with the venue's account and say what differs."""
        self.desk.reconcile()
        self.say_differences()

    def say_differences(self) -> None:
        """Log what the last comparison found."""
        for difference in self.desk.different[:10]:
            self.log.error("reconcile_mismatch", difference=difference)

    def close(self) -> None:
        """Put everything on the disk."""
        self.desk.keep_marks()
        self.journal.close()
        self.venue_log.close()
