"""The chains of a digest: against plain Python, and what they do not depend on."""

from __future__ import annotations

from typing import Any

import mmh3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.digest import merge
from libs.digest import state as digest_state
from libs.digest.chain import LINKS, text_of
from libs.engine import rows
from libs.engine.columns import DIGEST
from libs.engine.digests import TOPS_OF_FEATURES
from libs.engine.merged import merge_tops
from libs.engine.outputs import Q_DROPPED, Q_HEAD
from libs.engine.state import begin_digest
from libs.features.definitions import COLUMNS
from libs.features.kernels import NOT_FITTED
from libs.market.symbol_table import t_name
from tests.libs.engine.harness import BAD, LAST, REFRESH, SNAPSHOT, Feed, Host
from tests.oracles.digest import OracleDigest

Chains = dict[tuple[int, str], dict[str, str]]


class Digested(Host):
    """A host that makes chains."""

    def __init__(self, *, traced: bool = False) -> None:
        super().__init__(digest=True)
        begin_digest(self.engine.arrays, traced=traced)

    def chain(self, symbol: str = "BTC-USDT", exchange: int = 0, name: str = "events") -> np.ndarray:
        """Return the words of a chain of a book."""
        at = {"events": digest_state.EVENTS, "book": digest_state.BOOK, "features": digest_state.FEATURES}[name]
        return self.engine.arrays["digest_books"][self.id_of(symbol, exchange), at : at + 4]

    def chains(self) -> Chains:
        """Return the last link of every chain of books, in text."""
        count = int(self.engine.arrays["table_counts"][0])
        exchanges = self.engine.arrays["table_book_exchange"]
        keys = [(int(exchanges[b]), t_name(self.engine.table, b)) for b in range(count)]
        return {
            key: {name: text_of(self.chain(key[1], key[0], name)) for name in ("events", "book", "features")}
            for key in keys
        }

    def nbbo(self) -> dict[str, str]:
        """Merge what is left and return the chain of every symbol."""
        merge_tops(self.directory, True)
        arrays = self.engine.arrays
        count = int(arrays["table_counts"][1])
        names = [t_name(self.engine.table, int(arrays["table_symbol_book"][s])) for s in range(count)]
        return {name: text_of(arrays["digest_quotes"][s]) for s, name in enumerate(names)}

    def take(self, *messages: Any) -> None:
        """Receive, and merge as the book thread does after each turn."""
        super().take(*messages)
        merge_tops(self.directory, False)


@pytest.fixture
def digested(feed: Feed) -> Digested:
    """Give a host that has heard the session's heartbeat."""
    made = Digested()
    made.take(feed.heartbeat(1))
    return made


level = st.tuples(st.integers(1, 40), st.integers(0, 3))
sides = st.tuples(st.lists(level, max_size=6), st.lists(level, max_size=6))
step = st.one_of(
    st.tuples(st.just("book"), st.sampled_from([0, SNAPSHOT]), st.lists(sides, min_size=1, max_size=3)),
    st.tuples(st.just("trade"), st.integers(1, 9), st.just([])),
)


def message_stream(feed: Feed, steps: list[Any]) -> list[Any]:
    """Return messages of a symbol: its Instrument, a snapshot, then the steps, their levels apart by side."""
    found: list[Any] = [feed.instrument(), feed.snapshot()]
    for kind, number, parts in steps:
        if kind == "trade":
            found.append(feed.trade(size=number))
            continue
        for k, (bids, asks) in enumerate(parts):
            flags = (number if k == 0 else 0) | (LAST if k == len(parts) - 1 else 0)
            shift = [(9_000 + p, s) for p, s in bids], [(11_000 + p, s) for p, s in asks]
            found.append(feed.book(flags, *shift))
    return found


@settings(max_examples=60)
@given(st.lists(step, max_size=12))
def test_every_link_of_events_and_books_is_the_oracles(steps: list[Any]) -> None:
    """After each message the chains stand where plain Python over mmh3 has them."""
    feed, host, oracle = Feed(), Digested(), OracleDigest()
    host.take(feed.heartbeat(1))
    for message in message_stream(feed, steps):
        host.take(message)
        oracle.take(message)
        for name, links in (("events", oracle.events), ("book", oracle.books)):
            expected = links[0, "BTC-USDT"]
            chain = host.chain(name=name)
            assert chain[LINKS] == len(expected)
            assert text_of(chain) == (expected[-1] if expected else bytes(16)).hex()


