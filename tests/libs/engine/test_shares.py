"""Channels and symbols that a process leaves to others."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from libs.engine import words
from libs.engine.datagrams import take_datagram
from libs.engine.report import channel_report
from libs.market.symbol_table import t_name, t_shard, t_symbol_name
from libs.sequencing import state as seq
from libs.wire.messages import Message, encode
from tests.libs.engine.harness import LAST, MS, Feed, Host

SIZES = {"max_books": 64, "max_symbols": 32}
SYMBOLS = [f"{base}-USDT" for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "DOT")]
EXCHANGES = (0, 1, 3)
SHARDS = 2

Key = tuple[str, str, int]
History = dict[Key, list[bytes]]


def of_shard(number: int, shards: int = SHARDS) -> Host:
    """Return an engine that takes the symbols of one shard, counted from 1."""
    host = Host(**SIZES)
    settings = host.engine.arrays["receive_settings"]
    settings[words.SHARDS], settings[words.SHARD] = shards, number - 1
    return host


def stream(seed: int, rounds: int) -> list[tuple[Message, ...]]:
    """Return datagrams of several symbols on several exchanges; each begins with its instruments and snapshots."""
    rng = random.Random(seed)
    feeds = {exchange: Feed(exchange) for exchange in EXCHANGES}
    found: list[tuple[Message, ...]] = []
    for feed in feeds.values():
        found.append((feed.heartbeat(),))
        found += [(feed.instrument(symbol), feed.snapshot(symbol)) for symbol in SYMBOLS]
    for _ in range(rounds):
        feed = feeds[rng.choice(EXCHANGES)]
        found.append(tuple(_message(rng, feed) for _ in range(rng.randint(1, 4))))
        if rng.random() < 0.1:
            found.append((feed.heartbeat(),))
    return found


def _message(rng: random.Random, feed: Feed) -> Message:
    symbol = rng.choice(SYMBOLS)
    kind = rng.random()
    if kind < 0.1:
        return feed.trade(symbol, 10_000 + rng.randint(-3, 3))
    if kind < 0.2:
        return feed.snapshot(symbol, 10_000 + rng.randint(-3, 3))
    if kind < 0.22:
        return feed.status(rng.choice((3, 4)), symbol)
    bids = [(9_990 + rng.randint(0, 9), rng.randint(0, 50))]
    asks = [(10_001 + rng.randint(0, 9), rng.randint(0, 50))]
    return feed.book(LAST, bids, asks, symbol)


def give(host: Host, datagrams: list[tuple[Message, ...]], lost: set[int], late: set[int]) -> History:
    """Receive datagrams, those of ``late`` after the next one, those of ``lost`` never; return every record shown."""
    delayed: list[bytes] = []
    history: History = {}
    for at, messages in enumerate(datagrams):
        data = b"".join(encode(message) for message in messages)
        if at in lost:
            continue
        if at in late:
            delayed.append(data)
            continue
        host.take_bytes(data)
        while delayed:
            host.take_bytes(delayed.pop())
        host.wait(10 * MS if at % 16 == 0 else 0)
        for key, row in rows_of(host).items():
            if row != history.setdefault(key, [row])[-1]:
                history[key].append(row)
    return history


def rows_of(host: Host) -> dict[Key, bytes]:
    """Return the latest records by kind, symbol and exchange, without ids and wall clock.

    A change of a whole channel is stamped with the last message that the process took itself, so send times count in
    features rows alone, which no such change makes.
    """
    found = {}
    table = host.engine.table
    for book in range(int(table.counts[0])):
        for kind in ("features", "books"):
            row = host.row(kind, book).copy()
            row["book_id"] = row["symbol_id"] = row["book_ts_ns"] = 0
            if kind == "books":
                row["sent_ts_us"] = row["oldest_sent_ts_us"] = 0
            found[kind, t_name(table, book), int(table.book_exchange[book])] = row.tobytes()
    for symbol in range(int(table.counts[1])):
        row = host.row("nbbo", symbol).copy()
        row["symbol_id"] = row["book_ts_ns"] = row["sent_ts_us"] = row["oldest_sent_ts_us"] = 0
        found["nbbo", t_symbol_name(table, symbol), -1] = row.tobytes()
    return found


def levels_of(host: Host) -> dict[tuple[str, int], Any]:
    """Return the levels and flags of every book."""
    table = host.engine.table
    names = [(t_name(table, b), int(table.book_exchange[b])) for b in range(int(table.counts[0]))]
    return {key: (host.levels(*key), host.flags(*key)) for key in names}


def test_two_shards_make_what_one_process_makes() -> None:
    """The same datagrams, with losses and reordering, give the same books, features and NBBO; every ledger balances."""
    datagrams = stream(seed=7, rounds=600)
    rng = random.Random(8)
    lost = {rng.randrange(200, 400) for _ in range(6)}
    late = {rng.randrange(100, 600) for _ in range(20)} - lost
    whole, *shards = hosts = [Host(**SIZES), of_shard(1), of_shard(2)]
    everything, *parts = [give(host, datagrams, lost, late) for host in hosts]
    assert min(map(len, parts)) > 0 and not parts[0].keys() & parts[1].keys()
    assert parts[0] | parts[1] == everything
    assert max(map(len, everything.values())) > 20
    assert levels_of(shards[0]) | levels_of(shards[1]) == levels_of(whole)
    for exchange in EXCHANGES:
        of_whole, *ledgers = [host.ledger(exchange) for host in hosts]
        assert of_whole["lost"] > 0 and "other_shard" not in of_whole["refused"]
        for name in ("sent", "received", "lost", "duplicate", "late", "gaps"):
            assert {ledger[name] for ledger in ledgers} == {of_whole[name]}
        for ledger, other in (ledgers, ledgers[::-1]):
            assert ledger["ledger_checks"]["made"] == of_whole["ledger_checks"]["made"]
            own_refused = sum(ledger["refused"].values()) - ledger["refused"]["other_shard"]
            assert other["refused"]["other_shard"] == ledger["applied"] + own_refused


def test_whole_channel_messages_act_in_every_shard() -> None:
    """A status of the whole channel reaches the books of each shard, and none counts it as another's."""
    for number in (1, 2):
        feed, host = Feed(), of_shard(number)
        for symbol in SYMBOLS:
            host.take(feed.instrument(symbol), feed.snapshot(symbol))
        host.take(feed.status(3))
        own = [symbol for symbol in SYMBOLS if t_shard(symbol, SHARDS) == number - 1]
        assert own and all("halted" in host.flags(symbol) for symbol in own)
        assert host.ledger()["refused"] == {"other_shard": 2 * (len(SYMBOLS) - len(own))}


