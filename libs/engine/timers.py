"""What the passing of time does on the receive side: doubt, requests, giving up, and lines that fell silent."""

from __future__ import annotations

import numpy as np

from libs.engine.directory import (
    RANGE_REQUESTS,
    RANGE_REQUESTS_CONTROL,
    RECEIVE_SCRATCH,
    RECEIVE_SETTINGS,
    ring_of,
    sequencer_of,
)
from libs.engine.held import give_up_oldest, release_held
from libs.engine.lines import watch_lines
from libs.engine.push import put_control
from libs.engine.requests import REQUESTS, put_request, queue_length, ring_bell
from libs.engine.slots import SUSPECT
from libs.engine.words import (
    BELL,
    GAP_TIMEOUT_NS,
    HEAL_TIMEOUT_NS,
    LINE_COUNT,
    LINES,
    NEXT_LOOK,
    REORDER_WINDOW,
    REQUEST_BELL,
    REQUEST_LIMIT,
)
from libs.jit import kernel
from libs.memory import words1, words2
from libs.sequencing import holes as gaps
from libs.sequencing import state as columns
from libs.sequencing.state import CHANNELS

RANGE = 1
"""As in libs.wire.recovery."""
LOOK_NS = 10_000_000
"""How often lines are looked at."""


@kernel
def _request_missing(r: np.ndarray, ch: int, mono_ns: int) -> None:
    """Queue requests for what is missing, while there is room for them."""
    s = sequencer_of(r)
    settings = words1(r, RECEIVE_SETTINGS)
    control = words1(r, RANGE_REQUESTS_CONTROL)
    asked = False
    while queue_length(control) < REQUESTS:
        first, last, opened_ns = gaps.next_request(
            s, ch, mono_ns, settings[GAP_TIMEOUT_NS], settings[REORDER_WINDOW], settings[REQUEST_LIMIT]
        )
        if first == 0:
            break
        session = s.channels[ch, columns.SESSION]
        put_request(words2(r, RANGE_REQUESTS), control, RANGE, ch, session, first, last, -1, opened_ns)
        asked = True
    if asked:
        ring_bell(settings[REQUEST_BELL], words1(r, RECEIVE_SCRATCH), BELL)


@kernel
def run_timers(r: np.ndarray, mono_ns: int) -> None:
    """Doubt channels whose holes stay open, ask for what is missing, give up what stays away, hand on what waits."""
    s = sequencer_of(r)
    settings = words1(r, RECEIVE_SETTINGS)
    if mono_ns >= words1(r, RECEIVE_SCRATCH)[NEXT_LOOK]:
        words1(r, RECEIVE_SCRATCH)[NEXT_LOOK] = mono_ns + LOOK_NS
        if settings[LINE_COUNT] == LINES:
            watch_lines(r, mono_ns)
    for ch in range(CHANNELS):
        c = s.channels[ch]
        if c[columns.N_HOLES] == 0 and c[columns.SUSPECT] == 0 and c[columns.HELD] == 0:
            continue
        release_held(r, ch)
        while gaps.hole_is_due(s, ch, mono_ns, settings[HEAL_TIMEOUT_NS]):
            if not give_up_oldest(r, ch):
                break
        doubt = gaps.is_suspect(s, ch, mono_ns, settings[GAP_TIMEOUT_NS], settings[REORDER_WINDOW])
        if settings[REQUEST_LIMIT] > 0 and c[columns.N_HOLES] > 0:
            _request_missing(r, ch, mono_ns)
        if doubt and c[columns.SUSPECT] == 0 and put_control(ring_of(r, ch), SUSPECT, ch, 1, 0):
            c[columns.SUSPECT] = 1
        if c[columns.N_HOLES] == 0 and c[columns.SUSPECT] == 1 and put_control(ring_of(r, ch), SUSPECT, ch, 0, 0):
            c[columns.SUSPECT] = 0
