"""Numbers with a point as whole words, so that a sum over sites is exact and the same in whatever order it is added.

A masked sum knows whole numbers only, and float64 addition forgets: (1e16 + 1) - 1e16 is 0. So a number is written as a whole
multiple of 2^-96 and taken apart into four words, from the lowest up, each with the sign of the whole:

    x = w0 2^-96 + w1 2^-48 + w2 + w3 2^48          |w0|, |w1|, |w2| <= 2^48, |w3| < 2^56

Each word is added by itself, modulo 2^64, with room for 64 sites; the carries are made when the total is read. Where a number
does not reach below 2^-96 it is written exactly: every float64 of at least 2^-44 (6e-14) does, and every whole number. What lies
deeper is rounded, by at most 2^-97 (6e-30) a site. Beyond that the total is within one unit in the last place of the true sum.

So the unit of a measurement may be nearly anything: sums of squares reach from 6e-14, where all digits are kept (down to 1e-20, ten
of them), up to 2e31. What is larger is refused; so are numbers so small that nothing would be left of any of them.
"""

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import Floats

__all__ = ["WORDS", "read", "written"]

WORDS = 4
"""How many words a number takes."""

POINT = 96
BITS = 48
LARGEST = 2.0 ** (BITS * WORDS - POINT + 8)
PLACES = [2.0 ** (BITS * place - POINT) for place in range(WORDS)]

Words = npt.NDArray[np.int64]


def written(numbers: npt.ArrayLike, what: str = "a sum") -> Words:
    """The words of `numbers` (any shape, finite), one number after the other.

    >>> written([1.5, -2.0]).reshape(2, WORDS).tolist()
    [[0, 140737488355328, 1, 0], [0, 0, -2, 0]]
    """
    rest = np.array(numbers, dtype=np.float64).reshape(-1)
    if not np.isfinite(rest).all():
        raise BadInput(
            "writing a site's sums as whole numbers", f"'{what}' is not finite", "look for a value that is not a number"
        )
    if (np.abs(rest) >= LARGEST).any():
        raise BadInput(
            "writing a site's sums as whole numbers", f"'{what}' is beyond {LARGEST:.0e}", "measure it in a larger unit"
        )
    lost = np.abs(rest) < PLACES[0] / 2
    if lost.all() and rest.any():
        raise BadInput(
            "writing a site's sums as whole numbers",
            f"'{what}' is so near to 0 that nothing would be left of it",
            "measure it in a smaller unit",
        )
    words = np.empty((len(rest), WORDS), dtype=np.int64)
    for place in range(WORDS - 1, 0, -1):
        # Towards 0, so that what is left has no more digits than there were, and both steps are exact.
        whole = np.trunc(rest / PLACES[place])
        words[:, place] = whole
        rest = rest - whole * PLACES[place]
    words[:, 0] = np.rint(rest / PLACES[0])
    return words.reshape(-1)


def read(words: Words) -> Floats:
    """The numbers that words, or a sum of words, stand for; the inverse of `written`.

    >>> read(written([0.1, -7.0]) + written([0.2, 5.0])).tolist() == [0.1 + 0.2, -2.0]
    True
    """
    carried = _carried(np.array(words, dtype=np.int64).reshape(-1, WORDS))
    negative = carried[:, -1] < 0
    # From the lowest up and of one sign: nothing is taken away from anything, so hardly anything is lost.
    carried[negative] = _carried(-carried[negative])
    numbers = np.zeros(len(carried))
    for place in range(WORDS):
        numbers = numbers + carried[:, place] * PLACES[place]
    return np.where(negative, -numbers, numbers)


def _carried(words: Words) -> Words:
    """The same numbers with every word but the highest from 0 to 2^48."""
    words = words.copy()
    for place in range(WORDS - 1):
        carry = words[:, place] >> BITS
        words[:, place] -= carry << BITS
        words[:, place + 1] += carry
    return words
