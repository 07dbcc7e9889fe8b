"""What ``crossbook status`` says of losses, for people."""

from __future__ import annotations

from typing import Any

from services.cli.health import _recovery_lines


def channel(silent: str = "", lagging: str = "") -> dict[str, Any]:
    """A ledger with the state of its lines."""
    return {
        "lines": {name: {"silent": name in silent, "lagging": name in lagging, "transit_us": 7_000} for name in "AB"}
    }


def test_a_line_is_named_once_for_all_its_channels() -> None:
    """Silent and lagging lines, each with the channels that they concern."""
    consumer = {
        "channels": {"binance": channel(silent="B"), "okx": channel(silent="B", lagging="A"), "bybit": channel()}
    }
    assert _recovery_lines(consumer) == ["line B is silent: binance, okx", "line A lags: okx (7,000 µs under way)"]


def test_counters_by_channel_carry_its_name() -> None:
    """The numbers of libs.recovery.counts are for programs."""
    counters = {"requests_range": 3, "recovered_0": 2, "snapshots_4": 1, "answers_ok": 0}
    (line,) = _recovery_lines({"channels": {}, "recovery": {"connected": True, "counters": counters}})
    assert line == "recovery: connected; requests_range 3, recovered binance 2, snapshots deribit 1"
