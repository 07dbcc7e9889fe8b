"""Listening on a real line of loopback."""

import socket
import struct
import threading
import time

import pytest

from services.cli.doctor.heard import LineHeard, listen, open_line
from services.cli.doctor.setup import Line

GROUP = "239.192.0.88"


def sender():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
    return sock


def heartbeat(kind=2):
    now_us = time.time_ns() // 1000
    return struct.pack("<IQqBBHQQq", 0x48465450, 1, now_us, 1, kind, 0, 5, 1, now_us)


@pytest.fixture
def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def test_a_line_beside_its_consumer(port):
    """Heartbeats are heard with their offset and ttl, a neighbour on the same line misses nothing of them."""
    with open_line(GROUP, port, "127.0.0.1") as neighbour, sender() as sock:

        def send():
            for _ in range(20):
                sock.sendto(heartbeat(), (GROUP, port))
                time.sleep(0.02)

        thread = threading.Thread(target=send)
        thread.start()
        found = listen((Line("A", GROUP, port, "udp_config"),), "127.0.0.1", 1, [], 0.6)
        thread.join()
        line = found.lines["A"]
        assert found.anything
        assert line.sessions == {1: {5: "127.0.0.1"}}
        assert line.sources == {"127.0.0.1": 0}
        assert all(-1000 < offset < 1_000_000 for offset in line.offsets_us)
        neighbour.setblocking(True)
        neighbour.settimeout(1)
        assert all(neighbour.recv(100) for _ in range(20))


def test_a_fast_line_is_sampled(port):
    """After a sample the kernel keeps all but heartbeats away; those are still counted."""
    stop = threading.Event()

    def send():
        with sender() as sock:
            number = 0
            while not stop.is_set():
                sock.sendto(heartbeat(kind=1 if number % 50 else 2), (GROUP, port))
                number += 1
                time.sleep(0 if number % 20 else 0.001)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        line = listen((Line("A", GROUP, port, "k"),), "127.0.0.1", 1, [], 1.0, capture=False).lines["A"]
    finally:
        stop.set()
        thread.join()
    assert line.datagrams <= 2300
    assert line.rate > 100
    assert len(line.offsets_us) > line.datagrams / 50


def test_a_group_that_cannot_be_joined():
    """The kernel's word stands where the line's datagrams would."""
    found = listen((Line("A", GROUP, 9, "k"),), "203.0.113.7", 0, [], 0.2)
    assert found.lines["A"].trouble != ""
    assert not found.anything


def test_wild_datagrams_are_bounded():
    """Any bytes are taken; sessions and sources stay bounded however many come."""
    line = LineHeard()
    for n in range(5000):
        head = struct.pack("<IQqBBHQQq", 0x48465450, 1, 0, n % 7, 2, 0, n, 1, 0)
        line.take(head[: n % 60], f"10.0.{n // 250}.{n % 250}", 1, n)
        line.take(head, "10.0.0.1", 1, n)
    assert len(line.sources) <= 16
    assert all(len(known) <= 16 for known in line.sessions.values())
    assert set(line.sessions) == set(range(5))
    assert len(line.offsets_us) <= 2000
