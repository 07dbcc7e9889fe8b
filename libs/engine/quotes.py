"""Consolidated quotes and what they offer: rows of the NBBO on change, rows of arbitrage opportunities."""

from __future__ import annotations

import numpy as np

from libs.book import state as state_book
from libs.engine.columns import (
    ARBITRAGES_CLOSED,
    ARBITRAGES_OPENED,
    ARBITRAGES_REAL,
    JOINED,
    LAST_FEED_US,
    LAST_SENT_US,
    NBBO_ROWS,
    STALE_CROSS_US,
    UNCERTAINTY_US,
    WATERMARK_US,
)
from libs.engine.directory import (
    LEDGER,
    OUT_ARBITRAGES,
    OUT_CONTROLS,
    OUT_NBBO,
    OUT_NBBO_DIRTY,
    OUT_NBBO_QUEUE,
    OUT_NBBO_VERSION,
    SCRATCH,
    SETTINGS,
    TABLE,
    TAKER_FEES_BPS,
    TOTALS,
    arbitrages_of,
    book_word,
    books_of,
    families_of,
    joined_nbbo_of,
    nbbo_of,
    symbol_of,
    table_of,
)
from libs.engine.outputs import ARBITRAGE_QUEUE, ARBITRAGES, SYMBOLS, queue_done, queue_id, queue_room
from libs.engine.rows import put_name
from libs.jit import kernel
from libs.libc import CLOCK_REALTIME, now_ns
from libs.market.symbol_table import SYMBOLS as SYMBOLS_KNOWN
from libs.memory import floats2, load_acquire, load_i64, store_release, words1, words2, words2_row
from libs.nbbo import arbitrage
from libs.nbbo import kernels as nbbo
from libs.nbbo.families import COUNT, NO_FAMILY, Families, family_of, fill
from libs.nbbo.state import EXCHANGES, Nbbo
from libs.nbbo.states import CROSSED_UNCERTAIN, NO_EXCHANGE, NOT_LISTED, TAKEN_IN

# First words of fields in the records.
NAME_OF_QUOTE, NAME_OF_ARBITRAGE = 3, 2
NAME_WORDS = 8
_DASH = 45


@kernel
def _put_family_name(f: Families, row: np.ndarray, word: int, family: int) -> None:
    for k in range(NAME_WORDS):
        row[word + k] = load_i64(f.names[family], 8 * k)


@kernel
def _put_symbol(p: np.ndarray, row: np.ndarray, word: int, place: int) -> None:
    """Write the name of a row of the quotes: a symbol's, or from ``max_symbols`` on a family's."""
    symbols = len(nbbo_of(p).state)
    if place >= symbols:
        _put_family_name(families_of(p), row, word, place - symbols)
        return
    books = words2(p, TABLE + 5)[place]
    for exchange in range(len(books)):
        if books[exchange] >= 0:
            put_name(p, row, word, books[exchange])
            return


@kernel(inline=True)
def _exchanges(slots: int) -> int:
    """Return a set of slots as one of exchanges."""
    return (slots | slots >> EXCHANGES | slots >> 2 * EXCHANGES | slots >> 3 * EXCHANGES) & 0xFF


@kernel(inline=True)
def _exchange(slot: int) -> int:
    return slot if slot == NO_EXCHANGE else slot % EXCHANGES


@kernel(inline=True)
def _quote(slot: int) -> int:
    """Return the place of a slot's quote currency."""
    return 0 if slot == NO_EXCHANGE else slot // EXCHANGES


@kernel
def _excluded(reasons: np.ndarray) -> int:
    """Return a reason for each exchange, a byte each: that of its first book that is listed, unless one is taken in."""
    found = 0
    for exchange in range(EXCHANGES):
        reason = NOT_LISTED
        for slot in range(exchange, len(reasons), EXCHANGES):
            if reasons[slot] == TAKEN_IN or reason == NOT_LISTED:
                reason = reasons[slot]
        found |= reason << (8 * exchange)
    return found


@kernel
def _quotes(p: np.ndarray, place: int) -> int:
    """Return the bit set of a family's quote currencies that are known; 0 for a symbol's own row."""
    symbols = len(nbbo_of(p).state)
    found = 0
    if place >= symbols:
        mine = families_of(p).symbols[place - symbols]
        for q in range(len(mine)):
            found |= (1 << q) if mine[q] > 0 else 0
    return found


