"""The processes of a run: started, watched, started again when they crash, stopped in order."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from libs.errors import CrossbookError
from services.cli.arguments import code_root
from services.cli.children import Child, how_it_ended, readable, stop_all

BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 8.0
MOST_CRASHES, CRASH_WINDOW_S = 5, 60.0
LINES_SHOWN = 15
STOP_TIMEOUT_S = 10.0
POLL_S = 0.04


class ServiceError(CrossbookError):
    """A service did not start, or crashed too often.

    Parameters
    ----------
    message : str
        What happened, with what the service said last.
    exit_status : int
    """

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


@dataclass
class Place:
    """One process of the stack, through its restarts."""

    name: str
    command: list[str]
    child: Child | None = None
    crashes: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_CRASHES))
    restarts: int = 0
    due: float = 0.0


class Stack:
    """All processes of a run.

    Parameters
    ----------
    environment : dict
        Of every child.
    say : callable
        Told in one line what a person should know.
    in_users_words : callable
        Turns names of our copies of configuration files into those of the user's.
    """

    def __init__(
        self, environment: dict[str, str], say: Callable[[str], None], in_users_words: Callable[[str], str]
    ) -> None:
        self.environment, self.say, self.in_users_words = environment, say, in_users_words
        self.places: dict[str, Place] = {}
        self.ended: dict[str, int] = {}
        self.warnings: deque[str] = deque(maxlen=50)
        self.hurry = False

    def start(self, name: str, command: list[str]) -> Child:
        """Start a process under a name."""
        place = self.places[name] = Place(name, command)
        return self._spawn(place)

    def start_service(self, name: str, file: Path) -> Child:
        """Start one of our services with its file of settings."""
        return self.start(name, service_command(name, "--config", str(file)))

    def child(self, name: str) -> Child | None:
        """Return the running process of that name, or None while it waits to be started again."""
        place = self.places.get(name)
        return place.child if place is not None else None

    @property
    def restarts(self) -> dict[str, int]:
        """How often each process was started again."""
        return {name: place.restarts for name, place in self.places.items()}

    def wait_ready(
        self, names: list[str], ready: Callable[[str], bool], timeout_s: float, idle: Callable[[], None]
    ) -> None:
        """Return once all of these services are ready.

        Parameters
        ----------
        names : list of str
        ready : callable
            Whether the service of that name is ready now.
        timeout_s : float
        idle : callable
            Called between two looks; may raise to give up.

        Raises
        ------
        ServiceError
            When one ends, or is not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        waiting = list(names)
        while True:
            self._refuse_dead()
            waiting = [name for name in waiting if not ready(name)]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{', '.join(waiting)}: not ready within {timeout_s:.0f} s\n{self._last_words(waiting)}", 1
                )
            idle()
            time.sleep(POLL_S)

    def tick(self) -> list[str]:
        """Look after every process; return the names of those that were started again just now.

        Raises
        ------
        ServiceError
            When one crashes too often.
        """
        again = []
        now = time.monotonic()
        for place in self.places.values():
            if place.child is None:
                if now >= place.due:
                    place.restarts += 1
                    self._spawn(place)
                    again.append(place.name)
                continue
            self._listen(place.child)
            status = place.child.ended()
            if status is not None:
                self._crashed(place, place.child, status, now)
        return again

    def stop(self, *names: str) -> None:
        """Stop these processes at the same time and wait for their end; absent ones are passed over."""
        found = [place.child for name in names if (place := self.places.pop(name, None)) and place.child is not None]
        self.ended |= stop_all(found, STOP_TIMEOUT_S, lambda: self.hurry)

    def kill(self) -> None:
        """End everything at once."""
        children = [place.child for place in self.places.values() if place.child is not None]
        self.places.clear()
        self.ended |= stop_all(children, 0.0, lambda: True)

    def _spawn(self, place: Place) -> Child:
        place.child = Child(place.name, place.command, self.environment)
        return place.child

    def _listen(self, child: Child) -> None:
        for line in child.drain():
            if '"level":"warning"' in line.replace(" ", "") or '"level":"error"' in line.replace(" ", ""):
                self.warnings.append(f"{child.name} {self.in_users_words(readable(line))}")

    def _crashed(self, place: Place, child: Child, status: int, now: float) -> None:
        said = self._words_of(child, 3)
        child.close()
        place.child = None
        if len(place.crashes) == MOST_CRASHES and now - place.crashes[0] < CRASH_WINDOW_S:
            raise ServiceError(
                f"{place.name} {how_it_ended(status)}, the {MOST_CRASHES + 1}th time within "
                f"{CRASH_WINDOW_S:.0f} s: giving up\n{said}",
                1,
            )
        recent = [then for then in place.crashes if now - then < CRASH_WINDOW_S]
        place.crashes.append(now)
        wait = min(LONGEST_BACKOFF_S, BACKOFF_S * 2 ** len(recent))
        place.due = now + wait
        self.say(f"{place.name} {how_it_ended(status)}; starting it again in {wait:g} s\n{said}".rstrip())

    def _refuse_dead(self) -> None:
        for place in self.places.values():
            if place.child is None:
                continue
            self._listen(place.child)
            status = place.child.ended()
            if status is None:
                continue
            if status in {2, 3} and place.child.tail:
                # One line of the service says what is wrong with its configuration, or what is missing.
                raise ServiceError(self._words_of(place.child, 1).strip(), status)
            raise ServiceError(f"{place.name} {how_it_ended(status)} at its start\n{self._words_of(place.child)}", 1)

    def _words_of(self, child: Child, lines: int = LINES_SHOWN) -> str:
        last = list(child.tail)[-lines:]
        return "\n".join(f"  {self.in_users_words(readable(line))}" for line in last)

    def _last_words(self, names: list[str]) -> str:
        children = [child for name in names if (child := self.child(name)) is not None]
        return "\n".join(self._words_of(child) for child in children if child.tail)


def service_command(name: str, *arguments: str) -> list[str]:
    """Return the command line of one of our services."""
    # -P: what lies in the working directory must not stand in for our modules.
    return [sys.executable, "-P", "-u", "-m", f"services.{name}", *arguments]


def service_environment(**changes: str) -> dict[str, str]:
    """Return our environment with the place of our code and these changes."""
    path = os.pathsep.join(filter(None, [str(code_root()), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, **changes}
