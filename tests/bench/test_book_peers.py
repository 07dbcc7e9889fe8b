"""The peers of the books bench: each has our best levels, or is not timed."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest

from libs.book.state import ASK_SIZE
from tests import needs
from tests.bench import book_peers, hft
from tests.bench.book_inputs import Input, synthetic
from tests.bench.books import tops_of_first

PEERS = {
    "order_book": ["order_book"],
    "sortedcontainers": ["sortedcontainers"],
    "nautilus_trader": ["nautilus_trader"],
    "hftbacktest": ["hftbacktest", "hftbacktest hash map"],
}
OPTIONAL = "nautilus_trader"
"""Not in requirements/bench.txt: taken where it is installed."""
CHECKED = [
    pytest.param(name, marks=needs.package(name))
    for name in PEERS
    if name != OPTIONAL or importlib.util.find_spec(OPTIONAL) is not None
]


@pytest.mark.parametrize("most", [1, 60, 1_000])
@pytest.mark.parametrize("seed", range(3))
def test_every_peer_that_is_installed_has_our_best_levels(most: int, seed: int) -> None:
    """Those that are there are checked and can be measured again; those that are not are left out."""
    runs = book_peers.runs(synthetic(1, 40, 200, seed=seed), most, tops_of_first)
    there = [name for package, names in PEERS.items() if importlib.util.find_spec(package) for name in names]
    assert sorted(runs) == sorted(there)
    assert all(measure() > 0 for measure in runs.values())


@pytest.mark.parametrize("package", CHECKED)
def test_a_peer_with_another_best_level_is_noticed(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lot more at the best ask stops the bench and names the peer."""
    there = importlib.import_module
    monkeypatch.setattr(book_peers, "_module", lambda name: there(name) if name.startswith(package) else None)
    if package != "hftbacktest":
        monkeypatch.setattr(hft, "module", lambda: None)

    def more(given: Input) -> np.ndarray:
        tops = tops_of_first(given).copy()
        tops[ASK_SIZE] += 1
        return tops

    with pytest.raises(AssertionError, match=f"{package} has other best levels"):
        book_peers.runs(synthetic(1, 20, 50), 50, more)
