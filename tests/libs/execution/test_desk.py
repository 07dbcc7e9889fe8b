"""The desk: from a signal to the venue, and through crashes at every write."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from libs.execution.desk import Desk, Parts
from libs.execution.fees import FREE
from libs.execution.market import Market
from libs.execution.paper import PaperVenue
from libs.execution.reconcile import NOT_WITH_VENUE
from libs.execution.settings import Orders
from libs.orders.journal import JournalError
from libs.orders.ledger import Ledger
from libs.orders.states import State
from libs.risk.kill_switch import KillSwitch
from libs.risk.limits import Limits
from services.oms.settings import Settings
from tests.oracles.shown import SESSION, book_row, nbbo_row, status_row

NOW_NS = 1_700_000_000_000_000_000
START_US = 1_000_000
LATENCY_US = 5_000


class CrashError(Exception):
    """The process dies."""


class Disk:
    """The bytes that outlive a process, and a plan of when it dies."""

    def __init__(self, crash_at: int = -1, *, written: bool = False) -> None:
        self.files: dict[str, list[bytes]] = {"journal": [], "paper": []}
        self.writes = 0
        self.crash_at, self.written = crash_at, written

    def append(self, file: str, payloads: Sequence[bytes]) -> None:
        """Write; die before or after it, if that is the plan."""
        self.writes += 1
        crash = self.writes == self.crash_at
        if not crash or self.written:
            self.files[file] += payloads
        if crash:
            raise CrashError


class File:
    """A journal in memory."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.size = 0

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write."""
        self.disk.append("journal", payloads)

    def replace(self, payloads: Sequence[bytes]) -> None:
        """Write anew."""
        self.disk.files["journal"] = list(payloads)


def limits(**changes: Any) -> Limits:
    """Limits of the service, with a collar as wide as the spread of the book shown."""
    return Limits(**{"price_collar_bps": Decimal(200)} | changes)


def boot(disk: Disk, folder: Path, **settings: Any) -> Desk:
    """Start a desk on what the disk holds, with the market shown."""
    chosen = Settings(**{"fees": FREE, "orders": Orders(capital_usd=Decimal(400)), "limits": limits()} | settings)
    market = Market(8, 4)
    market.take_status(status_row("instrument"))
    market.take_nbbo(nbbo_row())
    market.take_books(book_row(feed_us=START_US))
    ledger = Ledger()
    ledger.restore(disk.files["journal"])
    venue = PaperVenue(
        market,
        chosen.fees,
        chosen.latency_ms.microseconds(),
        lambda payloads: disk.append("paper", payloads),
        list(disk.files["paper"]),
    )
    return Desk(chosen, Parts(market, ledger, venue, File(disk), KillSwitch(folder)))  # type: ignore[arg-type]


def signal(sequence: int = 1, action: str = "buy", **changes: str) -> dict[str, str]:
    """A record of the signals stream."""
    return {
        "exchange": "okx",
        "symbol": "BTC-USDT",
        "session": str(SESSION),
        "sequence": str(sequence),
        "feed_ts_us": str(START_US),
        "sent_ts_us": str(START_US),
        "signal_ts_ns": str(NOW_NS),
        "action": action,
        "size_fraction": "0.25",
        "model": "digest",
        "prediction_bps": "1.5",
    } | changes


def show(desk: Desk, **changes: Any) -> None:
    """Show the default book, and let the venue act."""
    desk.on_market(desk.market.take_books(book_row(**changes)), NOW_NS)


def states(desk: Desk) -> list[str]:
    """The states written to the orders stream."""
    return [fields["state"] for stream, fields in desk.out if stream == "orders"]


def test_a_signal_becomes_a_filled_order(tmp_path: Path) -> None:
    """A buy leaves as a limit on tick and lot, fills against the ask, and shows in streams and positions."""
    desk = boot(Disk(), tmp_path)
    desk.on_signal(signal(), NOW_NS)
    order = next(iter(desk.ledger.open.values()))
    # 101 and 2 bps, down to the tick; 100 USD of it in lots of 0.01.
    assert (order.price, order.quantity, order.state) == (101, Decimal("0.99"), State.ACKNOWLEDGED)
    show(desk, feed_us=START_US + LATENCY_US)
    assert states(desk) == ["new", "sent", "acknowledged", "filled"]
    fill = next(fields for stream, fields in desk.out if stream == "fills")
    assert (fill["quantity"], fill["price"], fill["position"], fill["side"]) == ("0.99", "101", "0.99", "buy")
    assert desk.exposure.by_symbol["BTC-USDT"] == 99
    assert desk.exposure.total.unrealised == Decimal("-0.99")
    assert desk.reconcile() == []
    assert desk.handed_over == [(START_US, NOW_NS)]


def test_a_sell_goes_below_the_bid(tmp_path: Path) -> None:
    """A sell's limit stands under the best bid and is rounded up to the tick."""
    desk = boot(Disk(), tmp_path, orders=Orders(limit_offset_bps=Decimal(60)), limits=limits())
    desk.on_signal(signal(action="sell"), NOW_NS)
    assert next(iter(desk.ledger.open.values())).price == Decimal("98.5")