def test_a_features_link_covers_every_column(feed: Feed, digested: Digested) -> None:
    """Feed time, notes, then all columns of the record as bits, every NaN as one."""
    digested.take(feed.instrument(), feed.snapshot())
    record = np.frombuffer(digested.engine.arrays["out_features"][0].tobytes(), "<i8")[TOPS_OF_FEATURES:].copy()
    assert TOPS_OF_FEATURES == rows.FEATURE_TOPS
    assert len(record) == 4 + len(COLUMNS)
    values = record.view(float)
    assert np.isnan(values).any()
    record[np.isnan(values)] = 0x7FF8000000000000
    words = np.concatenate([[feed.now_us, NOT_FITTED], record, np.zeros(len(record) % 2, np.int64)])
    data = words.astype("<i8").tobytes()
    assert text_of(digested.chain(name="features")) == mmh3.hash_bytes(bytes(16) + data, 0, x64arch=True).hex()


def test_chains_do_not_depend_on_how_events_are_cut(feed: Feed, digested: Digested) -> None:
    """One message or four, the same event: numbers, times and datagrams are the sender's business."""
    bids, asks = [(9_000 + k, 1 + k) for k in range(8)], [(11_000 - k, 1 + k) for k in range(8)]
    digested.take(feed.instrument(), feed.snapshot(), feed.book(LAST, bids, asks))
    other, second = Digested(), Feed()
    other.take(second.heartbeat(1), *(second.instrument(f"X{k}-USDT") for k in range(3)), second.instrument())
    second.now_us = feed.session // 1000 + 10
    other.take(second.snapshot())
    for k in range(4):
        second.now_us = feed.now_us - 10
        part = (bids[4 * k : 4 * k + 4], []) if k < 2 else ([], asks[4 * k - 8 : 4 * k - 4])
        other.take(second.book(LAST if k == 3 else 0, *part))
    for name in ("events", "book", "features"):
        assert text_of(other.chain(name=name)) == text_of(digested.chain(name=name)), name


def test_refresh_repeats_and_heartbeats_leave_no_trace(feed: Feed, digested: Digested) -> None:
    """What the sender repeats when the wall clock says so is in no chain, and changes no book."""
    digested.take(feed.instrument(), feed.snapshot(), feed.status(3, "BTC-USDT"))
    before, quotes, level = digested.chains(), digested.nbbo(), digested.levels()
    bids, asks = ([(p, s) for p, s in side.items()] for side in digested.levels())
    refresh = feed.book(SNAPSHOT | LAST | REFRESH, [*bids, (5_000, 7)], asks)
    digested.take(feed.instrument(), feed.status(3, "BTC-USDT"), refresh, feed.heartbeat())
    assert digested.chains() == before
    assert digested.nbbo() == quotes
    assert digested.levels() == level
    assert digested.ledger()["applied"] == 6


def test_a_halt_is_a_link(feed: Feed, digested: Digested) -> None:
    """A status that changes a book is an event of it, and of its quote."""
    digested.take(feed.instrument(), feed.snapshot())
    before, quotes = digested.chains(), digested.nbbo()
    digested.take(feed.status(3, "BTC-USDT"))
    assert digested.chains()[0, "BTC-USDT"]["events"] != before[0, "BTC-USDT"]["events"]
    assert digested.nbbo() != quotes


def test_the_end_of_a_session_leaves_no_trace(feed: Feed, digested: Digested) -> None:
    """It makes every book invalid, but says nothing of the market."""
    digested.take(feed.instrument(), feed.snapshot())
    before, quotes = digested.chains(), digested.nbbo()
    digested.take(feed.status(5))
    assert not digested.valid()
    assert (digested.chains(), digested.nbbo()) == (before, quotes)


def test_an_event_known_to_be_bad_is_another(feed: Feed, digested: Digested) -> None:
    """BAD on any part stands in the link, and in the book's flags."""
    other, second = Digested(), Feed()
    other.take(second.heartbeat(1))
    for host, sender, flags in ((digested, feed, 0), (other, second, BAD)):
        host.take(sender.instrument(), sender.snapshot(), sender.book(LAST | flags, [(9_000, 1)], []))
    one, two = digested.chains()[0, "BTC-USDT"], other.chains()[0, "BTC-USDT"]
    assert all(one[name] != two[name] for name in ("events", "book"))


def test_without_a_digest_nothing_is_chained(feed: Feed, host: Host) -> None:
    """The default: no room, no chains."""
    assert host.engine.arrays["process_settings"][DIGEST] == 0
    host.take(feed.instrument(), feed.snapshot())
    assert host.engine.arrays["digest_books"].shape == (1, digest_state.BOOK_WORDS)
    assert not host.engine.arrays["digest_books"].any()


