"""Instruments: tick, lot and multiplier as exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from libs.config import PositiveDecimal, load, near
from libs.errors import ConfigError
from libs.market.exchanges import EXCHANGES
from libs.units import format_decimal, normalise, parse_decimal

Decimal = tuple[int, int]
"""Mantissa and exponent."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What may be traded at one exchange, and in which steps.

    Parameters
    ----------
    symbol : str
        Canonical.
    exchange : str
    tick, lot : Decimal
        Steps of price and size.
    multiplier : Decimal
        What one unit of size is worth in base currency; in quote currency if inverse.
    inverse : bool
    """

    symbol: str
    exchange: str
    tick: Decimal
    lot: Decimal
    multiplier: Decimal = (1, 0)
    inverse: bool = False

    def __str__(self) -> str:
        kind = "inverse" if self.inverse else "linear"
        steps = ", ".join(
            f"{name} {format_decimal(*value)}"
            for name, value in (("tick", self.tick), ("lot", self.lot), ("multiplier", self.multiplier))
        )
        return f"{self.exchange} {self.symbol}: {steps}, {kind}"


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symbol: str
    tick_size: PositiveDecimal
    lot_size: PositiveDecimal
    multiplier: PositiveDecimal = PositiveDecimal("1")
    inverse: bool = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    exchange: str
    instruments: list[_Entry]
    source: str = ""


def load_instruments(path: Path) -> dict[str, Instrument]:
    """Read one venue's file, by canonical symbol.

    Raises
    ------
    ConfigError
        For an unknown exchange, a symbol that stands twice, a step that is not a decimal above 0, and so on.
    """
    content = load(path, _File)
    if content.exchange not in EXCHANGES:
        expected = f"one of {', '.join(EXCHANGES)}{near(content.exchange, list(EXCHANGES))}"
        raise ConfigError(str(path), "exchange", expected, f'"{content.exchange}"')
    found: dict[str, Instrument] = {}
    for index, entry in enumerate(content.instruments):
        if entry.symbol in found:
            raise ConfigError(str(path), f"instruments[{index}].symbol", "each symbol once", f'"{entry.symbol}" again')
        found[entry.symbol] = Instrument(
            entry.symbol,
            content.exchange,
            normalise(*parse_decimal(entry.tick_size)),
            normalise(*parse_decimal(entry.lot_size)),
            normalise(*parse_decimal(entry.multiplier)),
            entry.inverse,
        )
    return found


def load_folder(folder: Path) -> dict[tuple[str, str], Instrument]:
    """Read every ``<venue>.json`` of a folder, by (exchange, symbol); an empty result where there is no folder.

    Raises
    ------
    ConfigError
        As :func:`load_instruments`.
    """
    return {
        (instrument.exchange, symbol): instrument
        for path in sorted(folder.glob("*.json"))
        for symbol, instrument in load_instruments(path).items()
    }


def from_decimals(symbol: str, exchange: str, price_exponent: int, size_exponent: int) -> Instrument:
    """Return the instrument of a recording that names none: its steps are the decimals seen.

    A contract in USD (``BTC-USD-PERP``, ``BTC-USD-20211231``) is taken to be inverse, as it is on every exchange here,
    with one unit of size worth one USD where no file says more.
    """
    parts = symbol.split("-")
    inverse = len(parts) == 3 and parts[1] == "USD"
    return Instrument(symbol, exchange, (1, price_exponent), (1, size_exponent), (1, 0), inverse)
