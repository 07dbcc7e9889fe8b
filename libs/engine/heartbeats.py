"""Take in a heartbeat on the receive side: join, change the session, hand the ledger to the book thread."""

from __future__ import annotations

import numpy as np

from libs.engine.directory import RECEIVE_BODY, RECEIVE_HEADER, ring_of, sequencer_of
from libs.engine.held import give_up_oldest, release_held
from libs.engine.push import put_control
from libs.engine.slots import HEARTBEAT, NO_BOOK, SESSION, pack_head
from libs.jit import kernel
from libs.memory import words1
from libs.ring.kernels import claim, publish
from libs.sequencing import sessions
from libs.sequencing import state as columns
from libs.wire import kernels as wire

LEDGER_SLOTS = 2


@kernel
def take_heartbeat(r: np.ndarray, ch: int, recv_ns: int, mono_ns: int, buf: np.ndarray) -> None:
    """Take in the heartbeat whose header was just decoded, of channel ``ch``; times as in take_datagram."""
    s = sequencer_of(r)
    wire.heartbeat_body(buf, words1(r, RECEIVE_HEADER)[wire.BODY_OFF], words1(r, RECEIVE_BODY))
    session = words1(r, RECEIVE_BODY)[wire.HEARTBEAT_SESSION]
    next_sequence = words1(r, RECEIVE_BODY)[wire.HEARTBEAT_NEXT]
    feed_ts = words1(r, RECEIVE_BODY)[wire.HEARTBEAT_FEED_TS]
    sent_us = words1(r, RECEIVE_HEADER)[wire.TIMESTAMP_US]
    verdict = sessions.heartbeat(s, ch, session, next_sequence, mono_ns)
    if verdict == sessions.FOREIGN_HEARTBEAT:
        return
    ring = ring_of(r, ch)
    if verdict == sessions.NEW_SESSION:
        while s.channels[ch, columns.N_HOLES] > 0:
            if not give_up_oldest(r, ch):
                return
        release_held(r, ch)
        if s.channels[ch, columns.HELD] > 0:
            return
        # Whatever came before is void, also when its session was never named.
        if not put_control(ring, SESSION, ch, session, max(1, s.channels[ch, columns.SESSION])):
            return
        sessions.reset(s, ch, session, next_sequence, mono_ns)
        sessions.heartbeat(s, ch, session, next_sequence, mono_ns)
    elif verdict == sessions.JOINED_SESSION and not put_control(ring, SESSION, ch, session, 0):
        return
    sessions.name_until(s, ch, sent_us)
    at = claim(ring, LEDGER_SLOTS)
    if at < 0:
        return
    slots = ring.slots
    c = s.channels[ch]
    missing = 0
    for i in range(c[columns.N_HOLES]):
        missing += s.holes[ch, i, columns.MISSING]
    slots[at] = pack_head(HEARTBEAT, ch, LEDGER_SLOTS, NO_BOOK)
    slots[at + 1] = session
    slots[at + 2] = next_sequence
    slots[at + 3] = sent_us
    slots[at + 4] = 1 if c[columns.N_HOLES] > 0 else 0
    slots[at + 5] = feed_ts
    slots[at + 6] = recv_ns
    slots[at + 8] = c[columns.SENT_BEFORE] + c[columns.HIGHEST]
    slots[at + 9] = c[columns.RECEIVED]
    slots[at + 10] = c[columns.BEFORE_JOIN]
    slots[at + 11] = c[columns.DUPLICATE] + c[columns.LATE]
    slots[at + 12] = c[columns.LOST]
    slots[at + 13] = c[columns.HELD]
    slots[at + 14] = missing
    slots[at + 15] = c[columns.OTHER_SHARD]
    publish(ring)