def market(seed: int) -> dict[int, list[Any]]:
    """Return the messages of three exchanges: two symbols whose quotes touch and cross, with halts."""
    rng = np.random.default_rng(seed)
    found: dict[int, list[Any]] = {}
    for exchange in range(3):
        feed = Feed(exchange)
        messages: list[Any] = [feed.heartbeat(1)]
        for symbol in ("BTC-USDT", "ETH-USDT"):
            messages += [feed.instrument(symbol), feed.snapshot(symbol)]
        for _ in range(25):
            feed.now_us += int(rng.integers(0, 3)) * 10
            symbol = ("BTC-USDT", "ETH-USDT")[rng.integers(0, 2)]
            if rng.random() < 0.1:
                messages.append(feed.status(int(rng.integers(3, 5)), symbol))
            elif rng.random() < 0.2:
                messages.append(feed.heartbeat())
            else:
                messages.append(feed.snapshot(symbol, 10_000 + int(rng.integers(-3, 4))))
        found[exchange] = messages
    return found


def played(messages: dict[int, list[Any]], order: np.random.Generator | None) -> Digested:
    """Play channels in one order or another; heartbeats first, as a sender does."""
    host, places = Digested(), dict.fromkeys(messages, 1)
    for ch, of in messages.items():
        if order is None or ch != 1:
            host.take(of[0])
    host.take(messages[1][0])
    while left := [ch for ch, of in messages.items() if places[ch] < len(of)]:
        ch = left[0] if order is None else int(order.choice(left))
        host.take(messages[ch][places[ch]])
        places[ch] += 1
    return host


@pytest.mark.parametrize("seed", range(6))
def test_the_quotes_chain_does_not_depend_on_how_channels_interleave(seed: int) -> None:
    """One channel after the other, or any mixture: the same tops are merged in the same order."""
    messages = market(seed)
    expected = played(messages, None)
    quotes = expected.nbbo()
    assert expected.engine.arrays["digest_quotes"][:2, digest_state.QUOTE + LINKS].min() > 5
    for k in range(3):
        other = played(messages, np.random.default_rng(100 + k))
        assert other.nbbo() == quotes
        assert other.chains() == expected.chains()
        control = other.engine.arrays["digest_merge"][-1]
        assert (control[merge.LATE], control[merge.FORCED]) == (0, 0)


def test_the_quotes_chain_has_the_rows_that_differ(feed: Feed, digested: Digested) -> None:
    """An event that leaves the best prices alone makes no link of the quote; one that moves them does."""
    digested.take(feed.instrument(), feed.snapshot())
    digested.nbbo()
    links = digested.engine.arrays["digest_quotes"][0, digest_state.QUOTE + LINKS]
    digested.take(feed.book(LAST, [(9_000, 3)], []))
    digested.nbbo()
    assert digested.engine.arrays["digest_quotes"][0, digest_state.QUOTE + LINKS] == links
    digested.take(feed.book(LAST, [(10_000, 3)], []))
    digested.nbbo()
    assert digested.engine.arrays["digest_quotes"][0, digest_state.QUOTE + LINKS] == links + 1


def test_tops_without_room_are_handed_on_early_and_counted() -> None:
    """A channel that nobody hears holds the others back only as long as there is room."""
    host, feeds = Digested(), (Feed(0), Feed(1))
    arrays = host.engine.arrays
    for feed in feeds:
        host.take(feed.heartbeat(1))
    host.take(feeds[0].instrument(), feeds[0].snapshot())
    control = arrays["digest_merge"]
    control[0, merge.TAIL] = 0
    control[0, merge.HEAD] = len(arrays["digest_tops"][0])
    arrays["digest_tops"][0, :, merge.FEED_US] = feeds[0].now_us
    host.take(feeds[0].snapshot())
    assert control[-1, merge.FORCED] == 1
    assert control[0, merge.HEAD] == len(arrays["digest_tops"][0]) + 1


def test_a_trace_has_every_link(feed: Feed) -> None:
    """Which chain, which link, at which feed time, and the link; a full queue counts what it drops."""
    host = Digested(traced=True)
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot(), feed.trade())
    host.nbbo()
    arrays = host.engine.arrays
    found = arrays["digest_trace"][: arrays["digest_trace_control"][Q_HEAD]].tolist()
    kinds = [row[digest_state.WHOSE] & 0xFF for row in found]
    assert [digest_state.NAMES[kind] for kind in kinds] == ["events", "book", "features", "events", "nbbo"]
    assert [row[digest_state.LINK] for row in found] == [1, 1, 1, 2, 1]
    last = np.array(found[3][digest_state.TRACED_HIGH :])
    assert text_of(last) == text_of(host.chain())
    arrays["digest_trace_control"][Q_HEAD] = len(arrays["digest_trace"])
    host.take(feed.trade())
    assert arrays["digest_trace_control"][Q_DROPPED] == 1
