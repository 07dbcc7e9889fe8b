"""Layouts of the packed records on Redis Streams.

Every packed stream entry has the fields ``v`` (schema version), ``run`` (the consumer's start, ns since the epoch),
``n`` (number of records) and ``d`` (the records, back to back); where several consumers share the symbols also
``shard`` (``I/N``, libs/streams/shards.py). Times named ``_us`` and ``_ns`` are since the Unix
epoch. ``sent_ts_us`` is the scheduled send time of the newest event in the record, ``oldest_sent_ts_us`` of the
oldest one that was conflated into it. ``book_id`` and ``symbol_id`` are dense and hold for one ``run`` of
one ``shard``; ids of different shards never meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from libs.features.definitions import COLUMNS

TOP_LEVELS = 20

_KEY = [
    ("book_id", "<u4"),
    ("symbol_id", "<u4"),
    ("exchange", "u1"),
    ("valid", "u1"),
    ("incomplete", "u1"),  # 1 where notes say that a sum or a window is not whole
    ("notes", "u1"),  # bits of libs.features.kernels: BEYOND_KNOWN, WINDOW_TAINTED, WINDOW_CUT, NOT_FITTED
    ("flags", "<u4"),
    ("symbol", "S64"),
    ("session", "<u8"),  # of the channel, ns since the epoch
    ("sequence", "<u8"),  # of the message that completed the event
    ("feed_ts_us", "<i8"),
    ("exchange_ts_us", "<i8"),  # 0: the venue gave none
    ("sent_ts_us", "<i8"),
    ("oldest_sent_ts_us", "<i8"),
    ("recv_ts_ns", "<i8"),  # kernel receive time
    ("book_ts_ns", "<i8"),  # when the book thread had applied the event
    ("events", "<u4"),  # events conflated into this record
    ("price_exponent", "i1"),
    ("size_exponent", "i1"),
    ("reserved2", "<u2"),
]

FEATURES = np.dtype(
    [
        *_KEY,
        *((name, "<f8") for name in ("best_bid", "best_ask", "bid_size", "ask_size")),
        *((name, "<f8") for name in COLUMNS),
    ]
)

BOOK = np.dtype(
    [
        *_KEY,
        ("bid_count", "<u2"),  # levels present below, at most TOP_LEVELS
        ("ask_count", "<u2"),
        ("reserved3", "<u4"),
        # best first; mantissas in units of 10^price_exponent and 10^size_exponent
        ("bid_prices", "<i8", (TOP_LEVELS,)),
        ("bid_sizes", "<i8", (TOP_LEVELS,)),
        ("ask_prices", "<i8", (TOP_LEVELS,)),
        ("ask_sizes", "<i8", (TOP_LEVELS,)),
    ]
)

NBBO = np.dtype(
    [
        ("symbol_id", "<u4"),
        ("state", "u1"),  # libs.nbbo.states
        ("bid_exchanges", "u1"),  # bit set by exchange id
        ("ask_exchanges", "u1"),
        ("bid_exchange", "u1"),  # the one to route to; 255: none
        ("ask_exchange", "u1"),
        ("price_exponent", "i1"),
        ("quotes", "u1"),  # bit set of the quote currencies joined, by their place in the symbol; 0: a symbol's own row
        ("bid_quote", "u1"),  # place of the routed book's currency
        ("ask_quote", "u1"),
        ("reserved", "u1"),
        ("reserved2", "<u2"),
        ("excluded", "u1", (8,)),  # by exchange id: reason code of libs.nbbo.states; 0: taken in
        ("symbol", "S64"),
        ("bid_price", "<i8"),  # mantissas of 10^price_exponent; 0 with bid_exchanges 0: none
        ("ask_price", "<i8"),
        ("bid_size", "<f8"),  # base currency, summed over the exchanges at the price
        ("ask_size", "<f8"),
        ("mid", "<f8"),
        ("spread", "<f8"),
        ("feed_ts_us", "<i8"),
        ("sent_ts_us", "<i8"),
        ("oldest_sent_ts_us", "<i8"),
        ("book_ts_ns", "<i8"),
    ]
)

ARBITRAGE = np.dtype(
    [
        ("symbol_id", "<u4"),  # as in NBBO
        ("phase", "u1"),  # libs.nbbo.arbitrage.PHASES
        ("state", "u1"),  # libs.nbbo.states: crossed_uncertain or crossed_real, the last that it was in
        ("ended_by", "u1"),  # closed: state of the quote that ended it; a crossed one: another pair took its place
        ("price_exponent", "i1"),
        ("bid_exchange", "u1"),  # sell there
        ("ask_exchange", "u1"),  # buy there
        ("bid_exchanges", "u1"),  # bit set by exchange id: who shows the price
        ("ask_exchanges", "u1"),
        ("quotes", "u1"),  # as in NBBO
        ("bid_quote", "u1"),
        ("ask_quote", "u1"),
        ("reserved", "u1"),
        ("symbol", "S64"),
        # of its best moment so far: the largest net edge
        ("bid_price", "<i8"),  # mantissas of 10^price_exponent
        ("ask_price", "<i8"),
        ("size", "<f8"),  # base currency: the smaller side, summed over the exchanges at the price
        ("route_size", "<f8"),  # the smaller of what bid_exchange and ask_exchange alone show
        ("gross", "<f8"),  # bid less ask
        ("gross_bps", "<f8"),  # of mid
        ("net", "<f8"),  # less the taker fees of both fills
        ("net_bps", "<f8"),
        ("begin_ts_us", "<i8"),  # feed times
        ("best_ts_us", "<i8"),
        ("feed_ts_us", "<i8"),  # of this row; closed: of its end
        ("duration_us", "<i8"),  # so far
        ("sent_ts_us", "<i8"),
        ("book_ts_ns", "<i8"),
    ]
)

TRADES = np.dtype(
    [
        ("book_id", "<u4"),
        ("exchange", "u1"),
        ("side", "i1"),  # aggressor: 1 bought, -1 sold, 0 unknown
        ("price_exponent", "i1"),
        ("size_exponent", "i1"),
        ("symbol", "S64"),
        ("session", "<u8"),
        ("sequence", "<u8"),
        ("trade_id", "<u8"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("feed_ts_us", "<i8"),
        ("exchange_ts_us", "<i8"),
        ("sent_ts_us", "<i8"),
    ]
)

STATUS = np.dtype(
    [
        ("book_id", "<u4"),  # 4294967295: the whole channel
        ("exchange", "u1"),
        ("kind", "u1"),  # libs.streams.schemas.STATUS_KINDS
        ("reserved", "<u2"),
        ("flags", "<u4"),  # of the book after it; 0 for a channel
        ("symbol_id", "<u4"),
        ("symbol", "S64"),
        ("session", "<u8"),
        ("sequence", "<u8"),
        ("feed_ts_us", "<i8"),
        ("sent_ts_us", "<i8"),
        ("book_ts_ns", "<i8"),
        ("tick", "<i8"),  # an instrument's, in 10^tick_exponent; 0 otherwise
        ("lot", "<i8"),
        ("multiplier", "<i8"),
        ("tick_exponent", "i1"),
        ("lot_exponent", "i1"),
        ("multiplier_exponent", "i1"),
        ("inverse", "u1"),
        ("reserved2", "<u4"),
    ]
)

STATUS_KINDS = (
    "invalid",  # a book stopped being valid; flags say why
    "valid",  # a book became valid
    "instrument",  # tick, lot, multiplier of a symbol
    "flags",  # halted, mute, stale, trades_missed, … changed on a valid book
    "session",  # a channel started a new session
    "session_end",
    "lost",  # a range of a channel was given up
    "break",  # rows were dropped before this entry (Redis was down)
)


@dataclass(frozen=True)
class Schema:
    """One packed stream: its name, layout and version."""

    name: str
    version: int
    dtype: np.dtype


SCHEMAS = {
    schema.name: schema
    for schema in (
        Schema("features", 1, FEATURES),
        Schema("book", 1, BOOK),
        Schema("nbbo", 1, NBBO),
        Schema("arbitrage", 1, ARBITRAGE),
        Schema("trades", 1, TRADES),
        Schema("status", 1, STATUS),
    )
}
