"""HFTP messages of any value that the layouts hold."""

from __future__ import annotations

from hypothesis import strategies as st

from libs.wire.messages import Heartbeat, Instrument, Message, OrderBook, Status, Trade

I64 = st.integers(-(2**63), 2**63 - 1)
U64 = st.integers(0, 2**64 - 1)
U8 = st.integers(0, 255)
I8 = st.integers(-128, 127)
SEQUENCE = st.integers(1, 2**63 - 1)
EXCHANGE = st.integers(0, 4)
SYMBOL = st.text(min_size=1, max_size=64).filter(lambda text: len(text.encode()) <= 64)
LEVELS = st.lists(st.tuples(I64, I64), max_size=5).map(tuple)

BOOKS = st.builds(OrderBook, SEQUENCE, I64, EXCHANGE, SYMBOL, U8, I8, I8, U8, I64, I64, LEVELS, LEVELS)
TRADES = st.builds(Trade, SEQUENCE, I64, EXCHANGE, SYMBOL, U8, I8, I8, U64, I64, I64, I64, I64)
HEARTBEATS = st.builds(Heartbeat, I64, EXCHANGE, SEQUENCE, SEQUENCE, I64)
STATUSES = st.builds(Status, SEQUENCE, I64, EXCHANGE, st.one_of(st.just(""), SYMBOL), U8, st.text(max_size=80))
INSTRUMENTS = st.builds(Instrument, SEQUENCE, I64, EXCHANGE, SYMBOL, U8, I8, I8, I8, I64, I64, I64)
MESSAGES: st.SearchStrategy[Message] = st.one_of(BOOKS, TRADES, HEARTBEATS, STATUSES, INSTRUMENTS)
