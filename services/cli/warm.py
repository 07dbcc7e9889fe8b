"""Compiling every kernel before anything waits for it."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from services.cli.arguments import code_root
from services.cli.children import Child, stop_all
from services.cli.stack import ServiceError, service_command, service_environment

KEPT_S = 30 * 86_400
TIMEOUT_S = 900.0
POLL_S = 0.05
# Two processes share the work, which is about as much for each; a process that follows another finds its kernels.
QUEUES = (
    (("consumer", "books"), ("signals", ""), ("oms", "")),
    (("consumer", "receive"), ("replay", ""), ("feeder", "")),
)


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
    root = code_root()
    # A kernel's cache belongs to its file: another checkout of the same sources has none.
    total.update(str(root.resolve()).encode())
    for path in sorted(path for folder in ("libs", "services") for path in (root / folder).rglob("*.py")):
        if path.parent != Path(__file__).parent:
            total.update(str(path.relative_to(root)).encode())
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


def compile_all(say: Callable[[str], None], idle: Callable[[], None]) -> None:
    """Compile the kernels of every service, two processes at a time.

    Parameters
    ----------
    say : callable
        Told when a service is done.
    idle : callable
        Called while waiting; may raise to give up.

    Raises
    ------
    ServiceError
        When a service could not compile, or took too long.
    """
    began = time.monotonic()
    queues = [list(queue) for queue in QUEUES]
    running: dict[int, Child] = {}
    try:
        while any(queues) or running:
            for lane, queue in enumerate(queues):
                if lane not in running and queue:
                    running[lane] = _start(*queue.pop(0))
            for lane, child in list(running.items()):
                child.drain()
                if (status := child.ended()) is None:
                    continue
                del running[lane]
                child.close()
                if status:
                    said = "\n".join(child.tail)
                    raise ServiceError(f"{child.name}: kernels did not compile (exit status {status})\n{said}", 1)
                say(f"{child.name} compiled, {time.monotonic() - began:.1f} s")
            if time.monotonic() - began > TIMEOUT_S:
                names = ", ".join(child.name for child in running.values())
                raise ServiceError(f"{names}: compiling took longer than {TIMEOUT_S:.0f} s", 1)
            idle()
            time.sleep(POLL_S)
    finally:
        stop_all(list(running.values()), 1.0, lambda: False)
    mark_warm()


def _start(service: str, part: str) -> Child:
    command = service_command(service, "--warm", *([part] if part else []))
    return Child(f"{service} {part}".strip(), command, service_environment())


def run() -> int:
    """Compile everything and say how long it took; return the exit status."""
    compile_all(print, lambda: None)
    return 0
