"""Datagrams in, books, records and ledgers out: the rules of wire.md one by one, without sockets."""

from __future__ import annotations

import numpy as np
import pytest

from libs.engine.datagrams import take_datagram
from libs.features.definitions import COLUMNS
from libs.streams.schemas import STATUS_KINDS
from libs.wire.messages import encode, encode_datagram
from tests.libs.engine.harness import BAD, LAST, MS, REFRESH, SNAPSHOT, Feed, Host


def test_a_book_follows_its_messages(feed: Feed, host: Host) -> None:
    """A snapshot makes a book valid, a delta changes it, and both are accounted for."""
    host.take(feed.instrument(), feed.snapshot(), feed.book(LAST, [(9_999, 0), (9_990, 7)], [(10_001, 3)]))
    bids, asks = host.levels()
    assert host.valid()
    assert 9_999 not in bids and bids[9_990] == 7 and asks[10_001] == 3
    found = host.ledger()
    assert (found["sent"], found["received"], found["applied"], found["pending"]) == (3, 3, 3, 0)


def test_records_hold_what_the_layouts_say(feed: Feed, host: Host) -> None:
    """Words written by kernels are the fields that readers of the packed records find."""
    host.take(feed.instrument(), feed.snapshot(), feed.book(LAST, [], [(10_001, 0)]))
    row, book = host.row("features"), host.row("books")
    for record in (row, book):
        assert (record["symbol"], record["exchange"], record["valid"]) == (b"BTC-USDT", 0, 1)
        assert (record["session"], record["sequence"]) == (feed.session, 3)
        assert record["feed_ts_us"] == record["sent_ts_us"] == feed.now_us
        assert record["recv_ts_ns"] == 1_800_000_000_000_000_000
        assert (record["price_exponent"], record["size_exponent"]) == (-2, -3)
        assert (record["flags"], record["incomplete"], record["events"]) == (0, 0, 2)
    assert (row["best_bid"], row["best_ask"], row["bid_size"], row["ask_size"]) == (99.99, 100.02, 0.01, 0.021)
    assert row["spread"] == pytest.approx(0.03)
    assert row[COLUMNS[0]] == pytest.approx((99.99 * 0.021 + 100.02 * 0.01) / 0.031)
    assert (book["bid_count"], book["ask_count"]) == (5, 4)
    assert list(book["bid_prices"][:6]) == [9_999, 9_998, 9_997, 9_996, 9_995, 0]
    assert list(book["ask_sizes"][:5]) == [21, 22, 23, 24, 0]
    quote = host.row("nbbo")
    assert (quote["symbol"], quote["bid_price"], quote["ask_price"]) == (b"BTC-USDT", 9_999, 10_002)
    assert (quote["bid_exchanges"], quote["bid_exchange"], quote["price_exponent"]) == (1, 0, -2)
    assert quote["mid"] == pytest.approx(100.005)
    kinds = [STATUS_KINDS[record["kind"]] for record in host.statuses()]
    assert kinds == ["session", "instrument", "valid"]


def test_an_event_is_seen_whole_or_not_at_all(feed: Feed, host: Host) -> None:
    """The parts of an event wait for the last one, others' messages may stand between, and count as pending."""
    host.take(feed.instrument(), feed.snapshot())
    shown = host.row("books").copy()
    host.take(feed.book(0, [(9_999, 1)], []))
    assert host.row("books") == shown
    assert host.ledger()["pending"] == 1
    host.take(feed.instrument("ETH-USDT"), feed.book(LAST, [], [(10_001, 1)]))
    assert host.ledger()["pending"] == 0
    assert host.row("books")["bid_sizes"][0] == 1 and host.row("books")["ask_sizes"][0] == 1


