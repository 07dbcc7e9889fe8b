"""The consolidated quotes of a digest: from merged tops, so that they do not depend on when a channel came."""

from __future__ import annotations

import numpy as np

from libs.book import state as state_book
from libs.book.state import WORDS, Books
from libs.digest import merge
from libs.digest.chain import extend
from libs.digest.murmur import hash_words
from libs.digest.state import LAST_ROW, QUOTE
from libs.engine.columns import STALE_CROSS_US, UNCERTAINTY_US
from libs.engine.directory import (
    DIGEST_MERGE,
    DIGEST_QUOTES,
    DIGEST_RECORD,
    DIGEST_SHADOW,
    DIGEST_TOPS,
    SETTINGS,
    books_of,
    digest_nbbo_of,
    symbol_of,
    table_of,
)
from libs.engine.traces import TRACE_NBBO, put_trace
from libs.jit import kernel
from libs.memory import floats1, words1, words2, words2_row, words3
from libs.nbbo import kernels as nbbo
from libs.nbbo.state import Nbbo
from libs.nbbo.states import NOT_LISTED, NOT_VALID


@kernel
def _write_row(record: np.ndarray, values: np.ndarray, n: Nbbo, s: int) -> None:
    """Write what a row of the quotes says, its floats as bits; ``values`` is the same memory as ``record``."""
    record[0] = n.state[s]
    record[1] = n.price_exp[s]
    record[2], record[3] = n.bid_price[s], n.ask_price[s]
    record[4], record[5] = n.bid_exchanges[s], n.ask_exchanges[s]
    record[6], record[7] = n.bid_exchange[s], n.ask_exchange[s]
    values[8], values[9] = n.bid_size[s], n.ask_size[s]
    excluded = 0
    for exchange in range(n.excluded.shape[1]):
        reason = n.excluded[s, exchange]
        # When a symbol was registered is no property of the feed.
        excluded |= (NOT_VALID if reason == NOT_LISTED else reason) << (8 * exchange)
    record[10], record[11] = excluded, 0


@kernel
def _show(p: np.ndarray, s: int, feed_us: int) -> None:
    """Append a symbol's row to its chain, if it differs from the last one."""
    record, row = words1(p, DIGEST_RECORD), words2_row(p, DIGEST_QUOTES, s)
    _write_row(record, floats1(p, DIGEST_RECORD), digest_nbbo_of(p), s)
    h1, h2 = hash_words(record, 0, 12)
    if h1 == row[LAST_ROW] and h2 == row[LAST_ROW + 1]:
        return
    row[LAST_ROW], row[LAST_ROW + 1] = h1, h2
    record[12], record[13] = feed_us, 0
    extend(row, QUOTE, record, 14, feed_us)
    put_trace(p, TRACE_NBBO, s, row, QUOTE)


@kernel
def _apply(p: np.ndarray, top: np.ndarray) -> None:
    """Bring a merged top into the shadow of the books, and consolidate its symbol there."""
    b = top[merge.BOOK]
    shadow = words1(p, DIGEST_SHADOW)
    base = b * WORDS
    shadow[base + state_book.FLAGS] = top[merge.FLAGS]
    shadow[base + state_book.INVERSE] = top[merge.INVERSE]
    shadow[base + state_book.MULTIPLIER] = top[merge.MULTIPLIER]
    shadow[base + state_book.MULTIPLIER_EXP] = top[merge.MULTIPLIER_EXP]
    for k in range(8):
        shadow[base + state_book.TOPS + k] = top[merge.LEVELS + k]
    real, settings = books_of(p), words1(p, SETTINGS)
    books = Books(real.prices, real.sizes, shadow, real.stage_owner)
    s = symbol_of(p, b)
    nbbo.update(
        digest_nbbo_of(p), books, table_of(p).symbol_books[s], s, top[merge.FEED_US], settings[STALE_CROSS_US],
        settings[UNCERTAINTY_US],
    )  # fmt: skip
    _show(p, s, top[merge.FEED_US])


@kernel
def merge_tops(p: np.ndarray, everything: bool) -> None:
    """Consolidate the tops that may be handed on, or all; a channel without room hands on early, which is counted."""
    tops, control = words3(p, DIGEST_TOPS), words2(p, DIGEST_MERGE)
    while True:
        ch = merge.next_channel(tops, control, everything)
        if ch < 0:
            return
        _apply(p, tops[ch, merge.take(tops, control, ch)])


@kernel
def make_room(p: np.ndarray, ch: int) -> None:
    """Hand tops on before a channel's next one finds no room."""
    tops, control = words3(p, DIGEST_TOPS), words2(p, DIGEST_MERGE)
    if not merge.is_full(tops, control, ch):
        return
    merge_tops(p, False)
    while merge.is_full(tops, control, ch):
        control[len(control) - 1, merge.FORCED] += 1
        first = merge.next_channel(tops, control, True)
        _apply(p, tops[first, merge.take(tops, control, first)])
