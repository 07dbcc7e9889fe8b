"""Judgements over what was heard."""

import struct

import pytest

from libs.telemetry.host import Clock
from services.cli.doctor import traffic
from services.cli.doctor.heard import Heard, LineHeard
from services.cli.doctor.netlink import Link

NAMES = {1: "lo", 2: "eth0"}
ETH = Link(2, "eth0", addresses=(("10.0.0.5", 24),))
REMOTE = {"interface": "10.0.0.5"}


def heartbeat(session=1, channel=0, timestamp_us=0):
    head = struct.pack("<IQqBBH", 0x48465450, 1, timestamp_us, channel, 2, 0)
    return head + struct.pack("<QQq", session, 1, timestamp_us)


def heard(*datagrams, ttl=1):
    """Give what a line A heard: (data, source, received_us)."""
    line = LineHeard()
    for data, source, received_us in datagrams:
        line.take(data, source, ttl, received_us * 1000)
    return Heard({"A": line})


def line_a(setup, what, *, idle=False):
    return traffic.check_line(setup, setup.lines[0], what, NAMES, 2.0, idle=idle)


def test_a_line_that_speaks(setup):
    """Heartbeats by channel and sender."""
    check = line_a(setup(), heard((heartbeat(), "10.0.0.1", 1), (heartbeat(channel=3), "10.0.0.1", 2)))
    assert (check.state, "of 2 channels from 10.0.0.1" in check.found) == ("ok", True)


def test_lines_that_do_not(setup):
    """Silence, idle silence, other people's datagrams, data without heartbeats, a join that failed."""
    silent = Heard({"A": LineHeard()})
    assert line_a(setup(), silent).state == "broken"
    assert line_a(setup(), silent, idle=True).state == "warning"
    foreign = line_a(setup(), heard((b"hello there", "10.0.0.1", 1)))
    assert (foreign.state, "none of them HFTP" in foreign.found) == ("broken", True)
    trade = heartbeat()[:21] + b"\1" + heartbeat()[22:]
    mute = line_a(setup(), heard((trade, "10.0.0.1", 1)))
    assert (mute.state, "no heartbeat" in mute.found) == ("broken", True)
    closed = line_a(setup(), Heard({"A": LineHeard(trouble="No such device")}))
    assert "No such device" in closed.found
    assert line_a(setup(), heard((b'{"type":"heartbeat"}', "10.0.0.1", 1))).state == "ok"


def test_wrong_places(setup):
    """The group, the port, or the interface to change is named, whichever is wrong."""
    for place, mend in (
        (("239.192.0.9", 9001, 1), 'udp_config.group = "239.192.0.9" in'),
        (("239.192.0.1", 9005, 1), "set udp_config.port = 9005 in"),
        (("239.192.0.1", 9001, 2), "udp_config.interface in"),
    ):
        found = line_a(setup(), Heard({"A": LineHeard()}, {place: "10.0.0.1"}))
        assert found.state == "broken"
        assert mend in found.mend


def test_another_line_is_no_wrong_place(setup):
    """What line A's group carries is not where line B should be looked for."""
    both = setup(udp={"line_b": {"group": "239.192.0.2", "port": 9002}})
    what = heard((heartbeat(), "10.0.0.1", 1))
    what.lines["B"] = LineHeard()
    what.elsewhere[("239.192.0.1", 9001, 1)] = "10.0.0.1"
    found = traffic.check_line(both, both.lines[1], what, NAMES, 2.0, idle=False)
    assert "while line A speaks" in found.found


def test_two_senders():
    """A restart changes the session once; two senders change it all the time."""
    first, second = (heartbeat(session=n) for n in (1, 2))
    restart = heard((first, "10.0.0.1", 1), (second, "10.0.0.1", 2), (second, "10.0.0.1", 3))
    assert traffic.check_senders(restart).state == "ok"
    two = heard((first, "10.0.0.1", 1), (second, "10.0.0.2", 2), (first, "10.0.0.1", 3))
    check = traffic.check_senders(two)
    assert check.state == "broken"
    assert "10.0.0.1" in check.found
    assert "10.0.0.2" in check.found
    assert traffic.check_senders(Heard({"A": LineHeard()})) is None