def test_a_new_session_voids_books_and_keeps_the_account(feed: Feed, host: Host) -> None:
    """A restart of the sender closes the ledger, starts at 1 and invalidates; stragglers of the old one are foreign."""
    host.take(feed.instrument(), feed.snapshot())
    straggler = feed.book(LAST, [(1, 1)], [])
    feed.restart()
    host.take(feed.heartbeat(1))
    assert host.flags() == ["no_snapshot"]
    host.take(feed.instrument(), feed.snapshot(), straggler)
    found = host.ledger()
    assert host.valid()
    assert (found["sent"], found["applied"], found["foreign_session"]) == (4, 4, 1)


def test_a_late_joiner_owes_nothing(feed: Feed) -> None:
    """What passed before the first message heard is before_join, and no gap."""
    for _ in range(10):
        feed.snapshot()
    host = Host()
    host.take(feed.instrument(), feed.snapshot())
    found = host.ledger()
    assert (found["before_join"], found["gaps"], found["applied"]) == (10, 0, 2)


def test_unknown_symbols_and_capacity_are_refused_by_name(feed: Feed) -> None:
    """A symbol nobody named, and instruments past the capacity, are counted apart and touch nothing else."""
    host = Host(max_books=2, max_symbols=2)
    host.take(feed.heartbeat(1), feed.snapshot("XRP-USDT"))
    host.take(*(feed.instrument(f"S{i}-USDT") for i in range(3)))
    assert host.ledger()["refused"] == {"unknown_symbol": 1, "capacity": 1}


def test_bad_bodies_refuse_the_event_and_the_book(feed: Feed, host: Host) -> None:
    """A negative size refuses the whole event and invalidates that book; a negative trade is refused alone."""
    host.take(feed.instrument(), feed.instrument("ETH-USDT"), feed.snapshot(), feed.snapshot("ETH-USDT"))
    host.take(feed.book(0, [(9_999, 1)], []), feed.book(LAST, [], [(10_001, -1)]), feed.trade(size=-1))
    assert host.flags() == ["bad"] and host.valid("ETH-USDT")
    assert host.ledger()["refused"] == {"bad_body": 3}


def test_a_bad_event_invalidates_until_a_clean_snapshot(feed: Feed, host: Host) -> None:
    """BAD on any part, or Status 2, makes the book wait; a snapshot that is BAD itself does not heal."""
    host.take(feed.instrument(), feed.snapshot(), feed.book(LAST | BAD, [(9_999, 1)], []))
    assert host.flags() == ["bad"]
    host.take(feed.book(SNAPSHOT | LAST | BAD, [(1, 1)], [(2, 1)]))
    assert not host.valid()
    host.take(feed.snapshot())
    assert host.valid()
    host.take(feed.status(2, "BTC-USDT"))
    assert host.flags() == ["bad"]


def test_an_unknown_type_takes_its_sequence(feed: Feed, host: Host) -> None:
    """It is refused and ends the walk of its datagram; the channel goes on without a gap."""
    data = bytearray(encode(feed.snapshot()))
    data[21] = 9
    host.take_bytes(bytes(data) + encode(feed.instrument("X")))
    feed.next -= 1  # the walk ended before it
    host.take(feed.instrument())
    found = host.ledger()
    assert (found["refused"], found["applied"], found["gaps"]) == ({"unknown_type": 1}, 1, 0)
    assert host.id_of("X") < 0


def test_malformed_bytes_end_the_walk_and_nothing_else(feed: Feed, host: Host) -> None:
    """What stood before the nonsense counts; the reason is counted."""
    good = encode_datagram([feed.instrument(), feed.snapshot()])
    host.take_bytes(good + b"\1\2\3\4" * 8)
    assert host.valid()
    host.take_bytes(b"")
    host.take_bytes(good[:30])
    assert int(host.engine.arrays["receive_counts"][16:40].sum()) == 2


