"""A book of a venue's own texts: what a checksum over the best levels is computed from."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

PLACES = 20
"""Decimals of the keys, more than a 64-bit mantissa can have."""


def key_of(price: str) -> int:
    """Return a plain decimal as an integer in 10^-PLACES.

    Raises
    ------
    ValueError
        When the text is no plain decimal.
    """
    whole, _, fraction = price.partition(".")
    if not (whole + fraction).isdigit() or len(fraction) > PLACES:
        raise ValueError(f"expected a plain decimal, found {price[:40]!r}")
    return int(whole + fraction.ljust(PLACES, "0"))


class TextSide:
    """One side: price and size as the venue wrote them, best first.

    Parameters
    ----------
    bids : bool
        Whether the highest price is the best.
    """

    def __init__(self, *, bids: bool) -> None:
        self._sign = -1 if bids else 1
        self._keys: list[int] = []
        self._texts: dict[int, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Forget every level."""
        self._keys.clear()
        self._texts.clear()

    def put(self, levels: Iterable[Sequence[str]]) -> None:
        """Apply absolute sizes in order; a size of nothing but zeros removes the level.

        Raises
        ------
        ValueError
            When a price is no plain decimal.
        """
        for row in levels:
            price, size = row[0], row[1]
            key = self._sign * key_of(price)
            if size.strip("0.") == "":
                if self._texts.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
                continue
            if key not in self._texts:
                insort(self._keys, key)
            self._texts[key] = (price, size)

    def best(self, n: int) -> list[tuple[str, str]]:
        """Return up to n levels."""
        return [self._texts[key] for key in self._keys[:n]]

    def drop_beyond(self, depth: int) -> list[tuple[str, str]]:
        """Remove and return the levels past the first ``depth``."""
        gone = [self._texts.pop(key) for key in self._keys[depth:]]
        del self._keys[depth:]
        return gone


class TextBook:
    """Both sides."""

    def __init__(self) -> None:
        self.bids = TextSide(bids=True)
        self.asks = TextSide(bids=False)

    def replace(self, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> None:
        """Take a snapshot."""
        self.bids.clear()
        self.asks.clear()
        self.put(bids, asks)

    def put(self, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> None:
        """Apply a change."""
        self.bids.put(bids)
        self.asks.put(asks)
