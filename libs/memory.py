"""Atomic and unaligned access for kernels.

A plain array read of a word that another thread writes may be hoisted out of a loop by LLVM; these are not. Indices are
in elements of the array (atomics) or bytes (unaligned loads); nothing is checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from libs.jit import Signature, cgutils, intrinsic, kernel, populate_array, types


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def load_acquire(typing_context: Any, array: Any, index: Any) -> Any:
    """Return ``array[index]`` (8-byte elements) so that what was written before its release store is seen."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        return builder.load_atomic(pointer, ordering="acquire", align=8)

    return Signature(array.dtype, (array, types.intp), None), codegen


@intrinsic
def store_release(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Store ``value`` to ``array[index]`` (8-byte elements) after every store before it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        builder.store_atomic(args[2], pointer, ordering="release", align=8)
        return context.get_dummy_value()

    return Signature(types.void, (array, types.intp, array.dtype), None), codegen


@intrinsic
def exchange(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Swap ``array[index]`` (8-byte integers) for ``value`` as a full barrier; return what was there."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        return builder.atomic_rmw("xchg", pointer, args[2], "seq_cst")

    return Signature(array.dtype, (array, types.intp, array.dtype), None), codegen


@intrinsic
def fence(typing_context: Any) -> Any:
    """Order every access before it against every access after it, stores against loads included."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return Signature(types.void, (), None), codegen


def _unaligned_load(result: Any, buffer: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        typed = builder.bitcast(pointer, context.get_value_type(result).as_pointer())
        return builder.load(typed, align=1)

    return Signature(result, (buffer, types.intp), None), codegen


def _unaligned_store(value_type: Any, buffer: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        typed = builder.bitcast(pointer, context.get_value_type(value_type).as_pointer())
        builder.store(args[2], typed, align=1)
        return context.get_dummy_value()

    return Signature(types.void, (buffer, types.intp, value_type), None), codegen


@intrinsic
def load_i64(typing_context: Any, buffer: Any, offset: Any) -> Any:
    """Return the little-endian i64 at a byte offset of a uint8 array."""
    return _unaligned_load(types.int64, buffer)


@intrinsic
def load_u64(typing_context: Any, buffer: Any, offset: Any) -> Any:
    """Return the little-endian u64 at a byte offset of a uint8 array."""
    return _unaligned_load(types.uint64, buffer)


@intrinsic
def load_u32(typing_context: Any, buffer: Any, offset: Any) -> Any:
    """Return the little-endian u32 at a byte offset of a uint8 array."""
    return _unaligned_load(types.uint32, buffer)


@intrinsic
def load_u16(typing_context: Any, buffer: Any, offset: Any) -> Any:
    """Return the little-endian u16 at a byte offset of a uint8 array."""
    return _unaligned_load(types.uint16, buffer)


@intrinsic
def load_i8(typing_context: Any, buffer: Any, offset: Any) -> Any:
    """Return the i8 at a byte offset of a uint8 array."""
    return _unaligned_load(types.int8, buffer)


@intrinsic
def store_i64(typing_context: Any, buffer: Any, offset: Any, value: Any) -> Any:
    """Store a little-endian i64 at a byte offset of a uint8 array."""
    return _unaligned_store(types.int64, buffer)


@intrinsic
def store_u64(typing_context: Any, buffer: Any, offset: Any, value: Any) -> Any:
    """Store a little-endian u64 at a byte offset of a uint8 array."""
    return _unaligned_store(types.uint64, buffer)


@intrinsic
def store_u32(typing_context: Any, buffer: Any, offset: Any, value: Any) -> Any:
    """Store a little-endian u32 at a byte offset of a uint8 array."""
    return _unaligned_store(types.uint32, buffer)


@intrinsic
def store_u16(typing_context: Any, buffer: Any, offset: Any, value: Any) -> Any:
    """Store a little-endian u16 at a byte offset of a uint8 array."""
    return _unaligned_store(types.uint16, buffer)


@kernel(inline=True)
def copy_bytes(out: np.ndarray, to: int, data: np.ndarray, at: int, length: int) -> None:
    """Copy bytes between uint8 arrays that do not overlap; a plain loop takes ten times as long."""
    k = 0
    while k + 8 <= length:
        store_i64(out, to + k, load_i64(data, at + k))
        k += 8
    while k < length:
        out[to + k] = data[at + k]
        k += 1


@intrinsic
def address_of(typing_context: Any, array: Any, index: Any) -> Any:
    """Return the address of ``array[index]`` as an integer, for C calls."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        return builder.ptrtoint(pointer, cgutils.intp_t)

    return Signature(types.intp, (array, types.intp), None), codegen


@intrinsic
def load_i32_at(typing_context: Any, address: Any) -> Any:
    """Return the i32 at an address (errno)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], context.get_value_type(types.int32).as_pointer())
        return builder.load(pointer)

    return Signature(types.int32, (types.intp,), None), codegen


# A directory is int64[n, 4]: an address and up to three dimensions a row. A kernel that takes one array of addresses
# instead of eighty arrays compiles in a tenth of the time, and its calls pass one argument.

DIRECTORY_WORDS = 4


def directory(arrays: list[np.ndarray]) -> np.ndarray:
    """Return the directory of arrays that are C-contiguous and outlive it (int64[n, 4])."""
    found = np.ones((len(arrays), DIRECTORY_WORDS), np.int64)
    for row, array in zip(found, arrays, strict=True):
        if not array.flags.c_contiguous:
            raise ValueError("a directory holds C-contiguous arrays only")
        row[0] = array.ctypes.data
        row[1 : 1 + array.ndim] = array.shape
    return found


def _view(element: Any, dimensions: int, directory_type: Any, row: bool = False) -> Any:
    """Make an array of the memory that a directory names, or of one of its rows: owned by nobody, nothing counted."""
    array_type = types.Array(element, dimensions - row, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = builder.mul(args[1], context.get_constant(types.intp, DIRECTORY_WORDS))
        address, *shape = (
            builder.load(
                _element(
                    context, builder, signature.args[0], args[0], builder.add(at, context.get_constant(types.intp, k))
                )
            )
            for k in range(1 + dimensions)
        )
        size = context.get_abi_sizeof(context.get_data_type(element))
        strides = [context.get_constant(types.intp, size)]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        if row:
            address = builder.add(address, builder.mul(args[2], strides.pop(0)))
            shape.pop(0)
        array = context.make_array(array_type)(context, builder)
        data = builder.inttoptr(address, context.get_data_type(element).as_pointer())
        populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
        return array._getvalue()

    return Signature(array_type, (directory_type, types.intp) + (types.intp,) * row, None), codegen


@intrinsic
def words1(typing_context: Any, d: Any, k: Any) -> Any:
    """Return array ``k`` of a directory as int64[:]."""
    return _view(types.int64, 1, d)


@intrinsic
def words2(typing_context: Any, d: Any, k: Any) -> Any:
    """Return array ``k`` of a directory as int64[:, :]."""
    return _view(types.int64, 2, d)


@intrinsic
def words2_row(typing_context: Any, d: Any, k: Any, row: Any) -> Any:
    """Return a row of array ``k`` of a directory, which is int64[:, :]."""
    return _view(types.int64, 2, d, row=True)


@intrinsic
def words3(typing_context: Any, d: Any, k: Any) -> Any:
    """Return array ``k`` of a directory as int64[:, :, :]."""
    return _view(types.int64, 3, d)


@intrinsic
def floats1(typing_context: Any, d: Any, k: Any) -> Any:
    """Return array ``k`` of a directory as float64[:]."""
    return _view(types.float64, 1, d)


@intrinsic
def floats2(typing_context: Any, d: Any, k: Any) -> Any:
    """Return array ``k`` of a directory as float64[:, :]."""
    return _view(types.float64, 2, d)


@intrinsic
def bytes1(typing_context: Any, d: Any, k: Any) -> Any:
    """Return array ``k`` of a directory as uint8[:]."""
    return _view(types.uint8, 1, d)


@intrinsic
def bytes2(typing_context: Any, d: Any, k: Any) -> Any:
    """Return array ``k`` of a directory as uint8[:, :]."""
    return _view(types.uint8, 2, d)
