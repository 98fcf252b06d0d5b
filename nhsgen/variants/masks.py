"""Sixty-four bytes compared at once, the answer one bit a byte: how the kernels look through text without stepping byte by byte.

Compilers turn a loop over bytes into wide instructions only where nothing is found; here the wide comparison is written down
(LLVM chooses AVX-512, AVX2 or SSE by the machine), and what is found is visited bit by bit (Langdale and Lemire 2019, simdjson).
"""

import platform
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["WIDTH", "codes_of_letters", "codes_of_pairs", "equal_mask", "lowest", "ones", "range_mask", "squeezed"]

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


def _every(value: int, width: int, count: int) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(width), count), [value] * count)


def _store(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, vector: Any) -> None:
    place = builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])
    builder.store(vector, builder.bitcast(place, vector.type.as_pointer())).align = 1


@intrinsic
def codes_of_letters(typing: Any, text: Any, offset: Any, codes: Any, out: Any) -> Any:
    """Write the codes of 16 genotypes of four letters each, "a|b" and one more; alleles "." or one digit."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = builder.bitcast(_load(context, builder, text, args[0], args[1]), ir.VectorType(ir.IntType(32), 16))

        def allele(word: Any) -> Any:
            letter = builder.and_(word, _every(255, 32, 16))
            called = builder.icmp_unsigned("!=", letter, _every(46, 32, 16))
            return builder.select(called, builder.sub(letter, _every(47, 32, 16)), _every(0, 32, 16))

        second = builder.shl(allele(builder.lshr(words, _every(16, 32, 16))), _every(4, 32, 16))
        both = builder.trunc(builder.or_(allele(words), second), ir.VectorType(ir.IntType(8), 16))
        _store(context, builder, signature.args[2], args[2], args[3], both)
        return context.get_dummy_value()

    return types.void(text, types.int64, codes, types.int64), build


@intrinsic
def codes_of_pairs(typing: Any, data: Any, offset: Any, codes: Any, out: Any) -> Any:
    """Write the codes of 32 genotypes of two bytes each, (allele + 1) << 1 | phase, the alleles below 15."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = builder.bitcast(_load(context, builder, data, args[0], args[1]), ir.VectorType(ir.IntType(16), 32))
        first = builder.and_(builder.lshr(pairs, _every(1, 16, 32)), _every(0x0F, 16, 32))
        second = builder.and_(builder.lshr(pairs, _every(5, 16, 32)), _every(0xF0, 16, 32))
        both = builder.trunc(builder.or_(first, second), ir.VectorType(ir.IntType(8), 32))
        _store(context, builder, signature.args[2], args[2], args[3], both)
        return context.get_dummy_value()

    return types.void(data, types.int64, codes, types.int64), build


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


_FEATURES = get_host_cpu_features() if platform.machine() in {"x86_64", "AMD64"} else {}
_HAS_PEXT = bool(_FEATURES.get("bmi2"))


@intrinsic
def _pext(typing: Any, bits: Any, chosen: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [word, word]), "llvm.x86.bmi.pext.64"
        )
        return builder.call(function, args)

    return types.uint64(types.uint64, types.uint64), build


@njit(cache=True, nogil=True)
def squeezed(bits: int, chosen: int) -> Any:
    """The bits that stand where `chosen` has ones, pushed together at the low end."""
    if _HAS_PEXT:
        return _pext(bits, chosen)
    found, place = types.uint64(0), types.uint64(0)
    while chosen:
        found |= ((bits >> _trailing_zeros(chosen)) & types.uint64(1)) << place
        chosen &= chosen - types.uint64(1)
        place += types.uint64(1)
    return found


@njit(cache=True, nogil=True)
def ones(bits: int) -> Any:
    """How many bits are set."""
    return types.int64(_population(bits))


@njit(cache=True, nogil=True)
def lowest(bits: int) -> Any:
    """The number of the lowest bit that is set; 64 when none is."""
    return types.int64(_trailing_zeros(bits))
