"""Filters that the kernel runs, on real sockets."""

import socket
import struct

import pytest

from services.cli.doctor import filters

HEAD = struct.pack("<IQqBBH", 0x48465450, 1, 2, 3, 2, 0)


def test_only_heartbeats_and_text_pass():
    """A socket with the filter hears heartbeats and text; trades, short and foreign datagrams stay out."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        filters.attach(receiver, filters.heartbeats_only())
        trade = HEAD[:21] + b"\1" + HEAD[22:]
        for data in (trade, b"short", b"", b"{text", HEAD, trade, b"{end"):
            sender.sendto(data, receiver.getsockname())
        assert [receiver.recv(100) for _ in range(3)] == [b"{text", HEAD, b"{end"]


def run(steps, packet, link):
    """Run a program as the kernel would: the oracle of the jumps."""
    accumulator = index = at = 0
    while True:
        code, yes, no, operand = steps[at]
        at += 1
        if code == filters.RETURN:
            return operand
        if code in (filters.EQUAL, filters.ANY_BIT):
            true = accumulator == operand if code == filters.EQUAL else accumulator & operand
            at += yes if true else no
        elif code == filters.AND:
            accumulator &= operand
        elif code == filters.HEADER_LENGTH:
            index = (packet[operand] & 15) * 4
        elif operand == filters.IFINDEX:
            accumulator = link
        else:
            place = operand + (index if code & 0x40 else 0)
            size = {0x00: 4, 0x08: 2, 0x10: 1}[code & 0x18]
            if place + size > len(packet):
                return 0
            accumulator = int.from_bytes(packet[place : place + size], "big")


def packet(group="239.1.2.3", port=9, *, payload=HEAD, protocol=17, fragment=0, options=0):
    head = bytes([0x45 + options, 0, 0, 0, 0, 0]) + fragment.to_bytes(2, "big") + bytes([1, protocol, 0, 0])
    head += socket.inet_aton("10.0.0.1") + socket.inet_aton(group) + b"\0" * (4 * options)
    return head + struct.pack(">HHHH", 5, port, 8 + len(payload), 0) + payload


@pytest.mark.parametrize(
    ("keys", "link", "wanted"),
    [
        ({}, 7, True),
        ({"options": 2}, 7, True),
        ({"group": "239.192.0.1", "port": 9001}, 7, False),
        ({"group": "239.192.0.2", "port": 9002}, 7, False),
        ({"group": "239.192.0.1", "port": 9002}, 7, True),
        ({"group": "239.192.0.1", "port": 9001}, 8, True),
        ({"group": "10.0.0.2"}, 7, False),
        ({"protocol": 6}, 7, False),
        ({"fragment": 100}, 7, False),
        ({"payload": b"something else"}, 7, False),
        ({"payload": b""}, 7, False),
    ],
)
def test_only_hftp_that_no_line_takes_passes(keys, link, wanted):
    """HFTP to other groups and ports, or on another interface, and nothing else."""
    steps = filters.foreign_hftp(7, [("239.192.0.1", 9001), ("239.192.0.2", 9002)])
    assert bool(run(steps, packet(**keys), link)) is wanted
