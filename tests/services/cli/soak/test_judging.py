"""The verdict: what was calm is judged, what was broken on purpose is not, and nothing is too good."""

from __future__ import annotations

import math
from typing import Any

import pytest

from services.cli.soak import page
from services.cli.soak.judging import Check, Limits, interpolated_s, judge, merged, of_k6, quantile_s
from services.cli.soak.plan import Fault
from services.cli.soak.sampling import Sample

INF = float("inf")
QUIET = {"unaccounted": 0, "pending": 0, "missing": 0, "unheard": 0}
FAULT = Fault("loss", 20.0, 24.0)


def sample(at_s: float, slow: float = 0.0, **changes: Any) -> Sample:
    """Return a second of a hundred signals a second, so many of which took longer than 50 ms."""
    total = 100.0 * at_s
    buckets = {0.005: total - slow, 0.05: total - slow, 0.1: total, INF: total}
    values: dict[str, Any] = {"buckets": buckets, "valid": 10, "books": 10, "rss": {"oms": 1e8}, "fds": {"oms": 20.0}}
    return Sample(at_s, **values | changes)


def wrong(checks: list[Check]) -> set[str]:
    return {check.what for check in checks if not check.ok}


def run(length: int, **changes: Any) -> list[Sample]:
    return [sample(float(at), **changes) for at in range(length)]


def test_a_calm_run_holds() -> None:
    """Every check holds, p99 is the edge of its bucket, and the calm seconds are those after the first ten."""
    checks = judge(run(61), [], QUIET, Limits())
    assert wrong(checks) == set()
    found = {check.what: check.measured for check in checks}
    assert found["UDP to signal, p99, calm"] == "5 ms"
    assert found["calm seconds that were judged"] == "50"


def test_what_a_fault_causes_is_not_judged_but_what_comes_later_is() -> None:
    """Loss within a fault and ten seconds after it is its own; without the fault, or later, it is a failure."""
    samples = [sample(float(at), lost=5 if at >= 25 else 0) for at in range(61)]
    assert wrong(judge(samples, [FAULT], QUIET, Limits())) == set()
    assert wrong(judge(samples, [], QUIET, Limits())) == {"messages lost, calm"}
    late = [sample(float(at), lost=5 if at >= 40 else 0) for at in range(61)]
    assert wrong(judge(late, [FAULT], QUIET, Limits())) == {"messages lost, calm"}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"valid": 9}, "books valid at the end"),
        ({"unbalanced": 1}, "ledger checks failed"),
        ({"late_p99_ms": 21.0}, "sender late, p99"),
    ],
)
def test_each_figure_has_its_check(changes: dict[str, Any], what: str) -> None:
    """One figure that is wrong fails one check."""
    assert wrong(judge(run(61, **changes), [], QUIET, Limits())) == {what}


def test_a_consumer_that_does_not_answer_lost_nothing_and_is_told() -> None:
    """A second without an answer has counts of 0, which are no loss made good; too many of them fail."""
    known = {"lost": 3, "books": 10, "valid": 10}
    once = [sample(float(at), **(known if at != 30 else {"books": 0, "valid": 0})) for at in range(101)]
    assert wrong(judge(once, [], QUIET, Limits())) == set()
    often = [sample(float(at), **(known if at % 10 else {"books": 0, "valid": 0})) for at in range(102)]
    assert wrong(judge(often, [], QUIET, Limits())) == {"of these, the consumer answered for"}
    # Three questions that each waited four seconds are 12 of 60.
    waits = [*range(30), 30, 34, 38, *range(42, 61)]
    slow = [sample(float(at), **(known if at not in (30, 34, 38) else {"books": 0, "valid": 0})) for at in waits]
    assert wrong(judge(slow, [], QUIET, Limits())) == {"of these, the consumer answered for"}
    never = run(61, books=0, valid=0)
    assert wrong(judge(never, [], QUIET, Limits())) == {"of these, the consumer answered for", "books valid at the end"}


@pytest.mark.parametrize("key", QUIET)
def test_the_quiet_point_must_balance(key: str) -> None:
    """What is not accounted for when the sender is quiet fails the run; so does a quiet point that never came (-1)."""
    for n in (1, -1):
        assert wrong(judge(run(61), [], QUIET | {key: n}, Limits())) == {f"{key} at the quiet point"}


def test_slow_signals_cross_the_limit() -> None:
    """Two in a hundred that take more than 50 ms are a p99 above it; a limit of 100 ms lets them pass."""
    samples = [sample(float(at), slow=2.0 * at) for at in range(61)]
    assert wrong(judge(samples, [], QUIET, Limits())) == {"UDP to signal, p99, calm"}
    assert wrong(judge(samples, [], QUIET, Limits(p99_ms=100.0))) == set()


