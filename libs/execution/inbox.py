"""What a signal says, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from libs.market.exchanges import EXCHANGES
from libs.orders.events import Side
from libs.orders.ids import intent_id

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Signal(msgspec.Struct, frozen=True):
    """The fields of a record of the signals stream that an order needs; others are passed over."""

    exchange: str
    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    session: Count
    sequence: Count
    feed_ts_us: Count
    sent_ts_us: Count
    signal_ts_ns: Count
    action: Side
    size_fraction: Decimal
    model: str
    prediction_bps: str = ""

    @property
    def intent_id(self) -> str:
        """The id of what it asks for; the same however often it is delivered."""
        return intent_id(self.session, self.exchange, self.symbol, self.sequence, self.model, self.action)


def parse(fields: Mapping[str, Any]) -> Signal | str:
    """Return the signal of a record, or what is wrong with it."""
    try:
        signal = msgspec.convert(fields, Signal, strict=False)
    except (msgspec.ValidationError, ArithmeticError) as error:
        return str(error)
    if signal.exchange not in EXCHANGES:
        return f"exchange: expected one of {', '.join(EXCHANGES)}, found {signal.exchange[:40]!r}"
    if not signal.size_fraction.is_finite() or not 0 <= signal.size_fraction <= 1:
        return f"size_fraction: expected 0 to 1, found {signal.size_fraction}"
    return signal
