"""The walk over a datagram: what makes no sense ends it with a reason, and what came before stands."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.jit import kernel
from libs.wire import kernels as k
from libs.wire.messages import decode_datagram, encode
from tests.libs.wire.golden import GOLDEN, MESSAGES

FIRST, BEFORE = GOLDEN["trade"]
DATAGRAMS = 1_000_000
MTU = 400


def patched(name: str, offset: int, data: bytes) -> bytes:
    whole = bytearray(GOLDEN[name][1])
    whole[offset : offset + len(data)] = data
    return bytes(whole)


MALFORMED = {
    "truncated": [GOLDEN["book"][1][:30], GOLDEN["trade"][1][:-1], GOLDEN["status"][1][:31], b"\x00" * 22 + b"\x01"],
    "bad_magic": [patched("book", 0, b"\x51"), b"\x01" * 24, b"HTTP" * 20],
    "bad_exchange": [patched("book", 20, b"\x05"), patched("heartbeat", 20, b"\xff")],
    "symbol_too_long": [patched("book", 22, struct.pack("<H", 65)), patched("trade", 22, b"\xff\xff")],
    "bad_count": [
        patched("book", 36, b"\xff\xff\xff\xff"),
        patched("book", 36, b"\x03"),
        patched("status", 33, b"\x05\x00"),
        GOLDEN["book"][1][:-1],
    ],
    "bad_utf8": [patched("book", 24, b"\xff"), patched("trade", 24, b"\xc0\x80"), patched("status", 30, b"\x20")],
    "unknown_type": [patched("book", 21, b"\x05"), patched("heartbeat", 21, b"\xff")],
    "bad_sequence": [
        patched("book", 4, b"\x00"),
        patched("trade", 4, b"\xff" * 8),
        patched("heartbeat", 32, b"\x00"),
        patched("heartbeat", 32, b"\xff" * 8),
    ],
    "no_symbol": [
        GOLDEN[name][1][:22] + b"\0\0" + GOLDEN[name][1][24 + len(MESSAGES[name].symbol) :]
        for name in ("book", "trade", "instrument")
    ],
}


def test_every_reason_has_an_example() -> None:
    """The table below leaves out no reason that a walk can give."""
    assert set(MALFORMED) == {*k.REASONS.values(), "unknown_type"}


@pytest.mark.parametrize(
    ("reason", "data"),
    [pytest.param(name, data, id=f"{name}-{i}") for name, each in MALFORMED.items() for i, data in enumerate(each)],
)
def test_reason_and_what_came_before(reason: str, data: bytes) -> None:
    """A malformed message gives its reason, alone or after a good one, and the good one stands."""
    assert decode_datagram(data) == ([], reason)
    assert decode_datagram(BEFORE + data + BEFORE) != ([FIRST, FIRST], None)
    assert decode_datagram(BEFORE + data) == ([FIRST], reason)


@pytest.mark.parametrize("name", GOLDEN)
def test_every_truncation_is_seen(name: str) -> None:
    """A message cut at any byte never comes out; only a cut before its first byte is a clean end."""
    data = GOLDEN[name][1]
    for cut in range(len(data)):
        expected = None if cut == 0 else "truncated"
        found, reason = decode_datagram(data[:cut])
        assert found == []
        assert reason in ({expected, "bad_count"} if cut > 24 else {expected})
        assert decode_datagram(BEFORE + data[:cut]) == ([FIRST], reason)


@pytest.mark.parametrize("zeros", [1, 3, 4, 23, 24, 25, 1000])
def test_zeros_at_the_end_are_padding(zeros: int) -> None:
    """Zeros where a magic is expected end the walk without an error, however many."""
    assert decode_datagram(BEFORE + b"\0" * zeros) == ([FIRST], None)
    assert decode_datagram(b"\0" * zeros) == ([], None)


def test_padding_hides_what_follows() -> None:
    """A zero magic with more than a header's bytes left ends the walk whatever stands behind it."""
    assert decode_datagram(BEFORE + b"\0" * 4 + b"\x07" * 40) == ([FIRST], None)
    assert decode_datagram(BEFORE + b"\0" * 4 + b"\x07" * 4) == ([FIRST], "truncated")


