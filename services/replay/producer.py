"""The producing thread: source to composer to outbox, always a little ahead of the sender."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from libs.book.state import new as new_books
from libs.scheduling import name_thread
from libs.sending.chunk import Chunk, new_chunk
from libs.sending.compose import (
    CURSOR,
    NEED_MORE,
    NEXT_INSTRUMENT,
    NEXT_REFRESH,
    REFRESH_BEGAN,
    WANTED_DATAGRAM_GAP,
    WANTED_INSTRUMENT_ROUND,
    WANTED_REFRESH_ROUND,
    WANTED_SPAN,
    Composer,
    compose,
    new_composer,
)
from libs.sending.encode import SLOT, SLOT_COUNT, SLOT_USED
from libs.sending.outbox import COUNTS, ENDED, FREE, READY, SLOT_BYTES, SLOTS, STATES, Outbox, peek, poke
from services.replay.settings import Settings
from services.replay.source import Source

LOOK_AHEAD_NS = 500_000_000
"""Longest time that one slot covers: with all slots full, a new rate spaces REFRESH rightly soon after."""
_POLL_S = 0.002


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
        mirror = new_books(len(source.listing.rows), settings.mirror_depth)
        self.source, self.outbox, self.settings = source, outbox, settings
        self.composer: Composer = new_composer(source.listing, mirror, outbox, settings.mtu_payload)
        self.error: BaseException | None = None
        self.ended = False
        self._ns_per_unit = ns_per_unit
        self._stopping = threading.Event()
        self._state = self.composer.page.state

    def run(self) -> None:
        """Produce to the end; an error is kept for the main thread."""
        name_thread(self.name)
        try:
            self._produce()
        except BaseException as error:  # noqa: BLE001 - the main thread reports it and ends the process
            self.error = error
        finally:
            poke(self.outbox.control, ENDED, 1)
            self.ended = True

    def stop(self) -> None:
        """Ask for no more."""
        self._stopping.set()

    def set_pace(self, ns_per_unit: float) -> None:
        """Translate the wanted intervals to source time at a pace."""
        state = self._state
        state[WANTED_SPAN] = max(1, int(LOOK_AHEAD_NS / ns_per_unit))
        state[WANTED_INSTRUMENT_ROUND] = max(1, int(self.settings.instrument_round_s * 1e9 / ns_per_unit))
        state[WANTED_REFRESH_ROUND] = max(1, int(self.settings.refresh_round_s * 1e9 / ns_per_unit))
        state[WANTED_DATAGRAM_GAP] = max(1, int(1e9 / self.settings.refresh_datagrams_per_s / ns_per_unit))

    def _produce(self) -> None:
        state = self._state
        self.set_pace(self._ns_per_unit())
        state[NEXT_INSTRUMENT] = state[WANTED_INSTRUMENT_ROUND]
        # Books become valid in the first second; a REFRESH of one that is not is skipped.
        state[REFRESH_BEGAN] = state[NEXT_REFRESH] = 2 * state[WANTED_SPAN]
        for chunk in self.source.chunks():
            if not self._compose(chunk):
                return
        self._publish()

    def _compose(self, chunk: Chunk) -> bool:
        self._state[CURSOR] = 0
        while compose(self.composer, chunk) != NEED_MORE:
            self._publish()
            if not self._wait_for_slot():
                return False
            self.set_pace(self._ns_per_unit())
        return not self._stopping.is_set()

    def _publish(self) -> None:
        state = self._state
        if state[SLOT_COUNT] == 0:
            return
        slot = int(state[SLOT])
        self.outbox.control[COUNTS + slot] = state[SLOT_COUNT]
        poke(self.outbox.control, STATES + slot, READY)
        state[SLOT] = (slot + 1) % SLOTS
        state[SLOT_USED] = state[SLOT] * SLOT_BYTES
        state[SLOT_COUNT] = 0

    def _wait_for_slot(self) -> bool:
        while peek(self.outbox.control, STATES + int(self._state[SLOT])) != FREE:
            if self._stopping.wait(_POLL_S):
                return False
        return not self._stopping.is_set()


def warm(composer: Composer) -> None:
    """Compile the composer and the hand-over by running them over nothing."""
    compose(composer, new_chunk(1, 1))
    peek(np.zeros(1, np.int64), 0)
    poke(np.zeros(1, np.int64), 0, 0)
