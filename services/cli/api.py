"""Asking the services: their HTTP endpoints on this machine."""

from __future__ import annotations

import http.client
import json
import os
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service answers."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def get(self, path: str, timeout_s: float = TIMEOUT_S) -> tuple[int, Any] | None:
        """Return the HTTP status and the decoded body, or None when nobody answers."""
        return self._ask("GET", path, None, timeout_s)

    def post(
        self, path: str, body: dict[str, Any] | None = None, timeout_s: float = TIMEOUT_S
    ) -> tuple[int, Any] | None:
        """Send a command; return as :meth:`get` does."""
        return self._ask("POST", path, json.dumps(body or {}), timeout_s)

    def ready(self) -> tuple[bool, str]:
        """Return whether the service is ready, and if not, why."""
        answer = self.get("/readyz")
        if answer is None:
            return False, "does not answer"
        code, body = answer
        reason = body.get("reason", body.get("error", "")) if isinstance(body, dict) else body
        return code == 200, "" if code == 200 else str(reason or "").strip() or f"HTTP {code}"

    def status(self) -> dict[str, Any] | None:
        """Return the service's own account of itself, or None when it gives none."""
        answer = self.get("/status")
        return answer[1] if answer is not None and answer[0] == 200 and isinstance(answer[1], dict) else None

    def _ask(self, method: str, path: str, body: str | None, timeout_s: float) -> tuple[int, Any] | None:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token := os.environ.get("CROSSBOOK_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content.decode(errors="replace")
