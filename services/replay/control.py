"""The control API, behind the HTTP front: a load test drives the replay with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web

from services.replay.playback import Playback

Positive = Annotated[float, msgspec.Meta(gt=0, le=10_000_000)]
Odds = Annotated[float, msgspec.Meta(ge=0, lt=1)]
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Rate(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /rate: one of the two."""

    messages_per_s: Positive | None = None
    speed: Positive | None = None


class Inject(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /inject; what is not named stays."""

    loss: Odds | None = None
    duplicate: Odds | None = None
    reorder: Odds | None = None


def control_app(playback: Playback, stop: Callable[[], None]) -> web.Application:
    """Return the application.

    Parameters
    ----------
    playback : Playback
    stop : callable
        Ends the session; the process stays, so that its status can be read.
    """

    def answer() -> web.Response:
        return web.Response(body=msgspec.json.encode(playback.status()), content_type="application/json")

    async def body(request: web.Request, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(await request.read() or b"{}", type=type_)
        except msgspec.DecodeError as error:
            raise _refusal(web.HTTPBadRequest, str(error)) from error

    async def status(request: web.Request) -> web.Response:
        return answer()

    async def rate(request: web.Request) -> web.Response:
        wanted = await body(request, Rate)
        try:
            if wanted.messages_per_s is not None:
                playback.set_rate(wanted.messages_per_s)
            elif wanted.speed is not None:
                playback.set_speed(wanted.speed)
            else:
                raise _refusal(web.HTTPBadRequest, "expected messages_per_s or speed")
        except ValueError as error:
            raise _refusal(web.HTTPConflict, str(error)) from error
        return answer()

    async def pause(request: web.Request) -> web.Response:
        playback.pause()
        return answer()

    async def resume(request: web.Request) -> web.Response:
        playback.resume()
        return answer()

    async def inject(request: web.Request) -> web.Response:
        wanted = await body(request, Inject)
        playback.inject({name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None})
        return answer()

    async def end(request: web.Request) -> web.Response:
        stop()
        return answer()

    app = web.Application()
    app.router.add_get("/status", status)
    for path, handler in (("rate", rate), ("pause", pause), ("resume", resume), ("inject", inject), ("stop", end)):
        app.router.add_post(f"/{path}", handler)
    return app


def _refusal(kind: type[web.HTTPException], text: str) -> web.HTTPException:
    return kind(body=msgspec.json.encode({"error": text}), content_type="application/json")
