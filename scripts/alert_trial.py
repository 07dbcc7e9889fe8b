"""Break a running stack on purpose: exactly the expected alerts fire, and resolve. A real Prometheus judges.

python -m scripts.alert_trial              the rules as they are, about ten minutes
python -m scripts.alert_trial --shorter 6  waits and windows divided by six, as the tests do
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from scripts.observed.server import Api, Server
from scripts.observed.stack import Redis, children, command_of, jobs, run
from services.cli.api import Endpoint

WEATHER = frozenset({
    "MdE2eBudgetBurnFast", "MdE2eBudgetBurnSlow", "MdHostSteal", "MdScrapeSlow", "MdGcPause", "MdClockUnsynchronised",
    "ReplayLate", "MdRingFill", "MdSocketQueueFill",
})  # fmt: skip
"""Alerts of a machine that is short of CPU or has no time server: they say something true of it, whatever is broken."""
CALM_S = 60.0
FIRE_S, RESOLVE_S = 120.0, 420.0
VENUE = "okx"


class Stack(NamedTuple):
    """What is broken: a run, by the note that it leaves, and its Redis."""

    note: dict[str, Any]
    redis: Redis

    def processes(self, word: str) -> list[int]:
        """Return the processes of the run that have a word in their command."""
        return [pid for pid in children(int(self.note["pid"])) if any(word in part for part in command_of(pid))]

    def endpoint(self, service: str) -> Endpoint:
        """Return where a service answers."""
        host, port = self.note["http"][service]
        return Endpoint(str(host), int(port))


class Trial(NamedTuple):
    """One thing that is broken, and the alerts that it must fire: all of these, and no others."""

    name: str
    breaks: Callable[[Stack], contextlib.AbstractContextManager[None]]
    expected: frozenset[str]


class Outcome(NamedTuple):
    """What a trial showed: seconds until each alert fired, until all were gone, and alerts that nobody expected."""

    trial: str
    fired_s: dict[str, float]
    resolved_s: float
    unexpected: frozenset[str]
    missing: frozenset[str]
    texts: tuple[str, ...]


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Stop processes, and let them go on afterwards."""
    if not pids:
        raise RuntimeError("found no process to stop")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def sender_stops(stack: Stack) -> contextlib.AbstractContextManager[None]:
    """The replay hangs: no datagram, no heartbeat, no word of an end."""
    return stopped(stack.processes("services.replay"))


def redis_hangs(stack: Stack) -> contextlib.AbstractContextManager[None]:
    """Redis does not answer any more."""
    return stopped([stack.redis.pid])


@contextlib.contextmanager
def redis_is_killed(stack: Stack) -> Iterator[None]:
    """Redis is gone with all that it held; an empty one comes in its place."""
    stack.redis.kill()
    try:
        yield
    finally:
        stack.redis.start()


def front_hangs(stack: Stack) -> contextlib.AbstractContextManager[None]:
    """The process of the signal service that answers scrapes hangs; the service itself works."""
    fronts = [pid for service in stack.processes("services.signals") for pid in children(service)]
    return stopped([pid for pid in fronts if "libs.telemetry.serving" in command_of(pid)])


@contextlib.contextmanager
def datagrams_are_lost(stack: Stack) -> Iterator[None]:
    """Both lines lose everything for a moment, and nobody answers requests meanwhile: one hole in each channel.

    Many small holes would say something else too, that the path is bad (MdGapsRecovered).
    """
    replay = stack.endpoint("replay")
    replay.post("/inject", {"loss": 1.0, "recovery": "slow"})
    time.sleep(0.2)
    replay.post("/inject", {"loss": 0.0})
    # A hole is seen with the first datagram after it, and given up 50 ms later.
    time.sleep(0.5)
    replay.post("/inject", {"recovery": "on"})
    yield


@contextlib.contextmanager
def switch_is_tripped(stack: Stack) -> Iterator[None]:
    """Somebody switches trading off."""
    oms = stack.endpoint("oms")
    oms.post("/kill", {"reason": "trial"})
    yield
    oms.post("/reset", {"reason": "trial over"})


@contextlib.contextmanager
def venue_freezes(stack: Stack) -> Iterator[None]:
    """One venue's market stands still while its connection lives."""
    words = [word for pid in stack.processes("services.fakes") for word in command_of(pid)]
    ports = [int(word.split(":")[1].split("=")[0]) for word in words if word.startswith(f"{VENUE}:")]
    for port in ports:
        Endpoint("127.0.0.1", port).post("/fake/pause")
    yield
    for port in ports:
        Endpoint("127.0.0.1", port).post("/fake/resume")


