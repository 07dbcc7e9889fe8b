"""Recovery messages with their bytes, field by field; packed once with struct from the README's words."""

from __future__ import annotations

from libs.wire.recovery import NO_SNAPSHOT, OK, RANGE, SNAPSHOT, Answer, Request
from tests.libs.wire.golden import GOLDEN as HFTP
from tests.libs.wire.golden import rows

SESSION = 1_723_161_255_000_000_000
STATUS = HFTP["status"][1]

REQUESTS = {
    "range request": Request(RANGE, 2, SESSION, 9, 12, 7),
    "snapshot request": Request(SNAPSHOT, 2, SESSION, 0, 0, 8, "ETH-€"),
}
ANSWERS = {
    "answer to a range": (Answer(RANGE, 2, OK, SESSION, 9, 9, 7, 1, len(STATUS)), STATUS),
    "answer without messages": (Answer(SNAPSHOT, 2, NO_SNAPSHOT, SESSION, 0, 0, 8), b""),
}

FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "range request": (
        ("48465251", "magic, HFRQ"),
        ("01", "version 1"),
        ("01", "kind 1, RANGE"),
        ("02", "exchange 2, Coinbase"),
        ("00", "no symbol"),
        ("00c6fd1e08e6e917", "session 1723161255000000000 ns"),
        ("0900000000000000", "first sequence 9"),
        ("0c00000000000000", "last sequence 12, included"),
        ("07000000", "request id 7"),
        ("00000000", "reserved"),
    ),
    "snapshot request": (
        ("48465251", "magic, HFRQ"),
        ("01", "version 1"),
        ("02", "kind 2, SNAPSHOT"),
        ("02", "exchange 2, Coinbase"),
        ("07", "7 bytes of symbol"),
        ("00c6fd1e08e6e917", "session 1723161255000000000 ns"),
        ("0000000000000000", "first: 0"),
        ("0000000000000000", "last: 0"),
        ("08000000", "request id 8"),
        ("00000000", "reserved"),
        ("4554482de282ac", "ETH-€"),
    ),
    "answer to a range": (
        ("48465253", "magic, HFRS"),
        ("01", "version 1"),
        ("01", "kind 1, RANGE"),
        ("02", "exchange 2, Coinbase"),
        ("00", "status 0, ok"),
        ("00c6fd1e08e6e917", "session 1723161255000000000 ns"),
        ("0900000000000000", "first sequence 9"),
        ("0900000000000000", "last sequence 9: the rest is to be asked for again"),
        ("07000000", "request id 7"),
        ("01000000", "1 message"),
        ("27000000", "39 bytes of messages"),
        ("b5dc2f4a", "CRC-32 of the messages"),
        (
            "505446480900000000000000331080be341f0600020307004554482de282ac0300040068616c74",
            "the Status message above, as it was sent",
        ),
    ),
    "answer without messages": (
        ("48465253", "magic, HFRS"),
        ("01", "version 1"),
        ("02", "kind 2, SNAPSHOT"),
        ("02", "exchange 2, Coinbase"),
        ("09", "status 9, no_snapshot"),
        ("00c6fd1e08e6e917", "session 1723161255000000000 ns"),
        ("0000000000000000", "first: 0"),
        ("0000000000000000", "last: 0"),
        ("08000000", "request id 8"),
        ("00000000", "0 messages"),
        ("00000000", "0 bytes of messages"),
        ("00000000", "CRC-32 of nothing"),
    ),
}

BYTES = {name: bytes.fromhex("".join(part for part, _ in fields)) for name, fields in FIELDS.items()}


def table(name: str) -> str:
    """Return a message's bytes as a table of the README."""
    return rows(FIELDS[name])
