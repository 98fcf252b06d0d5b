"""Sixty-four bytes compared at once, the answer one bit a byte: how the kernels look through text without stepping byte by byte.

Compilers turn a loop over bytes into wide instructions only where nothing is found; here the wide comparison is written down
(LLVM chooses AVX-512, AVX2 or SSE by the machine), and what is found is visited bit by bit (Langdale and Lemire 2019, simdjson).
"""

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["WIDTH", "equal_mask", "lowest", "ones", "range_mask"]

WIDTH = 64
"""Bytes looked at in one go: whoever calls must own `WIDTH` bytes from the offset on."""

_BYTES = ir.VectorType(ir.IntType(8), WIDTH)


def _load(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    place = builder.gep(data, [offset])
    vector = builder.load(builder.bitcast(place, _BYTES.as_pointer()))
    vector.align = 1
    return vector


def _bits(builder: Any, condition: Any) -> Any:
    return builder.bitcast(condition, ir.IntType(WIDTH))


@intrinsic
def equal_mask(typing: Any, array: Any, offset: Any, pattern: Any) -> Any:
    """Bit i is set where byte offset + i equals byte i % 4 of the 32-bit `pattern` (one letter: 0x01010101 times it)."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = ir.VectorType(ir.IntType(32), WIDTH // 4)
        one = builder.insert_element(ir.Constant(words, ir.Undefined), args[2], ir.Constant(ir.IntType(32), 0))
        every = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH // 4), [0] * (WIDTH // 4))
        splat = builder.bitcast(builder.shuffle_vector(one, ir.Constant(words, ir.Undefined), every), _BYTES)
        return _bits(builder, builder.icmp_unsigned("==", _load(context, builder, array, args[0], args[1]), splat))

    return types.uint64(array, types.int64, types.uint32), build


@intrinsic
def range_mask(typing: Any, array: Any, offset: Any, first: Any, count: Any) -> Any:
    """Bit i is set where byte offset + i is one of the `count` values from `first` on."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def splat(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(_BYTES, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
            every = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
            return builder.shuffle_vector(one, ir.Constant(_BYTES, ir.Undefined), every)

        above = builder.sub(_load(context, builder, array, args[0], args[1]), splat(args[2]))
        return _bits(builder, builder.icmp_unsigned("<", above, splat(args[3])))

    return types.uint64(array, types.int64, types.uint8, types.uint8), build


@intrinsic
def _trailing_zeros(typing: Any, bits: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], cgutils.false_bit)

    return types.uint64(types.uint64), build


@intrinsic
def _population(typing: Any, bits: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), build


@njit(cache=True, nogil=True)
def ones(bits: int) -> Any:
    """How many bits are set."""
    return types.int64(_population(bits))


@njit(cache=True, nogil=True)
def lowest(bits: int) -> Any:
    """The number of the lowest bit that is set; 64 when none is."""
    return types.int64(_trailing_zeros(bits))
