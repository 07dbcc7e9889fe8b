"""Ids of intents and orders."""

from __future__ import annotations

import string

from libs.orders.ids import client_order_id, intent_id

CAUSE = (1_700_000_000_000_000_000, "okx", "BTC-USDT", 42, "abc", "buy")


def test_an_intent_keeps_its_id() -> None:
    """The same cause gives the same id in every process, so a retry cannot become a second order."""
    assert intent_id(*CAUSE) == intent_id(*CAUSE) == "3a2540384ae6634bb3d23159c6cc9d41"


def test_every_part_of_the_cause_counts() -> None:
    """A change of any field gives another id, also where the fields would run together."""
    others = [
        (CAUSE[0] + 1, *CAUSE[1:]),
        (CAUSE[0], "bybit", *CAUSE[2:]),
        (CAUSE[0], "okx", "BTC-USD", *CAUSE[3:]),
        (*CAUSE[:3], 43, *CAUSE[4:]),
        (*CAUSE[:4], "abd", "buy"),
        (*CAUSE[:5], "sell"),
        (*CAUSE[:4], "ab", "cbuy"),
    ]
    ids = {intent_id(*each) for each in [CAUSE, *others]}
    assert len(ids) == len(others) + 1


def test_client_order_ids_fit_every_venue() -> None:
    """A client order id is a function of the intent, at most 32 letters and digits."""
    name = client_order_id(intent_id(*CAUSE))
    assert name == client_order_id(intent_id(*CAUSE))
    assert len(name) == 32
    assert set(name) <= set(string.ascii_letters + string.digits)
