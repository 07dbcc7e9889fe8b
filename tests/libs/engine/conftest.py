"""Fixtures of the engine's tests."""

from __future__ import annotations

import pytest

from tests.libs.engine.harness import Feed, Host


@pytest.fixture
def feed() -> Feed:
    """A sender of channel 0."""
    return Feed()


@pytest.fixture
def host(feed: Feed) -> Host:
    """A receiver that has heard the session's heartbeat."""
    made = Host()
    made.take(feed.heartbeat(1))
    return made