def test_a_shard_asks_for_the_snapshots_of_its_own_books() -> None:
    """A hole is asked for by every shard; snapshots only by the shard of the symbol."""
    asked = []
    for number in (1, 2):
        feed, host = Feed(), of_shard(number).with_requests()
        host.take(feed.heartbeat())
        for symbol in SYMBOLS:
            host.take(feed.instrument(symbol), feed.snapshot(symbol))
        feed.trade()
        host.take(feed.trade())
        host.wait(2 * MS)
        assert len(host.requests("range")) == 1
        host.wait(60 * MS)
        asked.append({t_name(host.engine.table, row[5]) for row in host.requests("snapshot")})
    assert asked[0] | asked[1] == set(SYMBOLS) and not asked[0] & asked[1]


def test_other_channels_are_counted_and_nothing_else() -> None:
    """A channel that is left to others has no ledger, no books, no holes; its messages are one number."""
    host = Host(**SIZES).with_requests()
    host.engine.arrays["receive_settings"][words.OTHER_CHANNELS] = 0b11110
    own, other = Feed(0), Feed(1)
    for feed in (own, other):
        host.take(feed.heartbeat(), feed.instrument(), feed.snapshot())
        feed.trade()
        host.take(feed.trade())
    host.wait(2 * MS)
    assert len(host.requests("range")) == 1
    arrays = host.engine.arrays
    assert host.id_of(exchange=0) == 0 and host.id_of(exchange=1) < 0
    assert arrays["receive_counts"][words.OTHER_CHANNEL] == 4
    assert not np.any(arrays["sequencer_channels"][1]) and not np.any(arrays["ledger"][1])
    assert host.column("JOINED", 0) == 1


def test_a_message_of_another_shard_needs_no_room() -> None:
    """A full ring holds up the symbols of this shard alone."""
    feed, host = Feed(), of_shard(1)
    foreign = next(symbol for symbol in SYMBOLS if t_shard(symbol, SHARDS) == 1)
    host.take(feed.heartbeat())
    for _ in range(5000):
        data = np.frombuffer(encode(feed.trade(foreign)), np.uint8).copy()
        take_datagram(host.directory, data, 0, len(data), 0, host.now)
    channel = host.engine.arrays["sequencer_channels"][0]
    assert channel[seq.OTHER_SHARD] == 5000
    found = channel_report(channel, host.engine.arrays["ledger"][0], host.engine.arrays["sequencer_holes"][0])
    assert found["unaccounted"] == 0 and found["pending"] == 0
