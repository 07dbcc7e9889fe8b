"""The doctor's own datagrams and the receive buffer."""

import pytest

from services.cli.doctor import selftest
from services.cli.doctor.selftest import Buffer, Echo


def test_loopback_brings_everything_back():
    """On loopback nothing is lost, and a datagram takes more of the buffer than its payload."""
    result = selftest.echo("239.192.0.77", "127.0.0.1")
    assert result.trouble == ""
    assert result.came == result.sent == selftest.PINGS + selftest.BURST
    assert len(result.trips_us) == selftest.PINGS
    found = selftest.buffer("239.192.0.77", "127.0.0.1", 65536, 1000)
    assert found.granted == found.plain == 2 * 65536
    assert 1000 < found.per_datagram < 10_000


def test_an_interface_that_is_not_there():
    """The kernel's word is passed on."""
    assert selftest.echo("239.192.0.77", "203.0.113.77").trouble != ""
    assert selftest.buffer("239.192.0.77", "203.0.113.77", 65536, 1000) is None


@pytest.mark.parametrize(
    ("result", "state", "found"),
    [
        (Echo(264, 264, (10.0,) * 200), "ok", "0 of 264 lost, round trip p50 10 µs, p99 10 µs"),
        (Echo(264, 264, (10.0,) * 190 + (9000.0,) * 10), "warning", "p99 9000 µs"),
        (Echo(264, 260, (10.0,) * 199), "broken", "4 of 264 lost"),
        (Echo(3, 0), "broken", "none of 3"),
        (Echo(trouble="No such device"), "broken", "No such device"),
    ],
)
def test_what_came_back(setup, result, state, found):
    """All, all but late, some, none, and not tried."""
    made = setup()
    check = selftest.check_echo(made, made.lines[0], result)
    assert check.state == state
    assert found in check.found
    assert bool(check.mend) == (state != "ok")


@pytest.mark.parametrize(
    ("found", "rate", "state", "mend"),
    [
        # 2,000 bytes a datagram: 8 MiB granted hold 8,388 of them.
        (Buffer(8_388_608, 16_777_216, 16_777_216, 2000), 5_000, "ok", ""),
        (Buffer(8_388_608, 16_777_216, 425_984, 2000), 2_000, "ok", ""),
        (Buffer(8_388_608, 16_777_216, 425_984, 2000), 20_000, "warning", "rmem_max=8388608"),
        (Buffer(8_388_608, 425_984, 425_984, 2000), 2_000, "warning", "rmem_max=8388608"),
        (Buffer(8_388_608, 425_984, 425_984, 2000), 40_000, "broken", "rmem_max=8388608"),
        (Buffer(65_536, 131_072, 131_072, 2000), 20_000, "broken", "buffer_size"),
        (Buffer(65_536, 131_072, 131_072, 2000), 2_000, "warning", "buffer_size"),
        (None, 5_000, "warning", "membership"),
    ],
)
def test_how_long_a_buffer_lasts(setup, found, rate, state, mend):
    """Less than 10 ms is broken; less than 50 ms, or less than was asked for, is a warning."""
    check = selftest.check_buffer(setup(), found, rate, 1472, 212_992)
    assert (check.state, mend in check.mend) == (state, True)


def test_the_mend_of_a_small_buffer_is_large_enough(setup):
    """The size that the mend names holds 50 ms of the rate."""
    check = selftest.check_buffer(setup(), Buffer(65_536, 131_072, 131_072, 2000), 20_000, 1472, 212_992)
    size = int(check.mend.rpartition("=")[2])
    assert 2 * size / 2000 / 20_000 >= 0.05
