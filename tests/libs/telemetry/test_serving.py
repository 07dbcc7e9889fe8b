"""Who may change something over HTTP; the server as a whole is in test_front.py."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from libs.telemetry.front import TOKEN_VARIABLE
from libs.telemetry.serving import guard, is_loopback

LOOPBACK = "127.0.0.1"
AWAY = "192.0.2.7"

GUARDED = [
    ("GET", AWAY, AWAY, "", "", 200),
    ("HEAD", AWAY, AWAY, "secret", "", 200),
    ("POST", LOOPBACK, LOOPBACK, "", "", 200),
    ("POST", LOOPBACK, LOOPBACK, "secret", "", 200),
    ("POST", "::1", "::1", "secret", "", 200),
    ("POST", AWAY, LOOPBACK, "", "", 403),
    ("POST", LOOPBACK, AWAY, "", "", 403),
    ("DELETE", AWAY, AWAY, "", "Bearer secret", 403),
    ("POST", AWAY, AWAY, "secret", "", 401),
    ("POST", LOOPBACK, AWAY, "secret", "", 401),
    ("PUT", AWAY, AWAY, "secret", "Bearer wrong", 403),
    ("POST", AWAY, AWAY, "secret", "secret", 403),
    ("POST", AWAY, AWAY, "secret", "Bearer secret", 200),
]


def answer(method: str, bound: str, peer: str, headers: dict[str, str]) -> int:
    """Return the status of a request between these addresses."""
    names = {"sockname": (bound, 1), "peername": (peer, 2)}
    transport = SimpleNamespace(get_extra_info=lambda name, default=None: names.get(name, default))
    request = make_mocked_request(method, "/rate", headers=headers, transport=transport)

    async def pass_on(_: web.Request) -> web.Response:
        return web.Response()

    return int(asyncio.run(guard(request, pass_on)).status)


@pytest.mark.parametrize(("method", "bound", "peer", "token", "given", "expected"), GUARDED)
def test_changes_need_the_token_or_loopback(
    monkeypatch: pytest.MonkeyPatch, method: str, bound: str, peer: str, token: str, given: str, expected: int
) -> None:
    """What changes something passes with the token, or without one only where both ends are loopback."""
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    assert answer(method, bound, peer, {"Authorization": given} if given else {}) == expected


def test_a_web_page_needs_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is open in a browser on this machine changes nothing; it may look, or know the token."""
    page = {"Origin": "http://elsewhere.example"}
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    assert answer("POST", LOOPBACK, LOOPBACK, page) == 403
    assert answer("GET", LOOPBACK, LOOPBACK, page) == 200
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    assert answer("POST", LOOPBACK, LOOPBACK, page) == 401
    assert answer("POST", LOOPBACK, LOOPBACK, page | {"Authorization": "Bearer secret"}) == 200


def test_loopback_addresses() -> None:
    """Loopback is 127/8 and ::1, nothing else, and no name."""
    assert [is_loopback(a) for a in ("127.0.0.1", "127.9.9.9", "::1")] == [True] * 3
    assert [is_loopback(a) for a in ("10.0.0.1", "0.0.0.0", "::", "localhost", "")] == [False] * 5