@kernel
def _show_nbbo(p: np.ndarray, n: Nbbo, s: int, place: int, sent_us: int, feed_us: int, now: int) -> None:
    """Write row ``s`` of the quotes to record ``place`` and queue it."""
    row = words2(p, OUT_NBBO)[place]
    values = floats2(p, OUT_NBBO)[place]
    version = words1(p, OUT_NBBO_VERSION)[place]
    store_release(words1(p, OUT_NBBO_VERSION), place, version + 1)
    row[0] = (
        place
        | n.state[s] << 32
        | _exchanges(n.bid_exchanges[s]) << 40
        | _exchanges(n.ask_exchanges[s]) << 48
        | _exchange(n.bid_exchange[s]) << 56
    )
    row[1] = (
        _exchange(n.ask_exchange[s])
        | (n.price_exp[s] & 0xFF) << 8
        | _quotes(p, place) << 16
        | _quote(n.bid_exchange[s]) << 24
        | _quote(n.ask_exchange[s]) << 32
    )
    row[2] = _excluded(n.excluded[s])
    if row[NAME_OF_QUOTE] == 0:
        _put_symbol(p, row, NAME_OF_QUOTE, place)
    row[11] = n.bid_price[s]
    row[12] = n.ask_price[s]
    values[13] = n.bid_size[s]
    values[14] = n.ask_size[s]
    values[15] = n.mid[s]
    values[16] = n.spread[s]
    row[17] = feed_us
    row[18] = sent_us
    if load_acquire(words1(p, OUT_NBBO_DIRTY), place) == 0:
        row[19] = sent_us
    row[20] = now
    store_release(words1(p, OUT_NBBO_VERSION), place, version + 2)
    words1(p, TOTALS)[NBBO_ROWS] += 1
    queue_id(words1(p, OUT_NBBO_QUEUE), words2(p, OUT_CONTROLS)[SYMBOLS], words1(p, OUT_NBBO_DIRTY), place)


@kernel
def _put_arbitrage(p: np.ndarray, place: int, sent_us: int, now: int) -> None:
    """Queue the record of a row's opportunity as it is now."""
    a = arbitrages_of(p)
    mine = a.words[place]
    phase = mine[arbitrage.PHASE]
    count = ARBITRAGES_CLOSED
    if phase == arbitrage.OPENED:
        count = ARBITRAGES_OPENED
    elif phase == arbitrage.REAL:
        count = ARBITRAGES_REAL
    words1(p, TOTALS)[count] += 1
    control = words2(p, OUT_CONTROLS)[ARBITRAGES]
    at = queue_room(control, ARBITRAGE_QUEUE)
    if at < 0:
        return
    row = words2(p, OUT_ARBITRAGES)[at]
    row[0] = (
        place
        | phase << 32
        | mine[arbitrage.STATE] << 40
        | mine[arbitrage.ENDED_BY] << 48
        | (mine[arbitrage.PRICE_EXP] & 0xFF) << 56
    )
    row[1] = (
        _exchange(mine[arbitrage.BID_SLOT])
        | _exchange(mine[arbitrage.ASK_SLOT]) << 8
        | _exchanges(mine[arbitrage.BIDS]) << 16
        | _exchanges(mine[arbitrage.ASKS]) << 24
        | _quotes(p, place) << 32
        | _quote(mine[arbitrage.BID_SLOT]) << 40
        | _quote(mine[arbitrage.ASK_SLOT]) << 48
    )
    _put_symbol(p, row, NAME_OF_ARBITRAGE, place)
    row[10] = mine[arbitrage.BID_PRICE]
    row[11] = mine[arbitrage.ASK_PRICE]
    values = floats2(p, OUT_ARBITRAGES)[at]
    for k in range(arbitrage.NET_BPS + 1):
        values[12 + k] = a.values[place, k]
    row[18] = mine[arbitrage.BEGIN_US]
    row[19] = mine[arbitrage.BEST_US]
    row[20] = mine[arbitrage.LAST_US]
    row[21] = mine[arbitrage.LAST_US] - mine[arbitrage.BEGIN_US]
    row[22] = sent_us
    row[23] = now
    queue_done(control)


