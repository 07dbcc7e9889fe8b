"""The names and order of the feature columns (markets.md, *Features*)."""

from __future__ import annotations

FEATURES = (
    "wap_0ms",
    "wap_100ms",
    "wap_200ms",
    "wap_300ms",
    "order_book_imbalance",
    "liquidity_imbalance",
    "queue_imbalance",
    "tick_flow_imbalance",
    "trade_flow_imbalance",
    "spread",
    "spread_bps",
    "bid_volume_10bps",
    "ask_volume_10bps",
    "bid_volume_20bps",
    "ask_volume_20bps",
    "order_flow_imbalance",
    "ofi_l1",
    "ofi_l2",
    "ofi_l3",
    "ofi_l4",
    "ofi_l5",
    "microprice",
    "realized_vol_1s",
    "realized_vol_60s",
)

TOTALS = (
    "total_buy_trades",
    "total_sell_trades",
    "total_buy_volume",
    "total_sell_volume",
    "total_order_flow",
    "total_ofi_l1",
    "total_ofi_l2",
    "total_ofi_l3",
    "total_ofi_l4",
    "total_ofi_l5",
    "total_squared_return",
)
"""Running totals since start, from which a reader that missed rows can difference any window."""

COLUMNS = FEATURES + TOTALS
INDEX = {name: index for index, name in enumerate(COLUMNS)}
