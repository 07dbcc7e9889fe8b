"""A redis-server of a test's own, which it may kill and start again."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from tests.conftest import redis_executable

START_TIMEOUT_S = 30.0


class Server:
    """redis-server on a unix socket, without persistence: what it held is gone when it is started again."""

    def __init__(self, **options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cb-redis-"))
        self.url = f"unix://{self.folder}/redis.sock?db=0"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start and wait until it answers."""
        words = {"port": "0", "unixsocket": f"{self.folder}/redis.sock", "dir": str(self.folder), "save": ""}
        command = [redis_executable()]
        for name, value in (words | self.options).items():
            command += [f"--{name}", value]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.client().ping()
                return
            except redis.AuthenticationError:
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def client(self) -> Any:
        """Return a client for checks."""
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        """End the process as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