@kernel
def _is_derivative(p: np.ndarray, b: int) -> bool:
    """Return whether a book's symbol has more than base and quote."""
    table = table_of(p)
    dashes = 0
    for k in range(table.name_lengths[b]):
        if table.names[b, k] == _DASH:
            dashes += 1
    return dashes > 1


@kernel
def _follow(p: np.ndarray, n: Nbbo, s: int, members: np.ndarray, place: int, b: int, sent_us: int, now: int) -> None:
    """Begin, go on with or end the opportunity of a quote that changed; it stands at ``place``."""
    a = arbitrages_of(p)
    if arbitrage.end(a, n, s, place):
        _put_arbitrage(p, place, sent_us, now)
    if arbitrage.crosses(n, s):
        fees_bps = floats2(p, TAKER_FEES_BPS)[1 if _is_derivative(p, b) else 0]
        if arbitrage.follow(a, n, books_of(p), members, s, place, fees_bps):
            _put_arbitrage(p, place, sent_us, now)


@kernel
def _update_family(p: np.ndarray, b: int, symbol: int, sent_us: int, feed_us: int, now: int) -> None:
    f = families_of(p)
    family = family_of(f, table_of(p), symbol)
    if family == NO_FAMILY or fill(f, table_of(p), family) < 2:
        return
    settings = words1(p, SETTINGS)
    n, members = joined_nbbo_of(p), f.members[family]
    if nbbo.update(n, books_of(p), members, family, feed_us, settings[STALE_CROSS_US], settings[UNCERTAINTY_US]):
        place = len(nbbo_of(p).state) + family
        _show_nbbo(p, n, family, place, sent_us, feed_us, now)
        _follow(p, n, family, members, place, b, sent_us, now)


@kernel
def _update_at(p: np.ndarray, b: int, sent_us: int, feed_us: int, now: int) -> None:
    """Recompute the quotes that a book is part of, as of a feed time; records only of what changed."""
    symbol = symbol_of(p, b)
    settings = words1(p, SETTINGS)
    n, members = nbbo_of(p), table_of(p).symbol_books[symbol]
    if nbbo.update(n, books_of(p), members, symbol, feed_us, settings[STALE_CROSS_US], settings[UNCERTAINTY_US]):
        _show_nbbo(p, n, symbol, symbol, sent_us, feed_us, now)
        _follow(p, n, symbol, members, symbol, b, sent_us, now)
    if settings[JOINED]:
        _update_family(p, b, symbol, sent_us, feed_us, now)


@kernel
def update_nbbo(p: np.ndarray, b: int, sent_us: int, now: int) -> None:
    """Recompute the quotes that a book is part of, after an event or a change of its flags."""
    _update_at(p, b, sent_us, book_word(p, b, state_book.FEED_TS_US), now)


@kernel
def _known_until(p: np.ndarray, slot: int) -> int:
    """Return the feed time up to which all of a slot's channel is known."""
    ledger = words2_row(p, LEDGER, slot % EXCHANGES)
    return max(ledger[LAST_FEED_US], ledger[WATERMARK_US])


@kernel
def _grow_older(p: np.ndarray, n: Nbbo, s: int, b: int, slot: int) -> None:
    """Let time pass for a quote, as far as both channels that make it cross are known."""
    known_us = min(_known_until(p, n.bid_exchange[s]), _known_until(p, n.ask_exchange[s]))
    if known_us > n.feed_ts_us[s]:
        sent_us = words2_row(p, LEDGER, slot % EXCHANGES)[LAST_SENT_US]
        _update_at(p, b, sent_us, known_us, now_ns(words1(p, SCRATCH), CLOCK_REALTIME))


@kernel
def let_crosses_age(p: np.ndarray) -> None:
    """Look again at quotes whose cross is too young to be real: their channels may be known further than then."""
    n, table = nbbo_of(p), table_of(p)
    for s in range(table.counts[SYMBOLS_KNOWN]):
        if n.state[s] == CROSSED_UNCERTAIN:
            slot = n.bid_exchange[s]
            _grow_older(p, n, s, table.symbol_books[s, slot], slot)
    if words1(p, SETTINGS)[JOINED]:
        n, f = joined_nbbo_of(p), families_of(p)
        for s in range(f.counts[COUNT]):
            if n.state[s] == CROSSED_UNCERTAIN:
                slot = n.bid_exchange[s]
                _grow_older(p, n, s, f.members[s, slot], slot)
