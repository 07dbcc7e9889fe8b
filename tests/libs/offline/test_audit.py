"""Audits: what recordings are known to hold, and every way in which one can be wrong."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.offline.audit import Audit, Ladder, audit
from libs.storage.recordings import find
from libs.venues.events import BookEvent
from tests.libs.venues.captures import Replayed

OWN = Path(__file__).resolve().parents[2] / "data/binance"

KNOWN = {
    # path: symbols, snapshots, updates of levels, trades, checksums that agree, tickers that agree
    "okx/okx_books_20220513.jsonl.gz": (3, 3, 8_264, 74, 290, 0),
    "deribit/deribit_options_20210722.jsonl.gz": (10, 10, 149, 0, 0, 0),
    "kraken/kraken_v1_book1000_20210417.jsonl.gz": (10, 10, 11_745, 10, 4_269, 0),
    "bybit/bybit_v5_linear_20260809.jsonl.gz": (4, 4, 17_734, 327, 0, 0),
    "coinbase/coinbase_advanced_20260809_first520.jsonl.gz": (2, 2, 71_536, 55, 0, 0),
    "coinbase/coinbase_exchange_level2_20210417_a.txt.gz": (5, 5, 10_239, 72, 0, 0),
    "coinbase/gdax_btcusd_20180416_2min.csv.gz": (1, 1, 40_042, 59, 0, 0),
    "binance/captures/binance_spot_20211012.jsonl.gz": (4, 4, 5_056, 2, 0, 26),
    "binance/captures/binance_usdm_20210722.jsonl.gz": (4, 4, 11_865, 91, 0, 50),
    "binance/captures/binance_coinm_20210722.jsonl.gz": (10, 10, 25_029, 51, 0, 212),
    "binanceus/binanceus_20211012.jsonl.gz": (4, 4, 2_289, 11, 0, 56),
    "binanceus/binanceus_btcusdt_20250826_events.csv.gz": (1, 1, 74_338, 12, 0, 0),
}


def totals(found: Audit) -> tuple[int, ...]:
    """Return what KNOWN says of a recording."""
    entries: Any = found.document()["symbols"]
    rows = entries.values()
    return (
        len(entries),
        *(sum(row[name] for row in rows) for name in ("snapshots", "updates", "trades")),
        sum(row["checksums"]["ok"] for row in rows),
        sum(row["ticker"]["compared"] for row in rows),
    )


@pytest.mark.recordings
@pytest.mark.parametrize("path", KNOWN)
def test_what_is_known_of_recordings(recordings: Path, path: str) -> None:
    """Every count; no gap, no bad checksum, no ticker that disagrees, never crossed."""
    (recording,) = find([recordings / path])
    found = audit(recording)
    assert totals(found) == KNOWN[path]
    assert found.ok
    entries: Any = found.document()["symbols"]
    assert all(not row["gaps"] and not row["crossed"] and not row["checksums"]["bad"] for row in entries.values())


@pytest.mark.recordings
def test_an_hour_of_tables_ends_with_the_levels_that_are_known(recordings: Path) -> None:
    """13,838 bids and 14,009 asks."""
    (recording,) = find([recordings / "coinbase/gdax_btcusd_20180424_1h"])
    found = audit(recording)
    assert [len(side) for side in found.symbols["BTC-USD"].ladder.sides] == [13_838, 14_009]
    assert found.ok


@pytest.mark.recordings
def test_nexo_agrees_with_every_ticker(recordings: Path) -> None:
    """A file a day makes one entry; the book at the end is the one that is known."""
    (recording,) = find([recordings / "binance/nexousdt_202407"])
    found = audit(recording)
    entry: Any = found.document()
    nexo = entry["symbols"]["NEXO-USDT"]
    assert len(entry["parts"]) == 2
    assert (nexo["trades"], nexo["gaps"], nexo["ticker"]) == (12_458, 0, {"compared": 12_198, "disagreed": 0})
    assert (nexo["best_bid"], nexo["best_ask"]) == ("1.221", "1.223")
    assert [len(side) for side in found.symbols["NEXO-USDT"].ladder.sides] == [310, 815]


def own(tmp_path: Path, change: Any) -> Audit:
    """Audit the project's own recording of COIN-M with its lines changed."""
    lines = gzip.decompress((OWN / "cm_btcusd_perp_20240808.gz").read_bytes()).decode().splitlines()
    path = tmp_path / "cm_btcusd_perp_20240808.gz"
    path.write_bytes(gzip.compress("\n".join(change(lines)).encode()))
    (recording,) = find([path])
    return audit(recording)


def entry_of(found: Audit) -> Any:
    """Return the only symbol's entry."""
    symbols: Any = found.document()["symbols"]
    (entry,) = symbols.values()
    return entry


def diffs(lines: list[str]) -> list[int]:
    """Return which lines are diffs after the snapshot."""
    begin = next(k for k, line in enumerate(lines) if "lastUpdateId" in line)
    return [k for k, line in enumerate(lines) if "depthUpdate" in line and k > begin + 40]


def test_the_own_recording_is_whole(tmp_path: Path) -> None:
    """As it is."""
    found = own(tmp_path, lambda lines: lines)
    entry = entry_of(found)
    assert found.ok
    assert entry["gaps"] == 0
    assert entry["ticker"]["compared"] > 20
    assert 0.9 < entry["valid_ratio"] <= 1


def test_a_missing_diff_is_a_gap(tmp_path: Path) -> None:
    """What follows is not valid for want of another snapshot."""
    found = own(tmp_path, lambda lines: [line for k, line in enumerate(lines) if k != diffs(lines)[3]])
    entry = entry_of(found)
    assert not found.ok
    assert entry["gaps"] == 1
    assert entry["valid_ratio"] < 0.9


