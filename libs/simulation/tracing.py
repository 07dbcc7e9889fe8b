"""A schedule told step by step: what came, and what changed by it."""

from __future__ import annotations

from collections.abc import Callable

from libs.book import flags as book_flags
from libs.market.exchanges import EXCHANGES
from libs.sequencing import state as seq
from libs.simulation.network import Arrival
from libs.simulation.receiver import Receiver
from libs.simulation.schedule import MS
from libs.wire.messages import Heartbeat, Message, OrderBook, Status, decode_datagram

_COLUMNS = {
    "expected": seq.EXPECTED, "highest": seq.HIGHEST, "held": seq.HELD, "holes": seq.N_HOLES, "lost": seq.LOST,
    "late": seq.LATE, "duplicate": seq.DUPLICATE, "foreign": seq.FOREIGN_SESSION, "sessions": seq.SESSIONS,
    "doubted": seq.SUSPECT,
}  # fmt: skip
_FLAGS = ((1, "snapshot"), (2, "last"), (4, "bad"), (8, "refresh"))


def describe(message: Message) -> str:
    """Return a message in a few words."""
    if isinstance(message, Heartbeat):
        return f"heartbeat next {message.next_sequence}"
    kind = type(message).__name__.lower()
    more = ""
    if isinstance(message, OrderBook):
        more = "".join(f" {name}" for bit, name in _FLAGS if message.flags & bit)
    elif isinstance(message, Status):
        more = f" {message.code}"
    return f"{message.sequence} {kind}{more} {message.symbol}".rstrip()


class Trace:
    """Says what happens, a line each."""

    def __init__(self, receiver: Receiver, write: Callable[[str], None]) -> None:
        self.receiver, self.write = receiver, write
        self.channels: dict[int, dict[str, int]] = {}
        self.books: dict[tuple[int, str], tuple[int, int]] = {}

    def say(self, now_ns: int, what: str) -> None:
        """Write a line."""
        self.write(f"{now_ns / MS:10.3f}  {what}")

    def arrived(self, now_ns: int, arrival: Arrival) -> None:
        """Tell of a datagram."""
        messages, reason = decode_datagram(arrival.data)
        words = "; ".join(map(describe, messages)) or "nothing readable"
        damage = f" (then {reason})" if reason else ""
        self.say(now_ns, f"line {'AB'[arrival.line]} {EXCHANGES[arrival.sent.channel]}: {words}{damage}")

    def changes(self, now_ns: int) -> None:
        """Tell what is different since the last time."""
        for channel, row in enumerate(self.receiver.arrays["sequencer_channels"].tolist()):
            now = {name: row[column] for name, column in _COLUMNS.items()}
            before = self.channels.get(channel, dict.fromkeys(_COLUMNS, 0))
            changed = [f"{name} {before[name]} → {value}" for name, value in now.items() if value != before[name]]
            self.channels[channel] = now
            if changed:
                self.say(now_ns, f"    {EXCHANGES[channel]}: {', '.join(changed)}")
        flags, sequences = self.receiver.flags.tolist(), self.receiver.state.sequence.tolist()
        for b, (channel, symbol) in enumerate(self.receiver.books()):
            state = (flags[b], sequences[b])
            if self.books.get((channel, symbol)) != state:
                self.books[channel, symbol] = state
                names = " ".join(book_flags.names(state[0])) or "valid"
                self.say(now_ns, f"    {EXCHANGES[channel]} {symbol}: {names}, as of {state[1]}")

    def restarted(self) -> None:
        """Forget what an earlier consumer had come to."""
        self.channels.clear()
        self.books.clear()
