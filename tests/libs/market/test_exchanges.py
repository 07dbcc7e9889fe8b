"""Exchange names and ids."""

from __future__ import annotations

import pytest

from libs.market.exchanges import EXCHANGES, exchange_id


def test_ids_are_those_of_the_wire() -> None:
    """The ids are fixed by the protocol."""
    assert [exchange_id(name) for name in ("binance", "bybit", "coinbase", "okx", "deribit")] == [0, 1, 2, 3, 4]
    assert len(EXCHANGES) == 5


def test_an_unknown_name_gets_a_hint() -> None:
    """A wrong name is refused with the nearest one."""
    with pytest.raises(KeyError, match="known: binance"):
        exchange_id("binanse")
