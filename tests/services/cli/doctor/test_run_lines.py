"""What is sent and how it arrives, doctored in network namespaces, each fault made for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.cli.doctor.senders import heartbeats, listener

CABLE = {"interface": "10.77.0.1", "allowed_sources": ["10.77.0.2"]}
CABLE_REPLAY = 'interface = "10.77.0.2"\nttl = 1'


@pytest.mark.integration
@pytest.mark.parametrize("rights", [True, False])
def test_wrong_group(loop, config, rights):
    """HFTP to another group on the port is found and named, with the right to watch interfaces and without."""
    loop.start(*heartbeats(group="239.192.0.3"))
    checks = loop.doctor(config(), rights=rights)
    assert checks["line_a"]["state"] == "broken"
    assert "HFTP is sent to 239.192.0.3:9001 on lo from 127.0.0.1" in checks["line_a"]["found"]
    assert 'udp_config.group = "239.192.0.3"' in checks["line_a"]["mend"]


@pytest.mark.integration
def test_wrong_port_and_wrong_interface(pair, config):
    """HFTP on another port, or on another interface, is found where interfaces may be watched."""
    here, there = pair
    there.start(*heartbeats(port=9555, interface="10.77.0.2"))
    checks = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert "239.192.0.1:9555 on d0 from 10.77.0.2" in checks["line_a"]["found"]
    here.start(*heartbeats())
    checks = here.doctor(config(udp=CABLE, replay=CABLE_REPLAY))
    assert "239.192.0.1:9001 on lo" in checks["line_a"]["found"]


@pytest.mark.integration
def test_ttl_zero_never_leaves(pair, config):
    """A sender with a ttl of 0 on a cable is silent here, and its file says why."""
    here, there = pair
    # The kernel looks at a ttl of 0 only where the group is joined on the sending machine too.
    there.start(*listener("239.192.0.1", reuse=True, group="239.192.0.1", interface="10.77.0.2"))
    there.start(*heartbeats(interface="10.77.0.2", ttl=0))
    checks = here.doctor(config(udp=CABLE, replay='interface = "10.77.0.2"\nttl = 0'))
    assert checks["line_a"]["state"] == checks["ttl"]["state"] == "broken"
    assert "is not to leave its machine" in checks["ttl"]["found"]
    assert "ttl in" in checks["ttl"]["mend"]


@pytest.mark.integration
def test_clock_apart(loop, config):
    """A sender whose clock is 0.2 s behind is a warning, 3 s ahead is broken."""
    behind = loop.start(*heartbeats(shift_us=-200_000))
    found = loop.doctor(config())["clock"]
    assert found["state"] == "warning"
    assert "offset +200." in found["found"]
    behind.kill()
    behind.wait()
    loop.start(*heartbeats(shift_us=3_000_000))
    found = loop.doctor(config())["clock"]
    assert found["state"] == "broken"
    assert "offset -2" in found["found"]


@pytest.mark.integration
def test_two_senders(loop, config):
    """Two sessions that alternate on one channel are two senders."""
    loop.start(*heartbeats())
    loop.start(*heartbeats())
    assert loop.doctor(config())["senders"]["state"] == "broken"


@pytest.mark.integration
def test_a_silent_line(loop, config):
    """Line B silent while line A speaks is broken where it is meant to be sent, else a warning; its key is named."""
    loop.start(*heartbeats())
    both = {"line_b": {"group": "239.192.0.2", "port": 9002}}
    checks = loop.doctor(config(udp=both))
    assert checks["line_a"]["state"] == "ok"
    assert checks["line_b"]["state"] == "warning"
    assert "while line A speaks" in checks["line_b"]["found"]
    assert "udp_config.line_b" in checks["line_b"]["mend"]
    sent = 'lines = "ab"\n[line_b]\ngroup = "239.192.0.2"\nport = 9002'
    assert loop.doctor(config(udp=both, replay=sent))["line_b"]["state"] == "broken"


@pytest.mark.integration
def test_a_source_that_is_refused(pair, config):
    """A sender that allowed_sources does not name is heard, and its refusal is said."""
    here, there = pair
    there.start(*heartbeats(interface="10.77.0.2"))
    checks = here.doctor(config(udp={**CABLE, "allowed_sources": ["10.77.0.9"]}, replay=CABLE_REPLAY))
    assert checks["sources"]["state"] == "broken"
    assert '"10.77.0.2"' in checks["sources"]["mend"]


@pytest.mark.integration
def test_buffer_beyond_rmem_max(loop, config):
    """Without the right to go beyond net.core.rmem_max the kernel grants less than is asked, and that is said."""
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    folder = config(udp={"buffer_size": 2 * limit})
    checks = loop.doctor(folder, rights=False)
    assert checks["buffer"]["state"] in ("warning", "broken")
    assert f"{limit // 1024:,} KiB granted of {2 * limit // 1024:,} asked" in checks["buffer"]["found"]
    assert checks["buffer"]["mend"] == f"sysctl -w net.core.rmem_max={2 * limit}"


@pytest.mark.integration
def test_buffer_too_small_for_the_rate(loop, config):
    """A buffer that holds less than 10 ms of the configured rate is broken."""
    checks = loop.doctor(config(udp={"buffer_size": 65536}, replay="rate = 20000.0"))
    assert checks["buffer"]["state"] == "broken"
    assert "ms at 20,000/s" in checks["buffer"]["found"]


@pytest.mark.integration
def test_container_on_a_bridge(pair, config):
    """One end of a cable into another namespace, in a container: multicast of the host does not come in."""
    here, _ = pair
    checks = here.doctor(config(), container="docker")
    assert checks["container"]["state"] == "broken"
    assert "network_mode: host" in checks["container"]["mend"]


@pytest.mark.integration
def test_datagrams_that_are_dropped_on_the_way(loop, config):
    """Where the queueing discipline of loopback lets through 8 kbit/s, the doctor's own datagrams say so."""
    loop.run("tc qdisc add dev lo root tbf rate 8kbit burst 1600 limit 1600")
    checks = loop.doctor(config())
    assert checks["self_test_a"]["state"] == "broken"
    assert "tc qdisc" in checks["self_test_a"]["mend"]
