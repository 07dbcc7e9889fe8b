"""Hand on messages that were held behind a hole, once it is filled or given up."""

from __future__ import annotations

import numpy as np

from libs.engine.directory import RECEIVE_HEADER, ring_of, sequencer_of
from libs.engine.shares import hand_on
from libs.engine.slots import LOST, NO_BOOK, NOTHING, pack_head
from libs.jit import kernel
from libs.memory import words1
from libs.ring.kernels import claim, publish
from libs.sequencing import holes as gaps
from libs.sequencing import kernels as seq
from libs.sequencing import state as columns
from libs.wire import kernels as wire


@kernel
def release_held(r: np.ndarray, ch: int) -> None:
    """Hand on held messages that are next."""
    s = sequencer_of(r)
    while True:
        place = seq.next_held(s, ch)
        if place < 0:
            return
        at = (ch * columns.HOLD_MESSAGES + place) * columns.HOLD_BYTES
        code = wire.next_message(s.hold_bytes, at, at + s.hold_length[ch, place], words1(r, RECEIVE_HEADER))
        if not hand_on(r, ch, code, s.hold_bytes, words1(r, RECEIVE_HEADER), s.hold_recv_ns[ch, place]):
            return
        seq.released(s, ch, place)


@kernel
def give_up_oldest(r: np.ndarray, ch: int) -> bool:
    """Declare the oldest hole lost and hand on what waited behind it; False when the ring has no room."""
    s = sequencer_of(r)
    ring = ring_of(r, ch)
    target = s.channels[ch, columns.HOLES_LOST] + 1
    while s.channels[ch, columns.N_HOLES] > 0 and s.channels[ch, columns.HOLES_LOST] < target:
        release_held(r, ch)
        if seq.next_held(s, ch) >= 0:
            return False
        if s.channels[ch, columns.HOLES_LOST] >= target or s.channels[ch, columns.N_HOLES] == 0:
            break
        # The record must stand before what is released after it, so its slot comes first.
        at = claim(ring, 1)
        if at < 0:
            return False
        first = s.channels[ch, columns.EXPECTED]
        opened_ns = s.holes[ch, 0, columns.OPENED_NS]
        lost = gaps.give_up(s, ch)
        ring.slots[at] = pack_head(LOST if lost > 0 else NOTHING, ch, 1, NO_BOOK)
        ring.slots[at + 1] = lost
        ring.slots[at + 2] = first
        ring.slots[at + 3] = opened_ns
        publish(ring)
        if lost == 0:
            break
    release_held(r, ch)
    return True
