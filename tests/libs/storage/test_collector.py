"""Files of a collector: which belong together, on one clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import MissingError
from libs.storage.collector import find_streams, merge, split_line
from libs.storage.lines import BadLines
from libs.venues.binance import Market


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_files_of_one_stream_are_one_source_in_order_of_time(tmp_path: Path) -> None:
    """The name without market and date joins them; the first receive time orders them, not the name."""
    late = write(tmp_path, "usdm_btcusdt_20240808.dat", "1723161355088176367 {}")
    early = write(tmp_path, "usdm_btcusdt_20240809.dat", "1723161255088176367 {}")
    write(tmp_path, "cm_btcusd_perp_20240808.gz", "1723161255088176367 {}")
    write(tmp_path, "nexousdt_20240723.dat", "1721749182850494 {}")
    streams = {(s.market, s.name): s.files for s in find_streams([tmp_path])}
    assert streams[Market.USDM, "btcusdt"] == (early, late)
    assert set(streams) == {(Market.USDM, "btcusdt"), (Market.COINM, "btcusd_perp"), (Market.SPOT, "nexousdt")}


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    """A folder and a file in it do not make two."""
    path = write(tmp_path, "spot_btcusdt_20240808.dat", "1723161255088176367 {}")
    (stream,) = find_streams([tmp_path, path])
    assert stream.files == (path,)


def test_streams_are_merged_by_receive_time_in_ns_and_us(tmp_path: Path) -> None:
    """Both units meet on one clock, and a step back within a file is flattened."""
    a = write(tmp_path, "spot_a_20240808", "1723161255000000000 1", "1723161255000002000 3", "1723161255000001500 4")
    b = write(tmp_path, "spot_b_20240808", "1723161255000001 2", "1723161255000003 5")
    bad = BadLines()
    lines = list(merge(find_streams([a, b]), bad))
    assert [line.payload for line in lines] == [b"1", b"2", b"3", b"4", b"5"]
    assert [line.recv_ns % 10_000 for line in lines] == [0, 1000, 2000, 2000, 3000]
    assert bad.count == 0


def test_lines_without_a_time_are_bad_and_the_rest_is_used(tmp_path: Path) -> None:
    """Counted and named with file and number."""
    path = write(tmp_path, "spot_a_20240808", "1723161255000000000 1", "nonsense", "17 {}", "1723161255000000001 2")
    bad = BadLines()
    assert [line.payload for line in merge(find_streams([path]), bad)] == [b"1", b"2"]
    assert [(Path(b.file), b.line, b.text) for b in bad.examples] == [(path, 2, "nonsense"), (path, 3, "17 {}")]


def test_missing_paths_say_what_to_give(tmp_path: Path) -> None:
    """Neither a path that is not there nor an empty folder is a recording."""
    for path in (tmp_path / "no", tmp_path):
        with pytest.raises(MissingError, match=str(path)) as caught:
            find_streams([path])
        assert caught.value.exit_status == 3


@pytest.mark.parametrize("line", [b"", b"123", b"{}", b"x {}", b"123 {}", b"17231612550881763670 {}"])
def test_split_line_refuses_what_is_no_line(line: bytes) -> None:
    """A time of 16 or 19 digits, a blank, the JSON."""
    assert split_line(line) is None
    assert split_line(b"1721749182850494 {}") == (1721749182850494000, b"{}")
