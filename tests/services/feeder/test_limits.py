"""Budgets and waits."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from services.feeder.limits import SECOND_NS, Bucket, FullJitter


@given(st.lists(st.tuples(st.integers(0, 3 * SECOND_NS), st.integers(1, 8)), max_size=60))
def test_a_bucket_never_gives_more_than_its_rate(steps: list[tuple[int, int]]) -> None:
    """In any stretch of time as much as it holds, and what comes back meanwhile; who waits as told is served."""
    bucket, now, taken = Bucket(8, 4), 0, []
    for pause, tokens in steps:
        now += pause
        if wait := bucket.wait_ns(tokens, now):
            now += wait
            assert bucket.wait_ns(tokens, now) == 0
        taken.append((now, tokens))
    for k, (begin, _) in enumerate(taken):
        for end, _ in taken[k:]:
            within = sum(tokens for at, tokens in taken if begin <= at <= end)
            assert within <= 8 + 4 * (end - begin) / SECOND_NS + 1e-6


def test_more_than_a_bucket_holds_waits_until_it_is_full() -> None:
    """And then leaves it in debt, so that the rate holds all the same."""
    bucket = Bucket(10, 1)
    assert bucket.wait_ns(1, 0) == 0
    assert 0 < bucket.wait_ns(50, 0) <= SECOND_NS + 1
    assert bucket.wait_ns(50, 2 * SECOND_NS) == 0
    assert bucket.wait_ns(1, 2 * SECOND_NS) > 40 * SECOND_NS


def test_waits_grow_and_are_spread() -> None:
    """Each is a share of twice the bound before, up to the longest; a success begins again."""
    jitter = FullJitter(0.5, 4.0, random.Random(1))
    bounds = [0.5, 1.0, 2.0, 4.0, 4.0]
    waits = [jitter.next_s() for _ in bounds]
    assert all(0 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    assert len(set(waits)) == len(waits)
    assert jitter.failures == len(bounds)
    jitter.succeed()
    assert jitter.next_s() <= 0.5
    many = [FullJitter(1.0, 1.0, random.Random(seed)).next_s() for seed in range(200)]
    assert min(many) < 0.1 < 0.9 < max(many)
