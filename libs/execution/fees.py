"""What venues charge, in basis points of a fill's worth."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from libs.errors import ConfigError

LOWEST_BPS, HIGHEST_BPS = Decimal(-100), Decimal(1000)


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fees of one kind of instrument at a venue; a rebate is negative."""

    taker_bps: Decimal
    maker_bps: Decimal


class VenueFees(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fees of a venue; a derivative is what has more than base and quote in its symbol."""

    spot: Rates
    derivative: Rates


def _fees(spot: tuple[str, str], derivative: tuple[str, str]) -> VenueFees:
    return VenueFees(Rates(Decimal(spot[0]), Decimal(spot[1])), Rates(Decimal(derivative[0]), Decimal(derivative[1])))


class Fees(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fees by exchange; the defaults are the published ones of the lowest tier."""

    binance: VenueFees = _fees(("10", "10"), ("5", "2"))
    bybit: VenueFees = _fees(("10", "10"), ("5.5", "2"))
    coinbase: VenueFees = _fees(("60", "40"), ("5", "0"))
    okx: VenueFees = _fees(("10", "8"), ("5", "2"))
    deribit: VenueFees = _fees(("0", "0"), ("5", "0"))

    def rate(self, exchange: str, symbol: str, maker: bool) -> Decimal:
        """Return what a fill costs, as a fraction of its worth."""
        venue: VenueFees = getattr(self, exchange)
        rates = venue.derivative if symbol.count("-") > 1 else venue.spot
        return (rates.maker_bps if maker else rates.taker_bps).scaleb(-4)


def check_fees(file: str, key: str, fees: Fees) -> None:
    """Refuse fees that no venue charges.

    Raises
    ------
    ConfigError
        Naming the file and the key, for a fee beyond -100 to 1000 bps.
    """
    for venue in fees.__struct_fields__:
        for kind in VenueFees.__struct_fields__:
            rates: Rates = getattr(getattr(fees, venue), kind)
            for name in Rates.__struct_fields__:
                bps: Decimal = getattr(rates, name)
                if not (bps.is_finite() and LOWEST_BPS <= bps <= HIGHEST_BPS):
                    expected = f"{LOWEST_BPS} to {HIGHEST_BPS}"
                    raise ConfigError(file, f"{key}.{venue}.{kind}.{name}", expected, str(bps))


FREE = Fees(**{name: _fees(("0", "0"), ("0", "0")) for name in Fees.__struct_fields__})
"""No fees at all."""
