"""Hardy-Weinberg: how likely are so few, or so many, heterozygotes, when alleles pair at random? Exactly, for whole columns.

Given the alleles, the number of heterozygotes has a known distribution. p is the chance of an outcome as unlikely as the one
seen, or more; mid-p counts half of those that are exactly as unlikely, which takes away the test's caution where alleles are
rare. Neighbouring outcomes differ by a simple ratio, so every probability is reached by multiplication from the likeliest
one: no factorial is formed, nothing overflows, and 78,000 people cost no more digits than 30.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.errors import BadInput

__all__ = ["exact", "exact_x"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., object])

# Two outcomes whose probabilities differ by less than this share are equally likely: the last bits of a floating-point number
# must not decide which outcomes are "as unlikely". A walk over 100,000 outcomes loses fewer digits than that.
_EQUALLY_LIKELY = 1e-10

# What is left of a walk is not worth walking when it is this small a share of what was found.
_NOTHING = 1e-18


def exact(het: npt.ArrayLike, hom1: npt.ArrayLike, hom2: npt.ArrayLike, *, mid: bool = False) -> Floats:
    """The exact p of each row, or its mid-p (Wigginton, Cutler and Abecasis, AJHG 2005; Graffelman and Moreno, 2013).

    het, hom1, hom2: people with two different alleles, with two of one kind, with two of the other; whole numbers of one shape.
        Which homozygotes come first does not matter.
    Returns float64 of that shape: nan where there is nobody; below 1e-307 it loses its digits, and at last is 0.
    BadInput for shapes that differ, fractions or negative numbers.

    >>> [round(float(p), 8) for p in exact([57, 500, 0], [14, 10, 0], [50, 5000, 0])]
    [0.84227976, 0.6515719, nan]
    >>> round(float(exact([57], [14], [50], mid=True)[0]), 8)
    0.76668077
    """
    columns, shape = _columns(het=het, hom1=hom1, hom2=hom2)
    return _distinct(columns, _autosome, mid).reshape(shape)


def exact_x(
    het: npt.ArrayLike,
    hom1: npt.ArrayLike,
    hom2: npt.ArrayLike,
    male1: npt.ArrayLike,
    male2: npt.ArrayLike,
    *,
    mid: bool = False,
) -> Floats:
    """The same for chromosome X outside its pseudo-autosomal regions (Graffelman and Weir, Heredity 2016), as plink2 has it.

    It asks two things at once: whether women's alleles pair at random, and whether men, with one allele each, have the same
    frequencies as women.

    het, hom1, hom2: women; male1, male2: men with the allele of hom1 and with that of hom2.
    The rest is as in `exact`; without men it is `exact`.

    >>> float(exact_x([7], [7], [1], [11], [0], mid=True)[0].round(7))
    0.0682931
    """
    columns, shape = _columns(het=het, hom1=hom1, hom2=hom2, male1=male1, male2=male2)
    return _distinct(columns, _chromosome_x, mid).reshape(shape)


def _columns(**given: npt.ArrayLike) -> tuple[list[Ints], tuple[int, ...]]:
    """Each column as int64 in one dimension, and the shape they all had."""
    arrays = {name: np.asarray(values) for name, values in given.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1:
        raise _bad("the columns are not of one length", "give a number for each row in each of them")
    for name, array in arrays.items():
        if array.size and (array.dtype.kind not in "iu" or array.min() < 0):
            raise _bad(f"'{name}' holds something other than numbers of people", "give whole numbers, none below 0")
    return [array.astype(np.int64).ravel() for array in arrays.values()], shapes.pop()


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("testing Hardy-Weinberg proportions", found, do_next)


def _distinct(columns: list[Ints], kernel: Callable[[Ints, bool], Floats], mid: bool) -> Floats:
    """One test for each distinct row: most alleles are rare, and rare ones look alike."""
    rows, places = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return kernel(rows, mid)[places.reshape(-1)]


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


# -- Walks from the likeliest outcome -------------------------------------------------------------------------------------
#
# An outcome is (het, one, two): people with both alleles, with two of the one, with two of the other. The alleles given,
# het goes up and down by two.


@_compiled
def _fewer(het: int, one: int, two: int) -> float:
    """How much likelier the outcome with two heterozygotes fewer is; 0 where there is none."""
    return het * (het - 1) / (4.0 * (one + 1) * (two + 1))


@_compiled
def _more(het: int, one: int, two: int) -> float:
    """How much likelier the outcome with two heterozygotes more is; 0 where there is none."""
    return 4.0 * one * two / ((het + 2.0) * (het + 1.0))


@_compiled
def _likeliest(a: int, b: int) -> int:
    """The likeliest number of heterozygotes among people who have `a` of the one allele and `b` of the other."""
    het = a * b // max(1, a + b)
    het += (a - het) % 2
    while _more(het, (a - het) // 2, (b - het) // 2) > 1.0:
        het += 2
    while _fewer(het, (a - het) // 2, (b - het) // 2) > 1.0:
        het -= 2
    return het


@_compiled
def _weight(a: int, b: int, wanted: int) -> float:
    """The weight of the outcome with `wanted` heterozygotes, when that of the likeliest is 1."""
    het, weight = _likeliest(a, b), 1.0
    while het > wanted:
        weight *= _fewer(het, (a - het) // 2, (b - het) // 2)
        het -= 2
    while het < wanted:
        weight *= _more(het, (a - het) // 2, (b - het) // 2)
        het += 2
    return weight


@_compiled
def _walk(a: int, b: int, seen: float) -> tuple[float, float, float]:
    """Sums of weights, that of the likeliest outcome being 1: of those below `seen`, of those equal to it, and of all."""
    below, equal, total = 0.0, 0.0, 0.0
    start = _likeliest(a, b)
    for step in (-2, 2):
        het, weight = start, 1.0
        if step > 0:
            weight = _more(het, (a - het) // 2, (b - het) // 2)
            het += 2
        while weight > _NOTHING * below:
            total += weight
            if weight < seen * (1.0 - _EQUALLY_LIKELY):
                below += weight
            elif weight <= seen * (1.0 + _EQUALLY_LIKELY):
                equal += weight
            one, two = (a - het) // 2, (b - het) // 2
            weight *= _more(het, one, two) if step > 0 else _fewer(het, one, two)
            het += step
    return below, equal, total


@_compiled
def _p(below: float, equal: float, total: float, mid: bool) -> float:
    return min(1.0, (below + (0.5 * equal if mid else equal)) / total)


@_compiled
def _autosome(rows: Ints, mid: bool) -> Floats:
    answer = np.full(len(rows), np.nan)
    for row in range(len(rows)):
        het, hom1, hom2 = rows[row]
        a, b = het + 2 * hom1, het + 2 * hom2
        if a + b:
            below, equal, total = _walk(a, b, _weight(a, b, het))
            answer[row] = _p(below, equal, total, mid)
    return answer


@_compiled
def _chromosome_x(rows: Ints, mid: bool) -> Floats:
    """Over the men's alleles, whose distribution is hypergeometric, and for each of them over the women's genotypes."""
    answer = np.full(len(rows), np.nan)
    for row in range(len(rows)):
        het, hom1, hom2, male1, male2 = rows[row]
        men, a, b = male1 + male2, het + 2 * hom1 + male1, het + 2 * hom2 + male2
        if a + b == 0:
            continue
        start = _likeliest_men(men, a, b)
        share = 1.0
        for m in range(start, male1):
            share *= _one_more_man(m, men, a, b)
        for m in range(start, male1, -1):
            share /= _one_more_man(m - 1, men, a, b)
        seen = share * _weight(a - male1, b - male2, het) / _walk(a - male1, b - male2, np.inf)[2]
        below, equal, total = 0.0, 0.0, 0.0
        for step in (-1, 1):
            m, share = start, 1.0
            if step > 0:
                share = _one_more_man(m, men, a, b)
                m += 1
            while share > _NOTHING * below:
                all_women = _walk(a - m, b - (men - m), np.inf)[2]
                less, same, _ = _walk(a - m, b - (men - m), seen / share * all_women)
                below += share * less / all_women
                equal += share * same / all_women
                total += share
                if step > 0:
                    share *= _one_more_man(m, men, a, b)
                elif _one_more_man(m - 1, men, a, b) > 0.0:
                    share /= _one_more_man(m - 1, men, a, b)
                else:
                    share = 0.0
                m += step
        answer[row] = _p(below, equal, total, mid)
    return answer


@_compiled
def _one_more_man(m: int, men: int, a: int, b: int) -> float:
    """How much likelier m + 1 men with the one allele are than m, of whom there are `a` among all alleles; 0 where either is not."""
    if m < 0:
        return 0.0
    return max(0, men - m) * max(0, a - m) / ((m + 1.0) * max(1, b - men + m + 1)) * (b - men + m + 1 > 0)


@_compiled
def _likeliest_men(men: int, a: int, b: int) -> int:
    m = min(max(men * a // (a + b), men - b, 0), men, a)
    while _one_more_man(m, men, a, b) > 1.0:
        m += 1
    while _one_more_man(m - 1, men, a, b) < 1.0 and m > max(0, men - b):
        m -= 1
    return m
