"""The second process of a service, as the service starts and stops it; what runs there is libs.telemetry.serving.

They are apart so that a service does not pay for importing an HTTP server.
"""

from __future__ import annotations

import os
import subprocess
import sys

from libs.errors import MissingError
from libs.telemetry.segment import Segment

START_TIMEOUT_S = 20.0
TOKEN_VARIABLE = "CROSSBOOK_TOKEN"


class Front:
    """The running front, seen from the service.

    Attributes
    ----------
    port : int
        The port bound (that of the first host).
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    @classmethod
    def start(
        cls,
        segment: Segment,
        hosts: str,
        port: int,
        *,
        routes: str | None = None,
        backend: str | None = None,
        token: str | None = None,
    ) -> Front:
        """Start the process and wait until it listens.

        Parameters
        ----------
        segment : Segment
        hosts : str
            Addresses to bind, separated by commas.
        port : int
            0: any free one.
        routes : str, optional
            ``module:function``; called with the application and the segment.
        backend : str, optional
            Unix socket of the service's control routes; a leading NUL makes it abstract.
        token : str, optional
            What non-GET requests must bear, unless both ends are loopback.

        Raises
        ------
        MissingError
            When a port cannot be bound.
        """
        command = [
            sys.executable,
            "-m",
            "libs.telemetry.serving",
            "--fd",
            str(segment.arena.fd),
            "--pid",
            str(os.getpid()),
        ]
        command += ["--hosts", hosts, "--port", str(port)]
        if routes:
            command += ["--routes", routes]
        if backend:
            command += ["--backend", backend.replace("\0", "@", 1) if backend.startswith("\0") else backend]
        environment = dict(os.environ)
        environment.pop(TOKEN_VARIABLE, None)
        if token:
            environment[TOKEN_VARIABLE] = token
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[segment.arena.fd], env=environment
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(segment.spec().encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline().decode().strip()
        if not answer.startswith("listening "):
            process.wait(START_TIMEOUT_S)
            raise MissingError(answer or f"the HTTP front ended with status {process.returncode}")
        return cls(process, int(answer.split()[1]))

    def stop(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
