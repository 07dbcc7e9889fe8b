"""Who else is bound, and who drops."""

import socket

import pytest

from services.cli.doctor import sockets
from services.cli.doctor.system import Process, UdpSocket

CONSUMER = Process(10, "python", "python -m services.consumer --config x")
SECOND = Process(11, "python", CONSUMER.command)
OTHER = Process(20, "vlc", "vlc udp://@239.192.0.1:9001")


def bound(inode, address="239.192.0.1", port=9001, drops=0):
    return UdpSocket(address, port, inode, 0, drops)


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("python -m services.consumer", True),
        ("/x/.venv/bin/python /x/.venv/bin/crossbook consumer", True),
        ("crossbook up", False),
        ("vlc consumer", False),
    ],
)
def test_consumers_are_known(command, wanted):
    """By the module or by the console script's command."""
    assert sockets.is_consumer(Process(1, "python", command)) is wanted
    assert not sockets.is_consumer(None)


@pytest.mark.parametrize(
    ("here", "free", "state", "found", "mend"),
    [
        ([], True, "ok", "no consumer yet", ""),
        ([(bound(1), CONSUMER)], True, "ok", "the consumer (process 10)", ""),
        ([(bound(1), CONSUMER), (bound(2), OTHER)], True, "ok", "vlc (process 20) listens too", ""),
        ([(bound(2, "0.0.0.0"), OTHER)], False, "broken", "vlc (process 20) holds", "kill 20, or set"),
        ([(bound(2), None)], False, "broken", "another user", "ss -ulnp"),
        ([(bound(2, "10.0.0.5"), OTHER)], True, "warning", "bound to 10.0.0.5:9001", "kill 20"),
        ([(bound(1), CONSUMER), (bound(3), SECOND)], True, "warning", "2 consumers", "kill 11"),
        ([(bound(2, port=9002), OTHER)], True, "ok", "no consumer yet", ""),
    ],
)
def test_ports(setup, here, free, state, found, mend):
    """Only who lets no other in is broken; who gets copies is named."""
    made = setup()
    owners = {each.inode: owner for each, owner in here}
    check = sockets.check_port(made, made.lines[0], [each for each, _ in here], owners, free=free)
    assert check.state == state
    assert found in check.found
    assert mend in check.mend


def test_whether_the_consumer_could_bind(setup):
    """A socket without SO_REUSEADDR on the port is in the way, one with it is not."""
    for reuse in (0, 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            sock.bind(("", 0))
            made = setup(udp={"port": sock.getsockname()[1]})
            assert sockets.can_bind(made.lines[0]) is bool(reuse)


def test_drops(setup):
    """The consumer's growing drops are broken, a neighbour's and old ones are warnings."""
    made, owners = setup(), {1: CONSUMER, 2: OTHER}

    def check(before, after):
        return sockets.check_drops(made, before, after, owners, 2.0)

    grown = check([bound(1, drops=5), bound(2)], [bound(1, drops=9), bound(2, drops=500)])
    assert grown.state == "broken"
    assert "process 10) lost 4 datagrams" in grown.found
    neighbour = check([bound(1), bound(2)], [bound(1), bound(2, drops=500)])
    assert (neighbour.state, "kill 20" in neighbour.mend) == ("warning", True)
    assert check([bound(1, drops=5)], [bound(1, drops=5)]).state == "warning"
    assert check([bound(1)], [bound(1)]).state == check([], []).state == "ok"
    assert check([bound(7)], [bound(7, drops=1)]).state == "broken"


def test_who_hears_a_line(setup):
    """Sockets of the group and of any address; not those of another address or port."""
    found = [bound(1), bound(2, "0.0.0.0"), bound(3, "10.0.0.5"), bound(4, port=9009)]
    assert [each.inode for each in sockets.on_lines(setup(), found)] == [1, 2]
