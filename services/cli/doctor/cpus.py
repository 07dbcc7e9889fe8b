"""CPUs: how many, how much of them, how fast, and whether the cores that threads are pinned to exist."""

from __future__ import annotations

from services.cli.doctor.check import Check, ok, warning
from services.cli.doctor.setup import Setup
from services.cli.doctor.system import System

WANTED = 2
STOLEN_SHARE = 0.05


def quota(system: System) -> float | None:
    """Return how many CPUs the control group allows; None: no limit."""
    text = system.cgroup_file("cpu.max", "cpu.cfs_quota_us")
    if text is None:
        return None
    words = text.split()
    period = words[1] if len(words) > 1 else (system.cgroup_file("cpu.max", "cpu.cfs_period_us") or "100000")
    if words[0] == "max" or not words[0].isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return int(words[0]) / int(period)


def throttled(system: System) -> int:
    """Return in how many periods the control group had used up its share."""
    for line in (system.cgroup_file("cpu.stat", "cpu.stat") or "").splitlines():
        key, _, value = line.partition(" ")
        if key == "nr_throttled" and value.isdecimal():
            return int(value)
    return 0


def check_cpus(setup: Setup, allowed: set[int], limit: float | None, throttled_now: int, stolen: float) -> Check:
    """Judge whether there is enough CPU.

    Parameters
    ----------
    allowed : set of int
        CPUs on which this process may run.
    limit : float or None
        CPUs that the control group allows.
    throttled_now : int
        Periods in which it was held back while the doctor looked.
    stolen : float
        Share of the machine's time that its host gave to others meanwhile.
    """
    name = "cpu"
    have = min(float(len(allowed)), limit if limit is not None else float(len(allowed)))
    found = f"{len(allowed)} CPUs" + (f", {limit:.2g} by the control group's quota" if limit is not None else "")
    more = "docker run --cpus 2 …, or: systemctl set-property UNIT CPUQuota=200%"
    if throttled_now > 0:
        return warning(name, f"{found}; held back in {throttled_now} periods while looking", more)
    if have < WANTED:
        mend = more if limit is not None and limit < len(allowed) else "give the machine 2 CPUs; taskset -cp PID"
        return warning(name, f"{found}: the receive and the book thread want {WANTED}", mend)
    if setup.consumer.udp_config.wait == "busy" and have < WANTED + 1:
        key = f"udp_config.wait in {setup.files['symbols']}"
        return warning(name, f"{found}, of which busy waiting takes one whole", f'set {key} to "epoll"')
    if stolen > STOLEN_SHARE:
        mend = "move the virtual machine to a host with free CPUs; top shows it as st"
        return warning(name, f"{found}; the host took {stolen:.0%} of their time", mend)
    return ok(name, found)


def check_pins(setup: Setup, allowed: set[int]) -> Check:
    """Judge the cores to which the consumer's threads are pinned."""
    name, options = "pinning", setup.consumer.processing_config
    pins = {"receive_core": options.receive_core, "cpu_core": options.cpu_core}
    file = setup.files["symbols"]
    have = ", ".join(map(str, sorted(allowed)))
    for key, core in pins.items():
        if core is not None and core not in allowed:
            return warning(
                name, f"{key} = {core}, but only {have} may be used: the thread runs unpinned",
                f"set processing_config.{key} in {file} to one of {have}, or null",
            )  # fmt: skip
    cores = [core for core in pins.values() if core is not None]
    if len(cores) == 2 and cores[0] == cores[1]:
        return warning(
            name, f"receive and book thread share core {cores[0]}",
            f"set processing_config.cpu_core in {file} to another of {have}",
        )  # fmt: skip
    said = ", ".join(f"{key} {core}" for key, core in pins.items() if core is not None)
    return ok(name, said or "none configured")


def check_governor(system: System, allowed: set[int]) -> Check:
    """Judge whether the CPUs may save power, which costs wake-up time."""
    name = "governor"
    place = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
    governors = {governor for core in sorted(allowed) if (governor := system.read(place.format(core)))}
    slow = governors - {"performance"}
    if slow == {"powersave"} or "powersave" in slow or "ondemand" in slow or "conservative" in slow:
        said = ", ".join(sorted(slow))
        return warning(name, f"{said}: waking up takes longer", "cpupower frequency-set --governor performance")
    return ok(name, ", ".join(sorted(governors)) or "not of this machine's choosing")
