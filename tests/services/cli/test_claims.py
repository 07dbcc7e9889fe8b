"""Ports and groups that two runs must not share."""

from __future__ import annotations

import socket

from services.cli.claims import Claims


def test_a_free_port_is_taken_as_wanted(free_port: int) -> None:
    """Where the default port is free, the run gets it."""
    claims = Claims()
    assert claims.tcp_port("127.0.0.1", free_port) == free_port
    claims.release()


def test_a_port_in_use_moves(free_port: int) -> None:
    """Where something listens on the wanted port, the run gets another one."""
    with socket.create_server(("127.0.0.1", free_port)):
        claims = Claims()
        found = claims.tcp_port("127.0.0.1", free_port)
    claims.release()
    assert found not in {0, free_port}


def test_a_port_claimed_but_not_yet_bound_moves(free_port: int) -> None:
    """Two runs that start at the same moment do not choose the same port."""
    first, second = Claims(), Claims()
    assert first.tcp_port("127.0.0.1", free_port) == free_port
    assert second.tcp_port("127.0.0.1", free_port) != free_port
    first.release()
    third = Claims()
    assert third.tcp_port("127.0.0.1", free_port) == free_port
    second.release()
    third.release()


def test_a_group_that_is_heard_moves() -> None:
    """Where any process, ours or not, listens on the group's port, the run takes another port of the group."""
    group = "239.192.77.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((group, 0))
        port = receiver.getsockname()[1]
        claims = Claims()
        assert claims.group_port(group, port) != port
        assert claims.group_port("239.192.77.2", port) == port
        claims.release()
    claims = Claims()
    assert claims.group_port(group, port) == port
    assert claims.group_port(group, port) != port
    claims.release()
