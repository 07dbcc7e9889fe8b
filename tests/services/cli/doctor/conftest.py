"""A configuration folder to doctor, and network namespaces in which to break things for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.doctor.setup import Setup, read_setup
from services.cli.doctor.system import System
from tests.needs import skip_unless

ROOT = Path(__file__).resolve().parents[4]
Doctor = Callable[..., dict[str, dict[str, str]]]


def write_config(folder: Path, *, udp: dict[str, Any] | None = None, processing: dict[str, Any] | None = None,
                 replay: str = "", consumer: str = "recovery = []") -> Path:  # fmt: skip
    """Write the three files that the doctor reads."""
    folder.mkdir(exist_ok=True)
    (folder / "symbols.json").write_text(json.dumps({"udp_config": udp or {}, "processing_config": processing or {}}))
    (folder / "consumer.toml").write_text(f'symbols_file = "symbols.json"\nhttp_port = 1\n{consumer}\n')
    (folder / "replay.toml").write_text(f"http_port = 2\n{replay}\n")
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Give a writer of configuration folders."""
    return lambda **keys: write_config(tmp_path / "config", **keys)


@pytest.fixture
def setup(config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Setup]:
    """Give a maker of set-ups as they are read from a folder."""
    for name in ("REDIS_URL", "CONSUMER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return lambda **keys: read_setup(str(config(**keys)))


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[dict[str, str]], System]:
    """Give a maker of machines from the text of their files."""

    def make(files: dict[str, str]) -> System:
        for name, text in files.items():
            path = tmp_path / "machine" / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return System(tmp_path / "machine")

    return make


class Space:
    """A network namespace that lives as long as a sleeping process in it."""

    def __init__(self) -> None:
        self._inside: list[subprocess.Popen[bytes]] = []
        self._holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        deadline = time.monotonic() + 30
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{self.pid}/ns/net").readlink() == own:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        return self._holder.pid

    def command(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-n", *words]

    def run(self, line: str) -> str:
        """Run a shell command line inside and give what it says."""
        return subprocess.run(self.command("sh", "-ec", line), check=True, capture_output=True, text=True).stdout

    def start(self, code: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Python code inside; it runs until the namespace is closed, and has begun once it prints a line."""
        process = subprocess.Popen(self.command(sys.executable, "-c", code, *arguments), stdout=subprocess.PIPE)
        self._inside.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    def doctor(self, folder: Path, *, timeout: float = 0.6, rights: bool = True, **environment: str) -> Any:
        """Run the doctor inside, with the rights of the network's administrator or without; give its checks by name."""
        words = [sys.executable, "-m", "services.cli", "doctor", "--json", "--config", str(folder)]
        if not rights:
            words = ["setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-net_admin,-net_raw", *words]
        done = subprocess.run(
            self.command(*words, "--timeout", str(timeout)), cwd=ROOT, env={**os.environ, **environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1) and not done.stderr, done.stderr
        document = json.loads(done.stdout)
        assert document["ok"] == (done.returncode == 0)
        return {check["name"]: check for check in document["checks"]}

    def close(self) -> None:
        for process in [*self._inside, self._holder]:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _need_namespaces() -> None:
    """Skip where namespaces cannot be made; CI promises them."""
    missing = [tool for tool in ("unshare", "nsenter", "setpriv", "ip", "sysctl") if shutil.which(tool) is None]
    reason = f"needs {', '.join(missing)}" if missing else ""
    if not reason and subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        reason = "network namespaces cannot be made here"
    skip_unless(not reason, reason)


@pytest.fixture
def spaces() -> Iterator[Callable[[], Space]]:
    """Give a maker of network namespaces that go with the test."""
    _need_namespaces()
    made: list[Space] = []

    def make() -> Space:
        made.append(Space())
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def pair(spaces: Callable[[], Space]) -> tuple[Space, Space]:
    """Give two namespaces joined by a cable: 10.77.0.1 on d0 here, 10.77.0.2 on d1 there."""
    here, there = spaces(), spaces()
    here.run(f"ip link set lo up; ip link add d0 type veth peer name d1 netns {there.pid}; ip link set d0 up")
    here.run("ip address add 10.77.0.1/24 dev d0; ip route add 239.192.0.0/16 dev d0")
    there.run("ip link set lo up; ip link set d1 up; ip address add 10.77.0.2/24 dev d1")
    return here, there


@pytest.fixture
def loop(spaces: Callable[[], Space]) -> Space:
    """Give a namespace with loopback up."""
    space = spaces()
    space.run("ip link set lo up")
    return space
