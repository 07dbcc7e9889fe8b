"""Ask a service on this host whether it is ready: `python -I -S healthcheck.py PORT [PATH]`; exit 0 when it is.

It stands on a bare socket: http.client alone would cost each probe three times as much, every few seconds.
"""

from __future__ import annotations

import socket
import sys

TIMEOUT_S = 2.0


def ready(port: int, path: str = "/readyz") -> tuple[bool, str]:
    """Return whether a path on 127.0.0.1 answers 200, and what it said."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = b""
            while part := connection.recv(4096):
                answer += part
    except OSError as error:
        return False, str(error)
    status, _, rest = answer.partition(b"\r\n")
    return status.split()[1:2] == [b"200"], rest.partition(b"\r\n\r\n")[2].decode(errors="replace")


if __name__ == "__main__":
    ok, text = ready(int(sys.argv[1]), *sys.argv[2:3])
    print(text)
    sys.exit(0 if ok else 1)
