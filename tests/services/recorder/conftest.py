"""Recorders that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.libs.streams.server import Server
from tests.services.recorder.running import Service

Start = Callable[..., Service]


@pytest.fixture
def own_redis() -> Iterator[Server]:
    """Give a redis-server that the test may kill."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def start(tmp_path: Path, free_port: int) -> Iterator[Start]:
    """Start recorders, one after the other, into one folder."""
    running: list[Service] = []

    def begin(url: str, text: str = "", target: Path | None = None) -> Service:
        running.append(Service(tmp_path, url, free_port, text, target))
        return running[-1]

    yield begin
    for service in running:
        if service.process.poll() is None:
            service.kill()
