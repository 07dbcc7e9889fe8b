"""Interfaces and routes of this machine, beside what the kernel says elsewhere."""

import sys

import pytest

from services.cli.doctor import netlink
from tests.source import ROOT


def test_loopback_is_there():
    """Loopback is up, has its address, and its own address is routed to it."""
    loopback = next(link for link in netlink.links() if link.loopback)
    assert (loopback.name, loopback.up, loopback.carrier) == ("lo", True, True)
    assert ("127.0.0.1", 8) in loopback.addresses
    assert netlink.route_to("127.0.0.1") == netlink.Route(loopback.index)


@pytest.mark.integration
def test_a_pair_a_gateway_and_no_route(pair):
    """The end of a pair has its other end outside; a gateway is named; no route is the kernel's own word."""
    here, _ = pair
    here.run("ip route add 10.88.0.0/16 via 10.77.0.2")
    code = (
        "from services.cli.doctor.netlink import *; "
        "d0 = [each for each in links() if each.name == 'd0'][0]; print(d0.kind, d0.peer_outside, d0.addresses); "
        "print(route_to('10.88.1.1')); print(route_to('192.0.2.1'))"
    )
    said = here.run(f'PYTHONPATH={ROOT} {sys.executable} -c "{code}"').splitlines()
    assert said[0] == "veth True (('10.77.0.1', 24),)"
    assert "gateway='10.77.0.2'" in said[1]
    assert "error='Network is unreachable'" in said[2]
