"""Faults of a soak, when and for how long, from a seed: the same seed gives the same schedule."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FIRST_S, LAST_S = 10.0, 20.0
"""Calm at the beginning and at the end, when everything must have healed."""
SETTLE_S = 10.0
"""After a fault its consequences may still be seen for so long; latency and loss are judged outside."""
MEAN_GAP_S = 12.0
WINDOW_S = 10.0
"""Of the quantiles that services export."""


@dataclass(frozen=True)
class Kind:
    """What a fault does: bodies of POST /inject of the replay that begin and end it; neither: it is done otherwise."""

    says: str
    length_s: tuple[float, float]
    begin: Mapping[str, Any] | None = None
    end: Mapping[str, Any] | None = None


KINDS: Mapping[str, Kind] = {
    "loss": Kind("both lines lose 3 % of their datagrams", (2, 5), {"loss": 0.03}, {"loss": 0.0}),
    "line_dead": Kind("line B is dead", (3, 8), {"line": "b", "loss": 1.0}, {"line": "b", "loss": 0.0}),
    "duplicate": Kind("a tenth of the datagrams comes twice", (3, 8), {"duplicate": 0.1}, {"duplicate": 0.0}),
    "reorder": Kind("a twentieth of the datagrams is overtaken", (3, 8), {"reorder": 0.05}, {"reorder": 0.0}),
    "recovery_off": Kind(
        "1 % is lost on both lines and nobody sends it again", (2, 4),
        {"loss": 0.01, "recovery": "off"}, {"loss": 0.0, "recovery": "on"},
    ),
    "recovery_wrong": Kind(
        "1 % is lost on both lines and the recovery server answers wrongly", (2, 4),
        {"loss": 0.01, "recovery": "wrong"}, {"loss": 0.0, "recovery": "on"},
    ),
    "pause": Kind("the sender holds its time; heartbeats go on", (2, 4)),
    "redis_stall": Kind("Redis does not answer", (1, 3)),
}  # fmt: skip
NEEDS_OWN_STACK = ("redis_stall",)


@dataclass(frozen=True)
class Fault:
    """One fault of a schedule."""

    kind: str
    begin_s: float
    end_s: float


def schedule(seed: int, duration_s: float, *, own_stack: bool, lines: int = 2) -> list[Fault]:
    """Return the faults of a run, in order and never two at once.

    Parameters
    ----------
    seed : int
    duration_s : float
    own_stack : bool
        Whether processes of the stack may be stopped.
    lines : int
        With one line there is no line B to die.
    """
    rng = random.Random(f"soak {seed}")
    kinds = [k for k in KINDS if (own_stack or k not in NEEDS_OWN_STACK) and (lines > 1 or k != "line_dead")]
    found: list[Fault] = []
    at = FIRST_S
    bag: list[str] = []
    while True:
        if not bag:
            bag = rng.sample(kinds, len(kinds))
        kind = bag.pop()
        length = rng.uniform(*KINDS[kind].length_s)
        if at + length + LAST_S > duration_s:
            return found
        found.append(Fault(kind, round(at, 3), round(at + length, 3)))
        at += length + SETTLE_S + rng.uniform(0.5, 1.5) * MEAN_GAP_S


def calm(faults: Sequence[Fault], at_s: float) -> bool:
    """Return whether nothing is broken at a time, nor was within what is still settling."""
    return all(not fault.begin_s <= at_s <= fault.end_s + SETTLE_S for fault in faults)


def documents(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    """Return the schedule for the verdict, in words."""
    return [asdict(fault) | {"says": KINDS[fault.kind].says} for fault in faults]
