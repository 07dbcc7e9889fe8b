"""Interface, route, filters, memberships: judgements over machines that are only described."""

import pytest

from services.cli.doctor import interfaces
from services.cli.doctor.netlink import Link, Route

LO = Link(1, "lo", loopback=True, multicast=False, addresses=(("127.0.0.1", 8),))
ETH = Link(2, "eth0", addresses=(("10.0.0.5", 24), ("10.0.1.5", 24)))
VETH = Link(3, "eth0", kind="veth", peer_outside=True, addresses=(("172.17.0.2", 16),))
CABLE = {"udp": {"interface": "10.0.0.5"}}


def test_the_interface_of_an_address():
    """Second addresses count; loopback has all of 127/8; a network's other addresses are not ours."""
    assert interfaces.link_of([LO, ETH], "10.0.1.5") is ETH
    assert interfaces.link_of([LO, ETH], "127.0.0.9") is LO
    assert interfaces.link_of([LO, ETH], "10.0.0.6") is None


def test_interfaces_that_are_wrong(setup):
    """Not there: those that are there are named; no carrier is broken."""
    missing = interfaces.check_interface(setup(**CABLE), [LO])
    assert missing.state == "broken"
    assert "there are 127.0.0.1 (lo)" in missing.found
    dead = Link(2, "eth0", carrier=False, addresses=ETH.addresses)
    assert "nothing is connected" in interfaces.check_interface(setup(**CABLE), [dead]).found
    assert interfaces.check_interface(setup(**CABLE), [LO, ETH]).state == "ok"


def test_the_multicast_flag():
    """Off is broken while nothing is heard, a warning otherwise, and nothing on loopback."""
    off = Link(2, "eth0", multicast=False)
    assert interfaces.check_multicast(off, heard=False).state == "broken"
    assert interfaces.check_multicast(off, heard=True).state == "warning"
    assert interfaces.check_multicast(LO, heard=False).state == "ok"


@pytest.mark.parametrize(
    ("mode", "back", "dropped", "others", "state"),
    [
        (0, {"10.9.0.1": Route(error="Network is unreachable")}, 0, 1, "ok"),
        (1, {"10.9.0.1": Route(2)}, 0, 1, "ok"),
        (1, {"10.9.0.1": Route(4)}, 0, 1, "broken"),
        (1, {}, 0, 1, "warning"),
        (1, {}, 0, 0, "ok"),
        (1, {}, 5, 0, "broken"),
        (2, {"10.9.0.1": Route(4)}, 0, 1, "ok"),
        (2, {"10.9.0.1": Route(error="Network is unreachable")}, 0, 1, "broken"),
    ],
)
def test_the_reverse_path_filter(machine, mode, back, dropped, others, state):
    """Strict drops what has its way back elsewhere, loose what has none; off drops nothing. The larger setting wins."""
    files = {"/proc/sys/net/ipv4/conf/all/rp_filter": "0", "/proc/sys/net/ipv4/conf/eth0/rp_filter": str(mode)}
    check = interfaces.check_reverse_path(machine(files), ETH, back, dropped, others=others)
    assert check.state == state
    assert bool(check.mend) == (state != "ok")


def test_memberships(machine, setup):
    """The limit, a join that fails, a consumer that has joined elsewhere, and what /proc/net/igmp says."""
    system = machine({
        "/proc/sys/net/ipv4/igmp_max_memberships": "20",
        "/proc/net/igmp": "Idx\tDevice : Count Querier\tGroup\n1\tlo : 1 V3\n\t\t\t\t0100C0EF     1 0:00 0\n"
        "2\teth0 : 1 V3\n\t\t\t\t010000E0     1 0:00 0\n",
    })  # fmt: skip
    assert interfaces.joined_on(system, "239.192.0.1", LO)
    assert not interfaces.joined_on(system, "239.192.0.1", ETH)
    assert interfaces.joined_on(system, "224.0.0.1", ETH)
    assert interfaces.check_memberships(system, setup(), {}, True).state == "ok"
    assert interfaces.check_memberships(system, setup(), {}, None).state == "ok"
    assert interfaces.check_memberships(system, setup(), {}, False).state == "broken"
    failed = interfaces.check_memberships(system, setup(), {"A": "No such device"}, None)
    assert "failed: No such device" in failed.found


@pytest.mark.parametrize(
    ("marks", "variable", "links", "heard", "state"),
    [
        ({}, "", [LO, VETH], False, "ok"),
        ({"/.dockerenv": ""}, "", [LO, ETH], False, "ok"),
        ({"/.dockerenv": ""}, "", [LO, VETH], False, "broken"),
        ({"/.dockerenv": ""}, "", [LO, VETH], True, "warning"),
        ({"/run/.containerenv": ""}, "", [LO, VETH], False, "broken"),
        ({}, "podman", [LO, VETH], False, "broken"),
        ({"/proc/1/cgroup": "4:cpu:/docker/abc"}, "", [LO, VETH], False, "broken"),
        ({"/.dockerenv": ""}, "", [LO], False, "warning"),
    ],
)
def test_containers(machine, marks, variable, links, heard, state):
    """A container is known by any of its marks; only one without an interface of the host is in the way."""
    check = interfaces.check_container(machine({"/x": "", **marks}), variable, links, heard=heard)
    assert check.state == state


def test_bridges_that_forget(machine):
    """A bridge that snoops without a querier is a warning; without bridges there is nothing to say."""
    place = "/sys/class/net/br0/bridge"
    system = machine({f"{place}/multicast_snooping": "1", f"{place}/multicast_querier": "0"})
    bridge = Link(4, "br0", kind="bridge")
    assert interfaces.check_snooping(system, [LO, bridge]).state == "warning"
    assert interfaces.check_snooping(machine({f"{place}/multicast_querier": "1"}), [bridge]).state == "ok"
    assert interfaces.check_snooping(system, [LO, ETH]) is None


def test_datagrams_larger_than_the_interface(setup):
    """An MTU below the largest datagram means fragments; the mend names a payload that fits."""
    small = Link(2, "eth0", mtu=1400)
    check = interfaces.check_mtu(setup(), small)
    assert (check.state, "to 1372" in check.mend) == ("warning", True)
    assert interfaces.check_mtu(setup(replay="mtu_payload = 1372"), small).state == "ok"
    assert interfaces.check_mtu(setup(), ETH).state == "ok"
