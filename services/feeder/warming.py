"""Compile or load the kernels before anything is received: a compiler in one thread holds up all the others."""

from __future__ import annotations

import time

import numpy as np

from libs.market.instruments import Instrument
from libs.sending import answering, sender
from libs.sending.outbox import peek, poke
from libs.sending.pace import ACTIVE, BEAT_NS
from libs.sending.settings import SendingSettings
from libs.sending.transmission import Transmission
from libs.sending.transmit import CHANNELS
from libs.telemetry.hdr import new_rows
from libs.venues.events import BookEvent
from libs.venues.levels import LevelParser
from libs.venues.rows import PLAIN, RowParser
from services.feeder.outlet import Outlet


def warm() -> None:
    """Send a book to nobody: composed, but the session speaks on no channel."""
    LevelParser(4).parse(b"[]", b"[]")
    RowParser(PLAIN, 4).parse(b"[]", b"[]", 0, 0)
    answering.warm()
    settings = SendingSettings()
    t = Transmission(settings, [], new_rows(1), live=True)
    outlet = Outlet(t.outbox, settings, 2)
    outlet.list(Instrument("A", "binance", (1, 0), (1, 0)))
    outlet.begin(0)
    levels = np.array([1, 1, 2, 1], np.int64)
    outlet.put("binance", BookEvent("A", True, 0, 0, 1, 1, levels, 0, 0, 0), 0)
    outlet.flush(time.monotonic_ns(), idle=True)
    peek(np.zeros(1, np.int64), 0)
    poke(np.zeros(1, np.int64), 0, 0)
    t.sender.state[ACTIVE : ACTIVE + CHANNELS] = 0
    t.sender.control[BEAT_NS] = 0
    t.stop()
    sender.run(t.sender, t.outbox)
    t.close()
