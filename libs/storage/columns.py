"""What the columns of recorded tables mean, in words and units: the files carry it, and so do DuckDB's comments."""

from __future__ import annotations

from typing import NamedTuple

from libs.market.exchanges import EXCHANGES
from libs.nbbo.states import EXCLUSIONS

SINCE_EPOCH_US = "µs since the epoch"
SINCE_EPOCH_NS = "ns since the epoch"
PRICES = "10^price_exponent quote currency"
SIZES = "10^size_exponent, the venue's size unit"


class Description(NamedTuple):
    """A column in words, and its unit; empty: it has none."""

    text: str
    unit: str = ""


TABLES = {
    "features": "Features of a book at a completed event; live: conflated while the publisher was behind",
    "book": "The best levels of a book at a completed event; live: conflated while the publisher was behind",
    "nbbo": "Changes of the consolidated quote of a symbol over its exchanges",
    "arbitrage": "Opportunities between two exchanges: opened, changed, closed",
    "trades": "Prints of the venues",
    "status": "What became of books, channels and instruments, and what the recorder missed",
}

_EXCHANGE_BITS = "bit set by exchange: " + ", ".join(f"{1 << k} {name}" for k, name in enumerate(EXCHANGES))
_REASONS = ", ".join(f"{code} {name}" for code, name in enumerate(EXCLUSIONS))

_COLUMNS = {
    "date": Description("Day of the feed time, UTC"),
    "hour": Description("Hour of the feed time, UTC"),
    "run": Description("Start of the consumer that wrote the row", SINCE_EPOCH_NS),
    "shard": Description("Which of several consumers wrote it, I/N"),
    "entry": Description("Entry of the Redis stream that held the row"),
    "note": Description("What the recorder adds to a row of its own"),
    "book_id": Description("Number of the book in this run and shard; 4294967295: the whole channel"),
    "symbol_id": Description("Number of the symbol in this run and shard"),
    "exchange": Description("Name of the exchange"),
    "valid": Description("Whether the book can be relied on"),
    "incomplete": Description("Whether a sum, a window or a level reaches past what is known"),
    "flags": Description("State of the book, a bit each (libs/book/flags.py)"),
    "symbol": Description("Canonical symbol"),
    "session": Description("Session of the channel: its start", SINCE_EPOCH_NS),
    "sequence": Description("Sequence in the channel of the message behind the row"),
    "feed_ts_us": Description("Feed time", SINCE_EPOCH_US),
    "exchange_ts_us": Description("The venue's own time; 0: it gave none", SINCE_EPOCH_US),
    "sent_ts_us": Description("Scheduled send of the newest event in the row", SINCE_EPOCH_US),
    "oldest_sent_ts_us": Description("Scheduled send of the oldest event conflated into the row", SINCE_EPOCH_US),
    "recv_ts_ns": Description("Kernel receive time", SINCE_EPOCH_NS),
    "book_ts_ns": Description("When the book thread had applied the event", SINCE_EPOCH_NS),
    "events": Description("Events conflated into the row", "events"),
    "price_exponent": Description("Decimal exponent of price mantissas"),
    "size_exponent": Description("Decimal exponent of size mantissas"),
    "best_bid": Description("Best bid price; NaN: no bid", "quote currency"),
    "best_ask": Description("Best ask price; NaN: no ask", "quote currency"),
    "bid_size": Description("Size at the best bid; NaN: no bid", "size"),
    "ask_size": Description("Size at the best ask; NaN: no ask", "size"),
    "bid_count": Description("Bid levels in the row", "levels"),
    "ask_count": Description("Ask levels in the row", "levels"),
    "bid_prices": Description("Bid prices, best first", PRICES),
    "bid_sizes": Description("Sizes at bid_prices", SIZES),
    "ask_prices": Description("Ask prices, best first", PRICES),
    "ask_sizes": Description("Sizes at ask_prices", SIZES),
    "state": Description("State of the consolidated quote"),
    "bid_exchanges": Description(f"Who shows the best bid: {_EXCHANGE_BITS}"),
    "ask_exchanges": Description(f"Who shows the best ask: {_EXCHANGE_BITS}"),
    "bid_exchange": Description("The exchange to sell at; null: none"),
    "ask_exchange": Description("The exchange to buy at; null: none"),
    "excluded": Description(f"By exchange number, why it is left out: {_REASONS}"),
    "bid_price": Description("Best bid price; 0 with bid_exchanges 0: none", PRICES),
    "ask_price": Description("Best ask price; 0 with ask_exchanges 0: none", PRICES),
    "mid": Description("Mean of best bid and best ask", "quote currency"),
    "spread": Description("Best ask less best bid", "quote currency"),
    "side": Description("Aggressor; null: the venue does not say"),
    "trade_id": Description("The venue's number of the print"),
    "price": Description("Price", PRICES),
    "size": Description("Size", SIZES),
    "kind": Description("What happened (libs/streams/schemas.py)"),
    "tick": Description("An instrument's price step; 0: none stated", "10^tick_exponent quote currency"),
    "lot": Description("An instrument's size step; 0: none stated", "10^lot_exponent size"),
    "multiplier": Description("Base currency a unit of size; 0: none stated", "10^multiplier_exponent"),
    "tick_exponent": Description("Decimal exponent of tick"),
    "lot_exponent": Description("Decimal exponent of lot"),
    "multiplier_exponent": Description("Decimal exponent of multiplier"),
    "inverse": Description("Whether the contract is quoted inversely"),
}

_OF_TABLE = {
    ("nbbo", "bid_size"): Description("Size at the best bid over all exchanges that show it", "base currency"),
    ("nbbo", "ask_size"): Description("Size at the best ask over all exchanges that show it", "base currency"),
    ("trades", "sent_ts_us"): Description("Scheduled send of the print", SINCE_EPOCH_US),
    ("status", "sequence"): Description("Sequence in the channel; break: records that were dropped, 0: not known"),
    ("status", "flags"): Description("State of the book after it (libs/book/flags.py); 0 for a channel"),
}


def describe(column: str, table: str = "") -> Description:
    """Return what a column means; of one that nothing is known of, its name.

    Parameters
    ----------
    column : str
        ``X_code`` is the number behind the words of ``X``.
    table : str
        Stream; a name may mean a little more in one of them.
    """
    found = _OF_TABLE.get((table, column)) or _COLUMNS.get(column)
    if found is None and column.endswith("_code"):
        return Description(f"Code of {column.removesuffix('_code')}")
    return found or Description(column)
