"""A folder of Parquet parts that are complete or not there, and say how far the recording has come.

A group of parts is drafted under hidden names, brought to the disk, then renamed one after the other. A process that
dies on the way leaves drafts: the next one completes the group when a part of it has its name or all of its drafts are
whole, and removes it otherwise. So every entry of a stream is in exactly one complete part up to the positions of the
newest group, and in none after.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from libs.errors import ConfigError, MissingError, RecordingError
from libs.storage.arrow import Origin, table_of
from libs.storage.parquet import bring_to_disk, write
from libs.storage.partitions import NOTE, Note, Place, parts_of, read_note
from libs.storage.retention import Kept
from libs.storage.sql import write_schema


class Draft(NamedTuple):
    """Rows of one partition, of one run and shard."""

    stream: str
    hour: int
    rows: np.ndarray
    origin: Origin | None = None

    def note(self, group: Note) -> Note:
        """Return the part's metadata."""
        if self.origin is None:
            return msgspec.structs.replace(group, stream=self.stream)
        entries = [self.origin.entries[k] for k in self.origin.of_row[[0, -1]] if k >= 0]
        named = {"run": self.origin.run, "shard": self.origin.shard}
        if entries:
            named |= {"first": entries[0], "last": entries[-1]}
        return msgspec.structs.replace(group, stream=self.stream, **named)


class Group(NamedTuple):
    """Drafts on the disk, to be published."""

    number: int
    places: tuple[Place, ...]
    bytes: tuple[int, ...]
    rows: tuple[int, ...]
    positions: Mapping[str, str]


