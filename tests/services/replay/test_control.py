"""The control API."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from libs.sending.answering import Recovery
from services.replay.control import control_app
from tests.libs.sending.listen import Heard

pytestmark = pytest.mark.integration


def ask(heard: Heard, *requests: tuple[str, str, Any]) -> list[tuple[int, Any]]:
    """Return (status, JSON) of each request."""

    async def run() -> list[tuple[int, Any]]:
        settings = msgspec.structs.replace(heard.settings, recovery_port=0)
        recovery = Recovery(settings, heard.playback.history, len(heard.playback.source.listing.rows), "replay")
        app = control_app(heard.playback, recovery, heard.playback.stop)
        answers = []
        async with TestClient(TestServer(app)) as client:
            for method, path, body in requests:
                async with client.request(method, path, json=body) as answer:
                    answers.append((answer.status, await answer.json()))
        recovery.stop()
        return answers

    return asyncio.run(run())


def test_a_load_test_can_drive_a_playback(free_port: int) -> None:
    """Status, resume, rate, inject, pause and stop do what they say."""
    heard = Heard(free_port)
    answers = ask(
        heard,
        ("GET", "/status", None),
        ("POST", "/resume", None),
        ("POST", "/rate", {"messages_per_s": 500}),
        ("POST", "/inject", {"loss": 0.5, "recovery": "slow"}),
        ("POST", "/pause", None),
        ("POST", "/stop", None),
    )
    assert [status for status, _ in answers] == [200] * 6
    documents = [document for _, document in answers]
    assert [d["state"] for d in documents] == ["waiting", "running", "running", "running", "paused", "done"]
    assert [d["offered_messages_per_s"] for d in documents][1:3] == [2000.0, 500.0]
    assert documents[3]["inject"] == {"loss": 0.5, "duplicate": 0.0, "reorder": 0.0}
    assert [d["recovery"]["inject"] for d in documents] == ["on"] * 3 + ["slow"] * 3
    assert documents[0]["recovery"]["host"] == "127.0.0.1"
    assert documents[0]["recovery"]["port"] > 0
    assert documents[-1]["sent"]["binance"]["next_sequence"] > 1
    heard.finish()


def test_wrong_requests_change_nothing_and_say_why(free_port: int) -> None:
    """400 for a body that makes no sense, 409 for a pace that the source does not have."""
    heard = Heard(free_port)
    answers = ask(
        heard,
        ("POST", "/rate", {}),
        ("POST", "/rate", {"messages_per_s": -1}),
        ("POST", "/rate", {"messages": 1}),
        ("POST", "/rate", {"speed": 2}),
        ("POST", "/inject", {"loss": 1.5}),
        ("POST", "/inject", {"loss": 0.5, "line": "b"}),
        ("POST", "/inject", {"recovery": "dead"}),
        ("GET", "/status", None),
    )
    assert [status for status, _ in answers] == [400, 400, 400, 409, 400, 409, 400, 200]
    assert all(document["error"] for _, document in answers[:-1])
    assert answers[-1][1]["offered_messages_per_s"] == 2000.0
    assert answers[-1][1]["inject"]["loss"] == 0.0
    assert answers[-1][1]["recovery"]["inject"] == "on"
    heard.finish()
