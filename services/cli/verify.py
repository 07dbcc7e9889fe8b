"""``crossbook verify PATH …``: how much of a recording can be trusted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from libs.offline.audit import Audit, audit
from libs.storage.recordings import Recording, find

QUIET_S = 2.0
COLUMNS = ("symbol", "messages", "updates", "trades", "snapshots", "gaps", "checksums", "tickers", "crossed", "valid",
           "best bid", "best ask")  # fmt: skip


def run(paths: Sequence[str], *, as_json: bool) -> int:
    """Audit recordings, print what was found.

    Returns
    -------
    int
        1 when one is not ok.

    Raises
    ------
    MissingError, RecordingError
        When a path is not there, or is no recording.
    """
    audits = [_audited(recording) for recording in find([Path(path) for path in paths])]
    entries = [each.document() for each in audits]
    ok = all(each.ok for each in audits)
    if as_json:
        print(json.dumps({"files": entries, "ok": ok}))
    else:
        for each, entry in zip(audits, entries, strict=True):
            _show(each, entry)
        print(f"\n{len(audits)} recordings: {'all that can be checked holds' if ok else 'NOT OK'}")
    return 0 if ok else 1


def _audited(recording: Recording) -> Audit:
    began = told = time.monotonic()

    def progress(messages: int) -> None:
        nonlocal told
        if time.monotonic() - told > QUIET_S:
            told = time.monotonic()
            print(f"{recording.path}: {messages:,} messages, {told - began:.0f} s", file=sys.stderr, flush=True)

    return audit(recording, progress)


def _show(found: Audit, entry: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    more = f" and {len(entry['parts']) - 1} more" if len(entry["parts"]) > 1 else ""
    print(f"\n{entry['path']}{more}: {entry['venue']}, {found.messages:,} messages, {'ok' if found.ok else 'NOT OK'}")
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "symbol" else "right", no_wrap=True)
    for symbol, s in entry["symbols"].items():
        sums, ticker = s["checksums"], s["ticker"]
        checked = sums["ok"] + sums["bad"]
        table.add_row(
            symbol, *(f"{s[name]:,}" for name in ("messages", "updates", "trades", "snapshots", "gaps")),
            f"{sums['ok']:,} of {checked:,}" if checked else "-",
            f"{ticker['compared'] - ticker['disagreed']:,} of {ticker['compared']:,}" if ticker["compared"] else "-",
            f"{s['crossed']:,}", f"{s['valid_ratio']:.4f}", s["best_bid"] or "-", s["best_ask"] or "-",
        )  # fmt: skip
    Console(width=max(140, Console().width)).print(table)
    for line in entry["unverifiable"]:
        print(f"  cannot be checked: {line}")
