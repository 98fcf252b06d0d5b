"""A summary: the small table of sums that is all a site ever says, and that adds up over chunks and sites.

Rows are labels (a group, a gene, an allele), columns are measures (how many people, how many alleles). Adding two summaries
adds the rows of the same label; a label only one of them has is kept. So the order and the grouping of additions never matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput

__all__ = ["BACKGROUND", "NOT_RECORDED", "Summary", "background", "label", "parts"]

SEPARATOR = "\x1f"
BACKGROUND = "\x1e"  # the row of all the site's people, whatever their group; no group can be called this
NOT_RECORDED = "not recorded"
LISTED = "listed_"
LIMIT = 2**62  # two numbers below it add up to something an int64 holds

Values = npt.NDArray[np.int64]


def label(parts: Iterable[object]) -> str:
    """One name for a group of several columns; a missing or empty value is a group of its own.

    >>> label(["Leeds", None])
    'Leeds\\x1fnot recorded'
    """
    texts = [NOT_RECORDED if part in (None, "") else str(part) for part in parts]
    if any(SEPARATOR in text or BACKGROUND in text for text in texts):
        raise BadInput("naming a group", "a value holds a control character", "clean that column before it is released")
    return SEPARATOR.join(texts)


def parts(name: str) -> tuple[str, ...]:
    """The inverse of `label`; the group of everybody has the name "" and no parts.

    >>> parts(label(["Leeds", "female"])), parts(label([]))
    (('Leeds', 'female'), ())
    """
    return tuple(name.split(SEPARATOR)) if name else ()


def background(group: Iterable[object] = ()) -> str:
    """The name of the row of all the site's people in a group, or of all of them.

    >>> background() == BACKGROUND, parts(background(["female"]))[1:]
    (True, ('female',))
    """
    return SEPARATOR.join([BACKGROUND, *parts(label(group))])


@dataclass(frozen=True, eq=False)
class Summary:
    """Additive counts. `labels` are sorted and unique; `values` has a row a label and a column a measure, int64, none negative.

    A measure called "listed_..." counts the people a row speaks for. A label a site does not list, it says nothing about, and
    the estimate takes its people as having none of what the row counts; see `without` for a row that is listed and kept back.
    """

    labels: tuple[str, ...]
    measures: tuple[str, ...]
    values: Values

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.int64, order="C").reshape(len(self.labels), len(self.measures))
        if list(self.labels) != sorted(set(self.labels)):
            raise BadInput(
                "reading a summary", "its labels are not sorted, or one comes twice", "build it with from_rows"
            )
        if values.size and (values.min() < 0 or values.max() >= LIMIT):
            raise BadInput(
                "reading a summary", "a count is negative or beyond 2**62", "look for a site that sent nonsense"
            )
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @classmethod
    def zero(cls, measures: Sequence[str]) -> "Summary":
        """What adds nothing."""
        return cls((), tuple(measures), np.empty((0, len(measures)), dtype=np.int64))

    @classmethod
    def from_rows(cls, measures: Sequence[str], rows: Mapping[str, Sequence[int]]) -> "Summary":
        labels = tuple(sorted(rows))
        return cls(labels, tuple(measures), _integers([rows[name] for name in labels], (len(labels), len(measures))))

    @classmethod
    def from_vector(cls, labels: Iterable[str], measures: Sequence[str], vector: npt.ArrayLike) -> "Summary":
        """The inverse of `vector`, for the labels it was made with, in sorted order."""
        names = tuple(sorted(set(labels)))
        return cls(names, tuple(measures), _integers(vector, (len(names), len(measures))))

    def vector(self, labels: Iterable[str]) -> Values:
        """One row after the other for sorted `labels`, zeros where this summary has none: what a secure sum adds.

        >>> a = Summary.from_rows(["people"], {"female": [3]})
        >>> a.vector(["female", "male"]).tolist()
        [3, 0]
        """
        names = tuple(sorted(set(labels)))
        missing = set(self.labels) - set(names)
        if missing:
            raise BadInput(
                "laying out a summary", f"{len(missing)} of its labels are not asked for", "ask for all labels"
            )
        return self._aligned(names).reshape(-1)

    def row(self, name: str) -> dict[str, int]:
        """Measures of one label; zeros when there is no such row."""
        place = self._places.get(name)
        found = [0] * len(self.measures) if place is None else self.values[place].tolist()
        return dict(zip(self.measures, found, strict=True))

    def rows(self) -> list[tuple[str, dict[str, int]]]:
        """Every row but the backgrounds."""
        return [
            (name, dict(zip(self.measures, values, strict=True)))
            for name, values in zip(self.labels, self.values.tolist(), strict=True)
            if not name.startswith(BACKGROUND)
        ]

    def without(self, labels: Iterable[str]) -> "Summary":
        """The same summary with these rows kept back: they still say whom they are about, and count nobody.

        Dropping the row instead would turn the people kept back into people who have nothing. Where a background is kept back, there
        are too few people to say anything about them: then every row of that group goes, or every row there is.
        """
        kept_back = set(labels)
        silent = tuple(name.removeprefix(BACKGROUND) for name in kept_back if name.startswith(BACKGROUND))
        if silent:
            heard = [i for i, name in enumerate(self.labels) if not name.endswith(silent)]
            spoken = Summary(tuple(self.labels[i] for i in heard), self.measures, self.values[heard])
            return spoken.without(name for name in kept_back if not name.startswith(BACKGROUND))
        values = self.values.copy()
        places = [i for i, name in enumerate(self.labels) if name in kept_back]
        columns = [i for i, name in enumerate(self.measures) if not name.startswith(LISTED)]
        values[np.ix_(places, columns)] = 0
        stays = [i for i, name in enumerate(self.labels) if name not in kept_back or values[i].any()]
        return Summary(tuple(self.labels[i] for i in stays), self.measures, values[stays])

    def to_dict(self) -> dict[str, Any]:
        return {"measures": list(self.measures), "rows": dict(zip(self.labels, self.values.tolist(), strict=True))}

    @classmethod
    def from_dict(cls, whole: Mapping[str, Any]) -> "Summary":
        """The inverse of `to_dict`; BadInput when it is not one."""
        try:
            return cls.from_rows(tuple(map(str, whole["measures"])), whole["rows"])
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput("reading a summary", "it has no measures or no rows", "send what to_dict gives") from error

    def __add__(self, other: "Summary") -> "Summary":
        if self.measures != other.measures:
            raise BadInput("adding two summaries", "they measure different things", "add answers to the same question")
        names = tuple(sorted({*self.labels, *other.labels}))
        return Summary(names, self.measures, self._aligned(names) + other._aligned(names))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Summary)
            and (self.labels, self.measures) == (other.labels, other.measures)
            and bool(np.array_equal(self.values, other.values))
        )

    def __hash__(self) -> int:
        return hash((self.labels, self.measures, self.values.tobytes()))

    @property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.labels)}

    def _aligned(self, names: tuple[str, ...]) -> Values:
        values = np.zeros((len(names), len(self.measures)), dtype=np.int64)
        places = {name: place for place, name in enumerate(names)}
        values[[places[name] for name in self.labels]] = self.values
        return values


def _integers(values: npt.ArrayLike, shape: tuple[int, int]) -> Values:
    try:
        array = np.asarray(values if shape[0] else np.empty(shape, dtype=np.int64))
        if array.dtype.kind not in "iu" or array.size != shape[0] * shape[1]:
            raise ValueError
        if array.dtype.kind == "u" and array.max() >= LIMIT:
            raise ValueError
        return array.astype(np.int64).reshape(shape)
    except (ValueError, OverflowError, TypeError) as error:
        wanted = f"it does not hold {shape[0]} x {shape[1]} whole numbers below 2**62"
        raise BadInput("reading a summary", wanted, "look for a site that sent nonsense") from error