class Store:
    """The folder of a recording, held by one process.

    Parameters
    ----------
    root : Path
        Made where it is not there.
    prefix : str
        What the streams' names begin with; a folder keeps to one.
    max_bytes : int
        Of all parts; 0: as many as there is room for.

    Attributes
    ----------
    positions : dict
        By stream, the last entry that is recorded.
    newest : int
        Number of the newest group; 0: none yet.
    completed, removed : int
        Drafts of a process that died: what became of them.
    kept : Kept
        The parts that are there.

    Raises
    ------
    MissingError
        When the folder cannot be written, or another process records into it.
    ConfigError
        When it is no folder, or holds a recording of another prefix.
    RecordingError
        When the newest group cannot be read.
    """

    def __init__(self, root: Path, prefix: str, max_bytes: int = 0) -> None:
        self.root, self.prefix = root, prefix
        self.positions: dict[str, str] = {}
        self.newest = self.completed = self.removed = 0
        self._lock = _locked(root)
        try:
            self._recover()
            self.kept = Kept(root, max_bytes)
            self._described: set[str] = set()
            self._describe()
        except OSError as error:
            self.close()
            raise MissingError(f"cannot write in {root}: {error.strerror}; name another folder") from None
        except BaseException:
            self.close()
            raise

    def draft(
        self, drafts: Sequence[Draft], positions: Mapping[str, str], after_each: Callable[[], None] = lambda: None
    ) -> Group:
        """Write a group's parts under hidden names; nothing of it counts before :meth:`publish`.

        Parameters
        ----------
        drafts : sequence of Draft
        positions : mapping
            By stream, the last entry that these parts hold or an earlier group held.
        after_each : callable
            Called when a part is on the disk: a whole group can take seconds.

        Raises
        ------
        OSError
            When the disk is full or the folder cannot be written; nothing is left of the group.
        """
        number = self.newest + 1
        places = tuple(Place(draft.stream, draft.hour, number, k) for k, draft in enumerate(drafts))
        common = Note(number, [str(place.path) for place in places], dict(positions), self.prefix)
        sizes = []
        try:
            for place, draft in zip(places, drafts, strict=True):
                target = self.root / place.draft
                target.parent.mkdir(parents=True, exist_ok=True)
                note = msgspec.json.encode(draft.note(common)).decode()
                sizes.append(write(target, table_of(draft.stream, draft.rows, draft.origin), {NOTE: note}))
                after_each()
            self._keep_names(places)
        except OSError:
            self._discard(places)
            raise
        return Group(number, places, tuple(sizes), tuple(len(draft.rows) for draft in drafts), dict(positions))

    def publish(self, group: Group) -> None:
        """Give a group's parts their names; may be called again after it failed.

        Raises
        ------
        OSError
            When the folder cannot be written; some parts may have their names.
        """
        for place in group.places:
            draft, path = self.root / place.draft, self.root / place.path
            if draft.exists() or not path.exists():
                draft.replace(path)
        self._keep_names(group.places)
        self.positions, self.newest = dict(group.positions), group.number
        for place, size in zip(group.places, group.bytes, strict=True):
            self.kept.add(place, size)
        self._describe()

    def trim(self) -> None:
        """Remove the oldest parts beyond ``max_bytes``.

        Raises
        ------
        OSError
            When one cannot be removed; it is tried again next time.
        """
        try:
            self.kept.trim(self.newest)
        finally:
            self._describe()

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._lock)

    def _describe(self) -> None:
        """Keep to views that have parts: DuckDB refuses one without."""
        streams = self.kept.streams
        if streams and streams != self._described:
            write_schema(self.root)
            self._described = streams

    def _keep_names(self, places: Sequence[Place]) -> None:
        folders = {self.root / parent for place in places for parent in place.path.parents}
        for folder in sorted(folders, reverse=True):
            bring_to_disk(folder)

    def _discard(self, places: Sequence[Place]) -> None:
        for place in places:
            try:
                (self.root / place.draft).unlink(missing_ok=True)
            except OSError:
                # What cannot be removed now is removed at the next start: no part of its group has a name.
                continue

    def _recover(self) -> None:
        """Complete or remove what a process left that died, and learn how far it came."""
        groups = _by_group(self.root)
        for number, drafts in sorted(_by_group(self.root, drafts=True).items()):
            if number in groups:
                members = set(self._note_of(groups[number]).parts)
                wanted = {path: at for path, at in drafts.items() if at in members and not (self.root / at).exists()}
            else:
                wanted = drafts if _all_whole(drafts) else {}
            for path, at in drafts.items():
                if path not in wanted:
                    path.unlink()
                elif read_note(path, whole=True) is None:
                    raise RecordingError(f"{path}: expected a whole part, found damage; move it away to go on without")
                else:
                    path.replace(self.root / at)
                    bring_to_disk(path.parent)
            self.completed += len(wanted)
            self.removed += len(drafts) - len(wanted)
        groups = _by_group(self.root)
        if not groups:
            return
        self.newest = max(groups)
        note = self._note_of(groups[self.newest])
        if note.prefix != self.prefix:
            raise ConfigError(str(self.root), "stream_prefix", f'"{note.prefix}", as recorded here', f'"{self.prefix}"')
        self.positions = dict(note.positions)

    def _note_of(self, parts: Iterable[Path]) -> Note:
        note = next(filter(None, map(read_note, sorted(parts))), None)
        if note is None:
            text = "expected a part of a recording, found no Parquet that says so; move it away"
            raise RecordingError(f"{min(parts)}: {text}")
        return note


def _by_group(root: Path, *, drafts: bool = False) -> dict[int, dict[Path, str]]:
    """Return, by group, each file and the name of its part."""
    found: dict[int, dict[Path, str]] = {}
    for path, place in parts_of(root, drafts=drafts):
        found.setdefault(place.group, {})[path] = str(place.path)
    return found


def _all_whole(drafts: Mapping[Path, str]) -> bool:
    """Return whether these are all drafts of one group, undamaged."""
    there = set(drafts.values())
    notes = (read_note(path, whole=True) for path in drafts)
    return all(note is not None and set(note.parts) == there for note in notes)


def _locked(root: Path) -> int:
    """Return an open lock on the folder, which is made and tried out."""
    if root.exists() and not root.is_dir():
        raise ConfigError("command line", "DIR", "a folder", f'"{root}", which is a file')
    try:
        root.mkdir(parents=True, exist_ok=True)
        fd = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Room for a byte: a full disk makes files, and refuses what goes into them.
        os.pwrite(fd, b"\n", 0)
        os.fsync(fd)
    except OSError as error:
        mend = "make room, or name another folder" if error.errno == errno.ENOSPC else "name another folder"
        raise MissingError(f"cannot write in {root}: {error.strerror}; {mend}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise MissingError(f"{root} belongs to another recorder that is running; name another folder") from None
    return fd
