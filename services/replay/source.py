"""Where messages come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from libs.sending.chunk import Chunk
from libs.sending.listing import Listing
from libs.storage.lines import BadLines
from libs.storage.source import RecordingSource, instruments_of
from services.replay.settings import DEFAULT_RATE, Settings
from services.replay.synthetic.source import SyntheticSource


class Source(Protocol):
    """A run of chunks with the listing that they refer to.

    The composer asks for a chunk when it is done with the one before; the listing may grow in between.
    """

    name: str
    listing: Listing
    bad: BadLines

    @property
    def ns_per_unit(self) -> float:
        """Nanoseconds of one unit of source time at the configured pace."""

    @property
    def channels(self) -> list[int]:
        """Exchanges that may speak."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks to the source's end."""


def open_source(settings: Settings) -> Source:
    """Return the source that the settings name.

    Raises
    ------
    MissingError
        When a recording is not there.
    ConfigError
        When an instrument file is wrong.
    """
    if settings.source == "synthetic":
        rate = settings.rate or DEFAULT_RATE
        return SyntheticSource(settings.symbols, settings.venues, settings.seed, rate, settings.levels)
    return RecordingSource(
        [Path(p) for p in settings.source],
        speed=settings.speed,
        rate=settings.rate,
        loop=settings.loop,
        instrument_of=instruments_of(settings.instruments_dir),
    )
