"""What ``crossbook bench`` runs: a bench is a module of this folder with ``WHAT`` and ``rows``."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from libs.errors import ConfigError
from tests.bench import native, plots, runner, table

NAMES = (
    "books", "ring", "receive", "features", "nbbo", "publish", "pipe", "throughput", "feeder", "replay", "start",
    "memory", "scrape", "shards", "scale",
)  # fmt: skip
DRAWN = ("scale",)
"""Their rows are sweeps, which can be drawn."""


def measure(name: str, scale: runner.Scale) -> dict[str, Any]:
    """Run one bench and return its document."""
    bench = importlib.import_module(f"tests.bench.{name}")
    host = runner.host() | {"compiler": native.compiler()[1]}
    began = time.monotonic()
    with runner.Disturbance() as disturbance:
        rows = bench.rows(scale)
    host |= {"steal": round(disturbance.steal, 4), "involuntary_switches": disturbance.involuntary}
    return {
        "name": name,
        "what": bench.WHAT,
        "host": host,
        "rows": rows,
        "took_s": round(time.monotonic() - began, 1),
    }


def chosen(name: str) -> Sequence[str]:
    """Return the benches that a name stands for.

    Raises
    ------
    ConfigError
        When there is none of that name.
    """
    if name == "all":
        return NAMES
    if name not in NAMES:
        raise ConfigError("command line", "NAME", f"all, {', '.join(NAMES)}", f'"{name}"')
    return (name,)


def run(name: str, *, as_json: bool, full: bool, to: str | None, plots_to: str | None = None) -> int:
    """Measure, print and, if asked for, write a Markdown file and draw the sweeps; return the exit status.

    Raises
    ------
    ConfigError
        When there is no bench of that name, the file cannot be written, or none of the benches has anything to draw.
    MissingError
        When there is no C compiler, or nothing to draw with.
    """
    names = chosen(name)
    target = None if to is None else Path(to)
    if target is not None and not target.absolute().parent.is_dir():
        raise ConfigError("command line", "--to", "a file in a folder that exists", f'"{to}"')
    if plots_to is not None and not set(names) & set(DRAWN):
        raise ConfigError("command line", "--plots", f"one of {', '.join(DRAWN)}, or all, to draw", f'"{name}"')
    folder = None if plots_to is None else plots.prepare(plots_to)
    typed = f"crossbook bench {name}{' --full' if full else ''}"
    documents = []
    pictures: dict[str, list[Path]] = {}
    for each in names:
        if sys.stderr.isatty():
            print(f"measuring {each} …", file=sys.stderr)
        documents.append(measure(each, runner.Scale(full=full)))
        if not as_json:
            print(table.as_text(documents[-1]) + "\n", flush=True)
        if folder is not None and each in DRAWN:
            pictures[each] = plots.draw(documents[-1], folder, f"{typed} --plots FOLDER")
    if as_json:
        print(json.dumps(documents if name == "all" else documents[0], indent=2))
    if target is not None:
        links = {each: [os.path.relpath(path, target.parent) for path in paths] for each, paths in pictures.items()}
        target.write_text(table.as_markdown(documents, typed, links), encoding="utf-8")
    return 0