def without_snapshot(lines: list[str]) -> list[str]:
    return [line for line in lines if "lastUpdateId" not in line]


def test_continuity_is_judged_without_a_snapshot(tmp_path: Path) -> None:
    """A day's later part has none: its diffs follow one another all the same, or do not."""
    whole = own(tmp_path, without_snapshot)
    assert whole.ok
    assert any("no snapshot" in str(line) for line in whole.document()["unverifiable"])  # type: ignore[attr-defined]

    def lose(lines: list[str]) -> list[str]:
        lost = diffs(lines)[3]
        return without_snapshot([line for k, line in enumerate(lines) if k != lost])

    found = own(tmp_path, lose)
    assert not found.ok
    assert entry_of(found)["gaps"] == 1


def test_a_snapshot_is_that_of_the_symbol_in_the_file(tmp_path: Path) -> None:
    """Whatever the file is called."""
    path = tmp_path / "cm_renamed_20240808.gz"
    path.write_bytes((OWN / "cm_btcusd_perp_20240808.gz").read_bytes())
    (recording,) = find([path])
    found = audit(recording)
    assert entry_of(found)["snapshots"] == 1
    assert entry_of(found)["ticker"]["compared"] > 20


def test_a_snapshot_of_no_known_symbol_is_passed_over(tmp_path: Path) -> None:
    """It is no reason to stop."""
    path = tmp_path / "spot_odd_20240808.dat"
    path.write_text('1723161255088176367 {"lastUpdateId":1,"bids":[],"asks":[]}\n')
    (recording,) = find([path])
    found = audit(recording)
    assert (found.messages, found.symbols) == (1, {})


@pytest.mark.recordings
def test_the_excerpt_of_okx_is_one_chain(recordings: Path, tmp_path: Path) -> None:
    """Six deltas without their snapshot, checksum 0: one that is missing between two others is a gap."""
    source = recordings / "okx/okx_books_seqid_excerpt_20260824.jsonl"
    (recording,) = find([source])
    found = audit(recording)
    assert found.ok
    assert found.core.by_symbol["BTC-USDT"]["kept"] == 6
    assert any("checksum 0" in line for line in found.core.unverifiable)
    lines = source.read_text().splitlines()
    path = tmp_path / "x.jsonl"
    for lost in range(1, 5):
        path.write_text("\n".join(line for k, line in enumerate(lines) if k != lost))
        (recording,) = find([path])
        assert entry_of(audit(recording))["gaps"] == 1
    path.write_text("\n".join([*lines[:3], *lines[2:]]))
    (recording,) = find([path])
    assert audit(recording).ok


def test_a_changed_ticker_disagrees(tmp_path: Path) -> None:
    """Any digit of it."""

    def change(lines: list[str]) -> list[str]:
        return [line.replace('"B":"', '"B":"1') for line in lines]

    found = own(tmp_path, change)
    ticker = entry_of(found)["ticker"]
    assert not found.ok
    assert ticker["disagreed"] == ticker["compared"] > 20


def test_a_changed_size_at_the_top_disagrees(tmp_path: Path) -> None:
    """A wrong level that a ticker sees."""

    def change(lines: list[str]) -> list[str]:
        return [
            line if k not in diffs(lines)[:200] else line.replace('"a":[["', '"a":[["1') for k, line in enumerate(lines)
        ]

    assert not own(tmp_path, change).ok


def test_a_book_that_crosses_is_told(tmp_path: Path) -> None:
    """With no checksum that says it is the venue's own."""

    def change(lines: list[str]) -> list[str]:
        k = diffs(lines)[5]
        stamp, _, text = lines[k].partition(" ")
        m = json.loads(text)
        m["data"]["b"] = [["99999.9", "5"]]
        return [*lines[:k], f"{stamp} {json.dumps(m)}", *lines[k + 1 :]]

    found = own(tmp_path, change)
    assert entry_of(found)["crossed"] > 1
    assert entry_of(found)["crossed_by_venue"] == 0
    assert not found.ok


def test_lines_that_make_no_sense_are_listed(tmp_path: Path) -> None:
    """By file, line and reason; they are no proof that a book is wrong."""
    found = own(tmp_path, lambda lines: [*lines[:50], "garbage", *lines[50:]])
    words: Any = found.document()["unverifiable"]
    assert any("could not be read" in line and ":51:" in line for line in words)


sides = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=6)
events = st.lists(st.tuples(st.booleans(), st.integers(-3, 0), st.integers(-3, 0), sides, sides), max_size=25)


@given(events)
def test_a_ladder_is_a_plain_book(drawn: list[Any]) -> None:
    """Best levels and crossings of any changes, in any units."""
    ladder, plain = Ladder(), Replayed()
    crossed = 0
    for k, (fresh, price_exp, size_exp, bids, asks) in enumerate(drawn):
        levels = np.array([x for level in (*bids, *asks) for x in level], np.int64)
        e = BookEvent("A-B", fresh or k == 0, price_exp, size_exp, len(bids), len(asks), levels, 0, 0, 0)
        ladder.apply(e)
        plain.take([e])
        crossed += ladder.crossed()
        for side, pick in ((0, max), (1, min)):
            wanted = pick(plain.sides["A-B"][side], default=None)
            found = ladder.best(side)
            assert (found is None) == (wanted is None)
            if found is not None and wanted is not None:
                assert Decimal(found[0]).scaleb(ladder.price_exp) == wanted
                assert Decimal(found[1]).scaleb(ladder.size_exp) == plain.sides["A-B"][side][wanted]
    assert crossed == plain.crossed
