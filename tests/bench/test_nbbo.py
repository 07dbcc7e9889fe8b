"""The NBBO bench at a tiny size: C gives our quotes field for field."""

from __future__ import annotations

import numpy as np
import pytest

from libs.book import flags, kernels
from tests.bench import nbbo
from tests.bench.runner import Scale
from tests.needs import needs_cc


@needs_cc
@pytest.mark.parametrize("seed", range(3))
def test_c_gives_the_same_quotes(seed: int) -> None:
    """Prices, sizes, routes, states and exclusions are equal as books move, cross, halt and come back."""
    market = nbbo.Market(3, seed)
    rng = np.random.default_rng(seed)
    for k in range(150):
        b = int(rng.integers(0, 15))
        market.show(b, int(market.table.book_exchange[b]), int(rng.integers(-4, 5)), int(rng.integers(1, 9)))
        if k % 5 == 0:
            kernels.set_flags(market.books, b, flags.HALTED if k % 10 else 0, flags.HALTED)
        which = np.array([market.table.book_symbol[b]])
        nbbo.check(market, which, nbbo.FROM_US + 1_000 * k)
        nbbo.ours(market.quotes, market, which, nbbo.FROM_US + 1_000 * k)


@needs_cc
def test_every_case_is_measured() -> None:
    """Each row has our figure and C's."""
    rows = nbbo.rows(Scale(tiny=True))
    assert len(rows) == 3
    assert all(row["ratio"]["c"] > 0 for row in rows)
