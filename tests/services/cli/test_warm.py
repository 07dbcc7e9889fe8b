"""Compiling before anything waits for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from services.cli import warm
from services.cli.children import Child
from services.cli.stack import ServiceError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSBOOK_CACHE_DIR", str(tmp_path / "cache"))


def _scripts(monkeypatch: pytest.MonkeyPatch, code: str) -> list[str]:
    """Let scripts stand for the services; return the names in the order in which they begin."""
    begun: list[str] = []

    def start(service: str, part: str) -> Child:
        begun.append(f"{service} {part}".strip())
        return Child(begun[-1], [sys.executable, "-c", code, service], dict(os.environ))

    monkeypatch.setattr(warm, "_start", start)
    return begun


def test_two_processes_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every service is compiled, one after another in each of two lanes, and that is remembered."""
    begun = _scripts(monkeypatch, "pass")
    said: list[str] = []
    assert not warm.is_warm()
    warm.compile_all(said.append, lambda: None)
    assert warm.is_warm()
    assert {name.split()[0] for name in begun} == {"consumer", "replay", "signals", "oms", "feeder"}
    assert begun[:2] == ["consumer books", "consumer receive"]
    assert begun.index("consumer books") < begun.index("signals") < begun.index("oms")
    assert len(said) == len(begun)


def test_a_service_that_cannot_compile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the compiler said is shown, and nothing is remembered as compiled."""
    _scripts(monkeypatch, "import sys; 'replay' in sys.argv and sys.exit('no such type')")
    with pytest.raises(ServiceError, match=r"(?s)^replay: kernels did not compile \(exit status 1\)\nno such type"):
        warm.compile_all(lambda text: None, lambda: None)
    assert not warm.is_warm()


def test_other_sources_are_not_warm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mark is for these sources: an edited kernel is not taken as compiled."""
    root = tmp_path / "root"
    for folder in ("libs", "services"):
        (root / folder).mkdir(parents=True)
    (root / "libs" / "kernels.py").write_text("A = 1\n")
    monkeypatch.setattr(warm, "code_root", lambda: root)
    warm.mark_warm()
    assert warm.is_warm()
    (root / "libs" / "kernels.py").write_text("A = 2\n")
    assert not warm.is_warm()
