"""The sequencer against a plain-Python receiver, and its rules one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.sequencing import holes, sessions
from libs.sequencing import kernels as k
from libs.sequencing import state as c
from libs.sequencing.state import Sequencer, ledger, new

CH = 2
MS = 1_000_000
BUFFER = np.arange(64, dtype=np.uint8)


class Receiver:
    """Do as the sequencer says, and keep what was handed on."""

    def __init__(self) -> None:
        self.s: Sequencer = new()
        self.out: list[int] = []
        self.lost: list[int] = []
        self.now = 0

    def take(self, sequence: int, timestamp_us: int = 1) -> int:
        verdict = k.arrive(self.s, CH, sequence, timestamp_us, self.now)
        while verdict == k.HOLD_FULL:
            self.give_up()
            verdict = k.arrive(self.s, CH, sequence, timestamp_us, self.now)
        if verdict == k.APPLY:
            self.out.append(sequence)
            k.applied(self.s, CH, sequence, self.now, holes.LINE)
        elif verdict == k.HOLD:
            k.hold(self.s, CH, sequence, BUFFER, sequence % 32, 16, 7, self.now, holes.LINE)
        self.release()
        return verdict

    def release(self) -> None:
        while (place := k.next_held(self.s, CH)) >= 0:
            sequence = int(self.s.hold_sequence[CH, place])
            at = (CH * c.HOLD_MESSAGES + place) * c.HOLD_BYTES
            assert list(self.s.hold_bytes[at : at + 16]) == list(BUFFER[sequence % 32 : sequence % 32 + 16])
            self.out.append(sequence)
            k.released(self.s, CH, place)

    def give_up(self) -> None:
        before = self.s.channels[CH, c.HOLES_LOST]
        while self.s.channels[CH, c.N_HOLES] and self.s.channels[CH, c.HOLES_LOST] == before:
            first = int(self.s.channels[CH, c.EXPECTED])
            n = holes.give_up(self.s, CH)
            if n <= 2 * c.LOST_MEMORY:
                self.lost += range(first, first + n)
            self.release()

    def balanced(self) -> bool:
        row = self.s.channels[CH]
        side = ledger(row)
        missing = int(self.s.holes[CH, : row[c.N_HOLES], c.MISSING].sum())
        released = int(row[c.RELEASED])
        sent = side["before_join"] + released + side["lost"] + side["held"] + missing
        received = released + side["duplicate"] + side["late"] + side["held"]
        return side["sent"] == sent and side["received"] == received


@given(st.lists(st.integers(1, 40), max_size=120), st.lists(st.booleans(), min_size=120, max_size=120))
def test_any_order_comes_out_in_order_once(arrivals: list[int], give_up: list[bool]) -> None:
    """Whatever arrives in whatever order, messages come out rising, each once, and both equations hold always."""
    r = Receiver()
    sessions.heartbeat(r.s, CH, 1, 1, 0)
    for sequence, doubt in zip(arrivals, give_up, strict=False):
        before = set(r.out) | set(range(1, int(r.s.channels[CH, c.EXPECTED])))
        held = {int(x) for x in r.s.hold_sequence[CH] if x}
        verdict = r.take(sequence)
        if sequence in r.lost:
            assert verdict in (k.CAME_LATE, k.DUPLICATED)
        elif sequence in before or sequence in held:
            assert verdict == k.DUPLICATED
        if doubt:
            r.give_up()
        assert r.balanced()
    assert r.out == sorted(set(r.out))
    assert not set(r.out) & set(r.lost)
    while r.s.channels[CH, c.N_HOLES]:
        r.give_up()
    assert sorted(r.out + r.lost) == list(range(1, max(arrivals, default=0) + 1))
    gaps = r.s.channels[CH, c.GAPS]
    assert gaps == r.s.channels[CH, c.HEALED_LINE] + r.s.channels[CH, c.HOLES_LOST]


def test_a_late_joiner_counts_what_passed_before() -> None:
    """The first message seen is where a receiver joins; what came before is before_join, not lost."""
    r = Receiver()
    assert r.take(1001) == k.APPLY
    assert r.s.channels[CH, c.BEFORE_JOIN] == 1000
    assert r.s.channels[CH, c.GAPS] == 0
    assert r.balanced()


def test_the_other_line_heals_a_hole() -> None:
    """A message that fills its hole releases what was held behind it, and the hole closes under line."""
    r = Receiver()
    r.take(1), r.take(3), r.take(4)
    assert r.out == [1]
    r.take(2)
    assert r.out == [1, 2, 3, 4]
    assert r.s.channels[CH, c.HEALED_LINE] == 1


def test_a_heartbeat_shows_a_hole_at_the_end() -> None:
    """A next_sequence above what was seen opens a hole even when no message follows."""
    r = Receiver()
    r.take(1)
    assert sessions.heartbeat(r.s, CH, 5, 4, 0) == sessions.JOINED_SESSION
    assert r.s.channels[CH, c.GAPS] == 1
    assert r.s.holes[CH, 0, c.MISSING] == 2
    assert not holes.hole_is_due(r.s, CH, 50 * MS, 50 * MS)
    assert holes.hole_is_due(r.s, CH, 50 * MS + 1, 50 * MS)


def test_late_is_not_duplicate() -> None:
    """A message that was given up is late when it comes and stays lost; a second copy of it is late too."""
    r = Receiver()
    r.take(1), r.take(3)
    r.give_up()
    assert r.out == [1, 3]
    assert r.take(2) == k.CAME_LATE
    assert r.s.channels[CH, c.LOST] == 1
    assert r.take(1) == k.DUPLICATED
    assert r.balanced()


def test_messages_older_than_the_session_are_foreign() -> None:
    """A header time before the session's start marks a message of an older session; it is counted apart."""
    r = Receiver()
    sessions.heartbeat(r.s, CH, 5_000_000, 1, 0)
    assert r.take(1, timestamp_us=4_999) == k.FOREIGN
    assert r.take(1, timestamp_us=5_000) == k.APPLY
    assert r.s.channels[CH, c.FOREIGN_SESSION] == 1
    assert r.s.channels[CH, c.RECEIVED] == 1


