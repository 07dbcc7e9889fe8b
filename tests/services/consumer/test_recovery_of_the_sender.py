"""The recovery thread against the sender's own server, with each of its faults."""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

from libs.recovery.faults import MODES, Faults
from libs.recovery.history import begin, new_history, remember
from libs.recovery.mirror import Mirror
from libs.recovery.server import Limits, RecoveryServer
from libs.sequencing.state import SESSION as SESSION_COLUMN
from libs.wire.messages import decode_datagram, encode
from libs.wire.recovery import RANGE, Request
from libs.wire.recovery import SNAPSHOT as BOOK
from tests.libs.engine.harness import LAST, SNAPSHOT, Feed
from tests.libs.recovery import model
from tests.libs.recovery.model import SESSION
from tests.libs.recovery.talking import listening
from tests.services.consumer.recovering import receiving
from tests.services.consumer.running import wait

pytestmark = pytest.mark.integration

SENT = 3000


def sent(first: int, last: int) -> bytes:
    """Return what was sent."""
    return model.messages(SESSION, 0, first, last)


def server(**limits: int) -> RecoveryServer:
    """Return a server of SENT messages."""
    history = new_history()
    begin(history, SESSION)
    for sequence in range(1, SENT + 1):
        data = np.frombuffer(model.message(SESSION, 0, sequence), np.uint8).copy()
        remember(history, 0, sequence, data, 0, len(data))
    found = RecoveryServer(history, None, Limits(**limits))
    found.answer(Request(RANGE, 0, SESSION, 1, 1, 1), 0, "to compile")
    return found


def test_losses_heal_within_milliseconds() -> None:
    """At 200 requests a second the median from the bell to the delivery is below 5 ms."""
    with listening(server()) as listener, receiving(listener.port) as receiver:
        wait(lambda: receiver.recovery.connected)
        took_s = []
        for number in range(200):
            begun = time.monotonic()
            receiver.lose(10 * number + 1, 10 * number + 3)
            assert receiver.read() == sent(10 * number + 1, 10 * number + 3)
            took_s.append(time.monotonic() - begun)
            time.sleep(max(0.0, begun + 0.005 - time.monotonic()))
        took_s.sort()
        print(f"p50 {1e3 * took_s[100]:.2f} p99 {1e3 * took_s[198]:.2f} ms")
        assert statistics.median(took_s) < 0.005


def test_the_servers_limits_are_learnt() -> None:
    """A server that gives 64 messages at a time, and 4 KiB, is asked for less until all is here."""
    with listening(server(messages=64, answer_bytes=4096)) as listener, receiving(listener.port) as receiver:
        receiver.lose(1, 1000)
        found = b""
        while len(found) < len(sent(1, 1000)):
            found += receiver.read()
        assert found == sent(1, 1000)
        assert receiver.count("answers_too_many") == 4


def test_what_is_not_there_is_dropped_or_awaited() -> None:
    """A range of the future is asked for a few times; another session's, and a book without a mirror, are dropped."""
    with listening(server()) as listener, receiving(listener.port) as receiver:
        receiver.lose(SENT + 1, SENT + 2)
        receiver.need("BTC-USDT")
        wait(lambda: receiver.count("dropped_tries") == 1 and receiver.count("dropped_status") == 1)
        assert receiver.count("answers_not_yet") == 8
        assert receiver.count("answers_no_snapshot") == 1


@pytest.mark.parametrize("mode", MODES)
def test_no_fault_gets_through(mode: str) -> None:
    """Whatever the server does to its answers, only what was sent is delivered, and all is well when it mends."""
    faults = Faults()
    faults.mode = mode
    with listening(server(), faults) as listener, receiving(listener.port) as receiver:
        for first in range(1, 200, 10):
            receiver.lose(first, first + 4)
        time.sleep(0.3)
        faults.mode = "on"
        receiver.lose(2001, 2010)
        found = set()
        while sent(2001, 2010) not in found:
            found.add(receiver.read())
        truth = {sent(first, first + 4) for first in range(1, 200, 10)} | {sent(2001, 2010)}
        assert found <= truth
        assert receiver.recovery.turns < 600


def test_books_come_from_the_mirror() -> None:
    """A snapshot in many parts, of the newest sequence, comes as one delivery once the receiver is there."""
    history, feed = new_history(), Feed()
    begin(history, feed.session)
    levels = [(20_000 - n, 5) for n in range(1200)]
    messages = [feed.instrument()]
    for number in range(0, 1200, 60):
        flags = (SNAPSHOT if number == 0 else 0) | (LAST if number == 1140 else 0)
        messages.append(feed.book(flags, levels[number : number + 60], []))
    for message in messages:
        data = np.frombuffer(encode(message), np.uint8).copy()
        remember(history, 0, message.sequence, data, 0, len(data))
    served = RecoveryServer(history, Mirror(history, 8, 2048, 1472), Limits())
    served.answer(Request(BOOK, 0, feed.session, 0, 0, 1, "BTC-USDT"), 0, "to compile")
    with listening(served) as listener, receiving(listener.port) as receiver:
        receiver.arrays["sequencer_channels"][0, SESSION_COLUMN] = feed.session
        receiver.expect(feed.next)
        receiver.need("BTC-USDT", session=feed.session)
        parts, error = decode_datagram(receiver.read())
        assert error is None and len(parts) > 5
        assert {part.sequence for part in parts} == {feed.next - 1}
        assert [level for part in parts for level in part.bids] == levels[:1024]
