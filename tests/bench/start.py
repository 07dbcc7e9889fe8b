"""How long until ``crossbook up`` is ready: with a warm kernel cache, and (``--full``) with none."""

from __future__ import annotations

import os
import tempfile

from tests.bench.runner import Disturbance, Row, Scale
from tests.bench.stack import up

WHAT = "crossbook up until every service is ready and the consumer has joined"
WARM_S, FIRST_S = 3.0, 60.0


def _row(case: str, repeats: int, most: float) -> Row:
    with Disturbance() as disturbance:
        took = sorted(up("--duration", "1", "--symbols", "50", "--rate", "1000")["ready_s"] for _ in range(repeats))
    row: Row = {
        "case": case, "ours": took[len(took) // 2], "unit": "s", "references": {}, "ratio": {}, "goal": {"most": most},
        "spread": {"ours": round(took[-1] - took[0], 2)}, "repeats": repeats,
    }  # fmt: skip
    if disturbance.reason:
        row["disturbed"] = disturbance.reason
    return row


def rows(scale: Scale) -> list[Row]:
    """Measure a warm start some times; a first one once, since it takes minutes of CPU."""
    up("--duration", "1", "--symbols", "2", "--rate", "500")
    found = [_row("warm", scale.pick(3, 1), WARM_S)]
    if scale.full:
        with tempfile.TemporaryDirectory(prefix="cb-cold-") as folder:
            before = os.environ.get("CROSSBOOK_CACHE_DIR")
            os.environ["CROSSBOOK_CACHE_DIR"] = folder
            try:
                found.append(_row("first, every kernel to compile", 1, FIRST_S))
            finally:
                del os.environ["CROSSBOOK_CACHE_DIR"]
                if before is not None:
                    os.environ["CROSSBOOK_CACHE_DIR"] = before
    return found
