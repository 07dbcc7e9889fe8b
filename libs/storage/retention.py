"""How much of a recording is kept: the oldest hours go first."""

from __future__ import annotations

import heapq
from collections import Counter
from pathlib import Path

from libs.storage.partitions import Place, parts_of


class Kept:
    """The parts of a recording and their sizes.

    Parameters
    ----------
    root : Path
    max_bytes : int
        0: no limit.

    Attributes
    ----------
    bytes : int
        Of all parts.
    removed_parts, removed_bytes : int
        By :meth:`trim`.

    Raises
    ------
    OSError
        When the folder cannot be read.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.root, self.max_bytes = root, max_bytes
        self.bytes = self.removed_parts = self.removed_bytes = 0
        self._sizes: dict[Place, int] = {}
        self._oldest: list[tuple[int, int, Place]] = []
        self._streams: Counter[str] = Counter()
        for path, place in parts_of(root):
            self.add(place, path.stat().st_size)

    @property
    def streams(self) -> set[str]:
        """Streams that have parts."""
        return {stream for stream, n in self._streams.items() if n}

    def add(self, place: Place, size: int) -> None:
        """Take in a part; one that is known changes nothing."""
        if place in self._sizes:
            return
        self._sizes[place] = size
        self.bytes += size
        self._streams[place.stream] += 1
        heapq.heappush(self._oldest, (place.hour, place.group, place))

    def trim(self, newest: int) -> None:
        """Remove the oldest parts of the oldest hours until the limit holds.

        Parameters
        ----------
        newest : int
            The group that says how far the recording has come: it stays, whatever its hours.

        Raises
        ------
        OSError
            When one cannot be removed; it is tried again next time.
        """
        stays = []
        try:
            while self.max_bytes and self.bytes > self.max_bytes and self._oldest:
                entry = self._oldest[0]
                place = entry[2]
                if place.group != newest:
                    (self.root / place.path).unlink(missing_ok=True)
                    self._leave_empty_folders(place)
                    self._forget(place)
                else:
                    stays.append(entry)
                heapq.heappop(self._oldest)
        finally:
            for entry in stays:
                heapq.heappush(self._oldest, entry)

    def _forget(self, place: Place) -> None:
        size = self._sizes.pop(place)
        self.bytes -= size
        self._streams[place.stream] -= 1
        self.removed_parts += 1
        self.removed_bytes += size

    def _leave_empty_folders(self, place: Place) -> None:
        for folder in (place.folder, place.folder.parent):
            full = self.root / folder
            if not full.is_dir() or any(full.iterdir()):
                return
            full.rmdir()
