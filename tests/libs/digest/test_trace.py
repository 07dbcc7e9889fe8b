"""Files of links: what is written is read, and the first difference of each chain is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from libs.digest.chain import CHAIN_WORDS, extend
from libs.digest.state import TRACE_WORDS
from libs.digest.trace import TraceError, TraceWriter, differences, is_trace, read_trace

BOOKS, SYMBOLS = ["binance BTC-USDT", "okx BTC-USDT"], ["BTC-USDT"]


def links(kind: int, whose: int, contents: list[int], from_us: int = 1_000) -> np.ndarray:
    """Return the records of a chain of records of one number each, 10 µs apart."""
    chain, found = np.zeros(CHAIN_WORDS, np.int64), []
    for n, content in enumerate(contents):
        extend(chain, 0, np.array([content, 0]), 2, from_us + 10 * n)
        found.append([kind | whose << 32, chain[2], chain[3], chain[0], chain[1]])
    return np.array(found, np.int64).reshape(-1, TRACE_WORDS)


def write(path: Path, *chains: np.ndarray, dropped: int = 0, seed: int = 0) -> Path:
    """Write chains interleaved in some order."""
    rng, left = np.random.default_rng(seed), [list(chain) for chain in chains]
    writer = TraceWriter(path)
    while left := [chain for chain in left if chain]:
        writer.write(np.array([left[int(rng.integers(len(left)))].pop(0)]))
    writer.close(BOOKS, SYMBOLS, dropped)
    return path


def test_equal_chains_in_any_order_do_not_differ(tmp_path: Path) -> None:
    """How chains interleave, and who dropped what, is no difference of theirs."""
    chains = links(0, 0, [1, 2, 3]), links(2, 1, [4, 5]), links(3, 0, [6])
    one = read_trace(write(tmp_path / "a", *chains))
    other = read_trace(write(tmp_path / "b", *chains, dropped=3, seed=1))
    assert differences(one, other) == []
    assert {key: len(rows) for key, rows in one.chains.items()} == {
        ("binance BTC-USDT", "events"): 3,
        ("okx BTC-USDT", "features"): 2,
        ("BTC-USDT", "nbbo"): 1,
    }
    assert (one.dropped, other.dropped) == (0, 3)


def test_the_first_difference_of_each_chain_is_named_earliest_first(tmp_path: Path) -> None:
    """Everything after it differs too, and is not told; a chain that ends early differs where it ends."""
    one = write(tmp_path / "a", links(0, 0, [1, 2, 3, 4]), links(1, 1, [5, 6], 500), links(3, 0, [7, 8], 2_000))
    other = write(tmp_path / "b", links(0, 0, [1, 2, 9, 4]), links(1, 1, [5, 6, 7], 500), links(3, 0, [7, 8], 2_000))
    longer, changed = differences(read_trace(one), read_trace(other))
    assert (longer.name, longer.kind, longer.link, longer.feed_ts_us) == ("okx BTC-USDT", "book", 3, 520)
    assert longer.one is None
    assert (changed.name, changed.kind, changed.link, changed.feed_ts_us) == ("binance BTC-USDT", "events", 3, 1_020)
    assert changed.one != changed.other
    assert str(changed).startswith("binance BTC-USDT: events 3 at feed time 1020 µs: ")


def test_a_chain_that_only_one_has_differs_from_its_first_link(tmp_path: Path) -> None:
    """Whichever of the two it is."""
    whole, part = links(0, 0, [1]), links(0, 1, [2])
    for one, other in (((whole, part), (whole,)), ((whole,), (whole, part))):
        (found,) = differences(read_trace(write(tmp_path / "a", *one)), read_trace(write(tmp_path / "b", *other)))
        assert (found.name, found.link) == ("okx BTC-USDT", 1)


def test_an_empty_trace_is_a_trace(tmp_path: Path) -> None:
    """Nothing happened."""
    assert read_trace(write(tmp_path / "a")).chains == {}


@pytest.mark.parametrize(("cut", "said"), [(5, "a part of one"), (60, "a part of one"), (None, "another file")])
def test_what_is_no_whole_trace_is_refused(tmp_path: Path, cut: int | None, said: str) -> None:
    """A run that was killed leaves a file without an end."""
    path = write(tmp_path / "a", links(0, 0, [1, 2, 3]))
    data = path.read_bytes()
    path.write_bytes(data[:-cut] if cut else b"x" * 100)
    assert is_trace(path) == (cut is not None)
    with pytest.raises(TraceError, match=said):
        read_trace(path)
