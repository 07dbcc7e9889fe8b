"""Tops of several channels in one order that does not depend on when they came: by feed time, exchange, sequence.

Each channel gives its tops in order of feed time. One is handed on once every channel is known further than its feed
time, so that nothing can come before it any more. A channel counts from the first time that it is heard.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel

# Words of ``control``: a row a channel, and one more for all of them.
HEAD, TAIL, WATERMARK_US, ACTIVE, ENDED, LAST_FEED_US = range(6)
MERGED_US, LATE, FORCED, DOUBTS = range(4)
"""Of the last row: feed time handed on so far; tops that came after it had gone by; tops handed on early, for room;
times that a channel was doubted, when its books made no features rows."""
CONTROL_WORDS = 8

# Words of a top.
FEED_US, BOOK, FLAGS, INVERSE, MULTIPLIER, MULTIPLIER_EXP = range(6)
LEVELS = 8
"""First of eight words as in libs.book.state.TOPS."""
TOP_WORDS = 16

END_OF_TIME_US = 2**62


@kernel
def heard(control: np.ndarray, ch: int, feed_us: int) -> None:
    """Note that nothing before a feed time will come from a channel any more."""
    control[ch, ACTIVE] = 1
    control[ch, WATERMARK_US] = max(control[ch, WATERMARK_US], feed_us)


@kernel
def ended(control: np.ndarray, ch: int) -> None:
    """Note that nothing will come from a channel any more, unless it begins anew."""
    control[ch, ENDED] = 1
    control[ch, WATERMARK_US] = END_OF_TIME_US


@kernel
def begun(control: np.ndarray, ch: int) -> None:
    """Begin a channel's session."""
    if control[ch, ENDED]:
        control[ch, WATERMARK_US] = control[ch, LAST_FEED_US]
    control[ch, ENDED] = 0
    control[ch, ACTIVE] = 1


@kernel
def is_full(tops: np.ndarray, control: np.ndarray, ch: int) -> bool:
    """Return whether a channel has no room for another top."""
    return control[ch, HEAD] - control[ch, TAIL] >= tops.shape[1]


@kernel
def place_of(tops: np.ndarray, control: np.ndarray, ch: int, feed_us: int) -> int:
    """Return where a channel's next top goes; its feed time never goes back.

    Parameters
    ----------
    tops : int64[channels, power of two, TOP_WORDS]
        The channel has room.
    """
    row = control[ch]
    row[LAST_FEED_US] = max(row[LAST_FEED_US], feed_us)
    whole = control[len(control) - 1]
    if row[LAST_FEED_US] < whole[MERGED_US]:
        whole[LATE] += 1
    place = row[HEAD] & (tops.shape[1] - 1)
    tops[ch, place, FEED_US] = row[LAST_FEED_US]
    row[HEAD] += 1
    return place


@kernel
def next_channel(tops: np.ndarray, control: np.ndarray, everything: bool) -> int:
    """Return the channel whose oldest top is next, -1 when none may be handed on yet.

    Parameters
    ----------
    everything : bool
        Hand on what is there, however far the channels are known.
    """
    low = END_OF_TIME_US
    first, first_us = -1, 0
    for ch in range(len(control) - 1):
        row = control[ch]
        if row[ACTIVE]:
            low = min(low, row[WATERMARK_US])
        if row[HEAD] > row[TAIL]:
            feed_us = tops[ch, row[TAIL] & (tops.shape[1] - 1), FEED_US]
            if first < 0 or feed_us < first_us:
                first, first_us = ch, feed_us
    return first if first >= 0 and (everything or first_us < low) else -1


@kernel
def take(tops: np.ndarray, control: np.ndarray, ch: int) -> int:
    """Take a channel's oldest top; return its place, which holds until the next top of the channel is written."""
    row = control[ch]
    place = row[TAIL] & (tops.shape[1] - 1)
    whole = control[len(control) - 1]
    whole[MERGED_US] = max(whole[MERGED_US], tops[ch, place, FEED_US])
    row[TAIL] += 1
    return place