def test_nothing_judged_is_not_a_success() -> None:
    """A run that was never calm, or of which no signal came, does not hold."""
    assert "calm seconds that were judged" in wrong(judge(run(15), [Fault("loss", 1.0, 14.0)], QUIET, Limits()))
    silent = [Sample(float(at), valid=10, books=10) for at in range(61)]
    assert wrong(judge(silent, [], QUIET, Limits())) == {"UDP to signal, p99, calm"}


def test_a_long_run_is_compared_with_itself() -> None:
    """A last quarter slower than the first fails a run of ten minutes, and more open files do."""
    steady = run(601, threads={"oms": 8})
    assert wrong(judge(steady, [], QUIET, Limits())) == set()
    leaking = [sample(float(at), fds={"oms": 20.0 if at < 400 else 22.0}) for at in range(601)]
    assert wrong(judge(leaking, [], QUIET, Limits())) == {"open files of oms, last quarter over second"}
    slower = [sample(float(at), slow=2.0 * max(0, at - 450)) for at in range(601)]
    found = wrong(judge(slower, [], QUIET, Limits(p99_ms=100.0)))
    assert found == {"p99 of the last quarter over the first"}


@pytest.mark.parametrize(("seconds", "growth", "ok"), [(301, 0.04, True), (301, 0.06, False), (1801, 0.06, False)])
def test_memory_does_not_grow(seconds: int, growth: float, ok: bool) -> None:
    """Whatever is remembered has its memory from the start: more than the noise of a heap is a leak."""
    grown = [sample(float(at), rss={"oms": 1e8 * (1.0 + growth * (at > 0.6 * seconds))}) for at in range(seconds)]
    found = {check.what: check.ok for check in judge(grown, [], QUIET, Limits())}
    assert found["memory of oms, last quarter over second"] is ok


def test_a_restart_counts_from_nothing() -> None:
    """A service that began again gives no negative counts."""
    pairs = [(sample(20.0), sample(3.0)), (sample(3.0), sample(4.0))]
    assert merged(pairs)[INF] == 100.0


def test_quantiles_are_never_too_small() -> None:
    """The upper edge of the bucket; no number of none."""
    assert quantile_s({0.005: 98.0, 0.05: 99.0, INF: 100.0}, 0.99) == 0.05
    assert quantile_s({0.005: 98.0, 0.05: 98.0, INF: 100.0}, 0.99) == INF
    assert math.isnan(quantile_s({}, 0.5))


def test_what_is_compared_lies_within_its_bucket() -> None:
    """Between two edges in proportion, above the last one that is known the last one; none of nothing."""
    assert interpolated_s({0.01: 980.0, 0.02: 1000.0, INF: 1000.0}, 0.99) == pytest.approx(0.015)
    assert interpolated_s({0.01: 1000.0, 0.02: 1000.0, INF: 1000.0}, 0.99) == pytest.approx(0.0099)
    assert interpolated_s({0.01: 98.0, INF: 100.0}, 0.99) == 0.01
    assert math.isnan(interpolated_s({}, 0.5))


def test_a_tenth_slower_at_an_edge_is_no_half_slower() -> None:
    """p99 goes from 19 to 21 ms: the edges of their buckets are 20 and 30 ms, and the ratio is still 1.1."""
    edges = (0.01, 0.02, 0.03, INF)

    def after(seconds: int) -> Sample:
        n = float(seconds)
        early, late = min(n, 300.0), max(n - 300.0, 0.0)
        # Of a hundred a second: p99 at 19 ms is 0.9 of a bucket that holds one, at 21 ms a tenth of the next.
        counts = (98.1 * early + 98.1 * late, 99.1 * early + 98.9 * late, 100.0 * n, 100.0 * n)
        return sample(n, buckets=dict(zip(edges, counts, strict=True)))

    found = {check.what: check for check in judge([after(at) for at in range(601)], [], QUIET, Limits())}
    ratio = found["p99 of the last quarter over the first"]
    assert ratio.ok
    assert ratio.measured == "1.1 (19 ms, then 20.9)"


def test_k6_thresholds_are_checks() -> None:
    """Each with its limit and what k6 measured."""
    rows = [{"what": "checks", "limit": "rate>0.999", "measured": 0.5, "ok": False}]
    assert of_k6({"thresholds": rows}) == [Check("k6: checks", "rate>0.999", "0.5", False)]


def test_the_page_stands_alone() -> None:
    """The HTML holds verdict, checks, faults and plots, escapes what it is given, and no address of anywhere else."""
    checks = [Check("a <b> & c", "0", "1", False), Check("fine", "0", "0", True)]
    text = page.render("Crossbook soak", {"seed": 1}, checks, [FAULT], run(61))
    assert "did not hold" in text
    assert "a &lt;b&gt; &amp; c" in text
    assert text.index("CROSSED") < text.index(">ok<")
    assert "both lines lose" in text
    assert text.count("<svg") >= 5
    assert "http" not in text.replace("http://www.w3.org", "")
    assert page.render("x", {}, [checks[1]], [], []).count("held") == 1
