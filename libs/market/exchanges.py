"""The exchanges, which are the channels of the wire: one id each."""

from __future__ import annotations

import difflib

EXCHANGES = ("binance", "bybit", "coinbase", "okx", "deribit")
"""Names by exchange id."""

_IDS = {name: index for index, name in enumerate(EXCHANGES)}


def exchange_id(name: str) -> int:
    """Return the id of an exchange.

    Raises
    ------
    KeyError
        When there is no such exchange; the message names the near ones.
    """
    try:
        return _IDS[name]
    except KeyError:
        close = difflib.get_close_matches(name, EXCHANGES, n=2) or EXCHANGES
        raise KeyError(f"no exchange {name!r}; known: {', '.join(close)}") from None
