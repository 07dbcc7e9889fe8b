"""Who may import whom."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.source import CODE, ROOT, RUNTIME_SERVICES, closure, imports, python_files, short

ANALYSIS_ONLY = {"pyarrow", "duckdb", "sklearn", "scipy", "questdb", "pandas", "polars", "matplotlib"}
# Low to high: a package imports its own modules and those of the levels before.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "jit", "clock", "units", "memory", "libc", "config", "pages", "scheduling", "shared", "version"),
    ("telemetry",),
    ("market",),
    ("wire",),
    ("multicast", "ring"),
    ("sequencing",),
    ("book",),
    ("features",),
    ("nbbo",),
    ("digest",),
    ("recovery",),
    ("streams",),
    ("engine",),
    ("venues",),
    ("sending",),
    ("storage",),
    ("offline",),
    ("models",),
    ("orders",),
    ("risk",),
    ("execution",),
    ("simulation",),
)
LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}


def test_libs_never_import_services() -> None:
    """A library knows nothing of the services that use it."""
    wrong = [
        f"{short(path)} imports {name}"
        for path in python_files("libs")
        for name in imports(path)
        if name.split(".")[0] in {"services", "scripts", "tests"}
    ]
    assert not wrong


def test_services_never_import_each_other() -> None:
    """Services meet on the wire or in Redis only."""
    wrong = []
    for path in python_files("services"):
        own = path.relative_to(ROOT / "services").parts[0]
        for name in imports(path):
            parts = name.split(".")
            if (
                parts[0] == "services"
                and len(parts) > 1
                and parts[1] != own
                and not (ROOT / "services" / own).is_file()
            ):
                wrong.append(f"{short(path)} imports {name}")
    assert not wrong


def test_libs_import_downwards() -> None:
    """Inside libs a package imports its own modules and lower ones."""
    wrong = []
    for path in python_files("libs"):
        own = path.relative_to(ROOT / "libs").with_suffix("").parts[0]
        for name in imports(path):
            parts = name.split(".")
            if own == "__init__" or parts[0] != "libs" or len(parts) < 2:
                continue
            base_sibling = LEVEL[own] == 0 and LEVEL[parts[1]] == 0
            if parts[1] != own and not base_sibling and LEVEL[parts[1]] >= LEVEL[own]:
                wrong.append(f"{short(path)} imports {name}")
    assert not wrong


def test_every_package_has_a_level() -> None:
    """A new package of libs takes its place in the order, and no place is left empty."""
    present = {path.stem if path.is_file() else path.name for path in (ROOT / "libs").iterdir()}
    assert {name for name in present if not name.startswith("__")} == set(LEVEL)


def test_only_jit_touches_numba() -> None:
    """numba's decorators and llvmlite are reached through libs/jit.py alone."""
    wrong = [
        f"{short(path)} imports {name}"
        for path in python_files(*CODE)
        for name in imports(path)
        if name.split(".")[0] in {"numba", "llvmlite"} and short(path) != "libs/jit.py"
    ]
    assert not wrong


@pytest.mark.parametrize("command", ["doctor/run", "soak/run", "supervisor", "health", "bench", "warm"])
def test_commands_that_need_no_kernel_load_no_compiler(command: str) -> None:
    """Importing numba takes longer than all the rest of a command such as `crossbook status`."""
    path = ROOT / f"services/cli/{command}.py"
    assert path.is_file()
    assert ROOT / "libs/jit.py" not in closure([path])


def test_runtime_services_import_no_analysis_package() -> None:
    """Nothing that a runtime service can reach imports what only the analysis image holds."""
    start = [path for name in RUNTIME_SERVICES for path in python_files(f"services/{name}")]
    wrong = [
        f"{short(path)} imports {name}"
        for path in closure(start)
        for name in imports(path)
        if name.split(".")[0] in ANALYSIS_ONLY
    ]
    assert start
    assert not wrong


def test_command_line_starts_without_analysis_packages() -> None:
    """`crossbook` loads no analysis package until a command needs one, so it runs in the runtime image."""
    code = f"import sys, services.cli.__main__; print(*({ANALYSIS_ONLY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_runtime_requirements_cover_the_runtime_imports() -> None:
    """Every third-party module that a runtime service can reach is asked for in requirements/runtime.in."""
    asked = {
        line.strip().replace("-", "_")
        for line in (ROOT / "requirements/runtime.in").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    start = [path for name in (*RUNTIME_SERVICES, "cli") for path in python_files(f"services/{name}")]
    known = sys.stdlib_module_names | asked | {"libs", "services", "llvmlite", "__future__"} | ANALYSIS_ONLY
    wrong = {
        f"{short(path)} imports {name}"
        for path in closure(start)
        for name in imports(path)
        if name.split(".")[0] not in known
    }
    assert not wrong
