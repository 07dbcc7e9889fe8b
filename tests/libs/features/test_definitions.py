"""The table of features: everything that is made from it, and the worked example of CONTRIBUTING."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from libs.book import kernels, state
from libs.features import definitions, fillers, history
from libs.features.definitions import ALL, COLUMNS, PRESENT, Definition
from libs.streams.schemas import FEATURES
from scripts import generate_features

ROOT = Path(__file__).resolve().parents[3]
DESIGN = ROOT.parent / "shared" / "design" / "markets.md"


def test_what_is_generated_is_up_to_date() -> None:
    """fillers.py and README.md are what `make features` writes."""
    assert (generate_features.FOLDER / "fillers.py").read_text() == generate_features.code()
    assert (generate_features.FOLDER / "README.md").read_text() == generate_features.page()


def test_the_record_has_the_columns_of_the_table() -> None:
    """Record and table name the same columns in the same order, each once."""
    assert tuple(FEATURES.names or ())[-len(COLUMNS) :] == COLUMNS
    assert len(set(COLUMNS)) == len(COLUMNS)


@pytest.mark.parametrize("definition", ALL, ids=lambda each: each.name)
def test_a_definition_says_everything(definition: Definition) -> None:
    """No cell is empty, none would break the page's table, and the kernel exists."""
    cells = [definition.formula, definition.unit, definition.window, definition.source, definition.nan]
    assert all(cells)
    assert not any("|" in cell or "\n" in cell for cell in cells)
    module, name = definition.kernel.split(".")
    known = vars(kernels_of(module))
    assert definition.kernel == PRESENT or name in known


def kernels_of(module: str) -> Any:
    """Return a module of libs.features."""
    return __import__(f"libs.features.{module}", fromlist=["-"])


def test_every_feature_of_the_design_is_there() -> None:
    """The names in the design's table are the columns, no more and no fewer."""
    if not DESIGN.is_file():
        pytest.skip("no design texts at ../shared/design")
    section = DESIGN.read_text().split("## Features", 1)[1].split("\n## ", 1)[0]
    named = set()
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith("| name"):
            named |= expanded(line.split("|")[1].strip())
    assert named == set(definitions.FEATURES)


def expanded(cell: str) -> set[str]:
    """Return the names that a cell of the design's table stands for."""
    short = {
        "bid_volume_10bps, ask_volume_10bps, …20bps": {f"{s}_volume_{n}bps" for s in ("bid", "ask") for n in (10, 20)},
        "ofi_l1…ofi_l5": {f"ofi_l{k}" for k in range(1, 6)},
        "realized_vol_1s, _60s": {"realized_vol_1s", "realized_vol_60s"},
    }
    return short.get(cell) or set(cell.split(", "))


def _example() -> dict[str, str]:
    """Return the two code blocks of CONTRIBUTING's section, by what they are."""
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Adding a feature", 1)[1].split("\n## ", 1)[0]
    file, row = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return {"file": file, "row": row}


def test_the_worked_example_works() -> None:
    """CONTRIBUTING's file and row make a column, a filler, and the value that its formula says."""
    parts = _example()
    row = eval(parts["row"].strip(), vars(definitions).copy())
    assert isinstance(row, Definition)
    assert row.kernel in definitions.fillers((*ALL, row))
    assert f"found |= {row.kernel.split('.')[1]}(h, books, b, row)" in generate_features.code((*ALL, row))
    place = len(COLUMNS)
    scope: dict[str, Any] = {"__name__": "example"}
    exec(parts["file"].replace(f'INDEX["{row.name}"]', str(place)), scope)
    books, past = state.new(1, 24), history.new(1)
    data = np.array([9_999, 3, 10_001, 4, 10_004, 9], np.int64)
    kernels.apply_message(books, 0, 3, -2, -3, 0, data, 0, 1, 2, 1, 1, 1)
    values = np.full(place + 1, np.nan)
    assert scope[row.kernel.split(".")[1]](past, books, 0, values) == 0
    assert values[place] == 1


def test_a_filler_is_called_once() -> None:
    """Kernels that fill several columns stand once, and none fills what compute_row does."""
    named = definitions.fillers()
    assert len(set(named)) == len(named)
    assert PRESENT not in named
    assert fillers.fill_rest.py_func.__code__.co_names
