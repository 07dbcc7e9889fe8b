"""Tools that a test needs: without one it is skipped, except in CI, where it runs and fails."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

CI = os.environ.get("CI") == "true"


def needed(there: bool, reason: str) -> pytest.MarkDecorator:
    """Return the mark of tests that need something; it never skips in CI."""
    return pytest.mark.skipif(not there and not CI, reason=reason)


def skip_unless(there: bool, reason: str) -> None:
    """Skip the test that runs where something is not there; in CI it fails."""
    if not there:
        (pytest.fail if CI else pytest.skip)(reason)


def package(name: str) -> pytest.MarkDecorator:
    """Return the mark of tests that need a package of requirements/bench.txt."""
    return needed(importlib.util.find_spec(name) is not None, f"{name} is not installed (scripts/setup.sh bench)")


needs_promtool = needed(shutil.which("promtool") is not None, "no promtool (Debian: apt-get install prometheus)")
needs_prometheus = needed(shutil.which("prometheus") is not None, "no prometheus (apt-get install prometheus)")
needs_cc = needed(shutil.which("cc") is not None, "no C compiler (cc)")