def test_a_larger_session_resets_at_once_a_smaller_one_after_silence() -> None:
    """A larger session number is a restart; a smaller one is believed after 300 ms without the current session."""
    r = Receiver()
    sessions.heartbeat(r.s, CH, 100, 1, 0)
    r.take(1)
    assert sessions.heartbeat(r.s, CH, 200, 1, 10) == sessions.NEW_SESSION
    sessions.reset(r.s, CH, 200, 1, 10)
    assert r.s.channels[CH, c.EXPECTED] == 1
    assert ledger(r.s.channels[CH])["sent"] == 1
    assert sessions.heartbeat(r.s, CH, 150, 1, 10 + sessions.SILENCE_NS) == sessions.FOREIGN_HEARTBEAT
    assert sessions.heartbeat(r.s, CH, 150, 1, 11 + sessions.SILENCE_NS) == sessions.NEW_SESSION


def test_a_giant_jump_is_counted_without_walking_it() -> None:
    """A hole of 2^32 messages is given up by arithmetic, and the channel goes on; a farther one is not believed."""
    r = Receiver()
    r.take(1)
    assert r.take(1 << 32) == k.APPLY
    assert r.s.channels[CH, c.LOST] == (1 << 32) - 2
    assert r.out == [1, 1 << 32]
    assert r.take(1 << 34) == k.UNBELIEVABLE
    assert sessions.heartbeat(r.s, CH, 1, 1 << 62, 5) == sessions.FOREIGN_HEARTBEAT
    assert r.s.channels[CH, c.FAR_AHEAD] == 2
    assert r.balanced()


def test_more_holes_than_places_are_merged() -> None:
    """Past the number of holes that are tracked apart, the newest grows; nothing is forgotten."""
    r = Receiver()
    r.take(1)
    for i in range(2 * c.MAX_HOLES):
        r.take(3 + 2 * i)
    assert r.s.channels[CH, c.N_HOLES] == c.MAX_HOLES
    assert r.balanced()
    while r.s.channels[CH, c.N_HOLES]:
        r.give_up()
    assert r.balanced()
    assert r.s.channels[CH, c.LOST] == 2 * c.MAX_HOLES


def test_suspect_after_the_gap_timeout_or_the_reorder_window() -> None:
    """A hole makes its channel suspect once it is old or much has come after it, not before."""
    r = Receiver()
    r.take(1), r.take(3)
    assert not holes.is_suspect(r.s, CH, 1 * MS, 1 * MS, 64)
    assert holes.is_suspect(r.s, CH, 1 * MS + 1, 1 * MS, 64)
    for sequence in range(4, 2 + 64):
        r.take(sequence)
    assert not holes.is_suspect(r.s, CH, 0, 1 * MS, 64)
    r.take(2 + 64)
    assert holes.is_suspect(r.s, CH, 0, 1 * MS, 64)


def test_a_sender_that_begins_again_under_its_number_is_joined_anew() -> None:
    """Heartbeats that announce less for a second, with nothing new meanwhile, mean another beginning."""
    r = Receiver()
    assert sessions.heartbeat(r.s, CH, 7, 1, 0) == sessions.JOINED_SESSION
    for sequence in range(1, 11):
        r.take(sequence)
    for k100 in range(11):
        assert sessions.heartbeat(r.s, CH, 7, 4, (k100 + 1) * 100 * MS) == sessions.SAME_SESSION
    assert r.s.channels[CH, c.SEQUENCE_BACK] == 11
    assert sessions.heartbeat(r.s, CH, 7, 4, 1_200 * MS) == sessions.NEW_SESSION
    sessions.reset(r.s, CH, 7, 4, 1_100 * MS)
    assert sessions.heartbeat(r.s, CH, 7, 4, 1_100 * MS) == sessions.SAME_SESSION
    assert r.take(4) == k.APPLY
    assert r.balanced()


def test_a_line_that_is_behind_is_no_new_beginning() -> None:
    """While new messages come by the other line, a heartbeat that announces less says nothing."""
    r = Receiver()
    sessions.heartbeat(r.s, CH, 7, 1, 0)
    for sequence in range(1, 40):
        r.take(sequence)
        assert sessions.heartbeat(r.s, CH, 7, 1, sequence * 100 * MS) == sessions.SAME_SESSION
