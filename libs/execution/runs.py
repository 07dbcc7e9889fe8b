"""Which run of the consumer counts: ids hold for one run, of each shard where several consumers share the symbols."""

from __future__ import annotations

from libs.streams.shards import WHOLE, Shard


class Runs:
    """The runs that are known, by shard.

    Attributes
    ----------
    of : int
        Among how many consumers the symbols are shared.
    """

    def __init__(self) -> None:
        self.of = WHOLE.of
        self._runs: dict[Shard, str] = {}

    def known(self, shard: Shard) -> str:
        """Return a shard's run; empty where none was seen."""
        return self._runs.get(shard, "")

    def is_over(self, run: str, shard: Shard) -> bool:
        """Return whether a run came before the shard's, or, shared among another number, before any that is known."""
        if shard.of == self.of:
            return run_number(run) < run_number(self.known(shard))
        return run_number(run) < max(map(run_number, self._runs.values()), default=0)

    def begin(self, run: str, shard: Shard) -> bool:
        """Let a run begin; return whether every shard's is forgotten, since the symbols are shared anew."""
        anew = shard.of != self.of
        if anew:
            self.of = shard.of
            self._runs.clear()
        self._runs[shard] = run
        return anew

    def copy(self) -> dict[Shard, str]:
        """Return the runs of now."""
        return dict(self._runs)


def run_number(run: str) -> int:
    """Return a run as a number: the consumer's start, so a later one is larger."""
    return int(run) if run.isdecimal() else 0
