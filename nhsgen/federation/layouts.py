"""What the sums of a round are sums of, without the numbers: labels, names and shapes, alike at all sites before anything is masked.

    Summary    Rows: its labels and measures; sites may have different labels, and all of them are in the sum
    Sums       Shapes: a name and a shape of each array, the same at every site
    Both       Pair: two layouts

A `Summary` is whole numbers, a word each; a number of `Sums` takes `fixed_point.WORDS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput, NotSafe
from nhsgen.federation import fixed_point
from nhsgen.federation.spelling import Piece, are_sorted, are_texts
from nhsgen.statistics import Summary
from nhsgen.statistics.sums import Sums
from nhsgen.studies.rounds import Both

__all__ = ["Layout", "Pair", "Rows", "Shapes", "layout_of", "merged", "read_layout"]

Numbers = npt.NDArray[np.int64]


class Layout(Protocol):
    """One of the three."""

    @property
    def words(self) -> int:
        """How many words its numbers take."""

    def with_other(self, other: Any) -> "Layout":
        """What holds the numbers of both; NotSafe when no sum could."""

    def laid_out(self, part: Any) -> Numbers:
        """The words of a site's part; NotSafe when the layout leaves some of it out."""

    def total(self, words: Numbers) -> Any:
        """What all sites' words, added, are the sum of."""

    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Rows(Piece):
    """Of a `Summary`; labels are sorted."""

    labels: tuple[str, ...]
    measures: tuple[str, ...]

    def __post_init__(self) -> None:
        self._require(labels=are_sorted(self.labels), measures=are_texts(self.measures))

    @property
    def words(self) -> int:
        return len(self.labels) * len(self.measures)

    def with_other(self, other: Any) -> "Rows":
        if not isinstance(other, Rows) or other.measures != self.measures:
            raise _unlike()
        return Rows(tuple(sorted({*self.labels, *other.labels})), self.measures)

    def laid_out(self, part: Any) -> Numbers:
        if not isinstance(part, Summary) or part.measures != self.measures or not set(part.labels) <= set(self.labels):
            raise _left_out()
        return part.vector(self.labels)

    def total(self, words: Numbers) -> Summary:
        return Summary.from_vector(self.labels, self.measures, words)


@dataclass(frozen=True)
class Shapes(Piece):
    """Of `Sums`: name and shape of each array, sorted by name."""

    inner: ClassVar = {"arrays": lambda arrays: tuple((name, tuple(shape)) for name, shape in arrays)}
    arrays: tuple[tuple[str, tuple[int, ...]], ...]

    def __post_init__(self) -> None:
        names, shapes = tuple(name for name, _ in self.arrays), [shape for _, shape in self.arrays]
        self._require(
            names=are_sorted(names), shapes=all(type(size) is int and size >= 0 for shape in shapes for size in shape)
        )

    @property
    def words(self) -> int:
        return fixed_point.WORDS * sum(prod(shape) for _, shape in self.arrays)

    def with_other(self, other: Any) -> "Shapes":
        if other != self:
            raise _unlike()
        return self

    def laid_out(self, part: Any) -> Numbers:
        if not isinstance(part, Sums) or layout_of(part) != self:
            raise _left_out()
        words = [fixed_point.written(part[name], name) for name, _ in self.arrays]
        return np.concatenate(words or [np.empty(0, np.int64)])

    def total(self, words: Numbers) -> Sums:
        empty = Sums({name: np.zeros(shape) for name, shape in self.arrays})
        return empty.with_vector(fixed_point.read(words))


@dataclass(frozen=True)
class Pair(Piece):
    """Of `Both`."""

    inner: ClassVar = dict.fromkeys(("one", "two"), lambda whole: read_layout(whole))  # noqa: PLW0108  (it is defined below)
    one: Layout
    two: Layout

    @property
    def words(self) -> int:
        return self.one.words + self.two.words

    def with_other(self, other: Any) -> "Pair":
        if not isinstance(other, Pair):
            raise _unlike()
        return Pair(self.one.with_other(other.one), self.two.with_other(other.two))

    def laid_out(self, part: Any) -> Numbers:
        if not isinstance(part, Both):
            raise _left_out()
        return np.concatenate([self.one.laid_out(part.one), self.two.laid_out(part.two)])

    def total(self, words: Numbers) -> Both:
        first, second = np.split(words, [self.one.words])
        return Both(self.one.total(first), self.two.total(second))


def layout_of(part: Summary | Sums | Both) -> Layout:
    """Of what a site is about to add."""
    if isinstance(part, Summary):
        return Rows(part.labels, part.measures)
    if isinstance(part, Both):
        return Pair(layout_of(part.one), layout_of(part.two))
    return Shapes(tuple((name, part[name].shape) for name in sorted(part.arrays)))


def merged(layouts: list[Layout]) -> Layout:
    """The layout of the sum of all of them."""
    return reduce(lambda one, two: one.with_other(two), layouts)


def read_layout(whole: Any) -> Layout:
    """The inverse of `to_dict`: which of the three it is, its keys say."""
    if not isinstance(whole, dict) or (kind := KINDS.get(tuple(sorted(whole)))) is None:
        raise BadInput(
            "reading a layout from the network", "it is not one of ours", "use the same version of nhsgen everywhere"
        )
    return kind(whole)


KINDS: Mapping[tuple[str, ...], Callable[[Any], Layout]] = {
    ("labels", "measures"): Rows.from_dict,
    ("arrays",): Shapes.from_dict,
    ("one", "two"): Pair.from_dict,
}


def _unlike() -> NotSafe:
    return NotSafe(
        "asking the sites", "their sums are not about the same things", "use the same version of nhsgen at every site"
    )


def _left_out() -> NotSafe:
    return NotSafe(
        "masking", "the round leaves out rows or columns of this site", "begin a new round with those of all sites"
    )
