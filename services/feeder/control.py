"""The control API, behind the HTTP front: begin, resynchronise a book, close a connection, end the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from libs.config import near


class Resync(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /resync: a book that is to be fetched anew."""

    exchange: str
    symbol: str


def control_app(
    status: Callable[[], dict[str, Any]],
    begin: Callable[[], None],
    end: Callable[[], None],
    resync: Callable[[str, str], list[str]],
) -> web.Application:
    """Return the application.

    Parameters
    ----------
    status : callable
        Gives the document of /status.
    begin, end : callable
        Begin and end the session; the process stays.
    resync : callable
        Takes exchange and symbol; returns the known symbols when there is no such book, else nothing.
    """

    async def show(request: web.Request) -> web.Response:
        return _json(status())

    async def resume(request: web.Request) -> web.Response:
        begin()
        return _json(status())

    async def stop(request: web.Request) -> web.Response:
        end()
        return _json(status())

    async def again(request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read() or b"{}", type=Resync)
        except msgspec.DecodeError as error:
            return _json({"error": str(error)}, 400)
        known = resync(wanted.exchange, wanted.symbol)
        if known:
            return _json({"error": f"no book {wanted.exchange} {wanted.symbol}{near(wanted.symbol, known)}"}, 404)
        return _json({"resync": wanted.symbol})

    app = web.Application()
    app.router.add_get("/status", show)
    app.router.add_post("/resume", resume)
    app.router.add_post("/stop", stop)
    app.router.add_post("/resync", again)
    return app


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")
