"""What each of Binance's markets is like: its streams, snapshots, list of instruments and names both ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from libs.market.instruments import Instrument
from libs.units import normalise, parse_decimal
from libs.venues.binance.symbols import Market, canonical
from libs.venues.connection import batches

SYMBOLS_A_CONNECTION = 200
"""Two or three streams each: below the 1,024 of a connection, and a reconnection's snapshots within the weight."""

_SPOT = re.compile(r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)")
_FUTURE = re.compile(r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)-(?P<rest>PERP|20\d{6})")
_NATIVE = re.compile(r"[A-Z0-9]+(?:_PERP|_\d{6})?")


class _Filter(msgspec.Struct, frozen=True, gc=False):
    filterType: str  # noqa: N815
    tickSize: str = ""  # noqa: N815
    stepSize: str = ""  # noqa: N815


class _Symbol(msgspec.Struct, frozen=True, gc=False):
    """``status`` of spot and USDⓈ-M is ``contractStatus`` of COIN-M; contractSize: USD a contract."""

    symbol: str
    baseAsset: str  # noqa: N815
    quoteAsset: str  # noqa: N815
    filters: list[_Filter]
    status: str = ""
    contractStatus: str = ""  # noqa: N815
    contractSize: int | float = 1  # noqa: N815


class _Info(msgspec.Struct, frozen=True, gc=False):
    symbols: list[_Symbol]


_decode_info = msgspec.json.Decoder(_Info).decode


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one market (VenueRules).

    Parameters
    ----------
    market : Market
    root : str
        Of REST paths.
    levels, weight : int
        Of the snapshots that are asked for, a side; and what one takes of the budget.
    """

    market: Market
    root: str
    levels: int
    weight: int

    @property
    def instrument_path(self) -> str:
        """Path of the list of instruments."""
        return f"{self.root}/exchangeInfo"

    def depth_path(self, name: str) -> str:
        """Path of a snapshot."""
        return f"{self.root}/depth?symbol={name}&limit={self.levels}"

    def canonical(self, symbol: str) -> str:
        """Return the canonical symbol of Binance's own; ValueError when it is none."""
        return canonical(symbol, self.market)

    def native(self, symbol: str) -> str:
        """Return Binance's name of a canonical symbol.

        Raises
        ------
        ValueError
            When the market has no such symbols.
        """
        found = (_FUTURE if self.market.futures else _SPOT).fullmatch(symbol)
        if found and (self.market is not Market.COINM or found["quote"] == "USD"):
            pair = found["base"] + found["quote"]
            if not self.market.futures:
                return pair
            if found["rest"] != "PERP":
                return f"{pair}_{found['rest'][2:]}"
            return f"{pair}_PERP" if self.market is Market.COINM else pair
        expected = {Market.SPOT: "BTC-USDT", Market.USDM: "BTC-USDT-PERP or BTC-USDT-20261225"}
        shape = expected.get(self.market, "BTC-USD-PERP or BTC-USD-20261225")
        raise ValueError(f"expected a symbol such as {shape}, found {symbol!r}")

    def instruments(self, body: bytes) -> list[tuple[str, Instrument]]:
        """Read ``exchangeInfo``: what is trading and has a canonical name.

        COIN-M's multiplier is the contract's size in USD.

        Raises
        ------
        ValueError
            When the answer is not such a list.
        """
        try:
            info = _decode_info(body)
        except msgspec.DecodeError as error:
            raise ValueError(f"expected Binance's exchangeInfo: {error}") from error
        found: list[tuple[str, Instrument]] = []
        for each in info.symbols:
            if "TRADING" not in (each.status, each.contractStatus) or not _NATIVE.fullmatch(each.symbol):
                continue
            steps = {f.filterType: f.tickSize or f.stepSize for f in each.filters}
            name = self._name(each)
            if not name or "PRICE_FILTER" not in steps or "LOT_SIZE" not in steps:
                continue
            tick, lot = (normalise(*parse_decimal(steps[key])) for key in ("PRICE_FILTER", "LOT_SIZE"))
            inverse = self.market is Market.COINM
            worth = normalise(*parse_decimal(str(each.contractSize))) if inverse else (1, 0)
            found.append((each.symbol, Instrument(name, "binance", tick, lot, worth, inverse)))
        return found

    def connections(self, symbols: Sequence[str]) -> list[list[str]]:
        """Share out canonical symbols, 200 a connection."""
        return batches(symbols, SYMBOLS_A_CONNECTION)

    def _name(self, each: _Symbol) -> str:
        """Return the canonical symbol that leads back to just this one; empty: it has none."""
        _, _, date = each.symbol.partition("_")
        name = f"{each.baseAsset}-{each.quoteAsset}"
        if self.market.futures:
            name += f"-20{date}" if date.isdecimal() else "-PERP"
        try:
            return name if self.native(name) == each.symbol else ""
        except ValueError:
            return ""


SPOT = Rules(Market.SPOT, "/api/v3", 1000, 50)
USDM = Rules(Market.USDM, "/fapi/v1", 1000, 20)
COINM = Rules(Market.COINM, "/dapi/v1", 1000, 20)
"""Spot asks weight 50 for 1,000 levels of 6,000 a minute, futures 20 of 2,400."""