def test_unknown_type_keeps_its_header() -> None:
    """An unknown type gives its channel and sequence, so that it can be counted there, and ends the walk."""
    buf = np.frombuffer(patched("trade", 21, b"\x09") + BEFORE, np.uint8).copy()
    m = np.zeros(16, np.int64)
    assert k.next_message(buf, 0, len(buf), m) == k.UNKNOWN_TYPE
    assert m[[k.SEQUENCE, k.EXCHANGE, k.TYPE, k.NEXT_OFF]].tolist() == [8, 4, 9, len(buf)]


def test_heartbeat_may_stand_before_the_first_sequence() -> None:
    """A heartbeat whose header says 0 is read: it takes no sequence."""
    found, reason = decode_datagram(patched("heartbeat", 4, b"\0"))
    assert (len(found), reason) == (1, None)


@given(st.one_of(st.binary(max_size=12), st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_utf8_as_strict_as_pythons(data: bytes) -> None:
    """Bytes are a symbol exactly when Python's strict decoder takes them."""
    try:
        data.decode("utf-8", "strict")
        expected = True
    except UnicodeDecodeError:
        expected = False
    buf = np.frombuffer(b"\xc3" + data + b"\xa9", np.uint8).copy()
    assert k.is_utf8(buf, 1, len(data)) == expected


def test_utf8_on_every_pair_and_edge() -> None:
    """Every two bytes, and three and four around each edge of the tables, agree with Python's decoder."""
    edges = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    leads = [0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5]
    cases = [bytes((a, b)) for a in range(256) for b in range(256)]
    cases += [bytes((a, b, c)) for a in leads for b in edges for c in edges]
    cases += [bytes((a, b, c, d)) for a in leads[-5:] for b in edges for c in edges for d in edges]
    buf = np.frombuffer(b"".join(case.ljust(4, b"\xff") for case in cases), np.uint8).copy()
    wrong = []
    for i, case in enumerate(cases):
        expected = case.decode(errors="replace").encode() == case
        if k.is_utf8(buf, 4 * i, len(case)) != expected:
            wrong.append(case)
    assert not wrong


@kernel(allocates=True)
def _walk_many(base: np.ndarray, ends: np.ndarray, n: int, seed: int, seen: np.ndarray) -> int:
    """Walk ``n`` mutated datagrams; count each code in ``seen``; return how many walks left their datagram."""
    state = seed
    buf = np.zeros(MTU, np.uint8)
    m = np.zeros(16, np.int64)
    wrong = 0
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0x7FFFFFFFFFFFFFFF
        draw = state >> 20
        which = draw % len(ends)
        start = ends[which - 1] if which else 0
        size = ends[which] - start
        for i in range(size):
            buf[i] = base[start + i]
        end = size if draw & 0x300 else (draw >> 10) % (size + 1)
        for _change in range((draw >> 12) & 3):
            state = (state * 6364136223846793005 + 1442695040888963407) & 0x7FFFFFFFFFFFFFFF
            buf[(state >> 40) % size] = (state >> 30) & 0xFF
        off = 0
        for _step in range(end + 2):
            m[k.NEXT_OFF] = -1
            code = k.next_message(buf, off, end, m)
            seen[code] += 1
            if code != k.OK:
                break
            after = m[k.NEXT_OFF]
            inside = off + 24 <= m[k.BODY_OFF] <= after <= end and m[k.SYMBOL_OFF] + m[k.SYMBOL_LEN] == m[k.BODY_OFF]
            if not inside:
                wrong += 1
                break
            off = after
        else:
            wrong += 1
    return wrong


def test_a_million_broken_datagrams() -> None:
    """However datagrams are broken, the walk goes forward, stays inside, ends, and meets every reason."""
    rng = np.random.default_rng(3)
    datagrams = [data for _, data in GOLDEN.values()]
    datagrams += [encode(MESSAGES["trade"]) + encode(MESSAGES["book"]), encode(MESSAGES["status"]) * 5 + b"\0" * 40]
    datagrams += [rng.bytes(200), b"\x50\x54\x46\x48" + rng.bytes(196)]
    base = np.frombuffer(b"".join(datagrams), np.uint8).copy()
    ends = np.cumsum([len(data) for data in datagrams])
    seen = np.zeros(64, np.int64)
    assert _walk_many(base, ends, DATAGRAMS, 7, seen) == 0
    reached = {k.REASONS.get(code, str(code)) for code in np.flatnonzero(seen).tolist()}
    assert reached == {*k.REASONS.values(), str(k.OK), str(k.END), str(k.PADDING), str(k.UNKNOWN_TYPE)}
    assert seen[k.OK] > DATAGRAMS / 4
