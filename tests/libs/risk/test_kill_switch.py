"""The kill switch's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import CrossbookError
from libs.risk.kill_switch import FILE, Kill, KillSwitch


def test_it_survives_restarts_until_reset(tmp_path: Path) -> None:
    """Thrown once, it is on for every later process, with its reason; after a reset it is off for all of them."""
    assert not KillSwitch(tmp_path).on
    KillSwitch(tmp_path).throw("fat finger", 7)
    again = KillSwitch(tmp_path)
    assert again.kill == Kill("fat finger", 7)
    assert again.reset() is True
    assert again.reset() is False
    assert not KillSwitch(tmp_path).on


def test_an_unreadable_file_means_on(tmp_path: Path) -> None:
    """A file that says nothing sensible is taken for a switch that was thrown, and a reset removes it."""
    (tmp_path / FILE).write_text("{")
    switch = KillSwitch(tmp_path)
    assert switch.on
    switch.reset()
    assert not KillSwitch(tmp_path).on


def test_it_is_on_even_where_the_disk_refuses(tmp_path: Path) -> None:
    """When its file cannot be written it is on in this process, and whoever threw it is told that it will not last."""
    switch = KillSwitch(tmp_path / "missing")
    with pytest.raises(CrossbookError, match="until a restart only"):
        switch.throw("now", 1)
    assert switch.on
