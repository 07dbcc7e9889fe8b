"""An append-only journal on disk, written before what it speaks of happens.

``append`` returns once the operating system has the bytes: they survive the death of the process. They survive the
death of the machine once they are on the disk: ``fsync="always"`` waits for that in every append, ``"interval"``
leaves it to a thread that does so every ``interval_s`` (a power cut may take the last of them), ``"never"`` to the
operating system.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from libs.errors import CrossbookError, MissingError
from libs.orders.frames import MAGIC, DamagedError, frame, frames, parse
from libs.scheduling import name_thread

Fsync = Literal["always", "interval", "never"]
INTERVAL_S = 0.1


class JournalError(CrossbookError):
    """The journal could not be written or read; the message says why. What it was to speak of must not happen."""


class Journal:
    """One file; this process alone has it while it is open.

    Parameters
    ----------
    path : Path
        Made where it is not there.
    fsync : str
        ``always``, ``interval`` or ``never``.

    Attributes
    ----------
    found : list of bytes
        What was in the file; the reader may empty it.
    torn_bytes : int
        Cut off at its end.
    size : int
        Bytes in the file.

    Raises
    ------
    MissingError
        When another process has it, or it cannot be made.
    JournalError
        When it is damaged.
    """

    def __init__(self, path: Path, fsync: Fsync = "interval", interval_s: float = INTERVAL_S) -> None:
        self.path, self._fsync = path, fsync
        self._lock = _locked(path)
        self._fd = _opened(path)
        self.found, self.torn_bytes = self._recover()
        self._flush_error: OSError | None = None
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._swap = threading.Lock()
        self._flusher: threading.Thread | None = None
        if fsync == "interval":
            self._flusher = threading.Thread(target=self._flush, args=(interval_s,), name="journal", daemon=True)
            self._flusher.start()

    def _recover(self) -> tuple[list[bytes], int]:
        try:
            content = parse(self.path.read_bytes())
        except DamagedError as error:
            os.close(self._fd)
            os.close(self._lock)
            raise JournalError(f"{self.path}: {error}; move it away to start without what it holds") from None
        self.size = content.good_bytes
        os.ftruncate(self._fd, self.size)
        if self.size == 0:
            self._write(MAGIC)
        return content.payloads, content.torn_bytes

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write payloads, all of them or none.

        Raises
        ------
        JournalError
            When the disk is full, say; the file ends where it did before.
        """
        data = b"".join(map(frame, payloads))
        if self._flush_error is not None:
            raise JournalError(f"cannot keep {self.path}: {self._flush_error.strerror}")
        try:
            self._write(data)
            if self._fsync == "always":
                os.fdatasync(self._fd)
            else:
                self._dirty.set()
        except OSError as error:
            os.ftruncate(self._fd, self.size)
            raise JournalError(f"cannot write {self.path}: {error.strerror}") from None
        self.size += len(data)

    def _write(self, data: bytes) -> None:
        at = self.size
        view = memoryview(data)
        while view:
            n = os.pwrite(self._fd, view, at)
            at, view = at + n, view[n:]
        if data is MAGIC:
            self.size = at

    def replace(self, payloads: Iterable[bytes]) -> None:
        """Put these payloads in the place of all that was written, on the disk, whole or not at all.

        Raises
        ------
        JournalError
            When that cannot be done; the file is as it was.
        """
        data = frames(payloads)
        fresh = self.path.with_suffix(".new")
        try:
            write_durably(fresh, data)
            fd = os.open(fresh, os.O_RDWR | os.O_CLOEXEC)
            fresh.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise JournalError(f"cannot rewrite {self.path}: {error.strerror}") from None
        with self._swap:
            os.close(self._fd)
            self._fd = fd
        self.size = len(data)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        self._dirty.clear()
        with self._swap:
            os.fdatasync(self._fd)

    def _flush(self, interval_s: float) -> None:
        name_thread("journal")
        while not self._closing.wait(interval_s):
            if self._dirty.is_set():
                try:
                    self.sync()
                except OSError as error:
                    # What the disk did with the last bytes is unknown from here on: no append may say otherwise.
                    self._flush_error = error
                    return

    def close(self) -> None:
        """Put everything on the disk and let go of the file."""
        self._closing.set()
        if self._flusher is not None:
            self._flusher.join()
        self.sync()
        os.close(self._fd)
        os.close(self._lock)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with open(path, "wb", opener=_private) as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's entries are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MissingError(f"cannot write {path}: {error.strerror}; name another state_dir") from None


def _locked(path: Path) -> int:
    """Return an open lock beside the file, which the lock of a file that is replaced could not be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MissingError(f"cannot write in {path.parent}: {error.strerror}; name another state_dir") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise MissingError(f"{path} belongs to another process that is running; name another state_dir") from None
    return fd
