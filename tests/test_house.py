"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re

import pytest

from tests.source import CODE, ROOT, SERVICES, functions, python_files, short, tracked_files, tree

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60


@pytest.mark.parametrize("name", ["setup", "runtime", "test", "bench"])
def test_requirements_are_pinned_and_name_no_host(name: str) -> None:
    """Each requirement has one exact version and a hash, and says nothing of where it comes from."""
    text = (ROOT / f"requirements/{name}.txt").read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all(re.match(r"[a-z0-9._-]+==\S+", line) for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"https?:|--index-url|--extra-index|--find-links|--trusted-host| @ ", text)


def test_nothing_is_left_for_later() -> None:
    """No marker of unfinished work stands in the code."""
    words = re.compile(
        r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "NotImplemented" + "Error")) + r")\b"
    )
    suffixes = {".py", ".sh", ".yml", ".yaml", ".toml", ".md", ".js"}
    wrong = [
        f"{short(path)}:{number}"
        for path in tracked_files()
        if path.suffix in suffixes
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not wrong


def test_no_machine_is_named() -> None:
    """No committed file names a path of one machine or a package registry."""
    hosts = ("py" + "pi.org", "python" + "hosted", "deb.debian" + ".org", "/" + "work/", "/" + "root/")
    wrong = []
    for path in tracked_files():
        if path.stat().st_size < 2_000_000:
            text = path.read_bytes().decode("utf-8", errors="ignore")
            wrong += [f"{short(path)} names {host}" for host in hosts if host in text]
    assert not wrong


def test_files_are_short() -> None:
    """A Python file has at most 300 lines."""
    wrong = {
        short(path): lines
        for path in python_files(*CODE, "tests")
        if (lines := len(path.read_text().splitlines())) > MAX_FILE_LINES
    }
    assert not wrong


def test_functions_are_short() -> None:
    """A function has at most 60 lines, its docstring not counted."""
    wrong = {}
    for path in python_files(*CODE, "tests"):
        for node in functions(path):
            first = node.body[0]
            doc = (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            )
            lines = (node.end_lineno or 0) - node.lineno + 1
            lines -= ((first.end_lineno or 0) - first.lineno + 1) if doc else 0
            if lines > MAX_FUNCTION_LINES:
                wrong[f"{short(path)}:{node.name}"] = lines
    assert not wrong


def test_public_names_are_documented() -> None:
    """Every module with code, public class and public function of libs and services says what it is for."""
    wrong = []
    for path in python_files("libs", "services"):
        module = tree(path)
        if module.body and not ast.get_docstring(module):
            wrong.append(short(path))
        for node in module.body:
            public = isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            ) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                wrong.append(f"{short(path)}:{node.name}")
    assert not wrong


def test_tests_say_what_they_check() -> None:
    """Every test has a sentence that says the behaviour."""
    wrong = [
        f"{short(path)}:{node.name}"
        for path in python_files("tests")
        if path.name.startswith("test_")
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert not wrong


def test_errors_are_never_swallowed() -> None:
    """No handler of everything does nothing."""
    wrong = []
    for path in python_files(*CODE):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler) and all(
                isinstance(each, ast.Pass | ast.Continue) for each in node.body
            ):
                caught = ast.unparse(node.type) if node.type else "everything"
                if caught in {"everything", "Exception", "BaseException"}:
                    wrong.append(f"{short(path)}:{node.lineno}")
    assert not wrong


@pytest.mark.parametrize("service", SERVICES)
def test_services_have_one_shape(service: str) -> None:
    """Each service has the same four files, and its settings stand in config/."""
    folder = ROOT / "services" / service
    missing = [
        name
        for name in ("__init__.py", "__main__.py", "settings.py", "app.py", "README.md")
        if not (folder / name).is_file()
    ]
    assert not missing
    assert (ROOT / "config" / f"{service}.toml").is_file()


def test_no_package_shadows_the_standard_library() -> None:
    """No folder of ours takes the name of a standard module."""
    names = [path.name for folder in ("libs", "services") for path in (ROOT / folder).iterdir() if path.is_dir()]
    assert "signal" not in names
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_ci_runs_the_tests_of_the_readme() -> None:
    """CI calls the command that the README names."""
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_links_in_the_documentation_lead_somewhere() -> None:
    """Every relative link of a README or another document points to a file that is there."""
    wrong = [
        f"{short(path)} links to {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not wrong
