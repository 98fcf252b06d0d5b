"""Sums of numbers that are not counts: named arrays that add up over chunks and sites, and the rounds some methods need.

`Summary` holds counts by label; a regression's sums have shapes of their own (X'X is covariates x covariates). A method with one
round is `estimate(a.summarise() + b.summarise())`; a method with more asks every site again with what the last total said:

    state = solve(lambda state: summarise(site_a, state) + summarise(site_b, state), step, start)
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput

__all__ = ["Floats", "NotConverged", "Sums", "solve", "stacked", "total"]

Floats = npt.NDArray[np.float64]
State = TypeVar("State")
Total = TypeVar("Total")


@dataclass(frozen=True, eq=False)
class Sums:
    """Named arrays of finite float64, each of its own shape; read-only."""

    arrays: Mapping[str, Floats]

    def __post_init__(self) -> None:
        self._keep({name: np.array(array, dtype=np.float64) for name, array in self.arrays.items()})

    def _keep(self, arrays: Mapping[str, Floats]) -> None:
        for name, array in arrays.items():
            # The sum of finite numbers is finite unless they are huge; it is found much faster than each number is looked at.
            with np.errstate(over="ignore", invalid="ignore"):
                surely = np.isfinite(array.sum())
            if not surely and not np.isfinite(array).all():
                raise BadInput(
                    "adding up a site's numbers", f"'{name}' is not finite", "look for a value that is not a number"
                )
            array.flags.writeable = False
        object.__setattr__(self, "arrays", arrays)

    @classmethod
    def taking(cls, arrays: Mapping[str, Floats]) -> "Sums":
        """Of float64 arrays that nobody else holds: they are not copied."""
        sums = object.__new__(cls)
        sums._keep({name: np.asarray(array) for name, array in arrays.items()})
        return sums

    @classmethod
    def of(cls, **arrays: npt.ArrayLike) -> "Sums":
        """
        >>> (Sums.of(n=3, xy=[1.5, 2.0]) + Sums.of(n=4, xy=[0.5, 1.0]))["xy"].tolist()
        [2.0, 3.0]
        """
        return cls({name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()})

    def __getitem__(self, name: str) -> Floats:
        return self.arrays[name]

    def __add__(self, other: "Sums") -> "Sums":
        if {n: a.shape for n, a in self.arrays.items()} != {n: a.shape for n, a in other.arrays.items()}:
            raise BadInput("adding two sites' sums", "they are not about the same things", "ask both the same question")
        return Sums.taking({name: array + other.arrays[name] for name, array in self.arrays.items()})

    def vector(self) -> Floats:
        """Every number, array after array in order of name: what a secure sum adds."""
        return np.concatenate([self.arrays[name].ravel() for name in sorted(self.arrays)] or [np.empty(0)])

    def with_vector(self, vector: npt.ArrayLike) -> "Sums":
        """The inverse of `vector`, for arrays of these shapes."""
        values, at, arrays = np.asarray(vector, dtype=np.float64), 0, {}
        if values.size != sum(array.size for array in self.arrays.values()):
            raise BadInput("reading a site's sums", "there are not as many numbers as were asked for", "ask again")
        for name in sorted(self.arrays):
            array = self.arrays[name]
            arrays[name] = values[at : at + array.size].reshape(array.shape)
            at += array.size
        return Sums(arrays)


def total(parts: Iterable[Sums]) -> Sums:
    """All of them, added in their order, so that the same parts give the same last digit; there must be one at least."""
    return reduce(add, parts)


def stacked(parts: Sequence[Sums]) -> Sums:
    """The sums of some rows (alleles, say) after those of others; there must be one part at least.

    >>> stacked([Sums.of(n=[1, 2]), Sums.of(n=[3])])["n"].tolist()
    [1.0, 2.0, 3.0]
    """
    return Sums.taking({name: np.concatenate([part[name] for part in parts]) for name in parts[0].arrays})


class NotConverged(BadInput):
    """The rounds came to no end: the sums do not determine the answer."""


def solve(
    sums: Callable[[State], Total],
    step: Callable[[State, Total], tuple[State, bool]],
    start: State,
    *,
    most_rounds: int = 50,
) -> State:
    """Ask, step, ask again, until `step` says that its state is the answer.

    sums: the total over all sites at a state. step: the next state, and whether it is the last.
    NotConverged after `most_rounds`.
    """
    state = start
    for _ in range(most_rounds):
        state, done = step(state, sums(state))
        if done:
            return state
    raise NotConverged(
        "fitting a model", f"it did not settle in {most_rounds} rounds", "use fewer covariates or more people"
    )
