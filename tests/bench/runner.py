"""Time ours and the references in turns, and say on what machine and how much it was disturbed."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

REPEATS = 7
MOST_STOLEN = 0.02
"""Share of the CPU time stolen by other machines above which a row says that it was disturbed."""
MOST_SWITCHES_PER_S = 200

Run = Callable[[], object]
Row = dict[str, Any]
Key = TypeVar("Key")
Measures = Mapping[str, Callable[[], float]]
"""By name, ``ours`` first: each call measures once and returns a cost."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: ``tiny`` only shows that a bench works, ``full`` takes longer than the usual one."""

    tiny: bool = False
    full: bool = False

    @property
    def repeats(self) -> int:
        """Repeats of each side."""
        return 2 if self.tiny else REPEATS * (3 if self.full else 1)

    def pick(self, usual: int, tiny: int) -> int:
        """Return the usual size, or the tiny one."""
        return tiny if self.tiny else usual


@dataclass(slots=True)
class Disturbance:
    """What else the machine did while something was measured."""

    steal: float = 0.0
    involuntary: int = 0
    seconds: float = 0.0
    _began: tuple[float, int, int, int] = field(default=(0.0, 0, 0, 0), repr=False)

    def __enter__(self) -> Disturbance:
        self._began = (time.perf_counter(), _switches(), *_cpu_ticks())
        return self

    def __exit__(self, *_: object) -> None:
        began, switches, stolen, total = self._began
        stolen_now, total_now = _cpu_ticks()
        self.seconds = time.perf_counter() - began
        self.involuntary = _switches() - switches
        self.steal = (stolen_now - stolen) / max(total_now - total, 1)

    @property
    def reason(self) -> str:
        """Say what disturbed the measurement; empty when nothing did."""
        found = []
        if self.steal > MOST_STOLEN:
            found.append(f"{self.steal:.0%} of the CPU time stolen")
        if self.involuntary > MOST_SWITCHES_PER_S * max(self.seconds, 0.05):
            found.append(f"{self.involuntary} involuntary switches in {self.seconds:.1f} s")
        return ", ".join(found)


def _switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _cpu_ticks() -> tuple[int, int]:
    try:
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0, 0
    return ticks[7], sum(ticks)


def cpu_ns() -> int:
    """Return the CPU time of the calling thread: what neighbours take is not in it."""
    return time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID)


def timed(run: Run, units: int, clock: Callable[[], int] = cpu_ns) -> float:
    """Return nanoseconds a unit of one run."""
    began = clock()
    run()
    return (clock() - began) / units


def in_turns(runs: Mapping[Key, Callable[[], float]], repeats: int) -> tuple[dict[Key, list[float]], Disturbance]:
    """Run each once unmeasured, then all in turns; return what every run gave, and what disturbed them."""
    found: dict[Key, list[float]] = {key: [] for key in runs}
    for run in runs.values():
        run()
    with Disturbance() as disturbance:
        for turn in range(repeats):
            # Whoever comes first in a turn is not always the same.
            keys = list(runs) if turn % 2 == 0 else list(reversed(runs))
            for key in keys:
                found[key].append(runs[key]())
    return found, disturbance


def compare(
    case: str,
    unit: str,
    runs: Measures,
    repeats: int,
    goal: float | None = None,
    against: str = "c",
) -> Row:
    """Run ours and every reference in turns and return a row.

    Parameters
    ----------
    runs : mapping
        Each returns its cost in ``unit``.
    goal : float or None
        Largest ratio to the reference ``against`` that was aimed at.
    """
    found, disturbance = in_turns(runs, repeats)
    medians = {name: statistics.median(values) for name, values in found.items()}
    ours = medians.pop("ours")
    row: Row = {
        "case": case,
        "ours": round(ours, 3),
        "unit": unit,
        "references": {name: round(value, 3) for name, value in medians.items()},
        "ratio": {name: round(ours / value, 3) for name, value in medians.items() if value > 0},
        "spread": {name: round(spread(values), 3) for name, values in found.items()},
        "repeats": repeats,
    }
    if goal is not None:
        row["goal"] = {"ratio": goal, "reference": against}
    if disturbance.reason:
        row["disturbed"] = disturbance.reason
    return row


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the lower and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


def spread(values: Sequence[float]) -> float:
    """Return the distance between the quartiles."""
    low, high = quartiles(values)
    return high - low


def skipped(case: str, why: str) -> Row:
    """Return a row that was not measured."""
    return {"case": case, "skipped": why}


def host() -> dict[str, Any]:
    """Describe the machine; what cannot be read is null."""
    model = next(
        (line.partition(":")[2].strip() for line in _read("/proc/cpuinfo").splitlines() if line[:10] == "model name"),
        None,
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numba": _version("numba"),
        "llvmlite": _version("llvmlite"),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
