"""What the consumer takes with over 2,048 books, and (``--full``) whether it grows over ten minutes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np

from tests.bench.runner import Row, Scale
from tests.bench.stack import up

WHAT = "resident memory of the consumer process"
SYMBOLS = 410
"""Times five exchanges: 2,050 books."""
MOST_MIB, MOST_GROWTH = 1024.0, 0.01
WARM_UP_S = 60.0


def _consumers() -> list[int]:
    """Return the processes of this machine's consumers that are ours: below this process."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"services.consumer" in words and _is_below(int(entry.name), os.getpid()):
            found.append(int(entry.name))
    return found


def _is_below(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            return False
    return pid == ancestor


def _rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Samples(threading.Thread):
    """Resident bytes of the first consumer that appears, once a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: list[tuple[float, int]] = []
        self.done = threading.Event()

    def run(self) -> None:
        """Sample until done."""
        pid = 0
        while not self.done.wait(1.0):
            if not pid:
                pid = min(_consumers(), default=0)
            try:
                if pid:
                    self.found.append((time.monotonic(), _rss(pid)))
            except OSError:
                return


def growth_per_hour(samples: list[tuple[float, int]], warm_up_s: float = WARM_UP_S) -> float:
    """Return the slope after warming up as a share of the mean, an hour; NaN where there is too little to see it."""
    late = [(at, size) for at, size in samples if at - samples[0][0] >= warm_up_s]
    if len(late) < 30:
        return float("nan")
    at, size = np.array(late, float).T
    return float(np.polyfit(at, size, 1)[0] * 3600 / size.mean())


def rows(scale: Scale) -> list[Row]:
    """Run 20 s, or ten minutes."""
    seconds = 1 if scale.tiny else 600 if scale.full else 20
    samples = Samples()
    samples.start()
    report = up(
        "--symbols", str(scale.pick(SYMBOLS, 2)), "--rate", str(scale.pick(10_000, 500)), "--duration", str(seconds)
    )
    samples.done.set()
    samples.join()
    most = max((size for _, size in samples.found), default=report["rss_bytes"]["consumer"])
    found: list[Row] = [
        {
            "case": f"{report['books']['total']:,} books, {seconds} s", "ours": round(most / 2**20, 1), "unit": "MiB",
            "references": {}, "ratio": {}, "goal": {"most": MOST_MIB},
        }
    ]  # fmt: skip
    if scale.full:
        growth = round(growth_per_hour(samples.found), 4)
        found.append(
            {
                "case": "growth an hour, after a minute", "ours": growth, "unit": "of it",
                "references": {}, "ratio": {}, "goal": {"most": MOST_GROWTH},
            }
        )  # fmt: skip
    return found
