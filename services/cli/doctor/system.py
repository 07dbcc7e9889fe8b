"""The machine as the doctor reads it: files under /proc and /sys, and whose socket is whose."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

MOST_COMMAND = 4096


@dataclass(frozen=True, slots=True)
class UdpSocket:
    """A line of /proc/net/udp; ``queued`` in bytes of kernel memory, ``drops`` in datagrams since it was opened."""

    address: str
    port: int
    inode: int
    queued: int
    drops: int


@dataclass(frozen=True, slots=True)
class Process:
    """Who holds a socket; ``command`` as typed."""

    pid: int
    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


class System:
    """Reads files below a root, so that a test can lay out another machine.

    Parameters
    ----------
    root : Path
        What stands for ``/``.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def read(self, path: str) -> str | None:
        """Return a file's text without surrounding space; None when it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text(errors="replace").strip()
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Return whether there is such a file."""
        return (self.root / path.lstrip("/")).exists()

    def number(self, path: str) -> int | None:
        """Return a file's number; None when there is none."""
        with contextlib.suppress(ValueError, TypeError):
            return int(self.read(path) or "")
        return None

    def sysctl(self, name: str) -> int | None:
        """Return a kernel setting, by its dotted name with slashes for the parts (``net/core/rmem_max``)."""
        return self.number(f"/proc/sys/{name}")

    def udp_sockets(self) -> list[UdpSocket]:
        """Return the IPv4 UDP sockets of this network namespace."""
        found = []
        for line in (self.read("/proc/net/udp") or "").splitlines()[1:]:
            columns = line.split()
            if len(columns) < 13:
                continue
            address, _, port = columns[1].partition(":")
            own = socket.inet_ntoa(bytes.fromhex(address)[::-1])
            queued = int(columns[4].partition(":")[2], 16)
            found.append(UdpSocket(own, int(port, 16), int(columns[9]), queued, int(columns[12])))
        return found

    def owner(self, inode: int) -> Process | None:
        """Return a process that holds a socket; None when it is another user's or of another namespace."""
        wanted = f"socket:[{inode}]"
        for folder in (self.root / "proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if any(str(fd.readlink()) == wanted for fd in _links(folder / "fd")):
                    return self.process(int(folder.name))
        return None

    def process(self, pid: int) -> Process:
        """Return a process's name and command line."""
        command = (self.read(f"/proc/{pid}/cmdline") or "").replace("\0", " ").strip()
        return Process(pid, self.read(f"/proc/{pid}/comm") or "?", command[:MOST_COMMAND])

    def reverse_path_drops(self) -> int:
        """Return how many datagrams the reverse-path filter of this namespace has dropped."""
        return self._statistic("/proc/net/netstat", "TcpExt:", "IPReversePathFilter")

    def cpu_ticks(self) -> tuple[int, int]:
        """Return (stolen, all) ticks of the machine's CPUs since its start."""
        words = (self.read("/proc/stat") or "").partition("\n")[0].split()[1:9]
        ticks = [int(word) for word in words if word.isdecimal()]
        return (ticks[7] if len(ticks) > 7 else 0), sum(ticks)

    def cgroup_file(self, name_v2: str, name_v1: str) -> str | None:
        """Return a file of this process's CPU control group, of either version, the nearest group that has it."""
        for line in (self.read("/proc/self/cgroup") or "").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                base, name = "/sys/fs/cgroup", name_v2
            elif "cpu" in controllers.split(","):
                base, name = "/sys/fs/cgroup/cpu", name_v1
            else:
                continue
            # In a container the path is the host's and the group is mounted as the top.
            for place in (f"{base}{path.rstrip('/')}/{name}", f"{base}/{name}"):
                if (text := self.read(place)) is not None:
                    return text
        return None

    def _statistic(self, file: str, group: str, name: str) -> int:
        lines = [line.split() for line in (self.read(file) or "").splitlines() if line.startswith(group)]
        if len(lines) == 2 and name in lines[0]:
            return int(lines[1][lines[0].index(name)])
        return 0


def allowed_cpus() -> set[int]:
    """Return the CPUs that this process may run on."""
    return os.sched_getaffinity(0)


def _links(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
