"""Flags travel with every record, and trouble stays where it is."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.book import flags as book_flags
from libs.engine.control import tick
from libs.nbbo.states import EXCLUSIONS
from tests.libs.engine.harness import BAD, LAST, MS, REFRESH, SNAPSHOT, Feed, Host

SYMBOLS = ("BTC-USDT", "ETH-USDT")
OUT_OF_NBBO = book_flags.INVALID | book_flags.HALTED | book_flags.MUTE | book_flags.STALE


def _check_records(host: Host) -> None:
    """Every record that could be published now carries its book's flags; NBBO takes in no book that has one of them."""
    for exchange in range(2):
        for symbol in SYMBOLS:
            b = host.id_of(symbol, exchange)
            if b < 0:
                continue
            flags = int(host.engine.books.flags[b])
            for kind in ("books", "features"):
                row = host.row(kind, b)
                if row["symbol"]:
                    assert int(row["flags"]) == flags, (kind, symbol, exchange)
                    assert bool(row["valid"]) == (flags & book_flags.INVALID == 0)
            nbbo = host.row("nbbo", int(host.engine.table.book_symbol[b]))
            if flags & OUT_OF_NBBO and nbbo["symbol"]:
                assert not int(nbbo["bid_exchanges"]) >> exchange & 1 and not int(nbbo["ask_exchanges"]) >> exchange & 1
                assert EXCLUSIONS[int(nbbo["excluded"][exchange])] != "taken_in"


def test_an_event_that_interrupts_another_marks_what_waits() -> None:
    """A snapshot begun inside an open event ends that event, and what could be published says so at once."""
    host, feed = Host(), Feed()
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot(), feed.book(0, [(9_999, 5)], []))
    assert host.valid()
    host.take(feed.book(SNAPSHOT, [(9_999, 5)], []))
    assert not host.valid()
    _check_records(host)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 1), st.integers(0, 1), st.integers(0, 3)), max_size=40))
def test_no_record_leaves_without_its_flags(steps: list[tuple[int, int, int, int]]) -> None:
    """Losses, doubts, statuses, silences, sessions in any order: what could be published says how its book is."""
    host = Host().with_requests()
    feeds = [Feed(0), Feed(1)]
    for feed in feeds:
        host.take(feed.heartbeat(1), *(feed.instrument(symbol) for symbol in SYMBOLS))
    for kind, exchange, which, n in steps:
        feed, symbol = feeds[exchange], SYMBOLS[which]
        if kind < 3:
            host.take(feed.snapshot(symbol))
        elif kind < 6:
            host.take(feed.book(LAST if n else 0, [(9_990 + n, n)], [(10_001 + n, 1)], symbol))
        elif kind == 6:
            feed.trade(symbol)  # lost
        elif kind == 7:
            host.take(feed.heartbeat())
            host.wait((0, 2, 30, 60)[n] * MS)
        elif kind == 8:
            host.take(feed.status((1, 2, 3, 6)[n], symbol if n else ""))
        elif kind == 9:
            host.take(
                feed.book(
                    (BAD, SNAPSHOT | LAST | REFRESH, LAST, BAD | LAST)[n], [(9_000, -1 if n == 2 else 1)], [], symbol
                )
            )
        elif kind == 10:
            host.now += 2_500 * MS
            tick(host.directory, host.now)
        elif n == 0:
            feed.restart()
            host.take(feed.heartbeat(1), *(feed.instrument(name) for name in SYMBOLS))
        _check_records(host)
        host.ledger(exchange)


@pytest.mark.parametrize("trouble", ["invalid", "halted", "bad", "negative", "incomplete", "off its range", "diverged"])
def test_a_symbols_own_trouble_stays_its_own(trouble: str, feed: Feed, host: Host) -> None:
    """What happens to one symbol leaves the others of its channel untouched: flags, levels and records."""
    host.take(feed.heartbeat(1), *(feed.instrument(symbol) for symbol in SYMBOLS))
    host.take(*(feed.snapshot(symbol) for symbol in SYMBOLS))
    before = host.levels("ETH-USDT"), bytes(host.row("books", host.id_of("ETH-USDT")))
    if trouble == "invalid":
        host.take(feed.status(2, "BTC-USDT"))
    elif trouble == "halted":
        host.take(feed.status(3, "BTC-USDT"))
    elif trouble == "bad":
        host.take(feed.book(LAST | BAD, [(1, 1)], []))
    elif trouble == "negative":
        host.take(feed.book(LAST, [(9_999, -5)], []))
    elif trouble == "incomplete":
        host.take(feed.book(0, [(9_999, 5)], []), feed.snapshot(), feed.book(0, [(9_999, 5)], []))
    elif trouble == "off its range":
        host.take(feed.book(LAST, [(2**62, 5)], []), feed.book(LAST, [(5, 2**62)], []))
    else:
        host.take(feed.book(SNAPSHOT | LAST | REFRESH, [(1, 1)], [(2, 1)]))
    assert host.flags("ETH-USDT") == [] and host.valid("ETH-USDT")
    assert (host.levels("ETH-USDT"), bytes(host.row("books", host.id_of("ETH-USDT")))) == before
    assert host.ledger()["lost"] == 0


def test_a_book_first_named_behind_a_hole_is_doubted_like_the_others(feed: Feed, host: Host) -> None:
    """A symbol that is announced while its channel has an older hole never says valid before the hole is closed."""
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot())
    missing = feed.trade()
    named = (feed.instrument("ETH-USDT"), feed.snapshot("ETH-USDT"))
    later = feed.trade()
    host.take(*named, feed.trade())
    host.wait(2 * MS)
    host.take(missing)
    assert host.column("N_HOLES") == 1 and host.column("SUSPECT") == 1
    assert host.flags("ETH-USDT") == ["suspect"]
    host.take(later)
    host.wait(MS)
    assert host.valid("ETH-USDT") and host.valid()