REPLAYED = (
    Trial("the sender hangs", sender_stops, frozenset({"MdFeedSilent", "MdNotReady"})),
    Trial("Redis hangs", redis_hangs, frozenset({"MdNotReady", "MdRedisDropped"})),
    Trial("Redis is killed", redis_is_killed, frozenset({"MdNotReady", "MdRedisDropped"})),
    Trial("datagrams are lost on both lines", datagrams_are_lost, frozenset({"MdUnrecoveredLoss"})),
    Trial("a service does not answer scrapes", front_hangs, frozenset({"MdTargetDown"})),
    Trial("the kill switch is tripped", switch_is_tripped, frozenset({"OmsKillSwitch"})),
)
FED = (Trial("a venue freezes", venue_freezes, frozenset({"MdVenueStale"})),)
STACKS = (
    (("--symbols", "4", "--rate", "3000"), REPLAYED),
    (("--feed", "fake", "--rate", "300"), FED),
)


def firing(api: Api) -> dict[str, str]:
    """Return the rendered summary of every alert that fires now, by name."""
    found = {}
    for one in api.get("/api/v1/alerts")["alerts"]:
        if one["state"] == "firing":
            labels = ", ".join(f"{k}={v}" for k, v in one["labels"].items() if k not in ("alertname", "instance"))
            found[one["labels"]["alertname"]] = f"{one['annotations']['summary']} ({labels})"
    return found


def attempt(trial: Trial, stack: Stack, api: Api) -> Outcome:
    """Break, wait for what is expected, mend, wait until it is gone."""
    fired: dict[str, float] = {}
    texts: dict[str, str] = {}

    def look(began: float) -> set[str]:
        now = firing(api)
        for name, text in now.items():
            if name not in fired:
                fired[name] = time.monotonic() - began
                texts[name] = f"{name}: {text}"
        return set(now) - WEATHER

    began = time.monotonic()
    with trial.breaks(stack):
        while not set(fired) >= trial.expected and time.monotonic() - began < FIRE_S:
            look(began)
            time.sleep(0.5)
        time.sleep(2.0)
        look(began)
    mended = time.monotonic()
    while look(began) and time.monotonic() - mended < RESOLVE_S:
        time.sleep(0.5)
    resolved = time.monotonic() - mended
    seen = set(fired)
    return Outcome(
        trial.name,
        {name: at for name, at in fired.items() if name in trial.expected},
        resolved,
        frozenset(seen - trial.expected - WEATHER) | (set(firing(api)) - WEATHER),
        trial.expected - seen,
        tuple(texts.values()),
    )


def attempts(shorter: int = 1, wanted: Callable[[Trial], bool] = lambda trial: True) -> Iterator[Outcome]:
    """Run the trials that are wanted; the first of each stack is that nothing is broken."""
    for words, trials in STACKS:
        chosen = [trial for trial in trials if wanted(trial)]
        if not chosen:
            continue
        with run(*words) as (note, redis), Server(jobs(note), shorter=shorter) as api:
            while len(api.instant("up == 1")) < len(note["http"]):
                time.sleep(0.2)
            # Prometheus takes its targets in five seconds after it begins to evaluate rules.
            while firing(api):
                time.sleep(0.2)
            yield _calm(api, " ".join(words), CALM_S / shorter)
            for trial in chosen:
                yield attempt(trial, Stack(note, redis), api)


def _calm(api: Api, words: str, seconds: float) -> Outcome:
    """Give what fires while nothing is broken."""
    seen: dict[str, str] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen |= firing(api)
        time.sleep(0.5)
    texts = tuple(f"{name}: {text}" for name, text in seen.items())
    return Outcome(f"nothing is broken ({words})", {}, 0.0, frozenset(set(seen) - WEATHER), frozenset(), texts)


def main(argv: list[str] | None = None) -> int:
    """Print what fired, when, and when it was gone; return 1 when anything else did, or something did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shorter", type=int, default=1, help="divide waits and windows of the rules by this")
    parser.add_argument("--only", default="", help="trials whose name holds this")
    arguments = parser.parse_args(argv)
    wrong = False
    for outcome in attempts(arguments.shorter, lambda trial: arguments.only in trial.name):
        fired = ", ".join(f"{name} after {at:.0f} s" for name, at in outcome.fired_s.items()) or "no alert"
        print(f"{outcome.trial}: {fired}; gone {outcome.resolved_s:.0f} s after the mend", flush=True)
        for text in outcome.texts:
            print(f"    {text}")
        for word, names in (("NOT EXPECTED", outcome.unexpected), ("MISSING", outcome.missing)):
            if names:
                wrong = True
                print(f"    {word}: {', '.join(sorted(names))}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
