"""The run directory, which goes with the run, and the state directory, which stays."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from libs.errors import MissingError

PREFIX = "crossbook-up-"
LOCK, ABOUT = "lock", "run.json"
# A unix socket's path holds 107 bytes; mkdtemp adds eight, the socket's name some more.
LONGEST_BASE = 107 - len(PREFIX) - 8 - len("//redis.sock")


def _base() -> Path:
    """Return the folder for run directories: the user's own where there is one."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given and len(given.encode()) <= LONGEST_BASE and os.access(given, os.W_OK | os.X_OK):
        return Path(given)
    return Path("/tmp")


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds the file's lock, or None when another process has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


class RunDirectory:
    """A folder of mode 700 for this run's sockets and resolved configuration.

    Directories that a killed run left behind are removed on the way.
    """

    def __init__(self) -> None:
        remove_leftovers()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_base()))
        self._lock = _locked(self.path / LOCK)

    def describe(self, about: dict[str, Any]) -> None:
        """Leave a note for `crossbook tail` and `crossbook status`: what runs here, and where."""
        fresh = self.path / f"{ABOUT}.new"
        fresh.write_text(json.dumps(about))
        fresh.replace(self.path / ABOUT)

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _own_directories() -> list[Path]:
    found = []
    for path in _base().glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                found.append(path)
    return found


def remove_leftovers() -> None:
    """Remove the directories of runs that were killed: nobody holds their lock."""
    for path in _own_directories():
        if not (path / LOCK).exists():
            continue  # another run is just making it
        with contextlib.suppress(OSError):
            fd = _locked(path / LOCK)
            if fd is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(fd)


def running() -> list[dict[str, Any]]:
    """Return the notes of this user's runs, the newest first."""
    notes = []
    for path in _own_directories():
        with contextlib.suppress(OSError, ValueError):
            fd = _locked(path / LOCK) if (path / LOCK).exists() else None
            if fd is not None:
                os.close(fd)
                continue
            notes.append(json.loads((path / ABOUT).read_text()))
    return sorted(notes, key=lambda note: -float(note["started"]))


class StateDirectory:
    """The folder of what must survive a run; one run has it at a time.

    Parameters
    ----------
    path : Path

    Raises
    ------
    MissingError
        When it cannot be written, or another run has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path / "up.lock")
        except OSError as error:
            raise MissingError(
                f"cannot write the state directory {path}: {error.strerror}; name another: --state-dir"
            ) from error
        if self._lock is None:
            raise MissingError(
                f"the state directory {path} belongs to another run that is not over; name another: --state-dir"
            )

    def release(self) -> None:
        """Let the next run have it. The lock's file stays: unlinked, it could be locked twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
