"""Atomics, unaligned access and directories of arrays, from inside kernels."""

from __future__ import annotations

import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.jit import kernel
from libs.memory import (
    address_of,
    bytes1,
    bytes2,
    copy_bytes,
    directory,
    exchange,
    fence,
    floats1,
    floats2,
    load_acquire,
    load_i8,
    load_i64,
    load_u16,
    load_u32,
    load_u64,
    store_i64,
    store_release,
    store_u16,
    store_u32,
    store_u64,
    words1,
    words2,
    words3,
)

ROUNDS = 2_000_000


@kernel
def _load_all(buf: np.ndarray, at: int, out: np.ndarray) -> int:
    out[0] = load_i64(buf, at)
    out[1] = load_u32(buf, at)
    out[2] = load_u16(buf, at)
    out[3] = load_i8(buf, at)
    return load_u64(buf, at)


@kernel
def _store_all(buf: np.ndarray, value: int) -> None:
    store_i64(buf, 1, value)
    store_u64(buf, 11, value)
    store_u32(buf, 21, value)
    store_u16(buf, 27, value)


@given(st.binary(min_size=8, max_size=8), st.integers(0, 9))
def test_loads_are_little_endian_at_any_offset(data: bytes, at: int) -> None:
    """Each width reads what struct reads, at any offset, signed and unsigned."""
    buf = np.frombuffer(b"\xa5" * at + data + b"\x5a" * 3, np.uint8).copy()
    out = np.zeros(4, np.int64)
    assert _load_all(buf, at, out) == struct.unpack("<Q", data)[0]
    expected = [struct.unpack(code, data[: struct.calcsize(code)])[0] for code in ("<q", "<I", "<H", "<b")]
    assert out.tolist() == expected


@given(st.integers(-(2**63), 2**63 - 1))
def test_stores_touch_their_bytes_only(value: int) -> None:
    """Each width writes its low bytes as struct does and leaves its neighbours alone."""
    buf = np.full(30, 0xEE, np.uint8)
    _store_all(buf, value)
    low = struct.pack("<q", value)
    gap = b"\xee"
    assert buf.tobytes() == gap + low + 2 * gap + low + 2 * gap + low[:4] + 2 * gap + low[:2] + gap


@given(st.binary(max_size=40), st.integers(0, 9), st.integers(0, 9))
def test_copies_touch_their_bytes_only(data: bytes, to: int, at: int) -> None:
    """Any length from any offset to any offset, and nothing beside it."""
    source = np.frombuffer(b"\xa5" * at + data + b"\x5a" * 9, np.uint8).copy()
    out = np.full(60, 0xEE, np.uint8)
    copy_bytes(out, to, source, at, len(data))
    assert out.tobytes() == b"\xee" * to + data + b"\xee" * (60 - to - len(data))


@kernel
def _sums(d: np.ndarray, out: np.ndarray) -> None:
    out[0] = words1(d, 0)[2]
    out[1] = words2(d, 1)[1, 2]
    out[2] = words3(d, 2)[1, 2, 3]
    out[3] = floats1(d, 3)[1]
    out[4] = floats2(d, 4)[1, 0]
    out[5] = bytes1(d, 5)[3]
    out[6] = bytes2(d, 6)[1, 1]
    out[7] = words3(d, 2).shape[0] * 100 + words3(d, 2).shape[1] * 10 + words3(d, 2).shape[2]
    words2(d, 1)[0, 1] = 99


def test_directory_gives_each_array_back() -> None:
    """Arrays of one to three dimensions are seen through a directory with their shapes, and written through it."""
    arrays = [
        np.arange(10, 14),
        np.arange(20, 26).reshape(2, 3),
        np.arange(100, 124).reshape(2, 3, 4),
        np.array([0.5, 1.5]),
        np.array([[2.5], [3.5]]),
        np.arange(40, 45, dtype=np.uint8),
        np.arange(50, 54, dtype=np.uint8).reshape(2, 2),
    ]
    out = np.zeros(8)
    _sums(directory(arrays), out)
    assert out.tolist() == [12, 25, 123, 1.5, 3.5, 43, 53, 234]
    assert arrays[1].tolist() == [[20, 99, 22], [23, 24, 25]]


def test_directory_refuses_what_is_not_contiguous() -> None:
    """An array with gaps cannot be described by an address and a shape."""
    with pytest.raises(ValueError, match="C-contiguous"):
        directory([np.zeros((4, 4), np.int64)[:, ::2]])


@kernel
def _write(shared: np.ndarray, rounds: int) -> None:
    for i in range(1, rounds + 1):
        for k in range(8, 16):
            shared[k] = i
        store_release(shared, 0, i)
        while load_acquire(shared, 1) != i:
            fence()


@kernel
def _read(shared: np.ndarray, rounds: int) -> int:
    wrong = 0
    for i in range(1, rounds + 1):
        while load_acquire(shared, 0) != i:
            fence()
        for k in range(8, 16):
            wrong += shared[k] != i
        store_release(shared, 1, i)
    return wrong


def test_release_and_acquire_order_what_stands_between() -> None:
    """A reader that sees a released word sees everything written before it, every time; neither thread hangs."""
    shared = np.zeros(16, np.int64)
    _write(np.zeros(16, np.int64), 0)
    assert _read(np.zeros(16, np.int64), 0) == 0
    rounds = 100
    writer = threading.Thread(target=_write, args=(shared, rounds))
    writer.start()
    assert _read(shared, rounds) == 0
    writer.join()


@kernel
def _swap(shared: np.ndarray, first: int, rounds: int, got: np.ndarray) -> None:
    for i in range(first, first + rounds):
        got[0] += exchange(shared, 0, i)


def test_exchange_loses_no_value() -> None:
    """Whatever two threads put into a word by exchange comes out once, or stands in it at the end."""
    shared, got = np.zeros(16, np.int64), np.zeros((2, 16), np.int64)
    _swap(shared, 0, 0, got[0])
    threads = [threading.Thread(target=_swap, args=(shared, 1 + n * ROUNDS, ROUNDS, got[n])) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got[:, 0].sum() + shared[0] == sum(range(1, 2 * ROUNDS + 1))


@kernel
def _address(array: np.ndarray, i: int) -> int:
    return address_of(array, i)


def test_addresses_are_those_of_elements() -> None:
    """The address of an element is the array's plus its offset in bytes."""
    array = np.zeros(8, np.int64)
    assert _address(array, 3) == array.ctypes.data + 24