def test_sources(setup):
    """Some refused is a warning, all refused is broken, anybody allowed is a warning off loopback."""
    what = heard((heartbeat(), "10.0.0.1", 1), (heartbeat(), "10.0.0.2", 2))
    assert traffic.check_sources(setup(udp={**REMOTE, "allowed_sources": ["10.0.0.1"]}), what).state == "warning"
    assert traffic.check_sources(setup(udp={**REMOTE, "allowed_sources": ["10.0.0.9"]}), what).state == "broken"
    assert traffic.check_sources(setup(udp=REMOTE), what).state == "warning"
    assert traffic.check_sources(setup(), what).state == "ok"
    assert traffic.check_sources(setup(), Heard({"A": LineHeard()})) is None


@pytest.mark.parametrize(
    ("replay", "allowed", "arrived", "state"),
    [
        ("", [], None, "ok"),
        ('interface = "10.0.0.1"\nttl = 0', [], None, "broken"),
        ('interface = "10.0.0.1"\nttl = 0', [], ("10.0.0.1", 0), "warning"),
        ('interface = "10.0.0.1"\nttl = 1', ["10.0.0.1"], None, "ok"),
        ('interface = "10.0.0.1"\nttl = 1', ["10.8.0.1"], None, "warning"),
        ('interface = "10.0.0.1"\nttl = 4', ["10.8.0.1"], None, "ok"),
        ('interface = "10.0.0.1"\nttl = 4', ["10.8.0.1"], ("10.8.0.1", 1), "warning"),
        ('interface = "10.0.0.1"\nttl = 4', ["10.8.0.1"], ("10.8.0.1", 3), "ok"),
    ],
)
def test_time_to_live(setup, replay, allowed, arrived, state):
    """0 beyond the own machine, 1 beyond the own network, and what is left on arrival."""
    what = heard((heartbeat(), arrived[0], 1), ttl=arrived[1]) if arrived else Heard({"A": LineHeard()})
    made = setup(udp={**REMOTE, "allowed_sources": allowed}, replay=replay)
    assert traffic.check_ttl(made, what, ETH).state == state


@pytest.mark.parametrize(
    ("offsets_us", "kept", "state"),
    [
        ([900, 300, 5000], True, "ok"),
        ([900, 300, 5000], False, "warning"),
        ([9000, 7000], True, "warning"),
        ([-9000, -7000], True, "warning"),
        ([2_000_000], True, "broken"),
        ([-2_000_000, -1_900_000], True, "broken"),
        ([], True, "ok"),
        ([], False, "warning"),
    ],
)
def test_clocks(setup, offsets_us, kept, state):
    """The least offset counts, both ways; an unsynchronised clock is a warning where there are two of them."""
    what = heard(*((heartbeat(timestamp_us=10**10), "10.0.0.1", 10**10 + each) for each in offsets_us))
    made = setup(udp=REMOTE, processing={"clock_uncertainty_ms": 5})
    assert traffic.check_clock(made, what, Clock(kept, 0.0)).state == state


def test_the_least_offset_is_shown(setup):
    """Delay of the network and of the scheduler only adds, so the least says most."""
    times = ((heartbeat(timestamp_us=0), "10.0.0.1", each) for each in (900, 250, 4000))
    assert "offset +0.250 ms" in traffic.check_clock(setup(), heard(*times), None).found


def test_the_busiest_line():
    """The rate of the line that carries most, by the kernel's receive times."""
    fast, slow = (heard(*((heartbeat(), "10.0.0.1", n * step) for n in range(1, 101))) for step in (100, 1000))
    both = Heard({"A": slow.lines["A"], "B": fast.lines["A"]})
    assert traffic.busiest(both) is fast.lines["A"]
    assert fast.lines["A"].rate == pytest.approx(10_000)
    assert traffic.busiest(Heard()) is None
