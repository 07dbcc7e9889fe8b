"""The live view at the sizes that terminals have."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from services.cli.live import screen
from services.cli.panels import Pace
from services.cli.report import Run, Statuses
from services.cli.view import Snapshot, line

LATENCY = {"count": 10, "p50_ns": 123_456, "p99_ns": 4_123_456, "p999_ns": 12_345_678, "max_ns": 98_765_432}
EXCHANGES = ("binance", "bybit", "coinbase", "okx", "deribit")


def _snapshot(**about: Any) -> Snapshot:
    names = ("BTC-USDT", "DOGE-USDT-PERP", "BTC-BTC-20210924-8000-P")
    consumer = {
        "channels": {
            name: {"received": 1_234_567, "gaps": 3, "lost": 12 if name == "okx" else 0} for name in EXCHANGES
        },
        "books": {"total": 250, "valid": 249, "crossed": 1, "diverged": 0},
        "rates": {"messages_per_s": 20_012, "updates_per_s": 81_234},
        "latency_ns": {"wire": LATENCY, "book": LATENCY, "publish": LATENCY},
        "tops": [
            {"exchange": EXCHANGES[i % 5], "symbol": names[i % 3], "valid": True, "bid": "61800.30", "ask": "61800.31"}
            for i in range(10)
        ],
        "nbbo": {"normal": 44, "locked": 3, "crossed_stale": 2, "crossed_real": 1},
    }
    signals = {
        "signals": 12,
        "by_action": {"buy": 6, "sell": 6},
        "latency_ns": {"signal": LATENCY},
        "recent": [{"action": "buy", "exchange": "okx", "symbol": "BTC-USDT", "prediction_bps": "0.5"}] * 10,
    }
    oms = {"orders": {"sent": 90, "filled": 80, "denied": {"a": 9}}, "pnl": {"realised": "-12.345"}}
    replay = {"source": "synthetic", "offered_messages_per_s": 20_000, "sender_late": LATENCY}
    statuses = Statuses(replay, consumer, signals, oms)
    return Snapshot(statuses, Run("0.1.0", 0.0, costs="demo"), 75.0, 120.0, {"redis": 0, "consumer": 1}, **about)


def _drawn(snapshot: Snapshot, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as capture:
        console.print(screen(snapshot, Pace(), ["ready after 2.1 s"], width, height))
    return capture.get().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_the_screen_fits_and_says_everything(width: int, height: int) -> None:
    """Costs, rates, loss, latency by stage, books, NBBO, signals, orders and PnL stand on one screen."""
    drawn = _drawn(_snapshot(), width, height)
    assert len(drawn) <= height
    assert max(map(len, drawn)) <= width
    text = "\n".join(drawn)
    for wanted in (
        "demo costs", "01:15 of 02:00", "20,012/s", "81,234/s", "BTC-USDT", "61,800.30",
        "NBBO normal 44 locked 3 crossed 3",
        "signal", "order", "sender late", "4.12 ms", "okx", "+0.50 bps", "sent 90 filled 80 denied 9", "PnL -12.3",
        "consumer (1×)", "ready after 2.1 s",
    ):  # fmt: skip
        assert wanted in text, wanted
    lost = next(row for row in drawn if row.startswith("│ lost"))
    assert " 12 " in lost


def test_the_screen_stands_before_anything_came() -> None:
    """At the start the services have said nothing, and the screen is there all the same."""
    empty = Snapshot(Statuses(), Run("0.1.0", 0.0), 0.0, 0.0)
    assert len(_drawn(empty, 80, 24)) <= 24


def test_why_there_is_no_signal_is_said() -> None:
    """With real costs there may be none; the panel then says what a prediction would have to beat."""
    quiet = Snapshot(Statuses(signals={"threshold_note": "must leave more than 0 bps"}), Run("0.1.0", 0.0), 0.0, 0.0)
    assert "must leave more than 0 bps" in "\n".join(_drawn(quiet, 80, 24))


def test_without_a_terminal_a_line_says_the_same() -> None:
    """The line names rates, loss, books, latency, the costs profile, orders, restarts, and who is down."""
    said = line(_snapshot())
    assert said.startswith("01:15  20,012 msg/s  81,234 upd/s  lost 12  books 249/250  wire p50 123 µs p99 4.12 ms")
    assert "signals 12 (demo)" in said
    assert said.endswith("consumer restarted 1x")


def test_who_does_not_answer_is_named() -> None:
    """While the consumer is away its last rates are not shown as if they went on."""
    said = line(_snapshot(down=["consumer"]))
    assert said.startswith("01:15  0 msg/s  0 upd/s")
    assert said.endswith("consumer restarted 1x  consumer is down")
