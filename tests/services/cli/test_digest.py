"""``crossbook digest``: the same document each time, and the first event that differs by name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from libs.errors import ConfigError, MissingError
from services.cli import digest

DATA = Path(__file__).resolve().parents[2] / "data/binance/spot_btcusdt_20240808.gz"
LINE, BEFORE, AFTER = 8, b'["61800.00","0.29000000"]', b'["61800.00","0.29000001"]'
"""A depth message, and one level of it."""


@pytest.fixture
def document(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that prints the digest of a path and gives it back with the exit status."""

    def made(path: Path, trace: Path | None = None, config: Path | None = None) -> tuple[dict[str, Any], int]:
        status = digest.run([str(path)], str(trace) if trace else None, str(config) if config else None)
        return json.loads(capsys.readouterr().out), status

    return made


def test_the_document_has_the_keys_of_the_contract(document: Any) -> None:
    """Chains by exchange and symbol, quotes by symbol, 128 bits each."""
    found, status = document(DATA)
    assert status == 0
    assert (found["complete"], found["shortcomings"], found["bad_lines"]) == (True, [], 0)
    assert list(found["symbols"]) == ["binance BTC-USDT"]
    assert list(found["nbbo"]) == ["BTC-USDT"]
    chains = found["symbols"]["binance BTC-USDT"]
    for link in (chains["events"], chains["book"], chains["features"], found["nbbo"]["BTC-USDT"]):
        assert len(bytes.fromhex(link)) == 16
    assert min(chains["links"].values()) > 50


def test_a_recording_gives_one_document(document: Any, tmp_path: Path) -> None:
    """Twice, zipped or plain, with a trace or without."""
    plain = tmp_path / "spot_btcusdt_20240808"
    plain.write_bytes(gzip.decompress(DATA.read_bytes()))
    first, _ = document(DATA)
    assert document(plain, tmp_path / "trace") == (first, 0)
    assert digest.compare([str(tmp_path / "trace")] * 2, as_json=False) == 0


def test_a_change_of_one_level_names_the_event(document: Any, tmp_path: Path, capsys: Any) -> None:
    """One unit of size of one level of one event: every chain of the book differs, from that event on."""
    lines = gzip.decompress(DATA.read_bytes()).split(b"\n")
    at = next(i for i, line in enumerate(lines) if BEFORE in line and b"depthUpdate" in line)
    feed_us = int(lines[at].split(b" ")[0]) // 1000
    lines[at] = lines[at].replace(BEFORE, AFTER)
    changed = tmp_path / "spot_btcusdt_20240808"
    changed.write_bytes(b"\n".join(lines))
    (one, _), (other, _) = document(DATA, tmp_path / "a"), document(changed, tmp_path / "b")
    mine, theirs = (of["symbols"]["binance BTC-USDT"] for of in (one, other))
    assert mine["links"] == theirs["links"]
    assert all(mine[kind] != theirs[kind] for kind in ("events", "book", "features"))
    assert one["nbbo"] != other["nbbo"]
    assert digest.compare([str(tmp_path / "a"), str(tmp_path / "b")], as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["equal"]
    first = found["differences"][0]
    assert (first["name"], first["kind"], first["feed_ts_us"]) == ("binance BTC-USDT", "events", feed_us)
    assert digest.compare([str(tmp_path / "a"), str(tmp_path / "b")], as_json=False) == 1
    assert f"binance BTC-USDT: events {first['link']} at feed time {feed_us} µs" in capsys.readouterr().out


def test_documents_are_compared_by_chain(document: Any, tmp_path: Path, capsys: Any) -> None:
    """Which chains differ; a trace says from where on."""
    found, _ = document(DATA)
    one, other = tmp_path / "a.json", tmp_path / "b.json"
    one.write_text(json.dumps(found))
    found["symbols"]["binance BTC-USDT"]["book"] = "00" * 16
    other.write_text(json.dumps(found))
    assert digest.compare([str(one), str(one)], as_json=False) == 0
    assert capsys.readouterr().out == "4 chains are equal\n"
    assert digest.compare([str(one), str(other)], as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["differences"] == ["binance BTC-USDT book"]


def test_settings_of_the_features_are_part_of_them(document: Any, tmp_path: Path) -> None:
    """Another depth of the imbalance is another features chain, of the same events."""
    for name in ("consumer.toml", "replay.toml"):
        (tmp_path / name).write_text('symbols_file = "s.json"\n' if name[0] == "c" else "")
    (tmp_path / "s.json").write_text('{"processing_config": {"depth_levels": 3}}')
    (one, _), (other, _) = document(DATA), document(DATA, config=tmp_path)
    mine, theirs = (of["symbols"]["binance BTC-USDT"] for of in (one, other))
    assert mine["features"] != theirs["features"]
    assert (mine["events"], mine["book"], one["nbbo"]) == (theirs["events"], theirs["book"], other["nbbo"])


def test_a_line_that_cannot_be_used_is_told(document: Any, tmp_path: Path) -> None:
    """The digest is of the rest, and the exit status 1."""
    path = tmp_path / "spot_btcusdt_20240808"
    path.write_bytes(b"nonsense\n" + gzip.decompress(DATA.read_bytes()))
    found, status = document(path)
    assert (status, found["bad_lines"]) == (1, 1)
    assert found["symbols"] == document(DATA)[0]["symbols"]


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    """Not two files, one that is not there, one of each kind, or another file."""
    nothing, other = tmp_path / "nothing", tmp_path / "other"
    other.write_text("{}")
    with pytest.raises(ConfigError, match="expected two files, found 1"):
        digest.compare([str(other)], as_json=False)
    with pytest.raises(MissingError, match="no such file"):
        digest.compare([str(other), str(nothing)], as_json=False)
    with pytest.raises(ConfigError, match="expected a document of `crossbook digest`"):
        digest.compare([str(other), str(other)], as_json=False)
    nothing.write_bytes(b"XBTRACE1")
    with pytest.raises(ConfigError, match="expected two documents or two traces, found one of each"):
        digest.compare([str(other), str(nothing)], as_json=False)


def test_a_recording_that_is_not_there_is_missing() -> None:
    """Exit status 3."""
    with pytest.raises(MissingError, match="nowhere"):
        digest.run(["nowhere"], None, None)
