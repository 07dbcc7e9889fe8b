"""The doctor in network namespaces, each fault made for real."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.doctor.check import broken, ok, warning
from services.cli.doctor.run import show
from tests.services.cli.doctor.senders import flood, heartbeats, listener

ROOT = Path(__file__).resolve().parents[4]
CABLE = {"interface": "10.77.0.1", "allowed_sources": ["10.77.0.2"]}
CABLE_REPLAY = 'interface = "10.77.0.2"\nttl = 1'


def states(checks, state):
    return {name for name, check in checks.items() if check["state"] == state}


@pytest.mark.integration
def test_a_healthy_loopback_is_well(loop, config, redis_server):
    """Heartbeats on the line and Redis there: nothing is broken."""
    loop.start(*heartbeats())
    checks = loop.doctor(config(), REDIS_URL=redis_server)
    assert states(checks, "broken") == set()
    assert "heartbeats of 5 channels from 127.0.0.1" in checks["line_a"]["found"]
    assert checks["self_test_a"]["found"].startswith("0 of ")
    assert checks["redis"]["state"] == "ok"
    assert "over" in checks["clock"]["found"]


@pytest.mark.integration
def test_a_healthy_cable_is_well(pair, config, redis_server):
    """A sender on another machine: interface, route, group, source and ttl are well."""
    here, there = pair
    there.start(*heartbeats(interface="10.77.0.2"))
    checks = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY), REDIS_URL=redis_server)
    assert states(checks, "broken") == set()
    for name in ("interface", "multicast", "route", "membership", "reverse_path", "line_a", "sources", "ttl"):
        assert checks[name]["state"] == "ok", checks[name]


@pytest.mark.integration
def test_nothing_started_is_no_fault(loop, config):
    """Where nothing of Crossbook runs, silence and the lack of Redis are warnings: `crossbook up` brings both."""
    checks = loop.doctor(config(consumer='redis_url = "redis://127.0.0.1:1/0"'))
    assert states(checks, "broken") == set()
    assert checks["line_a"] | checks["redis"] == checks["redis"]
    assert checks["line_a"]["state"] == checks["redis"]["state"] == "warning"
    assert checks["line_a"]["mend"] == "crossbook up"


@pytest.mark.integration
def test_loopback_down(spaces, config):
    """A fresh namespace has no address on loopback."""
    checks = spaces().doctor(config())
    assert checks["interface"]["state"] == "broken"
    assert checks["interface"]["mend"].startswith("ip link set lo up")
    assert checks["line_a"]["mend"] == checks["interface"]["mend"]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("fault", "found", "mend"),
    [
        ("ip link set d0 down", "d0 (10.77.0.1) is down", "ip link set d0 up"),
        ("ip address flush dev d0", "no interface has the address 10.77.0.1", "ip address add 10.77.0.1/24 dev d0"),
    ],
)
def test_interface_faults(pair, config, fault, found, mend):
    """An interface that is down or without its address is named, with the command that mends it."""
    here, there = pair
    here.run(fault)
    checks = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert checks["interface"]["state"] == "broken"
    assert found in checks["interface"]["found"]
    assert mend in checks["interface"]["mend"]
    assert checks["line_a"]["state"] == "broken"
    assert checks["line_a"]["mend"] == checks["interface"]["mend"]
    # The mend as typed does mend it.
    here.run(checks["interface"]["mend"].partition(", or ")[0])
    there.start(*heartbeats(interface="10.77.0.2"))
    healed = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert healed["interface"]["state"] == healed["line_a"]["state"] == "ok"


@pytest.mark.integration
def test_no_carrier(pair, config):
    """The other end of the cable is down."""
    here, there = pair
    there.run("ip link set d1 down")
    checks = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert "nothing is connected" in checks["interface"]["found"]
    assert checks["interface"]["state"] == "broken"


@pytest.mark.integration
def test_no_route_and_no_multicast(pair, config):
    """No route for the group is a warning, for Crossbook needs none; the flag is broken while nothing is heard."""
    here, _ = pair
    here.run("ip route del 239.192.0.0/16 dev d0; ip link set dev d0 multicast off")
    checks = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert checks["route"]["state"] == "warning"
    assert "Network is unreachable" in checks["route"]["found"]
    assert checks["multicast"]["state"] == "broken"
    here.run(f"{checks['route']['mend']}; {checks['multicast']['mend']}")
    healed = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert healed["route"]["state"] == healed["multicast"]["state"] == "ok"


@pytest.mark.integration
def test_route_elsewhere(pair, config):
    """The group routed to another interface is named."""
    here, _ = pair
    here.run("ip route del 239.192.0.0/16 dev d0; ip route add 239.192.0.0/16 dev lo")
    checks = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert "is routed to lo, not d0" in checks["route"]["found"]


@pytest.mark.integration
def test_strict_reverse_path_filter(pair, config):
    """A sender whose way back is by another interface is dropped by rp_filter=1, seen and mended."""
    here, there = pair
    there.run("ip address add 10.99.0.2/32 dev lo")
    # The way back to the sender is by another interface than the one on which its datagrams come.
    here.run("ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up")
    here.run("ip address add 10.98.0.1/24 dev e0")
    here.run("ip route add 10.99.0.2/32 dev e0; sysctl -qw net.ipv4.conf.d0.rp_filter=1")
    there.start(*heartbeats(interface="10.77.0.2", source="10.99.0.2"))
    folder = config(udp={"interface": "10.77.0.1"}, replay=CABLE_REPLAY)
    checks = here.doctor(folder)
    assert checks["line_a"]["state"] == "broken"
    assert checks["reverse_path"]["state"] == "broken"
    assert "rp_filter is 1 on d0; the filter dropped" in checks["reverse_path"]["found"]
    assert checks["line_a"]["mend"] == checks["reverse_path"]["mend"]
    here.run(checks["reverse_path"]["mend"])
    healed = here.doctor(folder)
    assert healed["reverse_path"]["state"] == healed["line_a"]["state"] == "ok"


@pytest.mark.integration
def test_no_membership_allowed(loop, config):
    """igmp_max_memberships of 0 keeps everybody out of every group."""
    loop.run("sysctl -qw net.ipv4.igmp_max_memberships=0")
    checks = loop.doctor(config())
    assert checks["membership"]["state"] == "broken"
    loop.run(checks["membership"]["mend"])
    assert loop.doctor(config())["membership"]["state"] == "ok"


@pytest.mark.integration
@pytest.mark.parametrize("address", ["0.0.0.0", "239.192.0.1"])
def test_a_port_held_by_another(loop, config, address):
    """A socket without SO_REUSEADDR keeps the consumer out; its process is named and the mend frees the port."""
    process = loop.start(*listener(address, reuse=False))
    checks = loop.doctor(config())
    assert checks["port_a"]["state"] == "broken"
    assert f"(process {process.pid})" in checks["port_a"]["found"]
    assert checks["line_a"]["mend"] == checks["membership"]["mend"] == checks["port_a"]["mend"]
    loop.run(checks["port_a"]["mend"].partition(", or ")[0])
    process.wait(5)
    assert loop.doctor(config())["port_a"]["state"] == "ok"


@pytest.mark.integration
def test_neighbours_that_take_nothing(loop, config):
    """A socket with SO_REUSEADDR gets a copy and harms nobody; one on the unicast address is a warning."""
    loop.start(*heartbeats())
    loop.start(*listener("0.0.0.0", reuse=True))
    checks = loop.doctor(config())
    assert checks["port_a"]["state"] == checks["line_a"]["state"] == "ok"
    assert "listens too" in checks["port_a"]["found"]
    loop.start(*listener("127.0.0.1", reuse=True))
    checks = loop.doctor(config())
    assert checks["port_a"]["state"] == "warning"
    assert checks["line_a"]["state"] == "ok"


@pytest.mark.integration
def test_growing_drops(loop, config):
    """A consumer that does not keep up is named, with the datagrams that it lost meanwhile."""
    process = loop.start(
        *listener("239.192.0.1", reuse=True, group="239.192.0.1", interface="127.0.0.1", named="services.consumer")
    )
    loop.start(*flood("239.192.0.1", 9001, "127.0.0.1", 2000))
    checks = loop.doctor(config())
    assert checks["drops"]["state"] == "broken"
    assert f"(process {process.pid}) lost" in checks["drops"]["found"]
    assert "buffer_size" in checks["drops"]["mend"]


def test_a_wrong_command_line_or_file(config):
    """A wrong option or key is exit 2 and one line, and nothing on the standard output."""
    folder = config(udp={"group": "10.0.0.1"})
    for words, says in (
        (["--timeout", "soon"], '--timeout: expected seconds from 0.2 to 60, found "soon"'),
        (["--timeout", "nan"], "--timeout"),
        (["--config", str(folder)], "udp_config.group: expected a numeric IPv4 multicast group"),
        (["--config", "/nowhere"], "--config"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", "doctor", "--json", *words],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert says in done.stderr


def test_what_is_printed():
    """Columns are aligned, a mend stands below its line, the last line is the verdict."""
    out = io.StringIO()
    show([ok("cpu", "2 CPUs"), warning("route", "none", "ip route …"), broken("redis", "gone", "redis-server")], out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "ok       cpu    2 CPUs"
    assert lines[2] == "                mend: ip route …"
    assert lines[-1] == "1 of 3 checks broken, 1 warning; begin with: redis"
    assert "\033" not in out.getvalue()
    assert json.dumps(broken("a", "b", "c").as_dict()) == '{"name": "a", "state": "broken", "found": "b", "mend": "c"}'
