"""The control API, behind the HTTP front: a load test drives the replay with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from libs.sending.answering import Recovery
from services.replay.playback import NoSuchLineError, Playback, WrongPaceError

Positive = Annotated[float, msgspec.Meta(gt=0, le=10_000_000)]
Odds = Annotated[float, msgspec.Meta(ge=0, le=1)]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rate(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /rate: one of the two."""

    messages_per_s: Positive | None = None
    speed: Positive | None = None


class Inject(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /inject; what is not named stays. ``line``: odds only on this one; a loss of 1 kills it."""

    line: Literal["a", "b"] | None = None
    loss: Odds | None = None
    duplicate: Odds | None = None
    reorder: Odds | None = None
    recovery: Literal["on", "off", "slow", "wrong", "close"] | None = None


def control_app(playback: Playback, recovery: Recovery, stop: Callable[[], None]) -> web.Application:
    """Return the application.

    Parameters
    ----------
    playback : Playback
    recovery : Recovery
    stop : callable
        Ends the session; the process stays, so that its status can be read.
    """

    def answer() -> web.Response:
        return _json(playback.status() | {"recovery": recovery.status()})

    async def status(request: web.Request) -> web.Response:
        return answer()

    async def rate(request: web.Request) -> web.Response:
        wanted = msgspec.json.decode(await request.read() or b"{}", type=Rate)
        try:
            if wanted.messages_per_s is not None:
                playback.set_rate(wanted.messages_per_s)
            elif wanted.speed is not None:
                playback.set_speed(wanted.speed)
            else:
                return _json({"error": "expected messages_per_s or speed"}, 400)
        except WrongPaceError as error:
            return _json({"error": str(error)}, 409)
        return answer()

    async def pause(request: web.Request) -> web.Response:
        playback.pause()
        return answer()

    async def resume(request: web.Request) -> web.Response:
        playback.resume()
        return answer()

    async def inject(request: web.Request) -> web.Response:
        wanted = msgspec.json.decode(await request.read() or b"{}", type=Inject)
        odds = {"loss": wanted.loss, "duplicate": wanted.duplicate, "reorder": wanted.reorder}
        try:
            playback.inject({name: value for name, value in odds.items() if value is not None}, wanted.line or "")
        except NoSuchLineError as error:
            return _json({"error": str(error)}, 409)
        if wanted.recovery is not None:
            recovery.inject(wanted.recovery)
        return answer()

    async def end(request: web.Request) -> web.Response:
        stop()
        return answer()

    app = web.Application(middlewares=[_refuse_nonsense])
    app.router.add_get("/status", status)
    for path, handler in (("rate", rate), ("pause", pause), ("resume", resume), ("inject", inject), ("stop", end)):
        app.router.add_post(f"/{path}", handler)
    return app


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")


@web.middleware
async def _refuse_nonsense(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 400 to a body that is not what the route takes."""
    try:
        return await handler(request)
    except msgspec.DecodeError as error:
        return _json({"error": str(error)}, 400)
