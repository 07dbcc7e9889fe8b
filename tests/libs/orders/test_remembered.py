"""The last ids: a set in fixed memory, against an ordered dictionary."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.orders import remembered
from libs.orders.remembered import WIDTH, Remembered

FEW = [f"id-{n}" for n in range(12)]


@given(st.integers(1, 6), st.lists(st.one_of(st.sampled_from(FEW), st.text(max_size=WIDTH // 4)), max_size=60))
def test_it_is_an_ordered_dictionary_with_a_bound(most: int, keys: list[str]) -> None:
    """After every id: the same ones, in the same order; the oldest is gone once there are too many."""
    ours, oracle = Remembered(most), OrderedDict[str, None]()
    for key in keys:
        ours.add(key)
        if key not in oracle:
            oracle[key] = None
        if len(oracle) > most:
            oracle.popitem(last=False)
        assert list(ours) == list(oracle)
        assert len(ours) == len(oracle)
        assert [each in ours for each in FEW] == [each in oracle for each in FEW]


@given(st.integers(1, 6), st.lists(st.text(max_size=3), max_size=30), st.lists(st.text(max_size=3), max_size=30))
def test_it_goes_on_from_what_another_held(most: int, keys: list[str], more: list[str]) -> None:
    """A store made of the ids of another, as a restart makes it, is that one: now, and after whatever comes."""
    first = Remembered(most)
    for key in keys:
        first.add(key)
    second = Remembered(most, first)
    for key in more:
        assert list(second) == list(first)
        assert (key in second) == (key in first)
        first.add(key)
        second.add(key)
    assert list(Remembered(most, [*list(first), "one more"]))[-1:] == ["one more"]


@given(st.lists(st.sampled_from(FEW), max_size=40))
def test_ids_of_one_bucket_are_told_apart(keys: list[str]) -> None:
    """A hash that says the same of everything costs time, not truth."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remembered, "hash", lambda place: 7, raising=False)
        ours, last = Remembered(4), list[str]()
        for key in keys:
            ours.add(key)
            last = (last if key in last else [*last, key])[-4:]
            assert [each for each in FEW if each in ours] == [each for each in FEW if each in last]


@pytest.mark.parametrize("length", [WIDTH - 2, WIDTH - 1, WIDTH, 500])
def test_long_ids_are_told_apart(length: int) -> None:
    """Ids that differ in their last letter only, shorter and longer than a place, and after a snapshot."""
    one, other = "x" * length, "x" * (length - 1) + "y"
    first = Remembered(3, [one])
    again = Remembered(3, first)
    for store in (first, again):
        assert one in store
        assert other not in store
    assert list(again) == list(first)


def test_memory_is_all_there_at_the_start() -> None:
    """Filling it up, and more, takes none."""
    store = Remembered(1000)
    sizes = [len(part) for part in (store._ring, store._heads, store._chain)]
    for n in range(3000):
        store.add(f"order {n}")
    assert [len(part) for part in (store._ring, store._heads, store._chain)] == sizes
    assert list(store) == [f"order {n}" for n in range(2000, 3000)]
