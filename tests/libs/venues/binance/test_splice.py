"""The rules by which diffs and snapshots become one book."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libs.venues.binance import Diff, Splice, Verdict


def spot(first: int, last: int) -> Diff[int]:
    return Diff(first, last, None, last)


def futures(previous: int, first: int, last: int) -> Diff[int]:
    return Diff(first, last, previous, last)


def kept(result: tuple[Verdict, list[Diff[int]]]) -> tuple[Verdict, list[int]]:
    return result[0], [d.last for d in result[1]]


def test_spot_keeps_what_the_snapshot_does_not_hold() -> None:
    """Diffs up to lastUpdateId are dropped, the rest follows the snapshot in order."""
    splice: Splice[int] = Splice(futures=False)
    assert [splice.diff(spot(*d)) for d in ((1, 4), (5, 7), (8, 9))] == [Verdict.BUFFERED] * 3
    assert kept(splice.snapshot(6)) == (Verdict.APPLIED, [7, 9])
    assert splice.diff(spot(10, 12)) is Verdict.APPLIED


def test_spot_first_diff_must_reach_back_to_the_snapshot() -> None:
    """lastUpdateId + 1 lies in [U, u] of the first diff applied, or updates are missing."""
    splice: Splice[int] = Splice(futures=False)
    assert kept(splice.snapshot(100)) == (Verdict.APPLIED, [])
    assert splice.diff(spot(90, 100)) is Verdict.OLD
    assert splice.diff(spot(102, 105)) is Verdict.GAP
    assert not splice.synchronised
    assert splice.gaps == 1


def test_spot_snapshot_older_than_the_buffer_is_fetched_again() -> None:
    """A snapshot that ends before the first kept diff begins heals nothing and loses nothing."""
    splice: Splice[int] = Splice(futures=False)
    splice.diff(spot(50, 60))
    assert kept(splice.snapshot(40)) == (Verdict.TOO_OLD, [])
    assert kept(splice.snapshot(55)) == (Verdict.APPLIED, [60])


def test_spot_gap_waits_for_a_new_snapshot_and_keeps_the_diff() -> None:
    """U above the book's id + 1 invalidates the book; the diff behind the gap is there when the snapshot comes."""
    splice: Splice[int] = Splice(futures=False)
    splice.snapshot(10)
    assert splice.diff(spot(11, 12)) is Verdict.APPLIED
    assert splice.diff(spot(14, 15)) is Verdict.GAP
    assert splice.diff(spot(16, 17)) is Verdict.BUFFERED
    assert kept(splice.snapshot(14)) == (Verdict.APPLIED, [15, 17])


def test_spot_overlapping_diff_is_applied() -> None:
    """Sizes are absolute: a diff that begins at or before the book's id and ends after it fits."""
    splice: Splice[int] = Splice(futures=False)
    splice.snapshot(10)
    assert splice.diff(spot(9, 12)) is Verdict.APPLIED
    assert splice.diff(spot(12, 12)) is Verdict.OLD


def test_futures_first_diff_holds_the_snapshots_id() -> None:
    """U <= lastUpdateId <= u, the diff that ends at it included; u < lastUpdateId is dropped."""
    splice: Splice[int] = Splice(futures=True)
    for d in ((0, 1, 5), (5, 8, 20), (20, 25, 30)):
        splice.diff(futures(*d))
    assert kept(splice.snapshot(20)) == (Verdict.APPLIED, [20, 30])
    assert splice.diff(futures(30, 99, 120)) is Verdict.APPLIED


def test_futures_first_diff_may_follow_the_snapshot_by_pu() -> None:
    """pu equal to lastUpdateId is enough: a quiet symbol's snapshot ends where its last diff ended."""
    splice: Splice[int] = Splice(futures=True)
    splice.snapshot(20)
    assert splice.diff(futures(20, 500, 510)) is Verdict.APPLIED
    buffered: Splice[int] = Splice(futures=True)
    buffered.diff(futures(20, 500, 510))
    assert kept(buffered.snapshot(20)) == (Verdict.APPLIED, [510])


def test_futures_snapshot_between_two_diffs_is_fetched_again() -> None:
    """pu < lastUpdateId < U proves nothing: another snapshot is needed."""
    splice: Splice[int] = Splice(futures=True)
    splice.diff(futures(20, 500, 510))
    assert kept(splice.snapshot(100)) == (Verdict.TOO_OLD, [])
    assert kept(splice.snapshot(10)) == (Verdict.TOO_OLD, [])
    assert kept(splice.snapshot(505)) == (Verdict.APPLIED, [510])


def test_futures_continuity_is_pu_alone() -> None:
    """After the first diff, pu must be the previous u, whatever U says."""
    splice: Splice[int] = Splice(futures=True)
    splice.snapshot(20)
    assert splice.diff(futures(20, 21, 30)) is Verdict.APPLIED
    assert splice.diff(futures(30, 900, 910)) is Verdict.APPLIED
    assert splice.diff(futures(909, 911, 920)) is Verdict.GAP


def test_a_snapshot_that_is_no_news_changes_nothing() -> None:
    """On a valid book only a snapshot that is ahead of it replaces it."""
    splice: Splice[int] = Splice(futures=False)
    splice.snapshot(10)
    splice.diff(spot(11, 20))
    assert kept(splice.snapshot(15)) == (Verdict.WITNESS, [])
    assert kept(splice.snapshot(30)) == (Verdict.APPLIED, [])
    assert splice.diff(spot(21, 29)) is Verdict.OLD
    assert splice.diff(spot(30, 31)) is Verdict.APPLIED


def test_the_buffer_is_bounded_and_never_holds_a_gap() -> None:
    """Past its capacity the oldest diffs go; a gap among those kept throws away what came before it."""
    splice: Splice[int] = Splice(futures=False, capacity=3)
    for i in range(5):
        splice.diff(spot(i, i))
    assert splice.overflowed == 2
    assert kept(splice.snapshot(2)) == (Verdict.APPLIED, [3, 4])
    gappy: Splice[int] = Splice(futures=False)
    for d in ((1, 2), (7, 8), (9, 9)):
        gappy.diff(spot(*d))
    assert kept(gappy.snapshot(2)) == (Verdict.TOO_OLD, [])
    assert kept(gappy.snapshot(6)) == (Verdict.APPLIED, [8, 9])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30), st.data())
def test_a_book_is_never_synchronised_across_a_missing_diff(widths: list[int], data: st.DataObject) -> None:
    """Whatever is lost and whenever snapshots come, an applied diff continues exactly what the book holds."""
    futures_rules = data.draw(st.booleans())
    diffs, end = [], 0
    for width in widths:
        diffs.append(Diff(end + 1, end + width, end, end + width))
        end += width
    splice: Splice[int] = Splice(futures=futures_rules)
    holds = -1
    for d in diffs:
        if data.draw(st.integers(0, 4)) == 0:
            continue
        if splice.diff(d) is Verdict.APPLIED:
            assert d.first <= holds + 1
            holds = d.last
        if data.draw(st.integers(0, 3)) == 0:
            at = data.draw(st.integers(0, d.last))
            verdict, rest = splice.snapshot(at)
            if verdict is Verdict.APPLIED:
                holds = at
                for r in rest:
                    assert r.first <= holds + 1
                    holds = max(holds, r.last)
