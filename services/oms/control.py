"""The control API, behind the HTTP front: orders, positions, risk, the kill switch.

It runs in a thread with an event loop of its own and has the desk's thread answer, between two items of its queue.
"""

from __future__ import annotations

import asyncio
import difflib
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Annotated, Any

import msgspec
from aiohttp import web

from libs.clock import wall_ns
from libs.errors import CrossbookError
from libs.execution.desk import Desk
from libs.execution.records import order_record, position_json
from libs.orders.states import State
from libs.scheduling import name_thread
from services.oms.items import Command, Items
from services.oms.metrics import limits_used

ANSWER_TIMEOUT_S = 4.0
MOST_ORDERS = 1_000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KillBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /kill."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Answers:
    """What the routes say; every method runs in the desk's thread."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def orders(self, state: str, limit: int) -> dict[str, Any]:
        """Return orders, the latest first."""
        ledger = self.desk.ledger
        found = list(ledger.open.values()) if state == "open" else [*ledger.recent, *ledger.open.values()]
        if state not in ("open", "all"):
            found = [order for order in found if order.state == state]
        return {"open": len(ledger.open), "orders": [order_record(order) for order in found[::-1][:limit]]}

    def order(self, name: str) -> dict[str, Any] | None:
        """Return one order; None where there is none, or it ended long ago."""
        ledger = self.desk.ledger
        found = ledger.open.get(name) or next((o for o in reversed(ledger.recent) if o.client_order_id == name), None)
        return None if found is None else order_record(found)

    def order_names(self) -> list[str]:
        """Return the ids of the orders that are known."""
        ledger = self.desk.ledger
        return [*ledger.open, *(order.client_order_id for order in ledger.recent)]

    def positions(self) -> dict[str, Any]:
        """Return every position that is not flat, or once was not."""
        exposure = self.desk.exposure
        return {
            "positions": [
                position_json(position, exposure.of(position.exchange, position.symbol))
                for position in self.desk.ledger.positions
            ]
        }

    def risk(self) -> dict[str, Any]:
        """Return limits, what is used of them, denials and the kill switch."""
        desk = self.desk
        kill = desk.switch.kill
        return {
            "kill_switch": {
                "on": desk.switch.on,
                "reason": kill.reason if kill is not None else "",
                "since_ts_ns": kill.ts_ns if kill is not None else 0,
            },
            "limits": msgspec.to_builtins(desk.settings.limits),
            "used": limits_used(desk, wall_ns()),
            "denied": dict(desk.denied),
            "day_start_usd": float(desk.losses.marks.day_start_usd),
            "peak_usd": float(desk.losses.marks.peak_usd),
            "reconcile": {"ok": not desk.different, "differences": desk.different, "mismatches": desk.mismatches},
        }

    def kill(self, reason: str) -> dict[str, Any]:
        """Throw the kill switch."""
        return {"kill_switch": True, "reason": reason, "cancelled": self.desk.kill(reason, wall_ns())}

    def reset(self) -> dict[str, Any]:
        """Turn the kill switch off."""
        return {"kill_switch": False, "was_on": self.desk.reset()}


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


class Routes:
    """Handlers that ask the desk's thread."""

    def __init__(self, answers: Answers, items: Items) -> None:
        self.answers, self.items = answers, items

    async def ask(self, act: Callable[[], Any]) -> Any:
        """Return what ``act`` returns in the desk's thread."""
        future: Future[Any] = Future()

        def answer(result: Any, error: Exception | None) -> None:
            if future.set_running_or_notify_cancel():
                future.set_result(result) if error is None else future.set_exception(error)

        if not self.items.put(Command(act, answer)):
            raise TimeoutError
        return await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_TIMEOUT_S)

    async def orders(self, request: web.Request) -> web.Response:
        """GET /orders?state=all|open|filled|…&limit=100."""
        state, limit = request.query.get("state", "all"), request.query.get("limit", "100")
        known = ["all", "open", *map(str, State)]
        if state not in known:
            return _json({"error": f"state: expected one of {', '.join(known)}, found {state[:40]!r}"}, 400)
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST_ORDERS:
            return _json({"error": f"limit: expected 1 to {MOST_ORDERS}, found {limit[:40]!r}"}, 400)
        return _json(await self.ask(lambda: self.answers.orders(state, int(limit))))

    async def order(self, request: web.Request) -> web.Response:
        """GET /orders/{id}."""
        name = request.match_info["id"]
        found = await self.ask(lambda: self.answers.order(name))
        if found is not None:
            return _json(found)
        near = difflib.get_close_matches(name, await self.ask(self.answers.order_names), n=3)
        return _json({"error": f"order {name!r} is not known", "near": near}, 404)

    async def positions(self, request: web.Request) -> web.Response:
        """GET /positions."""
        return _json(await self.ask(self.answers.positions))

    async def risk(self, request: web.Request) -> web.Response:
        """GET /risk."""
        return _json(await self.ask(self.answers.risk))

    async def kill(self, request: web.Request) -> web.Response:
        """POST /kill {"reason": …}."""
        try:
            body = msgspec.json.decode(await request.read(), type=KillBody)
        except msgspec.DecodeError as error:
            return _json({"error": f'expected {{"reason": "…"}}: {error}'}, 400)
        return _json(await self.ask(lambda: self.answers.kill(body.reason)))

    async def reset(self, request: web.Request) -> web.Response:
        """POST /reset."""
        return _json(await self.ask(self.answers.reset))


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with JSON whatever goes wrong."""
    try:
        return await handler(request)
    except TimeoutError:
        return _json({"error": "the desk is busy and did not answer in time"}, 503)
    except CrossbookError as error:
        return _json({"error": str(error)}, 500)


def application(routes: Routes) -> web.Application:
    """Return the application."""
    app = web.Application(middlewares=[_errors])
    app.router.add_get("/orders", routes.orders)
    app.router.add_get("/orders/{id}", routes.order)
    app.router.add_get("/positions", routes.positions)
    app.router.add_get("/risk", routes.risk)
    app.router.add_post("/kill", routes.kill)
    app.router.add_post("/reset", routes.reset)
    return app


class Control(threading.Thread):
    """The thread that serves the API on a unix socket.

    Parameters
    ----------
    app : aiohttp.web.Application
    path : str
        A leading NUL makes it abstract: nothing is left in the file system.
    """

    def __init__(self, app: web.Application, path: str) -> None:
        super().__init__(name="control", daemon=True)
        self.app, self.path = app, path
        self.loop = asyncio.new_event_loop()
        self._up = threading.Event()

    def begin(self) -> None:
        """Start, and return once it listens."""
        self.start()
        self._up.wait()

    def run(self) -> None:
        """Serve until stopped."""
        name_thread(self.name)
        asyncio.set_event_loop(self.loop)
        runner = web.AppRunner(self.app, access_log=None)
        self.loop.run_until_complete(runner.setup())
        self.loop.run_until_complete(web.UnixSite(runner, self.path).start())
        self.loop.call_soon(self._up.set)
        self.loop.run_forever()
        self.loop.run_until_complete(runner.cleanup())
        self.loop.close()

    def stop(self) -> None:
        """Stop serving."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join()
