"""`crossbook up`: the whole pipe in one terminal, from the start of its Redis to the report."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from libs.errors import CrossbookError
from libs.scheduling import short_turns
from libs.version import version
from services.cli import ending, redis_server, warm
from services.cli.arguments import UpOptions
from services.cli.claims import Claims
from services.cli.configs import Resolved, resolve, state_folder, write
from services.cli.report import Document, Run, Statuses, build, failed_checks, write_report
from services.cli.rundir import RunDirectory, StateDirectory
from services.cli.stack import ServiceError, Stack, service_command, service_environment
from services.cli.view import Snapshot, View, new_view, print_report

READY_TIMEOUT_S = 120.0
FLOW_TIMEOUT_S = 30.0
TICK_S = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(CrossbookError):  # noqa: N818 - not an error of anybody
    """The user wants it to end before it had begun."""


class Up:
    """One run.

    Parameters
    ----------
    options : UpOptions
    began : float
        ``time.monotonic()`` when the command was started.
    """

    def __init__(self, options: UpOptions, began: float) -> None:
        self.options, self.began, self.sender = options, began, options.sender
        self.claims = Claims()
        self.statuses = Statuses()
        self.about = Run(version(), time.time(), loss_wanted=bool(options.loss), source=" ".join(options.source or ()))
        self.stop_signal = 0
        self.stack = Stack({}, self.say, str)
        self.view: View | None = None
        self.flowing_since = 0.0
        self._resume_wanted = False
        self._silent: list[str] = []

    def run(self) -> int:
        """Run until the end; return the exit status of cli.md."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self.claims.release)
            state_dir = StateDirectory(state_folder(self.options))
            cleanup.callback(state_dir.release)
            run = RunDirectory()
            cleanup.callback(run.remove)
            self._prepare(run, state_dir)
            cleanup.callback(self.stack.kill)
            try:
                self._start(run)
                crashed = self._watch()
                self._finish()
            except Interrupted:
                self.say(f"{signal.Signals(self.stop_signal).name} before anything flowed: stopped")
                return 128 + self.stop_signal
            finally:
                self._close_view()
        return self._judge(crashed)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Asked twice: no more waiting for anybody.
        self.stack.hurry = bool(self.stop_signal)
        self.stop_signal = self.stop_signal or number

    def say(self, text: str) -> None:
        """Tell a person one thing, now or when the live view ends."""
        if self.view is not None:
            self.view.note(text)
        else:
            print(f"crossbook up: {text}", file=sys.stderr, flush=True)

    def _prepare(self, run: RunDirectory, state_dir: StateDirectory) -> None:
        given = os.environ.get("REDIS_URL")
        prefix = ""
        self.redis_socket = run.path / "redis.sock"
        if given:
            redis_server.check_external(given, "start it, or unset REDIS_URL for an embedded one")
            name = hashlib.sha256(given.encode()).hexdigest()[:16]
            if not self.claims.take(f"redis-{name}"):
                prefix = f"up-{os.getpid()}:"
                self.say(f"another run uses this Redis: the names of this run's streams begin with {prefix}")
        self.redis_url = given or redis_server.socket_url(self.redis_socket)
        self.embedded = not given
        self.prefix = prefix
        self.resolved: Resolved = resolve(self.options, self.claims, self.redis_url, prefix)
        write(self.resolved, run.path)
        for note in self.resolved.moved:
            self.say(note)
        environment = service_environment(REDIS_URL=self.redis_url, CROSSBOOK_STATE_DIR=str(state_dir.path))
        # The resolved file holds what this names.
        environment.pop("CONSUMER_CONFIG", None)
        self.stack = Stack(environment, self.say, self.resolved.in_users_words)
        self.about.http = {name: str(at) for name, at in self.resolved.endpoints.items()}
        self.about.costs = str(self.resolved.values["signals"].get("costs", "demo"))
        self.run_directory = run

    def _start(self, run: RunDirectory) -> None:
        if self.embedded:
            child = self.stack.start(
                "redis", redis_server.command(redis_server.executable(), run.path, self.redis_socket)
            )
            redis_server.wait_until_up(child, self.redis_socket)
            short_turns(child.pid)
        if not warm.is_warm():
            self.say("compiling kernels (first run)")
            warm.compile_all(self.say, self._idle)
        if self.resolved.fakes:
            self.stack.start("fakes", service_command("fakes", *self.resolved.fakes))
        for name in self.resolved.services:
            # The sender is ready beside the others, paused: nothing is sent before the consumer has joined.
            self.stack.start_service(name, self.resolved.files[name])
        at = self.resolved.endpoints
        self.stack.wait_ready(list(at), lambda name: at[name].ready()[0], READY_TIMEOUT_S, self._idle)
        self.stack.wait_ready(["consumer"], self._joined, READY_TIMEOUT_S, self._idle)
        run.describe(
            {
                "pid": os.getpid(),
                "directory": str(run.path),
                "started": self.about.started,
                "redis_url": self.redis_url,
                "stream_prefix": self.prefix,
                "http": {name: [endpoint.host, endpoint.port] for name, endpoint in at.items()},
            }
        )
        at[self.sender].post("/resume")
        self.stack.wait_ready(["consumer"], self._flowing, FLOW_TIMEOUT_S, self._idle)
        self.flowing_since = time.monotonic()
        self.about.ready_s = self.flowing_since - self.began
        self.view = new_view(f"ready after {self.about.ready_s:.1f} s")

    def _idle(self) -> None:
        if self.stop_signal:
            raise Interrupted("stopped")

    def _joined(self, name: str) -> bool:
        status = self.resolved.endpoints[name].status()
        return bool(status and status.get("joined"))

    def _flowing(self, name: str) -> bool:
        answer = self.resolved.endpoints[name].get("/channels")
        channels = answer[1] if answer is not None and answer[0] == 200 else {}
        if any(channel.get("received") for channel in channels.values()):
            return True
        # A recording of no message at all ends before anything flows.
        status = self.resolved.endpoints[self.sender].status()
        return bool(status and status.get("state") == "done")

    def _watch(self) -> str:
        """Look after the run until its end; return why it cannot go on, or nothing."""
        assert self.view is not None
        next_look = time.monotonic()
        limit = self.options.duration_s
        while not self.stop_signal:
            try:
                again = self.stack.tick()
            except ServiceError as error:
                return str(error)
            self._resume_wanted |= self.sender in again
            now = time.monotonic()
            if now >= next_look:
                due = next_look + self.view.interval_s
                next_look = due if due > now else now + self.view.interval_s
                self._look()
                self.view.show(self._snapshot(now))
                self._resume()
                if self.statuses.replay.get("state") == "done" and not self._resume_wanted:
                    break
            if limit and now - self.flowing_since >= limit:
                break
            time.sleep(TICK_S)
        self.about.stopped_by = signal.Signals(self.stop_signal).name if self.stop_signal else ""
        return ""

    def _look(self) -> None:
        """Ask every service how it is.

        The consumer comes first: when the replay still runs after that, the consumer's books were those of a running
        session.
        """
        self._silent = []
        for name in self.resolved.services:
            status = self.resolved.endpoints[name].status()
            self.statuses.take("replay" if name == self.sender else name, status)
            if status is None:
                self._silent.append(name)
        if self.statuses.replay.get("state") == "running" and self.statuses.consumer:
            self.statuses.before_end = self.statuses.consumer
        for name in (*self.resolved.services, "redis"):
            child = self.stack.child(name)
            if child is not None and (resident := rss_bytes(child.pid)):
                self.about.rss_bytes[name] = resident

    def _resume(self) -> None:
        """Set a sender that was started again to work, once it is ready and the consumer has joined.

        The consumer need not be ready: it is not while an open session is silent, which only the sender can mend.
        """
        at = self.resolved.endpoints
        if self._resume_wanted and at[self.sender].ready()[0] and self._joined("consumer"):
            self._resume_wanted = at[self.sender].post("/resume") is None

    def _snapshot(self, now: float) -> Snapshot:
        return Snapshot(
            statuses=self.statuses,
            run=self.about,
            elapsed_s=now - self.flowing_since,
            limit_s=self.options.duration_s,
            restarts=self.stack.restarts,
            down=self._silent,
            warnings=list(self.stack.warnings),
            redis_url=redis_server.without_password(self.redis_url),
        )

    def _finish(self) -> None:
        if self.stack.child(self.sender) is not None:
            self._look()
            ending.end_sending(self.resolved.endpoints[self.sender], self.statuses, lambda: self.stack.hurry)
        self.about.duration_s = time.monotonic() - self.flowing_since
        ending.drain(self.resolved.endpoints, self.statuses, lambda: self.stack.hurry)
        self.about.restarts = self.stack.restarts
        ending.stop_in_order(self.stack)
        self.about.ended = dict(self.stack.ended)

    def _close_view(self) -> None:
        if self.view is not None:
            self.view.close()
            self.view = None

    def _judge(self, crashed: str) -> int:
        document: Document = build(self.statuses, self.about)
        failed = ([crashed] if crashed else []) + failed_checks(document, self.about)
        document["checks_failed"] = failed
        if self.options.report is not None:
            write_report(self.options.report, document)
        print_report(document, failed)
        for check in failed:
            print(f"crossbook up: check failed: {check}", file=sys.stderr)
        if self.stop_signal:
            return 128 + self.stop_signal
        return 1 if failed else 0


def rss_bytes(pid: int) -> int:
    """Return a process's resident memory; 0 when it has just ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def run_up(options: UpOptions, began: float) -> int:
    """Run the whole pipe; return the exit status."""
    return Up(options, began).run()
