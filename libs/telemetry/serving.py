"""HTTP from a service's shared memory, in a process of its own, so that no scrape or query ever holds the service.

It serves /livez, /readyz, /metrics and /status, routes that a service adds (they read shared arrays), and hands every
other request to the service's own control routes over a unix socket. It ends with its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import hmac
import importlib
import ipaddress
import os
import signal
import sys
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from libs.telemetry.front import TOKEN_VARIABLE
from libs.telemetry.segment import Segment

LIVE_S = 5.0
PROXY_TIMEOUT_S = 5.0
PR_SET_PDEATHSIG = 1


def is_loopback(address: str) -> bool:
    """Return whether an IP address is of the loopback range."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@web.middleware
async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
    """Let a request that changes something pass only with the token, or from loopback to loopback.

    A browser names the page behind a request (``Origin``): a page from anywhere, open on this machine, is not its user.
    """
    if request.method not in ("GET", "HEAD"):
        names = request.transport.get_extra_info("sockname") if request.transport else None
        both = names is not None and is_loopback(names[0]) and is_loopback(request.remote or "")
        both = both and "Origin" not in request.headers
        token = os.environ.get(TOKEN_VARIABLE, "")
        given = request.headers.get("Authorization", "")
        if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()) and not both:
            status = 403 if given else 401
            return web.json_response({"error": f"expected the bearer token of {TOKEN_VARIABLE}"}, status=status)
        if not token and not both:
            error = (
                f"{request.method} is answered on loopback only (no web page's), as no {TOKEN_VARIABLE} is configured"
            )
            return web.json_response({"error": error}, status=403)
    return await handler(request)


class Handlers:
    """The routes that every service has."""

    def __init__(self, segment: Segment, pid: int, backend: str | None) -> None:
        from libs.telemetry.exposition import registry

        self.segment, self.pid, self.backend = segment, pid, backend
        self.registry = registry(segment, pid)
        self.session: ClientSession | None = None

    async def livez(self, request: web.Request) -> web.Response:
        """Answer 200 while the service's process gives signs of life."""
        age = self.segment.age_s()
        if os.getppid() != self.pid or age > LIVE_S:
            return web.json_response({"live": False, "reason": f"no sign of life for {age:.1f} s"}, status=503)
        return web.json_response({"live": True})

    async def readyz(self, request: web.Request) -> web.Response:
        """Answer 200 when the service does its work, else 503 with the reason."""
        ok, reason = self.segment.readiness()
        age = self.segment.age_s()
        if ok and age > LIVE_S:
            ok, reason = False, f"no sign of life for {age:.1f} s"
        body = {"ready": ok} if ok else {"ready": ok, "reason": reason}
        return web.json_response(body, status=200 if ok else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer with the exposition."""
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.registry), headers={"Content-Type": content_type})

    async def status(self, request: web.Request) -> web.Response:
        """Answer with the service's own document."""
        return web.Response(body=self.segment.status(), content_type="application/json")

    async def proxy(self, request: web.Request) -> web.Response:
        """Hand the request to the service's control routes."""
        if self.backend is None:
            return unknown(request)
        if self.session is None:
            path = self.backend.replace("@", "\0", 1) if self.backend.startswith("@") else self.backend
            timeout = ClientTimeout(total=PROXY_TIMEOUT_S)
            self.session = ClientSession(connector=UnixConnector(path), timeout=timeout)
        url = f"http://{self.segment.service}{request.rel_url}"
        try:
            async with self.session.request(request.method, url, data=await request.read()) as answer:
                body = await answer.read()
                if answer.status == 404 and answer.content_type != "application/json":
                    return unknown(request)
                return web.Response(body=body, status=answer.status, content_type=answer.content_type)
        except (ClientError, TimeoutError) as error:
            return web.json_response({"error": f"the service does not answer: {error}"}, status=503)

    async def close(self, app: web.Application) -> None:
        """Close what was opened."""
        if self.session is not None:
            await self.session.close()


def unknown(request: web.Request) -> web.Response:
    """Return 404 with the routes that there are."""
    import difflib

    routes = sorted({r.resource.canonical for r in request.app.router.routes() if r.resource is not None})
    known = [route for route in routes if not route.startswith("/{tail")]
    near = difflib.get_close_matches(request.path, known, n=5, cutoff=0.4)
    return web.json_response({"error": f"{request.path} is not known", "near": near or known}, status=404)


def application(segment: Segment, pid: int, routes: str | None, backend: str | None) -> web.Application:
    """Return the front's application."""
    app = web.Application(middlewares=[guard])
    handlers = Handlers(segment, pid, backend)
    app.router.add_get("/livez", handlers.livez)
    app.router.add_get("/readyz", handlers.readyz)
    app.router.add_get("/metrics", handlers.metrics)
    if routes:
        module, function = routes.split(":")
        getattr(importlib.import_module(module), function)(app, segment)
    app.router.add_get("/status", handlers.status)
    app.router.add_route("*", "/{tail:.*}", handlers.proxy)
    app.on_cleanup.append(handlers.close)
    return app


async def serve(arguments: argparse.Namespace, segment: Segment) -> int:
    """Serve until told to stop."""
    runner = web.AppRunner(application(segment, arguments.pid, arguments.routes, arguments.backend), access_log=None)
    await runner.setup()
    port = arguments.port
    try:
        for host in arguments.hosts.split(","):
            site = web.TCPSite(runner, host.strip(), port)
            await site.start()
            if port == 0:
                port = runner.addresses[0][1]
    except OSError as error:
        print(
            f"cannot listen on {host.strip()}:{port}: {error.strerror}; set another http_port or http_host", flush=True
        )
        await runner.cleanup()
        return 3
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print(f"listening {port}", flush=True)
    await stop.wait()
    await runner.cleanup()
    return 0


def main() -> int:
    """Run the front; the segment's layout comes on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--hosts", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--routes")
    parser.add_argument("--backend")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != arguments.pid:
        return 1
    # Ctrl-C in a terminal reaches the whole group; the service decides when its front ends.
    os.setpgid(0, 0)
    segment = Segment.attach(arguments.fd, sys.stdin.readline())
    return asyncio.run(serve(arguments, segment))


if __name__ == "__main__":
    sys.exit(main())
