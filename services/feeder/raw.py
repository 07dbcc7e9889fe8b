"""Everything that the venues said, kept as capture lines: a file a connection and hour, zstd, by a thread of its own.

Whoever speaks never waits for the disk: what finds the queue full is not kept, and is counted.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import zstandard

from libs.errors import MissingError
from libs.scheduling import name_thread

FLUSH_S = 1.0
POLL_S = 0.05
LEVEL = 3
HOUR_S = 3600
SUFFIX = ".jsonl.zst"
Line = tuple[str, str, int, bytes, str]
"""Kind (recv, http, open, close), connection, microseconds since the epoch, text, path of a REST request."""


class Header(msgspec.Struct, frozen=True):
    """The first line of a file; ``ordered``: lines are in order of time."""

    t: str
    format: int
    exchange: str
    connection: str
    ordered: bool


class Said(msgspec.Struct, frozen=True):
    """A line."""

    t: str
    conn: str
    ts: float
    url: str
    data: str


class Open(NamedTuple):
    """A file that is being written."""

    hour: int
    file: BinaryIO
    writer: zstandard.ZstdCompressionWriter


class RawRecorder:
    """Keeps what connections say.

    Parameters
    ----------
    folder : Path
    exchanges : dict of str to str
        By connection: the feed, as headers name it.
    keep_hours : int
        Files that are older go; 0: none.
    most : int
        Lines that may wait.
    log : Any

    Raises
    ------
    MissingError
        When the folder cannot be written.
    """

    def __init__(self, folder: Path, exchanges: dict[str, str], keep_hours: int, log: Any, most: int = 65_536) -> None:
        self.folder, self.exchanges, self.keep_hours, self.most, self.log = folder, exchanges, keep_hours, most, log
        self.counts: Counter[str] = Counter()
        """``messages``, ``bytes`` (before compression), ``dropped``, ``errors``, ``removed``."""
        self._waiting: deque[Line] = deque()
        self._open: dict[str, Open] = {}
        self._encode = msgspec.json.Encoder().encode
        self._stopping = threading.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".probe").write_bytes(b"")
            (folder / ".probe").unlink()
        except OSError as error:
            raise MissingError(f"raw_dir: cannot write {folder}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._run, name="raw", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, kind: str, connection: str, us: int, text: bytes = b"", path: str = "") -> None:
        """Keep a line, or count it as dropped when too many wait."""
        if len(self._waiting) >= self.most:
            self.counts["dropped"] += 1
        else:
            self._waiting.append((kind, connection, us, text, path))

    def stop(self) -> None:
        """Write what waits and close every file."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        name_thread("raw")
        flushed = time.monotonic()
        while True:
            ending = self._stopping.is_set()
            while self._waiting:
                self._write(self._waiting.popleft())
            now = time.monotonic()
            if now - flushed >= FLUSH_S or ending:
                flushed = now
                self._flush(ending=ending)
            if ending:
                return
            self._stopping.wait(POLL_S)

    def _write(self, line: Line) -> None:
        kind, connection, us, text, path = line
        try:
            writer = self._writer(connection, us // 1_000_000 // HOUR_S)
            encoded = self._encode(Said(kind, connection, us / 1e6, path, text.decode("utf-8", "replace")))
            writer.write(encoded + b"\n")
        except (OSError, zstandard.ZstdError) as error:
            self._give_up(connection, error)
            return
        self.counts["messages"] += 1
        self.counts["bytes"] += len(encoded) + 1

    def _writer(self, connection: str, hour: int) -> zstandard.ZstdCompressionWriter:
        known = self._open.get(connection)
        # A message that is late for its hour stays with the newer one: a file is in order of arrival.
        if known is not None and hour <= known.hour:
            return known.writer
        if known is not None:
            self._close(connection)
            self._remove_old(hour)
        stamp = datetime.fromtimestamp(hour * HOUR_S, UTC).strftime("%Y%m%dT%H")
        # Appended to, as another frame, when the service was restarted within the hour.
        file = (self.folder / f"{connection}_{stamp}{SUFFIX}").open("ab")
        writer = zstandard.ZstdCompressor(level=LEVEL).stream_writer(file, closefd=False)
        self._open[connection] = Open(hour, file, writer)
        header = Header("header", 2, self.exchanges.get(connection, connection), connection, ordered=True)
        writer.write(self._encode(header) + b"\n")
        return writer

    def _flush(self, *, ending: bool) -> None:
        for connection in list(self._open):
            try:
                if ending:
                    self._close(connection)
                else:
                    self._open[connection].writer.flush(zstandard.FLUSH_BLOCK)
                    self._open[connection].file.flush()
            except (OSError, zstandard.ZstdError) as error:
                self._give_up(connection, error)

    def _close(self, connection: str) -> None:
        found = self._open.pop(connection)
        try:
            found.writer.close()
        finally:
            found.file.close()

    def _give_up(self, connection: str, error: Exception) -> None:
        """Count what could not be written; the next line tries a new frame."""
        self.counts["errors"] += 1
        self.counts["dropped"] += 1
        if self.counts["errors"] == 1:
            self.log.error("raw_not_kept", connection=connection, error=str(error))
        found = self._open.pop(connection, None)
        if found is not None:
            found.file.close()

    def _remove_old(self, hour: int) -> None:
        if not self.keep_hours:
            return
        first = datetime.fromtimestamp((hour - self.keep_hours) * HOUR_S, UTC).strftime("%Y%m%dT%H")
        for path in self._files():
            if path.name.removesuffix(SUFFIX).rpartition("_")[2] < first:
                path.unlink(missing_ok=True)
                self.counts["removed"] += 1

    def _files(self) -> Iterable[Path]:
        own = {f"{connection}_" for connection in self.exchanges}
        return [path for path in self.folder.glob(f"*{SUFFIX}") if path.name[: path.name.rfind("_") + 1] in own]
