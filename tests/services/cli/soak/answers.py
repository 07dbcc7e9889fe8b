"""Services that answer what a test says: the boundary of a soak."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from services.cli.api import Endpoint


class Service:
    """One service: documents by path, and the commands that it was sent.

    Attributes
    ----------
    documents : dict
        Path → what GET answers: text as it is, all else as JSON.
    commands : list of (str, dict)
        Path and body of each POST.
    status : int
        Of the answer to each POST.
    """

    def __init__(self, **documents: Any) -> None:
        self.documents = documents
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.status = 200


@contextlib.contextmanager
def serving(service: Service) -> Iterator[Endpoint]:
    """Serve on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = service.documents.get(self.path.strip("/"))
            self._answer(200 if found is not None else 404, found if isinstance(found, str) else json.dumps(found))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.commands.append((self.path, body))
            self._answer(service.status, json.dumps({"error": "no"} if service.status != 200 else {}))

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Endpoint("127.0.0.1", int(server.server_address[1]))
        server.shutdown()
