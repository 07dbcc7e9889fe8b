"""The last ids that were seen, in memory that is all taken at the start."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b

WIDTH = 64
"""Bytes of an id's place, one of them its length; ids of venues have up to 36."""
_LONGEST = WIDTH - 1
_NONE = -1


class Remembered:
    """A set of ids, of which adding one too many forgets the oldest.

    A ring of the ids and, over it, a hash table with chains, both of a fixed size: memory that grew for days until the
    bound was reached could not be told from a leak. An id that is too long for its place is kept as its digest.

    Parameters
    ----------
    most : int
        Ids kept.
    ids : iterable of str
        Those to begin with, the oldest first.
    """

    def __init__(self, most: int, ids: Iterable[str] = ()) -> None:
        places = [_place_of(key) for key in dict.fromkeys(ids)][-most:]
        self._most, self._count, self._next = most, len(places), len(places) % most
        self._mask = (1 << most.bit_length()) - 1
        # Multiplied, not zeroed: memory that nobody has written to is not there yet.
        self._ring = bytearray(b"\xff") * (WIDTH * most)
        self._heads = array("i", [_NONE]) * (self._mask + 1)
        self._chain = array("i", [_NONE]) * most
        self._ring[: WIDTH * len(places)] = b"".join(places)
        for at, place in enumerate(places):
            bucket = hash(place) & self._mask
            self._chain[at], self._heads[bucket] = self._heads[bucket], at

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: str) -> bool:
        place = _place_of(key)
        return self._find(place, hash(place) & self._mask) != _NONE

    def __iter__(self) -> Iterator[str]:
        """The ids, the oldest first."""
        ring, oldest = bytes(self._ring), (self._next - self._count) % self._most
        for k in range(oldest, oldest + self._count):
            at = WIDTH * (k % self._most)
            yield ring[at + 1 : at + 1 + ring[at]].decode()

    def add(self, key: str) -> None:
        """Remember an id; one that is known keeps its age."""
        place = _place_of(key)
        bucket = hash(place) & self._mask
        if self._find(place, bucket) != _NONE:
            return
        at = self._next
        if self._count == self._most:
            self._forget(at)
        else:
            self._count += 1
        self._ring[WIDTH * at : WIDTH * (at + 1)] = place
        self._chain[at], self._heads[bucket] = self._heads[bucket], at
        self._next = (at + 1) % self._most

    def _at(self, at: int) -> bytes:
        return bytes(self._ring[WIDTH * at : WIDTH * (at + 1)])

    def _find(self, place: bytes, bucket: int) -> int:
        at = self._heads[bucket]
        while at != _NONE and self._at(at) != place:
            at = self._chain[at]
        return at

    def _forget(self, old: int) -> None:
        bucket = hash(self._at(old)) & self._mask
        at = self._heads[bucket]
        if at == old:
            self._heads[bucket] = self._chain[old]
            return
        while self._chain[at] != old:
            at = self._chain[at]
        self._chain[at] = self._chain[old]


def _place_of(key: str) -> bytes:
    """Return what an id's place holds: its length, itself in UTF-8, nothing more up to the place's end."""
    data = key.encode()
    if len(data) > _LONGEST:
        data = blake2b(data, digest_size=16).hexdigest().encode()
    return bytes((len(data),)) + data.ljust(_LONGEST, b"\0")
