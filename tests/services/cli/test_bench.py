"""``crossbook bench`` from the command line."""

from __future__ import annotations

import json
import re
import sys
from functools import partial

import pytest

from services.cli import bench as command
from services.cli.__main__ import main
from tests.bench import main as benches
from tests.bench import plots, runner
from tests.needs import needs_cc


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure next to nothing."""
    monkeypatch.setattr(runner, "Scale", partial(runner.Scale, tiny=True))
    monkeypatch.setattr(command, "is_warm", lambda: True)


@needs_cc
def test_a_bench_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints the name, the machine and a row a case with our figure, the references and their ratios."""
    assert main(["bench", "books", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["name"] == "books"
    assert {"cpu", "cores", "kernel", "python", "numba", "load", "steal", "involuntary_switches"} <= set(
        document["host"]
    )
    first = document["rows"][0]
    assert first["unit"] == "ns/update"
    assert first["ratio"]["c"] == pytest.approx(first["ours"] / first["references"]["c"], abs=0.01)


@needs_cc
def test_the_tables_can_be_written(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json a table is printed, and --to writes it as Markdown with the command."""
    assert main(["bench", "books", "--to", str(tmp_path / "books.md")]) == 0
    assert "1 symbol, 20 levels deep" in capsys.readouterr().out
    text = (tmp_path / "books.md").read_text()
    assert "`crossbook bench books`" in text
    assert "| 1 symbol, 20 levels deep |" in text


@pytest.mark.parametrize("arguments", [["nothing"], ["books", "--to", "/no/such/folder/file.md"]])
def test_a_wrong_argument_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown bench, or a file that cannot be written, ends with status 2 before anything is measured."""
    assert main(["bench", *arguments]) == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["books", "scale"])
def test_plots_that_cannot_be_drawn_are_said(
    name: str, tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bench without sweeps, or a file in the folder's place: status 2 before anything is measured."""
    monkeypatch.setattr(plots, "_drawing", lambda: None)
    monkeypatch.setattr(benches, "measure", lambda *_: pytest.fail("measured"))
    (tmp_path / "taken").write_text("")
    assert main(["bench", name, "--plots", str(tmp_path / "taken")]) == 2
    assert "--plots: expected" in capsys.readouterr().err


def test_missing_matplotlib_is_said(tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without matplotlib --plots ends with status 3 and the requirement, before anything is measured or made."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(benches, "measure", lambda *_: pytest.fail("measured"))
    assert main(["bench", "scale", "--plots", str(tmp_path / "plots")]) == 3
    assert "expected matplotlib, found none: install requirements/analysis.txt" in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


@needs_cc
def test_plots_stand_beside_the_table_and_in_it(tmp_path) -> None:
    """--plots makes the folder and draws each sweep; the Markdown table shows every one of them."""
    folder = tmp_path / "deeper" / "plots"
    assert main(["bench", "scale", "--to", str(tmp_path / "scale.md"), "--plots", str(folder)]) == 0
    shown = re.findall(r"!\[[\w-]+]\((.+)\)", (tmp_path / "scale.md").read_text())
    assert len(shown) == 7
    assert {(tmp_path / name).resolve() for name in shown} == set(folder.iterdir())


def test_an_installed_copy_has_no_benches(tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without tests/bench beside the code: status 3 and what to do."""
    monkeypatch.setattr(command, "code_root", lambda: tmp_path)
    assert main(["bench", "books"]) == 3
    assert "checkout" in capsys.readouterr().err


def test_a_missing_compiler_is_said(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a C compiler: status 3, and which one was expected."""
    monkeypatch.setenv("CC", "no-such-compiler")
    benches.native.compiler.cache_clear()
    assert main(["bench", "books"]) == 3
    benches.native.compiler.cache_clear()
    assert "no-such-compiler" in capsys.readouterr().err
