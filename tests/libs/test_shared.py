"""Arenas: named arrays in one anonymous shared memory."""

from __future__ import annotations

import os

import numpy as np

from libs.shared import ALIGNMENT, Arena

RECORD = np.dtype([("a", "<i4"), ("b", "<f8", (3,)), ("c", "S5")])
SPEC = {
    "bytes": (np.uint8, (3,)),
    "words": ("<i8", (2, 5)),
    "records": (RECORD, (4,)),
    "empty": (np.float64, (0,)),
    "last": (np.float64, (2, 2, 2)),
}


def test_arrays_have_their_types_and_start_at_zero() -> None:
    """Each array has its dtype and shape, is zero and starts on a cache line."""
    arena = Arena.create(SPEC)
    for name, (dtype, shape) in SPEC.items():
        array = arena[name]
        assert (array.dtype, array.shape) == (np.dtype(dtype), shape)
        assert not array.tobytes().strip(b"\0")
        assert array.ctypes.data % ALIGNMENT == 0 or not array.size
    assert list(arena.arrays) == list(SPEC)


def test_arrays_do_not_overlap() -> None:
    """Filling one array leaves the others as they are."""
    arena = Arena.create(SPEC)
    for name in SPEC:
        arena[name].view(np.uint8)[...] = 255
        others = [other for other in SPEC if other != name]
        assert all(not arena[other].tobytes().strip(b"\0") for other in others), name
        arena[name].view(np.uint8)[...] = 0


def test_an_attached_arena_is_the_same_memory() -> None:
    """A second view by descriptor and layout shows what the first one writes, and the other way round."""
    first = Arena.create(SPEC)
    second = Arena.attach(os.dup(first.fd), first.spec_json)
    first["records"]["b"][2] = [1, 2, 3]
    second["last"][1, 1, 1] = 7.5
    assert second["records"]["b"][2].tolist() == [1, 2, 3]
    assert second["records"].dtype == RECORD
    assert first["last"][1, 1, 1] == 7.5


def test_untouched_pages_cost_nothing() -> None:
    """A gigabyte that nobody touches takes no memory."""
    arena = Arena.create({"huge": (np.int64, (1 << 27,))})
    arena["huge"][12345] = 1
    assert os.fstat(arena.fd).st_blocks * 512 <= 1 << 22


def test_the_descriptor_is_not_inherited_by_accident() -> None:
    """Only a process that is handed the descriptor on purpose gets the memory."""
    assert not os.get_inheritable(Arena.create({"one": (np.uint8, (1,))}).fd)
