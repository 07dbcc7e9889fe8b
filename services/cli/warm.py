"""Compiling every kernel before anything waits for it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from services.cli.arguments import code_root
from services.cli.stack import service_command, service_environment

KEPT_S = 30 * 86_400
ORDER = ("consumer", "replay", "signals", "oms")


def cache_folder() -> Path:
    """Return where kernels are kept (as libs.jit has it, which costs half a second to import)."""
    given = os.environ.get("CROSSBOOK_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "crossbook"
    return Path(given) if given else home


def stamp() -> Path:
    """Return the file that says: the kernels of these sources are compiled for this machine."""
    total = hashlib.sha256(f"{sys.version} {platform.machine()} {os.environ.get('NUMBA_CPU_NAME')}".encode())
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        kept = ("model name", "flags", "Features")
        total.update("".join(sorted({line for line in cpu.read_text().splitlines() if line.startswith(kept)})).encode())
    for path in sorted(path for folder in ("libs", "services") for path in (code_root() / folder).rglob("*.py")):
        total.update(str(path.relative_to(code_root())).encode())
        total.update(path.read_bytes())
    return cache_folder() / f"warm-{total.hexdigest()[:16]}"


def is_warm() -> bool:
    """Return whether the kernels of these sources were compiled here before."""
    return stamp().is_file()


def mark_warm() -> None:
    """Remember that they are; forget sources of long ago."""
    fresh = stamp()
    try:
        fresh.parent.mkdir(parents=True, exist_ok=True)
        fresh.touch()
        for old in fresh.parent.glob("warm-*"):
            if time.time() - old.stat().st_mtime > KEPT_S:
                old.unlink(missing_ok=True)
    except OSError:
        # Not writable: then every start takes the careful way, which is slower and right.
        return


def run() -> int:
    """Compile the kernels of every service, one service after another.

    numba's cache files are not safe against two processes that compile the same kernel for different types at the same
    time, and the services share kernels.

    Returns
    -------
    int
        0, or the exit status of the service that failed.
    """
    for name in ORDER:
        began = time.monotonic()
        done = subprocess.run(service_command(name, "--warm"), env=service_environment(), check=False)
        if done.returncode:
            print(f"crossbook warm: {name} ended with exit status {done.returncode}", file=sys.stderr)
            return done.returncode if done.returncode > 0 else 1
        print(f"{name}: kernels ready after {time.monotonic() - began:.1f} s")
    mark_warm()
    return 0