def test_redelivered_signals_send_nothing(tmp_path: Path) -> None:
    """The same signal again, in this process or the next, is a duplicate: one live order and no second one."""
    disk = Disk()
    desk = boot(disk, tmp_path)
    for _ in range(3):
        desk.on_signal(signal(), NOW_NS)
    again = boot(disk, tmp_path)
    again.recover(NOW_NS)
    again.on_signal(signal(), NOW_NS)
    assert desk.denied["duplicate_intent"] == 2
    assert again.denied["duplicate_intent"] == 1
    assert len(again.venue.statement().open_orders) == 1
    assert [fields["state"] for _, fields in again.out] == ["denied"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"action": "hold"}, "malformed_signal"),
        ({"size_fraction": "2"}, "malformed_signal"),
        ({"size_fraction": "NaN"}, "malformed_signal"),
        ({"exchange": "nyse"}, "malformed_signal"),
        ({"sequence": "-1"}, "malformed_signal"),
        ({"session": "x"}, "malformed_signal"),
        ({"symbol": "ETH-USDT"}, "unknown_instrument"),
        ({"signal_ts_ns": str(NOW_NS - 501_000_000)}, "stale_signal"),
        ({"sent_ts_us": str(START_US + 1_001_000)}, "stale_book"),
        ({"size_fraction": "0"}, "order_size"),
    ],
)
def test_signals_are_denied_with_a_code(changes: dict[str, str], code: str, tmp_path: Path) -> None:
    """What is not a signal, or must not become an order, is counted by code and sends nothing."""
    disk = Disk()
    desk = boot(disk, tmp_path)
    desk.on_signal(signal(**changes), NOW_NS)
    assert dict(desk.denied) == {code: 1}
    assert disk.files == {"journal": [], "paper": []}
    assert states(desk) == ([] if code == "malformed_signal" else ["denied"])


def test_limits_hold_while_orders_are_open(tmp_path: Path) -> None:
    """Orders on their way count: position and rate limits deny before anything has filled."""
    desk = boot(Disk(), tmp_path, limits=limits(max_position_usd=Decimal(250)))
    for sequence in range(4):
        desk.on_signal(signal(sequence), NOW_NS)
    assert (desk.denied["position_limit"], len(desk.ledger.open)) == (2, 2)
    slow = boot(Disk(), tmp_path, limits=limits(max_orders_per_s=1))
    slow.on_signal(signal(1), NOW_NS)
    slow.on_signal(signal(2), NOW_NS + 1)
    slow.on_signal(signal(3), NOW_NS + 1_000_000_000)
    # The third signal is a second old by then, which nothing but its age forbids.
    assert dict(slow.denied) == {"order_rate": 1, "stale_signal": 1}


def test_opposite_orders_do_not_cross(tmp_path: Path) -> None:
    """A sell at or below our own open buy is denied."""
    desk = boot(Disk(), tmp_path)
    desk.on_signal(signal(1), NOW_NS)
    desk.on_signal(signal(2, "sell"), NOW_NS)
    assert dict(desk.denied) == {"self_cross": 1}


