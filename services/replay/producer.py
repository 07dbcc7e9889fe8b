"""The producing thread: source to composer to outbox, always a little ahead of the sender."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from libs.book.state import new as new_books
from libs.jit import kernel
from libs.memory import load_acquire, store_release
from services.replay.chunk import Chunk, new_chunk
from services.replay.compose import (
    CURSOR,
    DATAGRAM_GAP,
    INSTRUMENT_ROUND,
    NEED_MORE,
    NEXT_INSTRUMENT,
    NEXT_REFRESH,
    REFRESH_BEGAN,
    REFRESH_ROUND_WANTED,
    SLOT_COUNT,
    SLOT_USED,
    SPAN,
    Composer,
    compose,
    new_composer,
)
from services.replay.outbox import ENDED, FREE, READY, Outbox
from services.replay.settings import Settings
from services.replay.source import Source

LOOK_AHEAD_NS = 500_000_000
"""Longest time that one slot covers: with all slots full, a new rate spaces REFRESH rightly soon after."""
REFRESH_DATAGRAMS_PER_S = 2000
_POLL_S = 0.002


@kernel
def is_free(state: np.ndarray, slot: int) -> bool:
    """Return whether the sender has given a slot back."""
    return load_acquire(state, slot) == FREE


@kernel
def hand_over(state: np.ndarray, slot: int) -> None:
    """Give a filled slot to the sender."""
    store_release(state, slot, READY)


@kernel
def say_ended(flags: np.ndarray) -> None:
    """Say that nothing follows the slots handed over."""
    store_release(flags, ENDED, 1)


class Producer(threading.Thread):
    """Fills the outbox until the source ends or ``stop`` is called.

    Parameters
    ----------
    source : Source
    outbox : Outbox
    settings : Settings
    ns_per_unit : callable
        The pace in force.
    """

    def __init__(self, source: Source, outbox: Outbox, settings: Settings, ns_per_unit: Callable[[], float]) -> None:
        super().__init__(name="producer", daemon=True)
        mirror = new_books(len(source.listing.names), settings.mirror_depth)
        self.source, self.outbox, self.settings = source, outbox, settings
        self.composer: Composer = new_composer(source.listing, mirror, outbox, settings.mtu_payload)
        self.error: BaseException | None = None
        self.ended = False
        self._ns_per_unit = ns_per_unit
        self._stopping = threading.Event()
        self._slot = 0

    def run(self) -> None:
        """Produce to the end; an error is kept for the main thread."""
        try:
            self._produce()
        except BaseException as error:  # noqa: BLE001 - the main thread reports it and ends the process
            self.error = error
        finally:
            say_ended(self.outbox.flags)
            self.ended = True

    def stop(self) -> None:
        """Ask for no more."""
        self._stopping.set()

    def set_pace(self, ns_per_unit: float) -> None:
        """Translate the wanted intervals to source time at a pace."""
        w = self.composer.wanted
        w[SPAN] = max(1, int(LOOK_AHEAD_NS / ns_per_unit))
        w[INSTRUMENT_ROUND] = max(1, int(self.settings.instrument_round_s * 1e9 / ns_per_unit))
        w[REFRESH_ROUND_WANTED] = max(1, int(self.settings.refresh_round_s * 1e9 / ns_per_unit))
        w[DATAGRAM_GAP] = max(1, int(1e9 / REFRESH_DATAGRAMS_PER_S / ns_per_unit))

    def _produce(self) -> None:
        state = self.composer.state
        self.set_pace(self._ns_per_unit())
        state[NEXT_INSTRUMENT] = self.composer.wanted[INSTRUMENT_ROUND]
        # Books become valid in the first second; a REFRESH of one that is not is skipped.
        state[REFRESH_BEGAN] = state[NEXT_REFRESH] = 2 * self.composer.wanted[SPAN]
        if not self._wait_for_slot():
            return
        for chunk in self.source.chunks():
            if not self._compose(chunk):
                return
        self._publish()

    def _compose(self, chunk: Chunk) -> bool:
        self.composer.state[CURSOR] = 0
        while compose(self.composer, self._slot, chunk) != NEED_MORE:
            self._publish()
            if not self._wait_for_slot():
                return False
            self.set_pace(self._ns_per_unit())
        return not self._stopping.is_set()

    def _publish(self) -> None:
        state, slot = self.composer.state, self._slot
        if state[SLOT_COUNT] == 0:
            return
        self.outbox.counts[slot] = state[SLOT_COUNT]
        state[SLOT_COUNT] = state[SLOT_USED] = 0
        hand_over(self.outbox.state, slot)
        self._slot = (slot + 1) % len(self.outbox.state)

    def _wait_for_slot(self) -> bool:
        while not is_free(self.outbox.state, self._slot):
            if self._stopping.wait(_POLL_S):
                return False
        return not self._stopping.is_set()


def warm(composer: Composer) -> None:
    """Compile the composer and the hand-over by running them over nothing."""
    compose(composer, 0, new_chunk(1, 1))
    is_free(composer.outbox.state, 0)
