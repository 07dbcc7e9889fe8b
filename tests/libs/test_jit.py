"""The one door to numba: caches that notice edits, places to keep them, no compilation a constant."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from libs import jit
from libs.jit import cache_root, kernel, source_digest

PACKAGE = {
    "libs/__init__.py": "",
    "libs/layout.py": "SIZE = 8\n",
    "libs/other.py": "UNUSED = 1\n",
    "libs/inner.py": "from libs import layout\n",
    "libs/top.py": "from libs.inner import layout\n\nfrom libs.jit import kernel\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project of a few modules in which digests are taken."""
    for name, text in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(jit, "ROOT", tmp_path)
    return tmp_path


def digest(name: str = "libs.top") -> str:
    source_digest.cache_clear()
    jit._imports.cache_clear()
    jit._file_of.cache_clear()
    return source_digest(name)


def test_digest_follows_imports(project: Path) -> None:
    """An edit in a module imported over two steps changes the digest; undoing it brings the old one back."""
    before = digest()
    (project / "libs/layout.py").write_text("SIZE = 16\n")
    assert digest() != before
    (project / "libs/layout.py").write_text(PACKAGE["libs/layout.py"])
    assert digest() == before


def test_digest_leaves_out_what_is_not_imported(project: Path) -> None:
    """An edit in a module that is not imported changes nothing; one that becomes imported does."""
    before = digest()
    (project / "libs/other.py").write_text("UNUSED = 2\n")
    assert digest() == before
    (project / "libs/inner.py").write_text("from libs import layout, other\n")
    assert digest() != before


def test_digest_ends_where_imports_go_round(project: Path) -> None:
    """Modules that import each other have a digest."""
    (project / "libs/layout.py").write_text("import libs.top\n")
    assert len(digest()) == 16


def root(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Path:
    """Return the cache's place with these variables and no others of its kind."""
    for name in ("CROSSBOOK_CACHE_DIR", "XDG_CACHE_HOME", "NUMBA_CPU_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return cache_root.__wrapped__()


def test_cache_is_kept_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory that is given is used, one part of it for each kind of CPU."""
    first = root(monkeypatch, CROSSBOOK_CACHE_DIR=str(tmp_path / "given"))
    second = root(monkeypatch, CROSSBOOK_CACHE_DIR=str(tmp_path / "given"), NUMBA_CPU_NAME="generic")
    assert first.parent == second.parent == tmp_path / "given"
    assert first != second
    assert second.name == "generic"


def test_cache_falls_back_when_it_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file stands in the way the user's cache is used, and when that cannot be written, a private directory."""
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    users = root(monkeypatch, CROSSBOOK_CACHE_DIR=str(blocked), XDG_CACHE_HOME=str(tmp_path))
    assert users.parent == tmp_path / "crossbook"
    private = root(monkeypatch, CROSSBOOK_CACHE_DIR=str(blocked), XDG_CACHE_HOME=str(blocked))
    assert private.parent == tmp_path
    assert private.name.startswith("crossbook-kernels-")
    assert private.stat().st_mode & 0o077 == 0


@kernel
def _scaled(values: np.ndarray, by: int) -> int:
    return values[0] * by


@kernel
def _many(values: np.ndarray) -> int:
    return _scaled(values, 1) + _scaled(values, 2) + _scaled(values, 3) + _scaled(values, 1_000)


def test_constants_do_not_compile_again() -> None:
    """A kernel that is called with four constants is compiled once."""
    assert _many(np.array([2], np.int64)) == 2012
    assert len(_scaled.signatures) == 1


@kernel
def _ratio(values: np.ndarray) -> float:
    return values[0] / values[1]


def test_division_by_zero_is_that_of_numpy() -> None:
    """A kernel divides as numpy does, and never raises."""
    assert _ratio(np.array([1.0, 0.0])) == np.inf
    assert np.isnan(_ratio(np.array([0.0, 0.0])))


def test_an_index_is_taken_as_it_is() -> None:
    """A negative index of a kernel is not the array's end: every access would pay for that."""

    @kernel
    def take(values: np.ndarray, index: int) -> int:
        return values[index]

    everything = np.arange(8)
    if not jit._config.BOUNDSCHECK:
        assert take(everything[4:], -1) == 3


def test_numbas_own_functions_keep_their_indices() -> None:
    """Code of numba that a kernel calls may count from the end, as numpy's median does."""

    @kernel(allocates=True)
    def middle(values: np.ndarray) -> float:
        return np.median(values) + np.percentile(values, 50.0) + np.diff(values)[0] + np.trapezoid(values)

    values = np.array([3.0, 1.0, 2.0, 5.0])
    expected = np.median(values) + np.percentile(values, 50.0) + np.diff(values)[0] + np.trapezoid(values)
    assert middle(values) == pytest.approx(expected)


def test_a_kernel_counts_no_references() -> None:
    """Arrays that a kernel passes on are not counted: no call to numba's runtime stands in its code."""

    @kernel
    def best(values: np.ndarray) -> int:
        return values[0]

    @kernel
    def total(values: np.ndarray) -> int:
        found = 0
        for k in range(len(values)):
            found += best(values[k])
        return found

    assert total(np.arange(6).reshape(2, 3)) == 3
    assert all("call" not in line or "NRT_" not in line for line in total.inspect_asm(total.signatures[0]).splitlines())


def test_a_hidden_allocation_does_not_compile() -> None:
    """Copying one part of an array to another makes a temporary one: a kernel that has not said so is refused."""

    @kernel
    def move(values: np.ndarray) -> None:
        values[0:2] = values[1:3]

    with pytest.raises(Exception, match="NRT required"):
        move(np.arange(4))


@kernel
def _mixed(seed: int, word: int) -> int:
    if seed < 0 or seed >= 8:
        return 0
    h = ((seed ^ -3750763034362895579) ^ word) * -7046029254386353131
    return h ^ (h >> 29)


@kernel
def _sum(one: int, other: int) -> int:
    return one + other


def test_sums_and_products_wrap() -> None:
    """What leaves int64 comes back at the other end, also where LLVM knows the range of what went in."""
    for seed in range(8):
        h = ((seed ^ -3750763034362895579) ^ 9) * -7046029254386353131 & (1 << 64) - 1
        h = h - (1 << 64) if h >> 63 else h
        assert _mixed(seed, 9) == h ^ (h >> 29)
    assert _sum(2**63 - 1, 1) == -(2**63)
    module = next(iter(_mixed.inspect_llvm().values()))
    assert "mul i64" in module and "mul nsw" not in module
