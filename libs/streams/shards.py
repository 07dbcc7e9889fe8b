"""Several consumers that share the symbols: which of them an entry is from, and ids that do not meet.

The entries of one of several carry a field ``shard`` (``I/N``) beside ``run``. Ids within a shard are dense; outside it
they are spread by N, so that every id modulo N is I - 1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np

MOST_SHARDS = 16
EXPECTED = f"I/N with 1 <= I <= N <= {MOST_SHARDS}"
NO_BOOK = 0xFFFFFFFF

_SHARD = re.compile(r"(\d{1,2})/(\d{1,2})", re.ASCII)


class Shard(NamedTuple):
    """One of ``of`` consumers, counted from 1."""

    number: int = 1
    of: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def offset(self) -> int:
        """Which one, from 0."""
        return self.number - 1

    @property
    def ids(self) -> slice:
        """Where this shard's ids are in an array by id."""
        return slice(self.offset, None, self.of)

    def owns(self, identity: int) -> bool:
        """Return whether a book or symbol id is of this shard."""
        return identity % self.of == self.offset


WHOLE = Shard()
"""The only consumer."""


@lru_cache(maxsize=256)
def parse_shard(text: str) -> Shard:
    """Return a shard from its text, ``I/N``.

    Raises
    ------
    ValueError
        When it is not of that form or out of range.
    """
    found = _SHARD.fullmatch(text)
    if found is None:
        raise ValueError(EXPECTED)
    shard = Shard(int(found[1]), int(found[2]))
    if not 1 <= shard.number <= shard.of <= MOST_SHARDS:
        raise ValueError(EXPECTED)
    return shard


def with_shared_ids(rows: np.ndarray, shard: Shard) -> np.ndarray:
    """Return records with ids that no other shard gives; those of a whole channel keep having none.

    Parameters
    ----------
    rows : structured array
        Of a packed schema, as the engine left it. A copy is returned, except by the only consumer.
    shard : Shard
    """
    if shard.of == 1:
        return rows
    rows = rows.copy()
    for name in ("book_id", "symbol_id"):
        if name in (rows.dtype.names or ()):
            ids = rows[name]
            rows[name] = np.where(ids == NO_BOOK, ids, ids * shard.of + shard.offset)
    return rows
