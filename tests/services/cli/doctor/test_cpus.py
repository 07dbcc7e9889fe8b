"""CPUs, their quota, pins and governors."""

import pytest

from services.cli.doctor import cpus


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"/proc/self/cgroup": "0::/", "/sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"/proc/self/cgroup": "0::/", "/sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"/proc/self/cgroup": "1:cpu:/", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, None),
        (
            {
                "/proc/self/cgroup": "1:cpu:/",
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        ({"/proc/self/cgroup": ""}, None),
    ],
)
def test_the_quota(machine, files, wanted):
    """CPUs that the control group allows, of both versions; none where there is no limit."""
    assert cpus.quota(machine(files)) == wanted


@pytest.mark.parametrize(
    ("allowed", "limit", "held", "stolen", "wait", "state", "word"),
    [
        ({0, 1}, None, 0, 0.0, "auto", "ok", "2 CPUs"),
        ({0}, None, 0, 0.0, "auto", "warning", "want 2"),
        ({0, 1, 2, 3}, 1.5, 0, 0.0, "auto", "warning", "quota"),
        ({0, 1, 2, 3}, 3.0, 4, 0.0, "auto", "warning", "held back in 4 periods"),
        ({0, 1}, None, 0, 0.2, "auto", "warning", "20%"),
        ({0, 1}, None, 0, 0.0, "busy", "warning", "busy"),
        ({0, 1, 2}, None, 0, 0.0, "busy", "ok", "3 CPUs"),
    ],
)
def test_too_little_cpu(setup, allowed, limit, held, stolen, wait, state, word):
    """Too few, too small a share, held back, stolen, or spent on waiting."""
    check = cpus.check_cpus(setup(udp={"wait": wait}), allowed, limit, held, stolen)
    assert (check.state, word in check.found) == (state, True)


def test_throttling_is_counted(machine):
    """The count of periods in which the group was held back."""
    system = machine({"/proc/self/cgroup": "0::/", "/sys/fs/cgroup/cpu.stat": "nr_periods 9\nnr_throttled 5\n"})
    assert cpus.throttled(system) == 5


def test_pins(setup):
    """A core that is not there, one core for both, and two that are fine."""
    out = cpus.check_pins(setup(processing={"receive_core": 9}), {0, 1})
    assert out.state == "warning"
    assert "processing_config.receive_core" in out.mend
    assert "share core 1" in cpus.check_pins(setup(processing={"receive_core": 1, "cpu_core": 1}), {0, 1}).found
    assert cpus.check_pins(setup(processing={"receive_core": 0, "cpu_core": 1}), {0, 1}).state == "ok"
    assert cpus.check_pins(setup(), {0}).found == "none configured"


def test_governors(machine):
    """Saving power is a warning; performance and machines without a choice are well."""
    place = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
    system = machine({place.format(0): "performance", place.format(1): "powersave"})
    assert cpus.check_governor(system, {0}).state == "ok"
    assert cpus.check_governor(system, {0, 1}).state == "warning"
    assert cpus.check_governor(system, {5}).state == "ok"
