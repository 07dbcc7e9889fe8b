"""The folder of a recording: complete or not there, whatever the process dies of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from libs.errors import ConfigError, MissingError, RecordingError
from libs.storage import store as module
from libs.storage.partitions import parts_of
from libs.storage.store import Draft, Store
from libs.streams.schemas import STATUS, TRADES


def drafts(group: int) -> list[Draft]:
    """Return a group's parts: two hours of trades and a status, each row numbered."""
    trades, status = np.zeros(2, TRADES), np.zeros(1, STATUS)
    trades["trade_id"] = status["sequence"] = group
    made = [Draft("trades", hour, trades) for hour in (1, 2)]
    return [*made, Draft("status", 1, status)]


def positions(group: int) -> dict[str, str]:
    return {"trades": f"{group}-0", "status": f"{group}-1"}


def record(store: Store, group: int) -> None:
    store.publish(store.draft(drafts(group), positions(group)))


def recorded(root: Path) -> list[tuple[str, int]]:
    """Return (stream, number) of every row that a query sees."""
    found = []
    for path, place in parts_of(root):
        column = "trade_id" if place.stream == "trades" else "sequence"
        found += [(place.stream, number) for number in pq.read_table(path)[column].to_pylist()]
    return sorted(found)


def wanted(*groups: int) -> list[tuple[str, int]]:
    return sorted([("trades", group) for group in groups for _ in range(4)] + [("status", group) for group in groups])


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_a_folder_knows_how_far_it_came(tmp_path: Path) -> None:
    """The positions of the newest group are there again after a restart, and the next group follows it."""
    store = Store(tmp_path / "new" / "folder", "p:")
    assert (store.positions, store.newest) == ({}, 0)
    record(store, 1)
    record(store, 2)
    store.close()
    store = Store(tmp_path / "new" / "folder", "p:")
    assert (store.positions, store.newest) == (positions(2), 2)
    record(store, 3)
    assert recorded(store.root) == wanted(1, 2, 3)
    store.close()


class _DeathError(BaseException):
    pass


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], list[int]]]:
    """Let the process die at the n-th thing that it does to the disk; give how many there were."""

    def plan(n: int) -> list[int]:
        done = [0]

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def run(*given: Any, **named: Any) -> Any:
                done[0] += 1
                if done[0] == n:
                    raise _DeathError
                return real(*given, **named)

            return run

        monkeypatch.setattr(module, "write", counted(module.write))
        monkeypatch.setattr(module, "bring_to_disk", counted(module.bring_to_disk))
        monkeypatch.setattr(Path, "replace", counted(Path.replace))
        return done

    return plan


