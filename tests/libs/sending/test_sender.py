"""The sending thread, heard on loopback multicast."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from libs.recovery.history import read
from libs.sending.transmit import DATAGRAMS, DUPLICATED, LOST, REORDERED
from libs.telemetry.hdr import quantile
from libs.wire.recovery import OK
from services.replay.synthetic.source import FEED_START_US
from tests.libs.sending.listen import Heard
from tests.oracles.hftp import BOOK, HEARTBEAT, REFRESH, STATUS, messages

pytestmark = pytest.mark.integration
DATA = Path(__file__).resolve().parents[2] / "data/binance"


@pytest.fixture(scope="module")
def heard() -> Heard:
    """Give one second of a synthetic market on two lines, whole."""
    from tests.conftest import _free_port

    h = Heard(_free_port(), lines="ab", symbols=20, refresh_round_s=1.0)
    h.playback.resume()
    h.listen(1.5)
    h.status = h.finish()  # type: ignore[attr-defined]
    return h


def test_sequences_are_contiguous_on_both_lines(heard: Heard) -> None:
    """From 1 on each channel, the same on both lines, as many as the status says."""
    for line in (0, 1):
        for channel, sequences in heard.sequences(line).items():
            assert np.array_equal(sequences, np.arange(1, len(sequences) + 1))
            name = ("binance", "bybit", "coinbase", "okx", "deribit")[channel]
            sent = heard.status["sent"][name]  # type: ignore[attr-defined]
            assert (sent["messages"], sent["next_sequence"]) == (len(sequences), len(sequences) + 1)
    assert [d for line, _, d in heard.datagrams if line == 0] == [d for line, _, d in heard.datagrams if line == 1]


def test_the_history_is_what_was_sent(heard: Heard) -> None:
    """Byte for byte what was heard, heartbeats apart, under the session that the heartbeats tell."""
    (session,) = {m.body["session"] for m in heard.messages() if m.kind == HEARTBEAT}
    for channel in range(5):
        sent = b""
        for _, _, data in (d for d in heard.datagrams if d[0] == 0):
            at = 0
            for m in messages(data):
                sent += data[at : at + m.size] if m.exchange == channel and m.kind != HEARTBEAT else b""
                at += m.size
        out = np.zeros(1 << 22, np.uint8)
        status, count, used = read(heard.playback.history, session, channel, 1, 1 << 40, out)
        assert (status, count) == (OK, heard.sequences()[channel].max())
        assert out[:used].tobytes() == sent


def test_a_datagram_has_one_channel_and_fits(heard: Heard) -> None:
    """At most mtu_payload bytes, and loss of one datagram is loss on one channel."""
    for _, _, data in heard.datagrams:
        assert len(data) <= 1472
        assert len({m.exchange for m in messages(data)}) == 1
    assert max(sum(1 for _ in messages(data)) for _, _, data in heard.datagrams) > 3


def test_the_timestamp_is_when_the_message_was_due(heard: Heard) -> None:
    """Header times run exactly with the source's own time, and no message leaves before its time."""
    events = [m for m in heard.messages() if m.kind == BOOK and not m.body["flags"] & REFRESH]
    offsets = np.array([m.timestamp_us - (m.body["feed_us"] - FEED_START_US) for m in events])
    assert offsets.max() - offsets.min() <= 2
    for _, received_ns, data in heard.datagrams:
        newest = max(m.timestamp_us for m in messages(data))
        assert received_ns // 1000 >= newest - 5
    assert quantile(heard.late[0], 0.5) < 20_000_000


def test_rate_is_kept(heard: Heard) -> None:
    """As many events a second as were asked for."""
    due = np.array([m.timestamp_us for m in heard.messages() if m.kind in (0, 1)])
    settled = due[due > due[0] + 500_000]
    seconds = (settled[-1] - settled[0]) / 1e6
    refreshes = sum(
        1 for m in heard.messages() if m.kind == BOOK and m.body["flags"] & REFRESH and m.timestamp_us >= settled[0]
    )
    assert abs((len(settled) - refreshes) / seconds / 2000 - 1) < 0.1


def test_heartbeats_frame_the_session(heard: Heard) -> None:
    """Three before sequence 1, one every 100 ms, Status 5, three more; each tells the next sequence and the session."""
    for channel in range(5):
        mine = [m for m in heard.messages() if m.exchange == channel]
        assert [m.kind for m in mine[:3]] == [HEARTBEAT] * 3
        assert [m.kind for m in mine[-4:]] == [STATUS, HEARTBEAT, HEARTBEAT, HEARTBEAT]
        assert mine[-4].body["code"] == 5
        expected = 1
        feed = 0
        for m in mine:
            if m.kind != HEARTBEAT:
                assert m.sequence == expected
                expected += 1
                continue
            assert (m.sequence, m.body["next"]) == (expected, expected)
            assert m.body["session"] // 1000 <= m.timestamp_us
            assert m.body["feed_us"] >= feed
            feed = m.body["feed_us"]
        times = np.array([m.timestamp_us for m in mine if m.kind == HEARTBEAT])
        assert np.diff(times).max() < 250_000
        assert len({m.body["session"] for m in mine if m.kind == HEARTBEAT}) == 1


