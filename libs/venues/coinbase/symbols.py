"""Coinbase's names, which are canonical, its lists of products, and how symbols are shared out over connections."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from libs.market.instruments import Instrument
from libs.units import normalise, parse_decimal
from libs.venues.coinbase.messages import decode_pairs, decode_products
from libs.venues.connection import batches

_SPOT = re.compile(r"[A-Z0-9]+-[A-Z0-9]+")
Steps = tuple[str, str, str]
"""Product, tick and lot."""


def canonical(symbol: str) -> str:
    """Return the symbol as it is.

    Raises
    ------
    ValueError
        When it is no pair.
    """
    if not _SPOT.fullmatch(symbol):
        raise ValueError(f"expected a product such as BTC-USD, found {symbol!r}")
    return symbol


def _advanced(body: bytes) -> list[Steps]:
    return [
        (p.product_id, p.price_increment or p.quote_increment, p.base_increment)
        for p in decode_products(body).products
        if p.status == "online"
        and p.product_type == "SPOT"
        and not (p.alias or p.trading_disabled or p.is_disabled or p.view_only)
    ]


def _exchange(body: bytes) -> list[Steps]:
    return [
        (p.id, p.quote_increment, p.base_increment)
        for p in decode_pairs(body)
        if p.status == "online" and not p.trading_disabled
    ]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one of the two feeds (VenueRules).

    Parameters
    ----------
    instrument_path : str
        Path of the list of products.
    products : int
        Products a connection.
    read : callable
        The list's answer to what is traded.
    """

    instrument_path: str
    products: int
    read: Callable[[bytes], list[Steps]]

    def canonical(self, symbol: str) -> str:
        """Return the symbol as it is; ValueError when it is no pair."""
        return canonical(symbol)

    def native(self, symbol: str) -> str:
        """Return the symbol as it is; ValueError when it is no pair."""
        return canonical(symbol)

    def instruments(self, body: bytes) -> list[tuple[str, Instrument]]:
        """Read the list of products: those that trade, without aliases (``X-USDC`` of ``X-USD`` makes no second book).

        Raises
        ------
        ValueError
            When the answer is not such a list.
        """
        try:
            found = self.read(body)
        except msgspec.DecodeError as error:
            raise ValueError(f"expected Coinbase's list of products: {error}") from error
        return [
            (name, Instrument(name, "coinbase", normalise(*parse_decimal(tick)), normalise(*parse_decimal(lot))))
            for name, tick, lot in found
            if _SPOT.fullmatch(name)
        ]

    def connections(self, symbols: Sequence[str]) -> list[list[str]]:
        """Share out canonical symbols, so many a connection."""
        return batches(symbols, self.products)


ADVANCED = Rules("/api/v3/brokerage/market/products", 10, _advanced)
"""Ten products a connection: a gap in its sequence costs them all."""
EXCHANGE = Rules("/products", 50, _exchange)