@pytest.mark.parametrize(
    ("code", "flag", "valid"),
    [(1, "venue_down", False), (3, "halted", True), (5, "no_snapshot", False), (6, "mute", True)],
)
def test_statuses_flag_every_book_of_the_channel(feed: Feed, host: Host, code: int, flag: str, valid: bool) -> None:
    """A status without a symbol holds for the whole channel."""
    host.take(feed.instrument(), feed.snapshot(), feed.status(code))
    assert flag in host.flags() and host.valid() == valid
    assert host.row("books")["valid"] == int(valid)
    assert (host.row("nbbo")["bid_exchanges"]) == 0


def test_a_venue_comes_back_with_its_snapshots(feed: Feed, host: Host) -> None:
    """Status 0 clears venue_down, and the books wait for their snapshots."""
    host.take(feed.instrument(), feed.snapshot(), feed.status(1), feed.status(0))
    assert host.flags() == ["no_snapshot"]
    host.take(feed.snapshot())
    assert host.valid()


def test_silence_makes_books_stale_and_a_heartbeat_heals(feed: Feed, host: Host) -> None:
    """After stale_after_ms without a sign of life the books are stale and out of NBBO; they stay valid."""
    from libs.engine.control import tick

    host.take(feed.instrument(), feed.snapshot())
    tick(host.directory, host.now + 2_000 * MS)
    assert host.flags() == []
    tick(host.directory, host.now + 2_001 * MS)
    assert host.flags() == ["stale"] and host.valid()
    assert host.row("nbbo")["bid_exchanges"] == 0
    host.take(feed.heartbeat())
    assert host.flags() == [] and host.row("nbbo")["bid_exchanges"] == 1


def test_a_changed_multiplier_invalidates(feed: Feed, host: Host) -> None:
    """An Instrument that changes what a unit is worth makes the book wait; the same one again does not."""
    host.take(feed.instrument(multiplier=100), feed.snapshot(), feed.instrument(multiplier=100))
    assert host.valid()
    host.take(feed.instrument(multiplier=10))
    assert host.flags() == ["no_snapshot"]


def test_a_delisted_symbol_is_not_valid(feed: Feed, host: Host) -> None:
    """The flag comes and goes with the Instrument."""
    host.take(feed.instrument(), feed.snapshot(), feed.instrument(flags=2))
    assert host.flags() == ["delisted"]
    host.take(feed.instrument())
    assert host.valid()


def test_a_refresh_is_compared_and_makes_no_row(feed: Feed, host: Host) -> None:
    """An equal REFRESH changes nothing, a different one is counted and makes the book invalid."""
    host.take(feed.instrument(), feed.snapshot())
    rows = int(host.engine.arrays["totals"][0])
    same = feed.snapshot()
    host.take(type(same)(**{f: getattr(same, f) for f in same.__slots__} | {"flags": SNAPSHOT | LAST | REFRESH}))
    assert host.valid() and int(host.engine.arrays["totals"][0]) == rows
    host.take(feed.book(SNAPSHOT | LAST | REFRESH, [(9_999, 77)], [(10_001, 20)]))
    assert host.flags() == ["diverged"]
    assert report_diverged(host) == 1


def report_diverged(host: Host) -> int:
    """Return the count of REFRESHes that differed."""
    from libs.engine.report import books_report

    return books_report(dict(host.engine.arrays))["diverged"]


def test_a_full_ring_is_a_hole_not_a_silence(feed: Feed) -> None:
    """A message that finds the ring full counts as not received; once there is room it shows as a gap."""
    host = Host(ring_capacity=1024)
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot())
    big = [feed.book(LAST, [(9_000 - i, 1) for i in range(80)], []) for _ in range(60)]
    for message in big:
        buf = np.frombuffer(encode(message), np.uint8).copy()
        take_datagram(host.directory, buf, 0, len(buf), 1, host.now)
    dropped = int(host.engine.arrays["ring_controls"][0, 18])
    assert dropped > 0
    host.process()
    host.take(feed.heartbeat())
    host.wait(60 * MS)
    assert not host.valid()
    found = host.ledger()
    assert found["lost"] == dropped
