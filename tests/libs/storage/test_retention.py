"""How much of a recording is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.storage.partitions import Place, parts_of
from libs.storage.retention import Kept
from libs.storage.store import Store
from tests.libs.storage.test_store import drafts, positions

# Group 3 came late with old hours; group 4 is the newest.
PLACES = [
    *(Place(stream, hour, 1, n) for n, (stream, hour) in enumerate([("book", 5), ("trades", 5), ("book", 6)])),
    *(Place("book", hour, 2, n) for n, hour in enumerate([6, 7])),
    Place("trades", 4, 3, 0),
    *(Place("trades", hour, 4, n) for n, hour in enumerate([3, 8])),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A recording whose parts have ten bytes each."""
    for place in PLACES:
        (tmp_path / place.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place.path).write_bytes(bytes(10))
    return tmp_path


@pytest.mark.parametrize("limit", [0, 10, 25, 30, 55, 79, 80, 1000])
def test_the_oldest_hours_go_first(root: Path, limit: int) -> None:
    """What goes is older than what stays, but for the newest group, which stays; folders go with their last part."""
    kept = Kept(root, limit)
    assert kept.bytes == 10 * len(PLACES)
    kept.trim(4)
    left = {place for _, place in parts_of(root)}
    candidates = sorted((p for p in PLACES if p.group != 4), key=lambda p: (p.hour, p.group, p))
    gone = [place for place in candidates if place not in left]
    most = len(PLACES) if limit == 0 else max(2, limit // 10)
    assert len(left) == min(most, len(PLACES))
    assert gone == candidates[: len(gone)]
    assert (kept.bytes, kept.removed_parts, kept.removed_bytes) == (10 * len(left), len(gone), 10 * len(gone))
    assert all(any(folder.iterdir()) for folder in root.glob("*/date=*/hour=*"))
    assert kept.streams == {place.stream for place in left}


def test_a_part_is_counted_once(root: Path) -> None:
    """A part that is told twice has its bytes counted once; what the user removed costs nothing."""
    kept = Kept(root, 20)
    kept.add(PLACES[0], 10)
    assert kept.bytes == 10 * len(PLACES)
    for path, _ in parts_of(root):
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    kept.trim(4)
    assert kept.bytes == 20


def test_views_go_with_the_last_part_of_their_stream(tmp_path: Path) -> None:
    """A stream that has no part left has no view, which DuckDB would refuse; the positions stay."""
    store = Store(tmp_path, "", max_bytes=1)
    store.publish(store.draft(drafts(1), positions(1)))
    store.publish(store.draft(drafts(2)[:1], positions(2)))
    assert 'VIEW "status"' in (tmp_path / "schema.sql").read_text()
    store.trim()
    assert 'VIEW "status"' not in (tmp_path / "schema.sql").read_text()
    assert len(list(parts_of(tmp_path))) == 1
    store.close()
    store = Store(tmp_path, "")
    assert store.positions == positions(2)
    store.close()
