"""``crossbook simulate``: what it prints, and how it ends."""

from __future__ import annotations

import json

import pytest

from libs.simulation.outcome import Outcome
from services.cli import simulate
from services.cli.__main__ import main

KEYS = {"schedules", "messages", "unaccounted", "wrong_valid_books", "unhealed", "failures"}


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """The document of cli.md stands on the standard output, and nothing else."""
    assert main(["simulate", "--schedules", "2", "--seed", "4", "--jobs", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= KEYS
    assert (found["schedules"], found["failures"]) == (2, []) and found["messages"] >= 1000


def test_a_trace_tells_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    """A traced schedule says what it is made of, what came, and what changed."""
    assert main(["simulate", "--schedules", "1", "--seed", "4", "--trace"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 4: ")
    assert "consumer starts" in out and "heartbeat next 1" in out and "expected 0 → 1" in out


def test_a_failure_names_its_seed_and_how_to_replay_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schedule that does not hold ends with 1, its seed, what it was, and the command for a trace."""
    monkeypatch.setattr(
        "libs.simulation.run.run_seed", lambda seed: Outcome(seed, 500, 0, 1, 0, ["at 3.000 ms: book wrong"])
    )
    assert main(["simulate", "--schedules", "2", "--seed", "9", "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert "seed 9: at 3.000 ms: book wrong" in out
    assert "crossbook simulate --seed 9 --schedules 1 --trace" in out


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["--schedules", "0"], "--schedules"), (["--seed", "x"], "--seed"), (["--jobs", "-1"], "--jobs"),
     (["--trace", "--schedules", "2"], "--trace")],
)  # fmt: skip
def test_wrong_options_are_named(arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that cannot be ends with 2 and one line that names it."""
    assert main(["simulate", *arguments]) == 2
    err = capsys.readouterr().err
    assert names in err and "expected" in err and err.count("\n") == 1


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is written over appears on a terminal only."""
    for is_terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda answer=is_terminal: answer)
        progress = simulate.Progress(1)
        total = simulate.Total()
        total.add(Outcome(1, 500))
        progress.tell(total)
        assert ("1/1 schedules" in capsys.readouterr().err) is is_terminal
