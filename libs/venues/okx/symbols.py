"""OKX's names, its list of instruments, and how symbols are shared out over connections."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from libs.market.instruments import Instrument
from libs.units import normalise, parse_decimal
from libs.venues.connection import batches
from libs.venues.okx.messages import decode_answer

SYMBOLS_A_CONNECTION = 100
"""Books and trades of so many leave most of the 480 requests an hour for resyncs."""

INSTRUMENT_PATHS = tuple(f"/api/v5/public/instruments?instType={kind}" for kind in ("SPOT", "SWAP", "FUTURES"))
"""Below the REST root; options need an ``uly`` each."""

_NATIVE = re.compile(r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)(?:-(?P<rest>SWAP|\d{6}(?:-[\d.]+-[CP])?))?")
_CANONICAL = re.compile(r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)(?:-(?P<rest>PERP|20\d{6}(?:-[\d.]+-[CP])?))?")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One of ``/public/instruments``: ctVal and ctMult are empty for spot, ctType is inverse or linear."""

    instId: str  # noqa: N815
    instType: str  # noqa: N815
    tickSz: str  # noqa: N815
    lotSz: str  # noqa: N815
    state: str
    ctVal: str = ""  # noqa: N815
    ctMult: str = ""  # noqa: N815
    ctType: str = ""  # noqa: N815


_decode_entries = msgspec.json.Decoder(list[Entry]).decode


def canonical(symbol: str) -> str:
    """Return ``BTC-USDT``, ``BTC-USDT-PERP``, ``BTC-USD-20220527`` or ``BTC-BTC-20220514-22000-C``.

    Options of ``BTC-USD`` are priced in the coin.

    Raises
    ------
    ValueError
        When it is no OKX instrument.
    """
    found = _NATIVE.fullmatch(symbol)
    if not found:
        raise ValueError(f"expected an OKX instrument, found {symbol!r}")
    base, quote, rest = found["base"], found["quote"], found["rest"]
    if rest is None:
        return symbol
    if rest == "SWAP":
        return f"{base}-{quote}-PERP"
    if "-" in rest and quote == "USD":
        quote = base
    return f"{base}-{quote}-20{rest}"


def native(symbol: str) -> str:
    """Return OKX's name of a canonical symbol.

    Raises
    ------
    ValueError
        When it is no canonical symbol.
    """
    found = _CANONICAL.fullmatch(symbol)
    if not found:
        raise ValueError(f"expected a canonical symbol, found {symbol!r}")
    base, quote, rest = found["base"], found["quote"], found["rest"]
    if rest is None:
        return symbol
    if rest == "PERP":
        return f"{base}-{quote}-SWAP"
    if "-" in rest and quote == base:
        quote = "USD"
    return f"{base}-{quote}-{rest[2:]}"


def instruments(body: bytes) -> list[tuple[str, Instrument]]:
    """Read ``/api/v5/public/instruments``: those that are live and that have a canonical name.

    The multiplier is ctVal × ctMult: coins a contract, USD if inverse.

    Raises
    ------
    ValueError
        When the answer is not such a list.
    """
    try:
        answer = decode_answer(body)
        if answer.code != "0":
            raise ValueError(f"expected code 0, found {answer.code}: {answer.msg}")
        entries = _decode_entries(answer.data)
    except msgspec.DecodeError as error:
        raise ValueError(f"expected OKX's list of instruments: {error}") from error
    found: list[tuple[str, Instrument]] = []
    for entry in entries:
        if entry.state != "live" or not _NATIVE.fullmatch(entry.instId):
            continue
        multiplier = (1, 0)
        if entry.instType != "SPOT":
            value, mult = parse_decimal(entry.ctVal), parse_decimal(entry.ctMult or "1")
            multiplier = normalise(value[0] * mult[0], value[1] + mult[1])
        name = canonical(entry.instId)
        tick, lot = normalise(*parse_decimal(entry.tickSz)), normalise(*parse_decimal(entry.lotSz))
        found.append((entry.instId, Instrument(name, "okx", tick, lot, multiplier, entry.ctType == "inverse")))
    return found


def connections(symbols: Sequence[str]) -> list[list[str]]:
    """Share out canonical symbols, 100 a connection."""
    return batches(symbols, SYMBOLS_A_CONNECTION)
