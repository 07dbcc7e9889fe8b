"""How the recorder starts, and how it refuses to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.source import ROOT


def _run(*arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.modules[{without!r}] = None; " if without else "import sys; "
    code += "from services.recorder.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path) -> None:
    """The runtime image has no pyarrow: exit 3 and one line that names the requirements."""
    done = _run(str(tmp_path), without="pyarrow")
    assert done.returncode == 3
    assert "requirements/analysis.txt" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "DIR"),
        (["/proc/nowhere/recording"], 3, "cannot write in /proc/nowhere/recording"),
        (["/dev/null"], 2, "DIR: expected a folder"),
        (["x", "--config", "/nonexistent.toml"], 2, "/nonexistent.toml"),
    ],
)
def test_what_is_wrong_is_told(arguments: list[str], status: int, says: str) -> None:
    """A wrong argument is exit 2; a folder that cannot be written exit 3."""
    done = _run(*arguments)
    assert done.returncode == status
    assert says in done.stderr


def test_it_runs_from_the_console_script() -> None:
    """`crossbook record` is the recorder, with its own help."""
    command = [sys.executable, "-m", "services.cli", "record", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "DIR" in done.stdout and "--config" in done.stdout
