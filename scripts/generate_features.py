"""Write libs/features/fillers.py and libs/features/README.md from libs/features/definitions.py: `make features`.

Both are committed; a test holds them together.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from libs.features.definitions import ALL, DEFINED, SUMMED, Definition, fillers

FOLDER = Path(__file__).resolve().parent.parent / "libs" / "features"

CODE = '''"""Calls every kernel that fills columns of its own. Written by scripts.generate_features, never by hand."""

from __future__ import annotations

import numpy as np

from libs.book.state import Books
{imports}
from libs.jit import kernel


@kernel
def fill_rest(h: History, books: Books, b: int, row: np.ndarray) -> int:
    """Fill what compute_row leaves NaN; return the bits of libs.features.kernels that any filler returns."""
    found = 0
{calls}
    return found
'''

PAGE = """# Features

Written by `make features` from `definitions.py`, never by hand. b, a are the best prices, qb, qa their sizes,
mid = (b + a) / 2, t is the feed time of the completed event that makes the row; a window W is (t - W, t]. `price` and
`size` are in the venue's own units.

{features}

Running totals since the consumer's start, from which a reader that missed rows differences any window:

{totals}

A row's `notes` are bits, and `incomplete` is 1 where any of the first three is set:

| bit | meaning |
|---|---|
| 1 | a sum or the top levels reach past what is known of a side |
| 2 | a window or lag takes in an event whose best levels were not all known |
| 4 | a window is NaN because its history overflowed; counted in `md_feature_rows_cut_total` |
| 8 | the microprice is the WAP: no table is fitted, or one of another tick |

The histories' capacities are `processing_config.history` of the symbols file; a history begins small and doubles.

`kernels.py` fills what the present book decides; `notes.py` and `trades.py` take events and prints into a book's
history (`history.py`), `windows.py` reads windows and lags from it. All is integers up to the last division, and
squared returns are summed exactly (`sums.py`).
"""


def code(definitions: tuple[Definition, ...] = ALL) -> str:
    """Return the text of fillers.py."""
    named = [name.split(".") for name in fillers(definitions)]
    modules = {module: sorted(n for _, n in of) for module, of in groupby(sorted(named), key=lambda each: each[0])}
    modules.setdefault("history", []).append("History")
    imports = "\n".join(
        f"from libs.features.{module} import {', '.join(modules[module])}" for module in sorted(modules)
    )
    calls = "\n".join(f"    found |= {name}(h, books, b, row)" for _, name in named)
    return CODE.format(imports=imports, calls=calls)


def _table(definitions: tuple[Definition, ...]) -> str:
    heads = ("feature", "formula", "unit", "window", "NaN when", "source")
    lines = [heads, ("---",) * len(heads)]
    lines += [(f"`{d.name}`", d.formula, d.unit, d.window, d.nan, d.source) for d in definitions]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page() -> str:
    """Return the text of README.md."""
    return PAGE.format(features=_table(DEFINED), totals=_table(SUMMED))


def main() -> int:
    """Write both."""
    (FOLDER / "fillers.py").write_text(code())
    (FOLDER / "README.md").write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
