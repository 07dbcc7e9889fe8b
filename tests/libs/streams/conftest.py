"""Fixtures of the tests with Redis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.libs.streams.server import Server

_numbers = itertools.count()


@pytest.fixture
def prefix() -> str:
    """Return a prefix that no other test uses."""
    return f"test-streams-{next(_numbers)}:"


@pytest.fixture
def own_redis() -> Iterator[Server]:
    """Give a redis-server that the test may kill."""
    server = Server()
    yield server
    server.close()
