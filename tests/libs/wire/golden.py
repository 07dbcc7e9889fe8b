"""One message of each type with its bytes, field by field; the bytes were packed once with struct from wire.md."""

from __future__ import annotations

from libs.wire.messages import Heartbeat, Instrument, Message, OrderBook, Status, Trade

T = 1_723_161_255_088_176

MESSAGES: dict[str, Message] = {
    "book": OrderBook(
        7, T, 0, "BTC-USDT", 3, -2, -3, 1, T + 1_233_824, T, ((6_180_030, 6), (6_179_990, 0)), ((6_180_040, 1500),)
    ),
    "trade": Trade(8, T + 1, 4, "BTC-USD-PERP", 1, -1, 0, 2**63 + 5, 0, T + 1, 618_005, 10),
    "heartbeat": Heartbeat(T + 2, 1, 1_723_161_255_000_000_000, 9, T - 176),
    "status": Status(9, T + 3, 2, "ETH-€", 3, "halt"),
    "instrument": Instrument(10, T + 4, 3, "BTC-USD-PERP", 1, -1, 0, 2, 5, 1, 1),
}

FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "book": (
        ("50544648", "magic"),
        ("0700000000000000", "sequence 7"),
        ("301080be341f0600", "timestamp 1723161255088176 µs"),
        ("00", "exchange 0, Binance"),
        ("00", "type 0, OrderBook"),
        ("0800", "8 bytes of symbol"),
        ("4254432d55534454", "BTC-USDT"),
        ("03", "flags: SNAPSHOT, LAST"),
        ("fe", "price exponent -2"),
        ("fd", "size exponent -3"),
        ("01", "cut: bids go on below their last level"),
        ("0200", "2 bids"),
        ("0100", "1 ask"),
        ("d0e392be341f0600", "exchange timestamp 1723161256322000 µs"),
        ("301080be341f0600", "feed timestamp 1723161255088176 µs"),
        ("be4c5e0000000000", "bid 61800.30"),
        ("0600000000000000", "size 0.006"),
        ("964c5e0000000000", "bid 61799.90"),
        ("0000000000000000", "size 0: removed"),
        ("c84c5e0000000000", "ask 61800.40"),
        ("dc05000000000000", "size 1.500"),
    ),
    "trade": (
        ("50544648", "magic"),
        ("0800000000000000", "sequence 8"),
        ("311080be341f0600", "timestamp 1723161255088177 µs"),
        ("04", "exchange 4, Deribit"),
        ("01", "type 1, Trade"),
        ("0c00", "12 bytes of symbol"),
        ("4254432d5553442d50455250", "BTC-USD-PERP"),
        ("01", "flags: the aggressor bought"),
        ("ff", "price exponent -1"),
        ("00", "size exponent 0"),
        ("00", "reserved"),
        ("0500000000000080", "trade id 9223372036854775813"),
        ("0000000000000000", "exchange timestamp: the venue gave none"),
        ("311080be341f0600", "feed timestamp 1723161255088177 µs"),
        ("156e090000000000", "price 61800.5"),
        ("0a00000000000000", "size 10"),
    ),
    "heartbeat": (
        ("50544648", "magic"),
        ("0900000000000000", "sequence: the next one, 9"),
        ("321080be341f0600", "timestamp 1723161255088178 µs"),
        ("01", "exchange 1, Bybit"),
        ("02", "type 2, Heartbeat"),
        ("0000", "no symbol"),
        ("00c6fd1e08e6e917", "session 1723161255000000000 ns"),
        ("0900000000000000", "next sequence 9"),
        ("800f80be341f0600", "feed timestamp 1723161255088000 µs"),
    ),
    "status": (
        ("50544648", "magic"),
        ("0900000000000000", "sequence 9"),
        ("331080be341f0600", "timestamp 1723161255088179 µs"),
        ("02", "exchange 2, Coinbase"),
        ("03", "type 3, Status"),
        ("0700", "7 bytes of symbol"),
        ("4554482de282ac", "ETH-€"),
        ("03", "code 3, halted"),
        ("00", "reserved"),
        ("0400", "4 bytes of text"),
        ("68616c74", "halt"),
    ),
    "instrument": (
        ("50544648", "magic"),
        ("0a00000000000000", "sequence 10"),
        ("341080be341f0600", "timestamp 1723161255088180 µs"),
        ("03", "exchange 3, OKX"),
        ("04", "type 4, Instrument"),
        ("0c00", "12 bytes of symbol"),
        ("4254432d5553442d50455250", "BTC-USD-PERP"),
        ("01", "flags: inverse"),
        ("ff", "tick exponent -1"),
        ("00", "lot exponent 0"),
        ("02", "multiplier exponent 2"),
        ("0500000000000000", "tick 0.5"),
        ("0100000000000000", "lot 1"),
        ("0100000000000000", "multiplier 100 USD a contract"),
    ),
}

GOLDEN: dict[str, tuple[Message, bytes]] = {
    name: (message, bytes.fromhex("".join(part for part, _ in FIELDS[name]))) for name, message in MESSAGES.items()
}


def table(name: str) -> str:
    """Return a message's bytes as a table of the README."""
    return rows(FIELDS[name])


def rows(fields: tuple[tuple[str, str], ...]) -> str:
    """Return the rows of a table of bytes and what they mean."""
    found = [f"| `{bytes.fromhex(part).hex(' ')}` | {text} |" for part, text in fields]
    return "\n".join(["| bytes | meaning |", "|---|---|", *found])
