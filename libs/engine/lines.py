"""Who brings what: how each line of a channel does beside the other (A/B arbitration is in libs.sequencing)."""

from __future__ import annotations

import numpy as np

from libs.engine.directory import LINES_STATE, sequencer_of
from libs.engine.words import (
    FIRST,
    HEARD_NS,
    LAG_NS,
    LAGGING,
    LAGS,
    LINES,
    SILENCES,
    SILENT,
    SILENT_AFTER_NS,
    TRANSIT_NS,
)
from libs.jit import kernel
from libs.memory import words3
from libs.sequencing import state as columns
from libs.sequencing.state import CHANNELS

AVERAGE_OVER = 16


@kernel(inline=True)
def first_so_far(r: np.ndarray, ch: int) -> int:
    """Return how many messages of a channel were no repetition."""
    c = sequencer_of(r).channels[ch]
    return c[columns.RECEIVED] - c[columns.DUPLICATE] - c[columns.LATE]


@kernel(inline=True)
def note_line(r: np.ndarray, line: int, ch: int, transit_ns: int, first: int, mono_ns: int) -> None:
    """Note a datagram of a line: how long it was under way, and how many of its messages it brought first."""
    row = words3(r, LINES_STATE)[line, ch]
    if row[HEARD_NS] == 0:
        row[TRANSIT_NS] = transit_ns
    row[HEARD_NS] = mono_ns
    row[TRANSIT_NS] += (transit_ns - row[TRANSIT_NS]) // AVERAGE_OVER
    row[FIRST] += first


@kernel
def watch_lines(r: np.ndarray, mono_ns: int) -> None:
    """Find lines that are silent, or behind, while the other one is heard."""
    lines = words3(r, LINES_STATE)
    for ch in range(CHANNELS):
        for line in range(LINES):
            row = lines[line, ch]
            other = lines[1 - line, ch]
            if row[HEARD_NS] == 0 and other[HEARD_NS] == 0:
                continue
            other_speaks = other[HEARD_NS] > 0 and mono_ns - other[HEARD_NS] <= SILENT_AFTER_NS
            silent = 1 if other_speaks and mono_ns - row[HEARD_NS] > SILENT_AFTER_NS else 0
            row[SILENCES] += 1 if silent == 1 and row[SILENT] == 0 else 0
            row[SILENT] = silent
            behind = other_speaks and silent == 0 and row[TRANSIT_NS] - other[TRANSIT_NS] > LAG_NS
            row[LAGS] += 1 if behind and row[LAGGING] == 0 else 0
            row[LAGGING] = 1 if behind else 0
