"""The venue's account against our positions: two ways to the same figures."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.execution.account import Account
from libs.orders.decimals import ONE, ZERO
from libs.orders.events import Filled
from libs.orders.positions import Positions

fills = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 10**6), st.integers(1, 10**8)), min_size=1, max_size=30
)


@pytest.mark.parametrize("inverse", [False, True])
@given(fills=fills)
def test_both_accounts_agree(inverse: bool, fills: list[tuple[str, int, int]]) -> None:
    """A running average and a sum of costs give the same quantity and average entry after every fill."""
    account, positions = Account(), Positions()
    for n, (side, mantissa, cents) in enumerate(fills):
        quantity, price = Decimal(mantissa).scaleb(-3), Decimal(cents).scaleb(-2)
        fill = Filled("a", f"a-{n}", quantity, price, ZERO, 1, 1)
        account.apply("okx", "X", inverse, side, fill)  # type: ignore[arg-type]
        signed = quantity if side == "buy" else -quantity
        position = positions.apply("okx", "X", signed, price, ZERO, ONE, inverse)
        holding = account.holdings().get(("okx", "X"))
        assert (holding.quantity if holding else 0) == position.quantity
        if holding is not None:
            assert position.average_price is not None
            assert abs(holding.average_price - position.average_price) <= position.average_price * Decimal("1e-20")
