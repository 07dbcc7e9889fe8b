"""Figures for people."""

from __future__ import annotations

from services.cli import figures


def test_durations_carry_the_unit_that_suits_them() -> None:
    """Three digits or so, with the unit."""
    shown = [figures.duration(ns) for ns in (0, 850, 1_234, 67_600, 135_000, 4_123_456, 98_765_432, 2_500_000_000)]
    assert shown == ["0 ns", "850 ns", "1.23 µs", "67.6 µs", "135 µs", "4.12 ms", "98.8 ms", "2.50 s"]


def test_counts_prices_and_times() -> None:
    """Separators for thousands, signs for money, minutes for seconds, a dash for nothing."""
    assert figures.count(1234567) == "1,234,567"
    assert [figures.compact(n) for n in (999_999, 123_456_789, 5e9)] == ["999,999", "123.5 M", "5.0 G"]
    assert figures.price("61800.30") == "61,800.30"
    assert figures.price(None) == "–"
    assert figures.signed("3.456") == "+3.46"
    assert figures.signed(None) == "–"
    assert [figures.clock(s) for s in (5, 75, 3675)] == ["00:05", "01:15", "1:01:15"]
    assert figures.size(3 * 2**20) == "3 MiB"
