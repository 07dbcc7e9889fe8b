"""The run directory and the state directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from libs.errors import MissingError
from services.cli import rundir
from services.cli.rundir import RunDirectory, StateDirectory, remove_leftovers, running


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "_base", lambda: tmp_path)


def test_only_the_user_can_look_inside(tmp_path: Path) -> None:
    """The run directory holds a Redis without a password, so it is closed to others; it goes with the run."""
    run = RunDirectory()
    assert run.path.parent == tmp_path
    assert run.path.stat().st_mode & 0o777 == 0o700
    run.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_running_run_tells_where_it_is() -> None:
    """A run's note can be read while the run lives, and not after."""
    run = RunDirectory()
    run.describe({"started": 1.0, "redis_url": "unix:///x"})
    assert running() == [{"started": 1.0, "redis_url": "unix:///x"}]
    run.remove()
    assert running() == []


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """The directory of a run whose process is gone is removed; that of a living one is not."""
    code = (
        "from services.cli import rundir; from pathlib import Path; import os, signal\n"
        f"rundir._base = lambda: Path({str(tmp_path)!r})\n"
        "rundir.RunDirectory(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    alive = RunDirectory()
    remove_leftovers()
    assert list(tmp_path.iterdir()) == [alive.path]
    alive.remove()


def test_one_run_at_a_time_has_the_state(tmp_path: Path) -> None:
    """A second run on the same state is refused by name until the first is over."""
    first = StateDirectory(tmp_path / "var")
    with pytest.raises(MissingError, match=r"var belongs to another run.*--state-dir"):
        StateDirectory(tmp_path / "var")
    first.release()
    StateDirectory(tmp_path / "var").release()


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the state directory should be is reported in one line."""
    (tmp_path / "file").touch()
    with pytest.raises(MissingError, match=r"cannot write the state directory .*file/var"):
        StateDirectory(tmp_path / "file" / "var")
