"""Recovery messages over TCP: a receiver asks for a range of sequences or a book's snapshot, the sender answers.

Little-endian, packed. A connection carries requests one way and answers the other; each answer names the request
that it belongs to. After bytes that are no request the server answers BAD_REQUEST and closes: it cannot know where the
next one begins. An answer's messages carry their CRC-32 (that of zlib): a sender that writes half an answer and goes on
with the next one would otherwise change a price without anybody noticing.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from libs.market.limits import MAX_SYMBOL

REQUEST_MAGIC = 0x51524648
"""The bytes on the wire are 48 46 52 51, "HFRQ"."""
ANSWER_MAGIC = 0x53524648
"""The bytes on the wire are 48 46 52 53, "HFRS"."""
VERSION = 1

RANGE, SNAPSHOT = 1, 2
"""Kinds of request."""

STATUSES = (
    "ok",
    "bad_request",
    "bad_range",
    "too_many",
    "not_yet",
    "too_old",
    "unknown_session",
    "unknown_channel",
    "unknown_symbol",
    "no_snapshot",
    "rate_limited",
    "busy",
)
OK, BAD_REQUEST, BAD_RANGE, TOO_MANY, NOT_YET, TOO_OLD, UNKNOWN_SESSION, UNKNOWN_CHANNEL, UNKNOWN_SYMBOL, NO_SNAPSHOT, \
    RATE_LIMITED, BUSY = range(12)  # fmt: skip

MAX_ANSWER_BYTES = 1 << 20
"""A receiver believes no answer that announces more."""

_REQUEST = struct.Struct("<IBBBBQQQII")
_ANSWER = struct.Struct("<IBBBBQQQIIII")
REQUEST_BYTES = _REQUEST.size
ANSWER_BYTES = _ANSWER.size


class MalformedRecoveryError(ValueError):
    """Bytes that are no request or no answer; says what was expected and what was found."""


@dataclass(frozen=True)
class Request:
    """What a receiver asks for.

    Attributes
    ----------
    kind : int
        RANGE: the messages ``first`` to ``last``, both included. SNAPSHOT: the book of ``symbol``.
    exchange : int
    session : int
        ns since the epoch; sequences have a meaning within a session only.
    first, last : int
        0 in a SNAPSHOT.
    request_id : int
        The receiver's own; comes back in the answer.
    symbol : str
        Empty in a RANGE.
    """

    kind: int
    exchange: int
    session: int
    first: int
    last: int
    request_id: int
    symbol: str = ""


@dataclass(frozen=True)
class Answer:
    """What the sender says; ``length`` bytes of whole HFTP messages follow, ``count`` of them.

    Attributes
    ----------
    status : int
        Of STATUSES. Anything but OK comes without messages.
    first, last : int
        Of a RANGE: what is really here, from the first that was asked for on; ``last`` may be less than was asked. Of a
        SNAPSHOT: both the last sequence of the channel that it contains.
    """

    kind: int
    exchange: int
    status: int
    session: int
    first: int
    last: int
    request_id: int
    count: int = 0
    length: int = 0


def encode_request(request: Request) -> bytes:
    """Return the bytes of a request.

    Raises
    ------
    ValueError
        When the symbol is longer than MAX_SYMBOL bytes.
    """
    name = request.symbol.encode()
    if len(name) > MAX_SYMBOL:
        raise ValueError(f"symbol: expected at most {MAX_SYMBOL} bytes, found {len(name)}")
    head = _REQUEST.pack(
        REQUEST_MAGIC, VERSION, request.kind, request.exchange, len(name), request.session, request.first, request.last,
        request.request_id, 0,
    )  # fmt: skip
    return head + name


def decode_request(data: bytes | bytearray | memoryview) -> tuple[Request, int] | None:
    """Return the request that ``data`` begins with and its length; None while bytes of it are missing.

    Raises
    ------
    MalformedRecoveryError
        When it can never become one.
    """
    if len(data) < REQUEST_BYTES:
        _check_beginning(data, REQUEST_MAGIC)
        return None
    _, version, kind, exchange, length, session, first, last, request_id, _ = _REQUEST.unpack_from(data)
    _check_beginning(data, REQUEST_MAGIC)
    if version != VERSION:
        raise MalformedRecoveryError(f"version: expected {VERSION}, found {version}")
    if kind not in (RANGE, SNAPSHOT):
        raise MalformedRecoveryError(f"kind: expected {RANGE} or {SNAPSHOT}, found {kind}")
    if length > MAX_SYMBOL or (kind == SNAPSHOT) != (length > 0):
        raise MalformedRecoveryError(f"symbol length: expected 1 to {MAX_SYMBOL} in a snapshot, else 0, found {length}")
    if len(data) < REQUEST_BYTES + length:
        return None
    try:
        symbol = bytes(data[REQUEST_BYTES : REQUEST_BYTES + length]).decode()
    except UnicodeDecodeError as error:
        raise MalformedRecoveryError(f"symbol: expected UTF-8, found {error.object!r}") from None
    return Request(kind, exchange, session, first, last, request_id, symbol), REQUEST_BYTES + length


def encode_answer(answer: Answer, messages: bytes = b"") -> bytes:
    """Return the bytes of an answer; its ``length`` is that of ``messages``."""
    head = _ANSWER.pack(
        ANSWER_MAGIC, VERSION, answer.kind, answer.exchange, answer.status, answer.session, answer.first, answer.last,
        answer.request_id, answer.count, len(messages), zlib.crc32(messages),
    )  # fmt: skip
    return head + messages


def decode_answer(data: bytes | bytearray | memoryview) -> tuple[Answer, bytes] | None:
    """Return the answer that ``data`` begins with and its messages; None while bytes of it are missing.

    Raises
    ------
    MalformedRecoveryError
        When it can never become one.
    """
    if len(data) < ANSWER_BYTES:
        _check_beginning(data, ANSWER_MAGIC)
        return None
    _, version, kind, exchange, status, session, first, last, request_id, count, length, checksum = _ANSWER.unpack_from(
        data
    )
    _check_beginning(data, ANSWER_MAGIC)
    if version != VERSION:
        raise MalformedRecoveryError(f"version: expected {VERSION}, found {version}")
    if kind not in (RANGE, SNAPSHOT) or status >= len(STATUSES):
        raise MalformedRecoveryError(f"kind and status: expected known ones, found {kind} and {status}")
    if length > MAX_ANSWER_BYTES:
        raise MalformedRecoveryError(f"length: expected at most {MAX_ANSWER_BYTES}, found {length}")
    if len(data) < ANSWER_BYTES + length:
        return None
    messages = bytes(data[ANSWER_BYTES : ANSWER_BYTES + length])
    if (found := zlib.crc32(messages)) != checksum:
        raise MalformedRecoveryError(f"checksum: expected {checksum:08x}, found {found:08x}")
    return Answer(kind, exchange, status, session, first, last, request_id, count, length), messages


def _check_beginning(data: bytes | bytearray | memoryview, magic: int) -> None:
    expected = magic.to_bytes(4, "little")
    found = bytes(data[:4])
    if found != expected[: len(found)]:
        raise MalformedRecoveryError(f"magic: expected {expected.hex(' ')}, found {found.hex(' ')}")
