"""The kill switch: a file, so that it survives every restart until somebody resets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from libs.errors import CrossbookError
from libs.orders.journal import sync_folder, write_durably

FILE = "kill_switch.json"


@dataclass(frozen=True, slots=True)
class Kill:
    """Why and when it was thrown."""

    reason: str
    ts_ns: int


class KillSwitch:
    """Whether orders may leave.

    Parameters
    ----------
    folder : Path
        The state directory.

    Attributes
    ----------
    kill : Kill or None
        None: off.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.kill = self._read()

    @property
    def on(self) -> bool:
        """Whether it is on."""
        return self.kill is not None

    def _read(self) -> Kill | None:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Kill)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            # A switch that cannot be read is on: whoever threw it meant it.
            return Kill(f"{FILE} cannot be read: {error}", 0)

    def throw(self, reason: str, ts_ns: int) -> None:
        """Turn it on, at once in this process, and on the disk before this returns.

        Raises
        ------
        CrossbookError
            When the file cannot be written; the switch is on in this process nevertheless.
        """
        self.kill = Kill(reason, ts_ns)
        fresh = self.path.with_suffix(".new")
        try:
            write_durably(fresh, msgspec.json.encode(self.kill))
            fresh.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise CrossbookError(
                f"the kill switch is on, and lasts until a restart only: {self.path}: {error}"
            ) from None

    def reset(self) -> bool:
        """Turn it off; return whether it was on.

        Raises
        ------
        CrossbookError
            When the file cannot be removed; the switch stays on.
        """
        if not self.on:
            return False
        try:
            self.path.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        except OSError as error:
            raise CrossbookError(f"the kill switch stays on: {self.path}: {error}") from None
        self.kill = None
        return True
