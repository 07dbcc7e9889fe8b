"""What tests of the front need in another process: routes of a service, and a service to run with ``python -m``."""

from __future__ import annotations

import time

from aiohttp import web

from libs.telemetry.front import Front
from libs.telemetry.segment import Segment
from tests.libs.telemetry.series import segment


def add_routes(app: web.Application, found: Segment) -> None:
    """Add a route that reads the segment's own array."""

    async def table(_: web.Request) -> web.Response:
        return web.json_response(found.arrays["table"].tolist())

    app.router.add_get("/table", table)


def main() -> None:
    """Start a front, print its port and process, and give signs of life until killed."""
    found = segment()
    found.add(0, 7)
    found.ready(True)
    found.publish_status({"ready": True})
    front = Front.start(found, "127.0.0.1", 0)
    print(front.port, front.process.pid, flush=True)
    while True:
        time.sleep(0.1)
        found.beat()


if __name__ == "__main__":
    main()
