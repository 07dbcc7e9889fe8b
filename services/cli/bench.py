"""``crossbook bench``: our figures beside named references of the same run. The benches are part of a checkout only."""

from __future__ import annotations

import importlib
import sys

from libs.errors import MissingError
from services.cli.arguments import code_root
from services.cli.warm import is_warm


def run(name: str, *, as_json: bool, full: bool, to: str | None, plots: str | None = None) -> int:
    """Run a bench, or all; return the exit status.

    Raises
    ------
    ConfigError
        When there is no bench of that name, or something cannot be written where it should be.
    MissingError
        When this is no checkout, there is no C compiler for the references, or nothing to draw with.
    """
    root = code_root()
    if not (root / "tests" / "bench" / "main.py").is_file():
        raise MissingError("bench: expected tests/bench beside the code, found none; run it from a checkout")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    if not is_warm():
        print("compiling the kernels first, which takes about a minute", file=sys.stderr)
    benches = importlib.import_module("tests.bench.main")
    return int(benches.run(name, as_json=as_json, full=full, to=to, plots_to=plots))
