"""Packed records as JSON objects for people and tools: names for codes, decimal strings for mantissas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from libs.book import flags
from libs.market.exchanges import EXCHANGES
from libs.nbbo.arbitrage import CLOSED, PHASES
from libs.nbbo.families import currencies
from libs.nbbo.states import EXCLUSIONS, NO_EXCHANGE, STATES
from libs.streams.schemas import STATUS_KINDS
from libs.units import format_decimal

NO_BOOK = 0xFFFFFFFF
_SIDES = {1: "buy", -1: "sell", 0: "unknown"}
_SKIPPED = ("reserved", "bid_prices", "bid_sizes", "ask_prices", "ask_sizes", "bid_count", "ask_count")


def objects(stream: str, rows: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield one object for each record of a packed stream.

    Parameters
    ----------
    stream : str
    rows : structured array
        Of the stream's layout.
    """
    for row in rows:
        found = {"stream": stream} | {
            name: plain(row[name]) for name in rows.dtype.names or () if not name.startswith(_SKIPPED)
        }
        for key in ("exchange", "bid_exchange", "ask_exchange"):
            if key in found:
                found[key] = _exchange(found[key])
        if "flags" in found:
            found["flags"] = flags.names(found["flags"])
        yield found | _decoders.get(stream, _nothing)(row)


def plain(value: Any) -> Any:
    """Return a field as JSON has it: text, whole numbers, floats with null for NaN and infinity, lists."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.ndarray):
        return [plain(each) for each in value]
    if isinstance(value, np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value)


def _nothing(row: Any) -> dict[str, Any]:
    return {}


def _exchange(code: int) -> str | None:
    return EXCHANGES[code] if code < len(EXCHANGES) else None


def _levels(row: Any, side: str) -> list[list[str]]:
    n = int(row[f"{side}_count"])
    price, size = int(row["price_exponent"]), int(row["size_exponent"])
    return [
        [format_decimal(int(p), price), format_decimal(int(s), size)]
        for p, s in zip(row[f"{side}_prices"][:n], row[f"{side}_sizes"][:n], strict=True)
    ]


def _book(row: Any) -> dict[str, Any]:
    return {"bids": _levels(row, "bid"), "asks": _levels(row, "ask")}


def _trade(row: Any) -> dict[str, Any]:
    return {
        "side": _SIDES.get(int(row["side"]), "unknown"),
        "price": format_decimal(int(row["price"]), int(row["price_exponent"])),
        "size": format_decimal(int(row["size"]), int(row["size_exponent"])),
    }


def _nbbo(row: Any) -> dict[str, Any]:
    exponent = int(row["price_exponent"])
    found: dict[str, Any] = {"state": STATES[int(row["state"])]}
    for side in ("bid", "ask"):
        members = int(row[f"{side}_exchanges"])
        found[f"{side}_exchanges"] = [name for bit, name in enumerate(EXCHANGES) if members >> bit & 1]
        there = int(row[f"{side}_exchange"]) != NO_EXCHANGE
        found[f"{side}_price"] = format_decimal(int(row[f"{side}_price"]), exponent) if there else None
    found |= quoted(row)
    codes = [int(code) for code in row["excluded"][: len(EXCHANGES)]]
    found["excluded"] = {EXCHANGES[i]: EXCLUSIONS[code] for i, code in enumerate(codes) if code}
    return found


def quoted(row: Any) -> dict[str, Any]:
    """Return the quote currencies of a row of the NBBO or of arbitrage, and that of each side's book where joined."""
    places = currencies(row["symbol"].decode(errors="replace"))
    joined = int(row["quotes"])
    if not joined:
        return {"quotes": places, "bid_quote": None, "ask_quote": None}
    found: dict[str, Any] = {"quotes": [name for place, name in enumerate(places) if joined >> place & 1]}
    for side in ("bid", "ask"):
        there = int(row[f"{side}_exchange"]) != NO_EXCHANGE
        found[f"{side}_quote"] = places[int(row[f"{side}_quote"])] if there else None
    return found


def _arbitrage(row: Any) -> dict[str, Any]:
    exponent = int(row["price_exponent"])
    phase = PHASES[int(row["phase"])]
    found: dict[str, Any] = {"phase": phase, "state": STATES[int(row["state"])]}
    found["ended_by"] = STATES[int(row["ended_by"])] if phase == PHASES[CLOSED] else None
    for side in ("bid", "ask"):
        members = int(row[f"{side}_exchanges"])
        found[f"{side}_exchanges"] = [name for bit, name in enumerate(EXCHANGES) if members >> bit & 1]
        found[f"{side}_price"] = format_decimal(int(row[f"{side}_price"]), exponent)
    return found | quoted(row)


def _status(row: Any) -> dict[str, Any]:
    book = int(row["book_id"])
    found: dict[str, Any] = {
        "kind": STATUS_KINDS[int(row["kind"])],
        "book_id": None if book == NO_BOOK else book,
        "inverse": bool(row["inverse"]),
    }
    for name in ("tick", "lot", "multiplier"):
        found[name] = format_decimal(int(row[name]), int(row[f"{name}_exponent"])) if row[name] else None
    return found


_decoders = {"book": _book, "trades": _trade, "nbbo": _nbbo, "arbitrage": _arbitrage, "status": _status}
