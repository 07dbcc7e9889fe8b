"""Deribit's names, its list of instruments, and how symbols are shared out over connections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.market.instruments import Instrument
from libs.units import normalise, parse_decimal
from libs.venues.connection import batches
from libs.venues.deribit.messages import Entry, decode_listing, text_of

SYMBOLS_A_CONNECTION = 250
"""Book and trades of each are the 500 channels of one request."""

INSTRUMENT_PATHS = ("/api/v2/public/get_instruments?currency=any&expired=false",)
"""Below the REST root."""

_NATIVE = re.compile(
    r"(?P<base>[A-Z0-9]+)(?:_(?P<quote>[A-Z0-9]+))?"
    r"(?:-(?:(?P<perpetual>PERPETUAL)|(?P<day>\d{1,2}[A-Z]{3}\d{2})(?:-(?P<strike>\d+(?:d\d+)?)-(?P<right>[CP]))?))?"
)
_CANONICAL = re.compile(
    r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)"
    r"(?:-(?:(?P<perpetual>PERP)|(?P<day>20\d{6})(?:-(?P<strike>\d+(?:\.\d+)?)-(?P<right>[CP]))?))?"
)


def _day(text: str, written: str, wanted: str) -> str:
    return datetime.strptime(text, written).strftime(wanted).upper()


def canonical(symbol: str) -> str:
    """Return the canonical symbol: ``BTC-PERPETUAL`` is ``BTC-USD-PERP``, ``ETH_USDC-9MAR24`` is ``ETH-USDC-20240309``.

    ``BTC-24SEP21-8000-P`` is ``BTC-BTC-20210924-8000-P`` (priced in the coin), ``XRP_USDC-9MAR24-0d55-C`` is
    ``XRP-USDC-20240309-0.55-C``, spot ``BTC_USDC`` is ``BTC-USDC``.

    Raises
    ------
    ValueError
        When it is none of these; combinations have no canonical name.
    """
    found = _NATIVE.fullmatch(symbol)
    if not found or (found["quote"] is None and found["perpetual"] is None and found["day"] is None):
        raise ValueError(f"expected a Deribit instrument, found {symbol!r}")
    base, strike = found["base"], found["strike"]
    quote = found["quote"] or (base if strike else "USD")
    if found["perpetual"]:
        return f"{base}-{quote}-PERP"
    if not found["day"]:
        return f"{base}-{quote}"
    day = _day(found["day"], "%d%b%y", "%Y%m%d")
    return f"{base}-{quote}-{day}" + (f"-{strike.replace('d', '.')}-{found['right']}" if strike else "")


def native(symbol: str) -> str:
    """Return Deribit's name of a canonical symbol.

    Raises
    ------
    ValueError
        When it is no canonical symbol.
    """
    found = _CANONICAL.fullmatch(symbol)
    if not found:
        raise ValueError(f"expected a canonical symbol, found {symbol!r}")
    base, quote, strike = found["base"], found["quote"], found["strike"]
    coin = quote == base if strike else quote == "USD" and bool(found["perpetual"] or found["day"])
    pair = base if coin else f"{base}_{quote}"
    if found["perpetual"]:
        return f"{pair}-PERPETUAL"
    if not found["day"]:
        return pair
    day = _day(found["day"], "%Y%m%d", "%d%b%y").removeprefix("0")
    return f"{pair}-{day}" + (f"-{strike.replace('.', 'd')}-{found['right']}" if strike else "")


def instruments(body: bytes) -> list[tuple[str, Instrument]]:
    """Read ``public/get_instruments``: those that are active and have a canonical name.

    Amounts are USD for inverse perpetuals and futures, coins for everything else: the multiplier is 1.

    Raises
    ------
    ValueError
        When the answer is not such a list.
    """
    try:
        entries = decode_listing(body).result
    except msgspec.DecodeError as error:
        raise ValueError(f"expected Deribit's list of instruments: {error}") from error
    found: list[tuple[str, Instrument]] = []
    for entry in entries:
        if not entry.is_active or entry.kind not in ("future", "option", "spot"):
            continue
        tick, lot = (normalise(*parse_decimal(text_of(raw))) for raw in (entry.tick_size, entry.min_trade_amount))
        name = canonical(entry.instrument_name)
        found.append((entry.instrument_name, Instrument(name, "deribit", tick, lot, (1, 0), _inverse(entry))))
    return found


def _inverse(entry: Entry) -> bool:
    if entry.kind != "future":
        return False
    if entry.instrument_type is not None:
        return entry.instrument_type == "reversed"
    return entry.quote_currency == "USD"


def connections(symbols: Sequence[str]) -> list[list[str]]:
    """Share out canonical symbols, 250 a connection."""
    return batches(symbols, SYMBOLS_A_CONNECTION)
