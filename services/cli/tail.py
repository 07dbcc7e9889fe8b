"""`crossbook tail`: a stream's records as they come, one JSON object a line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from libs.config import near
from libs.errors import ConfigError, MissingError
from services.cli.arguments import FILE, config_folder
from services.cli.redis_server import check_external, without_password
from services.cli.rundir import running

PACKED = ("features", "book", "nbbo", "arbitrage", "trades", "status")
READABLE = ("signals", "orders", "fills")
BLOCK_MS = 200
AWAY_S = 3.0


def run(stream: str, symbol: str | None, limit: int, config: str | None) -> int:
    """Print records until interrupted, or ``limit`` of them (0: no limit).

    Raises
    ------
    ConfigError
        When there is no such stream.
    MissingError
        When Redis is not there, or goes away.
    """
    known = [*PACKED, *READABLE]
    if stream not in known:
        raise ConfigError(FILE, "STREAM", f"one of {', '.join(known)}{near(stream, known)}", json.dumps(stream))
    url, prefix = where(config)
    check_external(url, "start one with `crossbook up`, or name one: REDIS_URL")
    found = _packed(url, prefix, stream) if stream in PACKED else _readable(url, prefix, stream)
    printed = 0
    try:
        for row in found:
            if symbol is not None and row.get("symbol") != symbol:
                continue
            sys.stdout.write(json.dumps(row, allow_nan=False) + "\n")
            sys.stdout.flush()
            printed += 1
            if printed == limit:
                break
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has had enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def where(config: str | None) -> tuple[str, str]:
    """Return the URL of the Redis to read and what its streams' names begin with.

    REDIS_URL wins; then a `crossbook up` of this user that is running, the newest first; then the configuration.
    """
    from libs.config import read

    notes = running()
    given = os.environ.get("REDIS_URL")
    if given:
        prefixes = [note["stream_prefix"] for note in notes if note["redis_url"] == given]
        return given, prefixes[-1] if prefixes else ""
    if notes and config is None:
        return str(notes[0]["redis_url"]), str(notes[0]["stream_prefix"])
    values = read(config_folder(config) / "consumer.toml")
    return str(values.get("redis_url", "redis://127.0.0.1:6379/0")), str(values.get("stream_prefix", ""))


def _packed(url: str, prefix: str, stream: str) -> Iterator[dict[str, Any]]:
    from libs.streams.reader import PackedReader
    from services.cli.rows import objects

    reader = PackedReader(url, prefix, [stream], start="$", block_ms=BLOCK_MS)
    for batch in _while_there(reader, url):
        yield from objects(stream, batch.rows)


def _readable(url: str, prefix: str, stream: str) -> Iterator[dict[str, Any]]:
    from libs.streams.reader import RecordReader

    reader = RecordReader(url, prefix, [stream], start="$", block_ms=BLOCK_MS)
    for record in _while_there(reader, url):
        yield {"stream": stream, "id": record.id, **record.fields}


def _while_there(reader: Any, url: str) -> Iterator[Any]:
    """Yield what a reader gives until Redis has been away for some seconds."""
    away_since = 0.0
    try:
        while True:
            yield from reader.read()
            if reader.connected:
                away_since = 0.0
            elif not away_since:
                away_since = time.monotonic()
            elif time.monotonic() - away_since > AWAY_S:
                raise MissingError(f"Redis at {without_password(url)} went away: {reader.last_error}")
    finally:
        reader.close()
