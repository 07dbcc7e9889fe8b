"""What every sender of HFTP is told: where it sends, what it repeats, how it answers receivers that ask again."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from libs.config import check_address, check_group, check_port, shown
from libs.errors import ConfigError
from libs.recovery.history import MIN_BYTES, MIN_MESSAGES


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a line goes."""

    group: str
    port: int


class SendingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings that replay and feeder share; services/replay/README.md says what each means."""

    group: str = "239.192.0.1"
    port: int = 9001
    interface: str = "127.0.0.1"
    line_b: Line | None = None
    lines: Literal["a", "ab"] = "a"
    ttl: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    mtu_payload: Annotated[int, msgspec.Meta(ge=256, le=65_507)] = 1472
    start_paused: bool = False

    refresh_round_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    refresh_datagrams_per_s: Annotated[float, msgspec.Meta(gt=0, le=2000)] = 200.0
    instrument_round_s: Annotated[float, msgspec.Meta(gt=0, le=10)] = 10.0
    mirror_depth: Annotated[int, msgspec.Meta(ge=20, le=8192)] = 1024
    instruments_dir: str = ""
    wait: Literal["sleep", "busy"] = "sleep"

    history_messages: Annotated[int, msgspec.Meta(ge=MIN_MESSAGES, le=1 << 24)] = 65_536
    history_bytes: Annotated[int, msgspec.Meta(ge=MIN_BYTES, le=1 << 32)] = 16 << 20
    recovery_host: str = "127.0.0.1"
    recovery_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 9190
    recovery_connections: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 16

    @property
    def targets(self) -> list[tuple[str, int]]:
        """(group, port) of each line in use."""
        first = [(self.group, self.port)]
        return [*first, (self.line_b.group, self.line_b.port)] if self.lines == "ab" and self.line_b else first


def check_sending(settings: SendingSettings, file: str) -> None:
    """Check what types cannot say.

    Raises
    ------
    ConfigError
        Naming file, key, what was expected and what was found.
    """
    check_group(file, "group", settings.group)
    check_port(file, "port", settings.port)
    check_address(file, "recovery_host", settings.recovery_host)
    if settings.recovery_host == "0.0.0.0":
        expected = "the address of loopback or of one interface"
        raise ConfigError(file, "recovery_host", expected, shown(settings.recovery_host))
    if settings.lines == "ab" and settings.line_b is None:
        raise ConfigError(file, "line_b", 'a table with group and port, as lines = "ab"', "nothing")
    if settings.line_b is not None:
        check_group(file, "line_b.group", settings.line_b.group)
        check_port(file, "line_b.port", settings.line_b.port)