def test_death_at_any_moment_costs_and_doubles_nothing(
    tmp_path: Path, die_at: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a flush dies, its group is there once or not at all, and what the positions say is what is there."""
    whole = die_at(0)
    store = Store(tmp_path / "counted", "")
    record(store, 1)
    store.close()
    assert whole[0] > 10
    seen = set()
    for n in range(1, whole[0] + 1):
        monkeypatch.undo()
        root = tmp_path / str(n)
        store = Store(root, "")
        record(store, 1)
        die_at(n)
        with pytest.raises(_DeathError):
            for group in (2, 3):
                record(store, group)
        monkeypatch.undo()
        store.close()
        store = Store(root, "")
        came_to = store.newest
        assert came_to in {1, 2}
        assert store.positions == positions(came_to)
        assert recorded(root) == wanted(*range(1, came_to + 1))
        assert list(parts_of(root, drafts=True)) == []
        record(store, came_to + 1)
        assert recorded(root) == wanted(*range(1, came_to + 2))
        store.close()
        seen.add((came_to, store.completed > 0, store.removed > 0))
    assert {(1, False, True), (2, True, False)} <= seen


def test_a_full_disk_leaves_nothing_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second part finds no room, the first goes too, and the same group can be written later."""
    store = Store(tmp_path, "")
    real, count = module.write, [0]

    def write(*given: Any) -> int:
        count[0] += 1
        if count[0] == 2:
            raise OSError(28, "No space left on device")
        return real(*given)

    monkeypatch.setattr(module, "write", write)
    with pytest.raises(OSError, match="No space"):
        store.draft(drafts(1), positions(1))
    assert files(tmp_path) == [".lock"]
    record(store, 1)
    assert recorded(tmp_path) == wanted(1)
    store.close()


def test_a_long_write_lets_its_caller_do_something_between_parts(tmp_path: Path) -> None:
    """After each part, which is on the disk by then under its hidden name."""
    store, seen = Store(tmp_path, "p:"), list[int]()
    store.draft(drafts(1), positions(1), lambda: seen.append(len(list(tmp_path.rglob(".*.parquet*")))))
    assert seen == [1, 2, 3]
    store.close()


def test_publishing_goes_on_where_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of which some parts have their names gets the others when it is published again."""
    store = Store(tmp_path, "")
    group = store.draft(drafts(1), positions(1))
    real, count = Path.replace, [0]

    def replace(path: Path, target: Path) -> Path:
        count[0] += 1
        if count[0] == 2:
            raise OSError(5, "Input/output error")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="Input/output"):
        store.publish(group)
    assert store.positions == {}
    store.publish(group)
    assert recorded(tmp_path) == wanted(1)
    assert store.positions == positions(1)
    store.close()


def _leave_drafts(root: Path, publish: int) -> None:
    """Leave a group of which the first so many parts have their names."""
    store = Store(root, "")
    group = store.draft(drafts(1), positions(1))
    for place in group.places[:publish]:
        (root / place.draft).replace(root / place.path)
    store.close()


def test_a_damaged_draft_of_an_uncommitted_group_is_removed(tmp_path: Path) -> None:
    """A draft that the disk had not kept whole takes its group with it: Redis has those entries still."""
    _leave_drafts(tmp_path, 0)
    damaged = min(path for path, _ in parts_of(tmp_path, drafts=True))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    store = Store(tmp_path, "")
    assert (store.newest, store.removed, recorded(tmp_path)) == (0, 3, [])
    store.close()


def test_a_damaged_page_is_seen(tmp_path: Path) -> None:
    """A draft whose length is right and whose pages are not is no whole draft."""
    _leave_drafts(tmp_path, 0)
    damaged = min(path for path, _ in parts_of(tmp_path, drafts=True))
    content = bytearray(damaged.read_bytes())
    content[60:80] = bytes(20)
    damaged.write_bytes(content)
    store = Store(tmp_path, "")
    assert (store.newest, store.removed) == (0, 3)
    store.close()


def test_a_damaged_draft_of_a_committed_group_is_told(tmp_path: Path) -> None:
    """Rows that a published group needs and that are damaged stop the start, with the file's name."""
    _leave_drafts(tmp_path, 1)
    damaged = min(path for path, _ in parts_of(tmp_path, drafts=True))
    damaged.write_bytes(b"")
    with pytest.raises(RecordingError, match=damaged.name):
        Store(tmp_path, "")


def test_the_newest_part_must_be_readable(tmp_path: Path) -> None:
    """Without a single part of the newest group that can be read nobody knows where to go on."""
    store = Store(tmp_path, "")
    record(store, 1)
    store.close()
    for path, _ in parts_of(tmp_path):
        path.write_bytes(b"PAR1")
    with pytest.raises(RecordingError, match="move it away"):
        Store(tmp_path, "")


def test_a_folder_belongs_to_one_recorder(tmp_path: Path) -> None:
    """A second process that wants the same folder is told so; the lock goes with its process."""
    code = (
        f"from pathlib import Path; from libs.storage.store import Store; Store(Path({str(tmp_path)!r}), ''); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", "import sys\n" + code.replace("input()", "print('held', flush=True); sys.stdin.read()")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(MissingError, match="another recorder"):
            Store(tmp_path, "")
    finally:
        other.kill()
        other.communicate()
    Store(tmp_path, "").close()


def test_a_folder_keeps_to_one_prefix(tmp_path: Path) -> None:
    """Positions of one deployment mean nothing in another: exit 2, naming both."""
    store = Store(tmp_path, "a:")
    record(store, 1)
    store.close()
    with pytest.raises(ConfigError, match='stream_prefix: expected "a:", as recorded here, found "b:"'):
        Store(tmp_path, "b:")


def test_what_cannot_be_a_recording_is_told(tmp_path: Path) -> None:
    """A file in the folder's place is exit 2; a folder that cannot be made is exit 3."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="DIR: expected a folder"):
        Store(tmp_path / "file", "")
    with pytest.raises(MissingError, match="cannot write in /proc"):
        Store(Path("/proc/no/folder"), "")


def test_a_full_disk_is_exit_3_at_the_start(tmp_path: Path) -> None:
    """A disk that takes no byte is told with its mend."""
    (tmp_path / ".lock").symlink_to("/dev/full")
    with pytest.raises(MissingError, match="No space left on device; make room"):
        Store(tmp_path, "")


def test_views_stand_beside_the_parts(tmp_path: Path) -> None:
    """schema.sql has a view for each stream that has parts, and grows with them."""
    store = Store(tmp_path, "")
    assert not (tmp_path / "schema.sql").exists()
    store.publish(store.draft(drafts(1)[:1], positions(1)))
    assert 'VIEW "status"' not in (tmp_path / "schema.sql").read_text()
    record(store, 2)
    store.close()
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{tmp_path}'")
        connection.execute((tmp_path / "schema.sql").read_text())
        assert connection.execute("SELECT count(*), max(hour) FROM trades WHERE date = '1970-01-01'").fetchone() == (
            6,
            2,
        )
        assert connection.execute("SELECT count(*) FROM status").fetchone() == (1,)
