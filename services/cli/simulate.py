"""``crossbook simulate``: seeded fault schedules through the cores that run live."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

from libs.errors import ConfigError
from libs.simulation.orders import draw_orders
from libs.simulation.run import Total, default_jobs, run, run_seed
from libs.simulation.schedule import draw
from services.cli.warm import is_warm

SHOWN = 20
TELL_EVERY_S = 0.2
DEFAULT_SCHEDULES = 300


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    schedules: int
    seed: int
    jobs: int
    as_json: bool
    trace: bool


def _number(name: str, given: str | None, least: int, default: int) -> int:
    if given is None:
        return default
    if not given.isdecimal() or not least <= int(given) < 1 << 48:
        raise ConfigError("command line", name, f"a whole number of at least {least}", f'"{given}"')
    return int(given)


def options(schedules: str | None, seed: str | None, jobs: str | None, *, as_json: bool, trace: bool) -> Options:
    """Return the options as numbers.

    Raises
    ------
    ConfigError
        When one is not a number, or a trace of several schedules is asked for.
    """
    count = _number("--schedules", schedules, 1, 1 if trace else DEFAULT_SCHEDULES)
    if trace and count != 1:
        raise ConfigError("command line", "--trace", "one schedule (--schedules 1)", f"{count} schedules")
    return Options(count, _number("--seed", seed, 0, 1), _number("--jobs", jobs, 1, default_jobs()), as_json, trace)


class Progress:
    """A line on a terminal that is written over; nothing elsewhere."""

    def __init__(self, schedules: int) -> None:
        self.schedules, self.began, self.next = schedules, time.monotonic(), 0.0
        self.shows = sys.stderr.isatty()

    def tell(self, total: Total) -> None:
        """Say how far it is."""
        now = time.monotonic()
        if not self.shows or (now < self.next and total.schedules < self.schedules):
            return
        self.next = now + TELL_EVERY_S
        rate = total.schedules / max(now - self.began, 1e-3)
        left = (self.schedules - total.schedules) / max(rate, 1e-3)
        text = (
            f"\r{total.schedules}/{self.schedules} schedules, {total.messages:,} messages, {rate:.0f}/s, "
            f"{left:.0f} s left, {total.failed} failed "
        )
        print(text, end="\n" if total.schedules == self.schedules else "", file=sys.stderr, flush=True)


def simulate(asked: Options) -> int:
    """Run what was asked for; return the exit status."""
    if not is_warm():
        print("compiling the kernels first, which takes about a minute", file=sys.stderr)
    if asked.trace:
        return _trace(asked)
    progress = Progress(asked.schedules)
    total = run(asked.seed, asked.schedules, asked.jobs, progress.tell)
    if asked.as_json:
        print(json.dumps(total.document(), indent=2))
    else:
        _print(total, time.monotonic() - progress.began)
    return 1 if total.failed else 0


def _trace(asked: Options) -> int:
    say = sys.stderr if asked.as_json else sys.stdout
    print(f"seed {asked.seed}: {draw(asked.seed).summary()}; {draw_orders(asked.seed).summary()}", file=say)
    outcome = run_seed(asked.seed, lambda line: print(line, file=say))
    total = Total()
    total.add(outcome)
    if asked.as_json:
        print(json.dumps(total.document(), indent=2))
    else:
        _print(total, None)
    return 1 if total.failed else 0


def _print(total: Total, took_s: float | None) -> None:
    took = "" if took_s is None else f" in {took_s:.1f} s"
    print(
        f"{total.schedules} schedules, {total.messages:,} messages{took}: unaccounted {total.unaccounted}, wrong valid "
        f"books {total.wrong_valid_books}, unhealed {total.unhealed}, failed {total.failed}"
    )
    for each in total.failures[:SHOWN]:
        print(f"  seed {each['seed']}: {each['what']}")
    if total.failures:
        first = total.failures[0]["seed"]
        print(f"step by step: crossbook simulate --seed {first} --schedules 1 --trace")
