"""``crossbook verify``: the document of cli.md, the table, exit statuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from services.cli.__main__ import main

DATA = Path(__file__).resolve().parents[2] / "data/binance"
KEYS = {"messages", "updates", "trades", "snapshots", "gaps", "checksums", "ticker", "crossed", "crossed_by_venue",
        "valid_ratio", "best_bid", "best_ask"}  # fmt: skip


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """An entry a stream, with its parts; ok."""
    assert main(["verify", str(DATA), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    entries = {entry["venue"]: entry for entry in document["files"]}
    assert len(entries["binance"]["parts"]) == 2
    assert entries["binance"]["path"] == entries["binance"]["parts"][0]
    for entry in document["files"]:
        assert set(entry) == {"path", "parts", "venue", "unverifiable", "symbols"}
        assert all(set(row) == KEYS for row in entry["symbols"].values())


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A line a symbol, and a last word."""
    assert main(["verify", str(DATA)]) == 0
    said = capsys.readouterr().out
    assert "BTC-USD-PERP" in said
    assert said.rstrip().endswith("2 recordings: all that can be checked holds")


def test_a_recording_with_a_gap_is_not_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1."""
    lines = gzip.decompress((DATA / "cm_btcusd_perp_20240808.gz").read_bytes()).splitlines()
    diffs = [k for k, line in enumerate(lines) if b"depthUpdate" in line]
    del lines[diffs[-5]]
    path = tmp_path / "cm_btcusd_perp_20240808.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    assert main(["verify", str(path)]) == 1
    assert "NOT OK" in capsys.readouterr().out


def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 3, one line."""
    assert main(["verify", str(tmp_path / "none")]) == 3
    assert "no such recording" in capsys.readouterr().err
