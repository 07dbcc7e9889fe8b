"""What outlives the order service's process, and the moments at which the process dies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from libs.orders.frames import MAGIC, frame, frames, parse
from libs.orders.journal import JournalError
from libs.risk.kill_switch import Kill, KillSwitch

BEFORE, TORN, AFTER = "before", "torn", "after"
"""Where a write may be cut: nothing of it is there, a part of its last frame is missing, all of it is there."""

Written = Callable[[str, Sequence[bytes]], None]


class CrashError(Exception):
    """The process dies."""


class Disk:
    """Files by name.

    Parameters
    ----------
    written : callable
        Told of each file and the payloads that are in it from now on.

    Attributes
    ----------
    dies_in : int
        Writes from now to the one that kills the process; 0: none does.
    cut : str
        How.
    full_for : int
        So many writes from now on find no room.
    kill : Kill or None
        The kill switch's file.
    """

    def __init__(self, written: Written) -> None:
        self.written = written
        self.files: dict[str, bytes] = {}
        self.dies_in, self.cut, self.full_for = 0, BEFORE, 0
        self.kill: Kill | None = None

    def append(self, name: str, payloads: Sequence[bytes]) -> None:
        """Write, as libs.orders.journal does, and die if it is time to."""
        if self.full_for:
            self.full_for -= 1
            raise JournalError(f"cannot write {name}: No space left on device")
        dies = self.dies_in == 1
        self.dies_in = max(0, self.dies_in - 1)
        kept = len(payloads)
        if dies and self.cut != AFTER:
            kept = 0 if self.cut == BEFORE else kept - 1
        self.files[name] += b"".join(map(frame, payloads[:kept]))
        if kept:
            self.written(name, payloads[:kept])
        if dies:
            if self.cut == TORN:
                self.files[name] += frame(payloads[kept])[:-1]
            raise CrashError


class VirtualJournal:
    """A file of the disk with what :class:`libs.orders.journal.Journal` can do."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk, self.name = disk, name
        content = parse(disk.files.get(name, b""))
        self.found, self.torn_bytes = content.payloads, content.torn_bytes
        disk.files[name] = disk.files[name][: content.good_bytes] if content.good_bytes else MAGIC

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return len(self.disk.files[self.name])

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write payloads."""
        self.disk.append(self.name, payloads)

    def replace(self, payloads: Iterable[bytes]) -> None:
        """Put these payloads in the place of all."""
        self.disk.files[self.name] = frames(payloads)


class VirtualSwitch(KillSwitch):
    """The kill switch, with its file on the disk."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__(Path())

    def _read(self) -> Kill | None:
        return self.disk.kill

    def throw(self, reason: str, ts_ns: int) -> None:
        """Turn it on."""
        self.kill = self.disk.kill = Kill(reason, ts_ns)

    def reset(self) -> bool:
        """Turn it off."""
        was_on, self.kill, self.disk.kill = self.on, None, None
        return was_on