def test_a_heartbeat_comes_before_what_is_due_after_it(heard: Heard) -> None:
    """No message is due more than 100 ms after what its line brought of the channel before: receivers rely on it."""
    for line in (0, 1):
        latest: dict[int, int] = {}
        for _, _, data in (each for each in heard.datagrams if each[0] == line):
            for m in messages(data):
                if m.kind != HEARTBEAT:
                    assert m.timestamp_us - latest[m.exchange] <= 100_000
                latest[m.exchange] = max(latest.get(m.exchange, 0), m.timestamp_us)


def test_loss_is_counted_and_each_lines_own(free_port: int) -> None:
    """The share of datagrams asked for is missing, another one on each line, and all of it is in the status."""
    h = Heard(free_port, lines="ab", loss=0.2, seed=5)
    h.playback.resume()
    h.listen(1.2)
    h.finish()
    stats = h.playback.sender.lines.stats
    lost = int(stats[:, LOST].sum())
    assert len(h.datagrams) == int(stats[:, DATAGRAMS].sum())
    assert 0.15 < lost / (lost + len(h.datagrams)) < 0.25
    a, b = h.sequences(0), h.sequences(1)
    missing = [set(range(1, int(s.max()))) - set(s.tolist()) for s in (a[0], b[0])]
    assert missing[0]
    assert missing[1]
    assert missing[0] != missing[1]


def test_a_line_can_be_killed_alone_and_come_back(free_port: int) -> None:
    """With a loss of 1 a line brings nothing, not even heartbeats, while the other goes on; then it is there again."""
    h = Heard(free_port, lines="ab")
    h.playback.resume()
    h.listen(0.4)
    h.playback.inject({"loss": 1.0}, "b")
    h.listen(0.1)
    h.datagrams.clear()
    h.listen(0.4)
    assert h.messages(1) == [] and len(h.messages(0)) > 100
    h.playback.inject({"loss": 0.0}, "b")
    h.listen(0.1)
    h.datagrams.clear()
    h.listen(0.3)
    assert len(h.messages(1)) > 50
    assert h.finish()["inject_by_line"]["b"]["loss"] == 0.0


@pytest.mark.parametrize("fault", ["duplicate", "reorder"])
def test_duplicates_and_reordering_lose_nothing(free_port: int, fault: str) -> None:
    """Every sequence arrives: some datagrams twice, or some after the one behind them, and as many as are counted."""
    h = Heard(free_port, **{fault: 0.1})
    h.playback.resume()
    h.listen(0.7)
    h.finish()
    stats = h.playback.sender.lines.stats
    column = DUPLICATED if fault == "duplicate" else REORDERED
    assert stats[:, column].sum() > 20
    heard = list(h.sequences().values())
    for sequences in heard:
        assert set(sequences.tolist()) == set(range(1, int(sequences.max()) + 1))
    repeats = sum(len(s) - len(set(s.tolist())) for s in heard)
    assert (repeats > 20) == (fault == "duplicate")
    assert any((np.diff(s) < 0).any() for s in heard)
    assert len(h.datagrams) == stats[:, DATAGRAMS].sum()


def test_pause_holds_messages_but_not_heartbeats(free_port: int) -> None:
    """In a pause only heartbeats come; afterwards the source goes on where it was, and the pause is no lateness."""
    h = Heard(free_port)
    h.playback.resume()
    h.listen(0.5)
    h.playback.pause()
    h.listen(0.05)
    before = len(h.datagrams)
    assert h.playback.state == "paused"
    h.listen(0.5)
    quiet = [m for _, _, d in h.datagrams[before:] for m in messages(d)]
    assert {m.kind for m in quiet} == {HEARTBEAT}
    assert len(quiet) >= 15
    h.playback.resume()
    h.listen(0.4)
    h.finish()
    assert int(h.sequences()[0].max()) == len(h.sequences()[0])
    assert quantile(h.late[0], 0.99) < 300_000_000


def test_a_new_rate_holds_from_then_on(free_port: int) -> None:
    """Four times the rate, four times the messages, without a step in sequence or time."""
    h = Heard(free_port, rate=500.0)
    h.playback.resume()
    h.listen(0.8)
    changed_us = time.time_ns() // 1000
    h.playback.set_rate(2000.0)
    h.listen(1.0)
    h.finish()
    due = np.array([m.timestamp_us for m in h.messages() if m.kind in (0, 1)])
    assert (np.diff([m.timestamp_us for m in h.messages() if m.exchange == 0 and m.kind != 2]) >= 0).all()
    after = due[due > changed_us + 100_000]
    assert 1500 < len(after) / ((after[-1] - after[0]) / 1e6) < 2600


def test_a_recording_plays_to_its_end_and_says_so(free_port: int) -> None:
    """Every message of a recording goes out, then Status 5; nothing before resume."""
    h = Heard(free_port, source=[str(DATA)], speed=60.0, rate=0)
    h.listen(0.2)
    assert h.datagrams == []
    assert h.playback.state == "waiting"
    h.playback.resume()
    for _ in range(50):
        h.listen(0.1)
        if h.playback.state == "done":
            break
    status = h.finish()
    assert status["state"] == "done"
    assert status["trades"] == 268
    found = h.messages()
    assert [m.body["code"] for m in found if m.kind == STATUS] == [5]
    assert {m.symbol for m in found if m.kind == BOOK} == {"BTC-USDT", "BTC-USD-PERP"}
    assert np.array_equal(h.sequences()[0], np.arange(1, len(h.sequences()[0]) + 1))
