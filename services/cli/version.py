"""Which Crossbook this is."""

from __future__ import annotations

import importlib.metadata
import tomllib

from services.cli.arguments import code_root


def version() -> str:
    """Return the version: of the sources beside us, else of the installed distribution."""
    project = code_root() / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    return importlib.metadata.version("crossbook")
