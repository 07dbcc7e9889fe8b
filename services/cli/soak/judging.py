"""The verdict of a soak: each check with its limit, what was measured and whether it held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from services.cli.soak.plan import Fault, calm
from services.cli.soak.sampling import Sample

LONG_S = 300.0
"""Slopes and quarters are judged from here on; before, a start is all that there is."""
WARM_S = 10.0
"""Not judged: the first rows after a start find cold caches."""
MOST_GROWTH = 0.05
"""Of memory, open files and threads in half a run."""
LEAST_HEARD = 0.95
MOST_SLOWER = 1.2
FLOOR_MS = 5.0
"""Below it the neighbours of a shared machine decide about a ratio of percentiles."""


_COUNTED = {"lost": "lost", "dropped before Redis": "redis_dropped", "dropped by rings": "ring_dropped"}
AT_REST = ("unaccounted", "pending", "missing", "unheard")


class Check(NamedTuple):
    """One line of the verdict."""

    what: str
    limit: str
    measured: str
    ok: bool


class Limits(NamedTuple):
    """What may be asked for on the command line."""

    p99_ms: float = 50.0
    late_ms: float = 20.0


def steps(samples: Sequence[Sample], faults: Sequence[Fault]) -> list[tuple[Sample, Sample]]:
    """Return pairs of samples between which nothing was broken and the stack was warm."""
    pairs = pairwise(samples)
    return [(a, b) for a, b in pairs if a.at_s >= WARM_S and calm(faults, a.at_s) and calm(faults, b.at_s)]


def heard(pairs: Sequence[tuple[Sample, Sample]]) -> list[tuple[Sample, Sample]]:
    """Return the pairs in both of which the consumer answered: of no answer, every count is 0."""
    return [(a, b) for a, b in pairs if a.books and b.books]


def _seconds(pairs: Sequence[tuple[Sample, Sample]]) -> float:
    return sum(after.at_s - before.at_s for before, after in pairs)


def merged(pairs: Sequence[tuple[Sample, Sample]]) -> dict[float, float]:
    """Return what was counted between the samples of pairs: upper edge → cumulative count."""
    found: dict[float, float] = {}
    for before, after in pairs:
        # A service that restarted counts from nothing.
        if before.buckets and after.buckets and after.buckets[float("inf")] >= before.buckets[float("inf")]:
            for edge, count in after.buckets.items():
                found[edge] = found.get(edge, 0.0) + count - before.buckets[edge]
    return found


def quantile_s(buckets: Mapping[float, float], q: float) -> float:
    """Return the upper edge below which at least ``q`` of the counts lie; not a number of none. Never too small."""
    edges = sorted(buckets)
    total = buckets[edges[-1]] if edges else 0.0
    if not total:
        return float("nan")
    return next(edge for edge in edges if buckets[edge] >= q * total)


def interpolated_s(buckets: Mapping[float, float], q: float) -> float:
    """Return the quantile as Prometheus's histogram_quantile does, evenly within its bucket: to be compared.

    Two edges are at least 1.3 apart, so that a ratio of edges says nothing of a tenth more or less.
    """
    if not any(buckets.values()):
        return math.nan
    edge = quantile_s(buckets, q)
    below = max((lower for lower in buckets if lower < edge), default=0.0)
    if math.isinf(edge):
        return below
    before = buckets.get(below, 0.0)
    return below + (edge - below) * (q * buckets[max(buckets)] - before) / (buckets[edge] - before)


def judge(
    samples: Sequence[Sample],
    faults: Sequence[Fault],
    quiet: Mapping[str, int],
    limits: Limits,
) -> list[Check]:
    """Return every check that does not need k6.

    Parameters
    ----------
    samples : sequence of Sample
        One a second.
    faults : sequence of Fault
    quiet : mapping
        Of :func:`services.cli.soak.sampling.drained`.
    limits : Limits
    """
    still = steps(samples, faults)
    seconds = len(still)
    found = [Check("calm seconds that were judged", "> 0", str(seconds), seconds > 0)]
    answered = heard(still)
    # By time: a question that nobody answers takes longer than a second, and would count less than one that was.
    share = _seconds(answered) / _seconds(still) if seconds else 0.0
    limit = f">= {100 * LEAST_HEARD:g} %"
    found.append(Check("of these, the consumer answered for", limit, f"{100 * share:.3g} %", share >= LEAST_HEARD))
    p99 = 1000 * quantile_s(merged(still), 0.99)
    found.append(Check("UDP to signal, p99, calm", f"<= {limits.p99_ms:g} ms", f"{p99:g} ms", p99 <= limits.p99_ms))
    for what, key in _COUNTED.items():
        n = sum(max(0, getattr(after, key) - getattr(before, key)) for before, after in answered)
        found.append(Check(f"messages {what}, calm", "0", str(n), n == 0))
    found += [Check(f"{key} at the quiet point", "0", str(quiet[key]), quiet[key] == 0) for key in AT_REST]
    last = samples[-1] if samples else Sample(0.0)
    failed = max((sample.unbalanced for sample in samples), default=0)
    found.append(Check("ledger checks failed", "0", str(failed), failed == 0))
    books = f"{last.valid} of {last.books}"
    found.append(Check("books valid at the end", "all", books, 0 < last.books == last.valid))
    late = last.late_p99_ms
    found.append(Check("sender late, p99", f"<= {limits.late_ms:g} ms", f"{late:.3g} ms", late <= limits.late_ms))
    return found + _lasting(samples, still)


def _lasting(samples: Sequence[Sample], still: Sequence[tuple[Sample, Sample]]) -> list[Check]:
    """Return what only a long run shows: the last quarter beside the first ones."""
    length = samples[-1].at_s if samples else 0.0
    if length < LONG_S:
        return []
    first = [pair for pair in still if pair[0].at_s <= length / 4 + WARM_S]
    last = [pair for pair in still if pair[0].at_s >= 3 * length / 4]
    before, after = (1000 * interpolated_s(merged(pairs), 0.99) for pairs in (first, last))
    ratio = max(after, FLOOR_MS) / max(before, FLOOR_MS)
    text = f"{ratio:.3g} ({before:.3g} ms, then {after:.3g})"
    found = [Check("p99 of the last quarter over the first", f"<= {MOST_SLOWER}", text, ratio <= MOST_SLOWER)]
    middle = [sample for sample in samples if length / 4 <= sample.at_s < length / 2]
    end = [sample for sample in samples if sample.at_s >= 3 * length / 4]
    for key, what in (("rss", "memory"), ("fds", "open files"), ("threads", "threads")):
        for service in sorted(getattr(samples[-1], key)):
            earlier, later = (_mean(getattr(s, key).get(service, 0.0) for s in part) for part in (middle, end))
            growth = later / earlier - 1 if earlier else 0.0
            name, limit = f"{what} of {service}, last quarter over second", f"< {100 * MOST_GROWTH:+g} %"
            found.append(Check(name, limit, f"{100 * growth:+.1f} %", growth < MOST_GROWTH))
    return found


def _mean(values: Any) -> float:
    known = [float(value) for value in values if value]
    return sum(known) / len(known) if known else 0.0


def of_k6(document: Mapping[str, Any]) -> list[Check]:
    """Return k6's own thresholds as checks."""
    found = []
    for row in document["thresholds"]:
        measured = row["measured"]
        text = f"{measured:.4g}" if isinstance(measured, int | float) else str(measured)
        found.append(Check(f"k6: {row['what']}", str(row["limit"]), text, bool(row["ok"])))
    return found
