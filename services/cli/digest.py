"""``crossbook digest``: the hash chains of a recording, and the first event that differs between two of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from libs.config import read
from libs.digest.trace import Trace, differences, is_trace, read_trace
from libs.errors import ConfigError, MissingError
from libs.market.config import load_consumer_config
from services.cli.arguments import FILE, config_folder, output, symbols_file

SHOWN = 20
Document = dict[str, Any]


def run(paths: Sequence[str], trace: str | None, config: str | None) -> int:
    """Print the chains of a recording as the consumer's settings make them.

    Returns
    -------
    int
        1 when lines of the recording could not be used, or the digest is not complete.

    Raises
    ------
    MissingError
        When a path is not there.
    ConfigError
        When a configuration file or an argument is wrong.
    """
    from libs.engine.digest_report import document
    from libs.features.microprice import load_all
    from libs.offline.passes import Pass
    from libs.storage.source import RecordingSource, instruments_of

    folder = config_folder(config)
    options = load_consumer_config(symbols_file(folder)).processing_config
    instruments = str(read(folder / "replay.toml").get("instruments_dir", ""))
    source = RecordingSource([Path(path) for path in paths], instrument_of=instruments_of(instruments))
    passed = Pass(
        source,
        levels=1,
        depth=options.depth,
        depth_levels=options.depth_levels,
        liquidity_bps=options.liquidity_bps,
        stale_cross_ms=options.stale_cross_ms,
        clock_uncertainty_ms=options.clock_uncertainty_ms,
        digest=True,
        trace=output(trace, "--trace"),
        tables=load_all(options.microprice),
    )
    for _ in passed.blocks():
        pass
    found = document(passed.engine.arrays)
    json.dump(found | {"messages": passed.messages, "bad_lines": source.bad.count}, sys.stdout, indent=1)
    print()
    for line in source.bad.examples:
        print(f"crossbook digest: {line}", file=sys.stderr)
    return 0 if found["complete"] and not source.bad.count else 1


def compare(paths: Sequence[str], *, as_json: bool) -> int:
    """Say which chains of two documents differ, or of two traces the first event of each; return 1 when any does.

    Raises
    ------
    MissingError
        When a file is not there.
    ConfigError
        When there are not two, or they are not of one kind.
    """
    if len(paths) != 2:
        raise ConfigError(FILE, "--compare", "two files", f"{len(paths)}")
    files = [Path(path) for path in paths]
    for file in files:
        if not file.is_file():
            raise MissingError(f"{file}: no such file; `crossbook digest PATH --trace FILE` writes one")
    kinds = [is_trace(file) for file in files]
    if kinds[0] != kinds[1]:
        raise ConfigError(FILE, "--compare", "two documents or two traces", "one of each")
    if kinds[0]:
        return _compare_traces(read_trace(files[0]), read_trace(files[1]), as_json=as_json)
    return _compare_documents(_document(files[0]), _document(files[1]), as_json=as_json)


def _compare_traces(one: Trace, other: Trace, *, as_json: bool) -> int:
    found = differences(one, other)
    links = sum(map(len, one.chains.values()))
    dropped = one.dropped + other.dropped
    if as_json:
        first = [asdict(each) for each in found]
        json.dump({"equal": not found, "links": links, "dropped": dropped, "differences": first}, sys.stdout, indent=1)
        print()
    else:
        _tell([str(each) for each in found], f"{links:,} links of {len(one.chains)} chains are equal")
    if dropped:
        print(f"crossbook digest: {dropped} links found no room in a trace", file=sys.stderr)
    return 1 if found or dropped else 0


def _compare_documents(one: Document, other: Document, *, as_json: bool) -> int:
    found = sorted(key for key in {**one, **other} if one.get(key) != other.get(key))
    if as_json:
        json.dump({"equal": not found, "chains": len(one), "differences": found}, sys.stdout, indent=1)
        print()
    else:
        lines = [f"{key}: {one.get(key, 'nothing')} and {other.get(key, 'nothing')}" for key in found]
        _tell(lines, f"{len(one)} chains are equal")
    return 1 if found else 0


def _tell(lines: Sequence[str], equal: str) -> None:
    for line in lines[:SHOWN]:
        print(line)
    if len(lines) > SHOWN:
        print(f"and {len(lines) - SHOWN} chains more")
    if not lines:
        print(equal)


def _document(path: Path) -> Document:
    """Return the chains of a document by what they are of."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        chains = {
            f"{name} {kind}": of[kind]
            for name, of in found["symbols"].items()
            for kind in ("events", "book", "features")
        }
        return chains | {f"{name} nbbo": link for name, link in found["nbbo"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(FILE, "--compare", "a document of `crossbook digest`", f'"{path}"') from None
