"""One line of ratios for the record of a CI run, which judges none: ``python -m tests.bench.ratios``."""

from __future__ import annotations

import json

from tests.bench.main import measure
from tests.bench.runner import Scale

NAMES = ("books", "ring", "receive", "features", "nbbo", "publish")


def line() -> str:
    """Return the ratios of every case as JSON; a bench that cannot run says why in their place."""
    found: dict[str, object] = {}
    for name in NAMES:
        document = measure(name, Scale())
        found[name] = {row["case"]: row.get("ratio", row.get("skipped")) for row in document["rows"]}
    return f"bench-ratios {json.dumps(found)}"


if __name__ == "__main__":
    print(line())
