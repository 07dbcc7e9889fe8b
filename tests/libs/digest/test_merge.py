"""The order in which tops of several channels are handed on."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.digest import merge
from libs.digest.merge import begun, ended, heard, is_full, next_channel, place_of, take

CHANNELS, CAPACITY = 3, 64


class Merge:
    """Channels, what each gave, and what was handed on: (feed time, channel, number)."""

    def __init__(self, capacity=CAPACITY):
        self.tops = np.zeros((CHANNELS, capacity, merge.TOP_WORDS), np.int64)
        self.control = np.zeros((CHANNELS + 1, merge.CONTROL_WORDS), np.int64)
        self.given = [0] * CHANNELS
        self.out = []

    def give(self, ch, feed_us):
        """Add a top and hand on what may go."""
        place = place_of(self.tops, self.control, ch, feed_us)
        self.tops[ch, place, merge.BOOK] = self.given[ch]
        self.given[ch] += 1
        self.hear(ch, feed_us)

    def hear(self, ch, feed_us):
        """Move a watermark and hand on what may go."""
        heard(self.control, ch, feed_us)
        self.hand_on(False)

    def hand_on(self, everything):
        """Take what may go."""
        while (ch := next_channel(self.tops, self.control, everything)) >= 0:
            top = self.tops[ch, take(self.tops, self.control, ch)]
            self.out.append((int(top[merge.FEED_US]), ch, int(top[merge.BOOK])))


steps = st.lists(st.tuples(st.integers(0, CHANNELS - 1), st.integers(0, 3)), max_size=40)


@given(steps, st.lists(st.integers(0, CHANNELS - 1), max_size=80))
def test_the_order_is_that_of_feed_time_exchange_and_sequence(steps, order):
    """However the channels interleave, the same tops come in the same order, once each, none late."""
    streams, feed_us = [[] for _ in range(CHANNELS)], [0] * CHANNELS
    for ch, later in steps:
        feed_us[ch] += later
        streams[ch].append(feed_us[ch])
    found = Merge()
    for ch in range(CHANNELS):
        found.hear(ch, 0)
    places = [0] * CHANNELS
    rest = [ch for ch in range(CHANNELS) for _ in streams[ch]]
    for ch in order + rest:
        if places[ch] < len(streams[ch]):
            found.give(ch, streams[ch][places[ch]])
            places[ch] += 1
            low = min(int(found.control[k, merge.WATERMARK_US]) for k in range(CHANNELS))
            assert all(t < low for t, _, _ in found.out)
    found.hand_on(True)
    assert found.out == sorted((t, ch, n) for ch in range(CHANNELS) for n, t in enumerate(streams[ch]))
    assert found.control[CHANNELS, merge.LATE] == 0


def test_a_silent_channel_holds_the_others_back_until_its_watermark():
    """And equal times wait, since more of them may come."""
    found = Merge()
    for ch in range(CHANNELS):
        found.hear(ch, 0)
    found.give(0, 5)
    found.hear(1, 9)
    assert found.out == []
    found.hear(2, 5)
    assert found.out == []
    found.hear(2, 6)
    assert found.out == []
    found.hear(0, 6)
    assert found.out == [(5, 0, 0)]


def test_a_channel_that_has_ended_holds_nobody_back():
    """Until it begins anew."""
    found = Merge()
    found.hear(0, 0)
    found.hear(1, 0)
    ended(found.control, 1)
    found.give(0, 5)
    found.hear(0, 6)
    assert found.out == [(5, 0, 0)]
    begun(found.control, 1)
    found.give(0, 7)
    found.hear(0, 9)
    assert len(found.out) == 1


def test_feed_time_never_goes_back_and_what_comes_too_late_is_counted():
    """A channel's own step back is flattened; a channel that joins behind what was handed on is counted."""
    found = Merge()
    found.give(0, 5)
    found.give(0, 3)
    found.hear(0, 9)
    assert found.out == [(5, 0, 0), (5, 0, 1)]
    found.give(1, 4)
    assert found.control[CHANNELS, merge.LATE] == 1


def test_a_full_channel_says_so():
    """There is room for so many tops, and again once one was taken."""
    found = Merge(2)
    found.hear(1, 0)
    found.give(0, 1)
    assert not is_full(found.tops, found.control, 0)
    found.give(0, 2)
    assert is_full(found.tops, found.control, 0)
    take(found.tops, found.control, 0)
    assert not is_full(found.tops, found.control, 0)