def test_an_intent_that_cannot_be_journalled_is_not_sent(tmp_path: Path) -> None:
    """The journal comes before the venue: when it fails, the order does not leave, and a later one may."""
    disk = Disk()
    desk = boot(disk, tmp_path)
    real = desk.journal.append

    def full(_: Sequence[bytes]) -> None:
        raise JournalError("full")

    desk.journal.append = full  # type: ignore[method-assign]
    desk.on_signal(signal(1), NOW_NS)
    assert dict(desk.denied) == {"journal": 1}
    assert (disk.files["paper"], desk.ledger.open, desk.working.total) == ([], {}, 0)
    desk.journal.append = real  # type: ignore[method-assign]
    desk.on_signal(signal(2), NOW_NS)
    assert len(desk.ledger.open) == 1


def test_the_kill_switch_cancels_refuses_and_lasts(tmp_path: Path) -> None:
    """It cancels what is open, refuses what comes, is on after a restart, and lets orders pass only after a reset."""
    disk = Disk()
    desk = boot(disk, tmp_path)
    desk.on_signal(signal(1), NOW_NS)
    assert desk.kill("enough", NOW_NS) == 1
    assert states(desk)[-1] == "cancelled"
    desk.on_signal(signal(2), NOW_NS)
    show(desk, feed_us=START_US + LATENCY_US)
    assert (dict(desk.denied), desk.ledger.counts["fills"]) == ({"kill_switch": 1}, 0)
    again = boot(disk, tmp_path)
    again.on_signal(signal(3), NOW_NS)
    assert dict(again.denied) == {"kill_switch": 1}
    assert again.reset() is True
    again.on_signal(signal(4), NOW_NS)
    assert len(again.ledger.open) == 1


def test_an_intent_found_in_the_journal_alone_is_given_up(tmp_path: Path) -> None:
    """A process that died between journal and venue leaves an order that is rejected, and never sent later."""
    disk = Disk(crash_at=2)
    with pytest.raises(CrashError):
        boot(disk, tmp_path).on_signal(signal(), NOW_NS)
    assert (len(disk.files["journal"]), disk.files["paper"]) == (1, [])
    again = boot(disk, tmp_path)
    assert again.recover(NOW_NS) == 1
    again.on_signal(signal(), NOW_NS)
    assert dict(again.denied) == {"duplicate_intent": 1}
    assert (again.ledger.recent[-1].state, again.ledger.recent[-1].reason) == (State.REJECTED, NOT_WITH_VENUE)
    assert (disk.files["paper"], again.working.total) == ([], 0)


def drive(desk: Desk, steps: range) -> None:
    """Signals and book rows in turn; some orders fill, some in part, some expire."""
    for step in steps:
        desk.on_signal(signal(step, "buy" if step % 3 else "sell"), NOW_NS)
        show(desk, feed_us=START_US + LATENCY_US * step, asks=[("101", "0.5"), ("103", str(step + 1))])


@pytest.mark.parametrize("written", [False, True])
def test_a_crash_at_any_write_neither_loses_nor_doubles(tmp_path: Path, written: bool) -> None:
    """Wherever the process dies, after the restart each intent has at most one order and both accounts agree.

    Every signal is delivered again after the crash, as a consumer group does.
    """
    counted = Disk()
    drive(boot(counted, tmp_path), range(6))
    assert counted.writes > 20
    for crash_at in range(1, counted.writes + 1):
        disk = Disk(crash_at, written=written)
        with pytest.raises(CrashError):
            drive(boot(disk, tmp_path), range(6))
        again = boot(disk, tmp_path)
        again.recover(NOW_NS)
        assert again.different == []
        drive(again, range(6))
        show(again, feed_us=START_US + LATENCY_US * 20)
        assert again.reconcile() == []
        assert again.ledger.illegal == 0
        orders = [*again.venue.book.open, *again.venue.book.ended]  # type: ignore[attr-defined]
        assert len(orders) == len(set(orders)) <= 6
        assert np.isclose(float(again.working.total), 0.0)
