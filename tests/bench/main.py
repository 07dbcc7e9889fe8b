"""What ``crossbook bench`` runs: a bench is a module of this folder with ``WHAT`` and ``rows``."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from libs.errors import ConfigError
from tests.bench import native, runner, table
from tests.bench import plots as drawing

NAMES = (
    "books", "ring", "receive", "features", "nbbo", "publish", "pipe", "throughput", "replay", "start", "memory",
    "shards", "scale",
)  # fmt: skip


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


def run(name: str, *, as_json: bool, full: bool, to: str | None, plots: str | None = None) -> int:
    """Measure, print and, if asked for, write a Markdown file; return the exit status.

    Raises
    ------
    ConfigError
        When there is no bench of that name, or the file or the folder cannot be written.
    MissingError
        When there is no C compiler, or nothing to draw plots with.
    """
    names = chosen(name)
    target = None if to is None else Path(to)
    if target is not None and not target.absolute().parent.is_dir():
        raise ConfigError("command line", "--to", "a file in a folder that exists", f'"{to}"')
    folder = None if plots is None else drawing.folder_for(plots)
    documents = []
    for each in names:
        if sys.stderr.isatty():
            print(f"measuring {each} …", file=sys.stderr)
        documents.append(measure(each, runner.Scale(full=full)))
        if not as_json:
            print(table.as_text(documents[-1]) + "\n", flush=True)
    if as_json:
        print(json.dumps(documents if name == "all" else documents[0], indent=2))
    if target is not None:
        typed = f"crossbook bench {name}{' --full' if full else ''}"
        target.write_text(table.as_markdown(documents, typed), encoding="utf-8")
    if folder is not None:
        host = table.described(documents[0]["host"])
        for file in drawing.draw_all(documents, f"crossbook bench {name}: {host}", folder):
            print(f"drawn: {file}", file=sys.stderr)
    return 0
