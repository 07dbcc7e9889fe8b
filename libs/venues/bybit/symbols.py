"""Bybit's names, its lists of instruments, and how symbols are shared out over connections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec

from libs.market.instruments import Instrument
from libs.units import normalise, parse_decimal
from libs.venues.bybit.messages import Entry, decode_answer, decode_listing
from libs.venues.connection import batches

SYMBOLS_A_CONNECTION = 200
QUOTES = (
    "USDT", "USDC", "USDE", "USDQ", "USD1", "EURQ", "EUR", "BTC", "ETH", "SOL", "DAI", "BRZ", "BRL", "MNT", "PLN",
    "TRY", "USD",
)  # fmt: skip
"""Of spot, a longer one before one that it ends with."""

_CANONICAL = re.compile(r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)(?:-(?P<rest>PERP|20\d{6}))?")
_DATED = re.compile(r"(?P<base>[A-Z0-9]+?)(?P<quote>USDT)?-(?P<date>\d{1,2}[A-Z]{3}\d{2})")
_QUARTERLY = re.compile(r"(?P<base>[A-Z0-9]+)USD(?P<month>[FGHJKMNQUVXZ])(?P<year>\d{2})")
_MONTHS = "FGHJKMNQUVXZ"
"""Codes of futures' months, January to December."""


def last_friday(year: int, month: int) -> date:
    """Return the day on which Bybit's inverse futures of a month are delivered."""
    end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return end - timedelta(days=(end.weekday() - 4) % 7)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one category (VenueRules).

    Parameters
    ----------
    category : str
        ``spot``, ``linear`` or ``inverse``.
    topics : int
        Topics in one request.
    """

    category: str
    topics: int

    @property
    def instrument_path(self) -> str:
        """Path of the list of instruments: the first 1,000."""
        return f"/v5/market/instruments-info?category={self.category}&limit=1000"

    def canonical(self, symbol: str) -> str:
        """Return ``BTC-USDT``, ``BTC-USDT-PERP``, ``BTC-USDC-PERP``, ``BTC-USD-PERP`` or ``BTC-USDT-20261225``.

        Raises
        ------
        ValueError
            When it is no instrument of the category.
        """
        found = getattr(self, f"_{self.category}")(symbol) if symbol.isascii() else ""
        if not found:
            raise ValueError(f"expected a {self.category} instrument of Bybit, found {symbol!r}")
        return str(found)

    def native(self, symbol: str) -> str:
        """Return Bybit's name of a canonical symbol.

        Raises
        ------
        ValueError
            When the category has no such symbols.
        """
        found = _CANONICAL.fullmatch(symbol)
        base, quote, rest = found.groups() if found else ("", "", None)
        name = ""
        if self.category == "spot" and rest is None:
            name = base + quote
        elif self.category == "linear" and rest == "PERP" and quote in ("USDT", "USDC"):
            name = f"{base}USDT" if quote == "USDT" else f"{base}PERP"
        elif self.category == "linear" and rest and quote in ("USDT", "USDC"):
            name = f"{base}{'USDT' if quote == 'USDT' else ''}-{_day(rest)}"
        elif self.category == "inverse" and rest == "PERP" and quote == "USD":
            name = f"{base}USD"
        elif self.category == "inverse" and rest and quote == "USD":
            name = f"{base}USD{_MONTHS[int(rest[4:6]) - 1]}{rest[2:4]}"
        if not name:
            raise ValueError(f"expected a canonical symbol of {self.category} instruments, found {symbol!r}")
        return name

    def instruments(self, body: bytes) -> list[tuple[str, Instrument]]:
        """Read ``/v5/market/instruments-info``: what is trading and has a canonical name.

        Sizes of inverse contracts are USD.

        Raises
        ------
        ValueError
            When the answer is not such a list.
        """
        try:
            answer = decode_answer(body)
            if answer.retCode != 0:
                raise ValueError(f"expected retCode 0, found {answer.retCode}: {answer.retMsg}")
            entries = decode_listing(answer.result).entries
        except msgspec.DecodeError as error:
            raise ValueError(f"expected Bybit's list of instruments: {error}") from error
        found: list[tuple[str, Instrument]] = []
        for entry in entries:
            name = self._name(entry) if entry.status == "Trading" else ""
            if not name:
                continue
            steps = (entry.priceFilter.tickSize, entry.lotSizeFilter.qtyStep or entry.lotSizeFilter.basePrecision)
            tick, lot = (normalise(*parse_decimal(text)) for text in steps)
            inverse = self.category == "inverse"
            found.append((entry.symbol, Instrument(name, "bybit", tick, lot, (1, 0), inverse)))
        return found

    def connections(self, symbols: Sequence[str]) -> list[list[str]]:
        """Share out canonical symbols, 200 a connection."""
        return batches(symbols, SYMBOLS_A_CONNECTION)

    def _name(self, entry: Entry) -> str:
        """Return the canonical symbol that leads back to just this one; empty: it has none."""
        name = f"{entry.baseCoin}-{entry.quoteCoin}"
        if self.category != "spot":
            day = _EPOCH + timedelta(milliseconds=int(entry.deliveryTime or "0"))
            name += f"-{day:%Y%m%d}" if int(entry.deliveryTime or "0") else "-PERP"
        try:
            return name if self.native(name) == entry.symbol else ""
        except ValueError:
            return ""

    def _spot(self, symbol: str) -> str:
        for quote in QUOTES:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return f"{symbol[: -len(quote)]}-{quote}"
        return ""

    def _linear(self, symbol: str) -> str:
        if dated := _DATED.fullmatch(symbol):
            return f"{dated['base']}-{dated['quote'] or 'USDC'}-{_date(dated['date'])}"
        for end, quote in (("USDT", "USDT"), ("PERP", "USDC")):
            if symbol.endswith(end) and len(symbol) > len(end):
                return f"{symbol.removesuffix(end)}-{quote}-PERP"
        return ""

    def _inverse(self, symbol: str) -> str:
        if found := _QUARTERLY.fullmatch(symbol):
            day = last_friday(2000 + int(found["year"]), _MONTHS.index(found["month"]) + 1)
            return f"{found['base']}-USD-{day:%Y%m%d}"
        return f"{symbol[:-3]}-USD-PERP" if symbol.endswith("USD") and len(symbol) > 3 else ""


_EPOCH = datetime(1970, 1, 1)  # of a date alone


def _date(text: str) -> str:
    return datetime.strptime(text.title(), "%d%b%y").strftime("%Y%m%d")  # of a date alone


def _day(text: str) -> str:
    day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return f"{day.day}{day:%b%y}".upper()


SPOT = Rules("spot", 10)
LINEAR = Rules("linear", 200)
INVERSE = Rules("inverse", 200)
