"""Opaque names for a site's people, samples and families: random, and in no order that tells anything."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.demo.people import People

__all__ = ["Identities", "dates", "name_people"]


@dataclass(frozen=True)
class Identities:
    """persons: the site's people by their number in the demo, in random order; everything else maps such a number to a name.

    hex: 26 hexadecimal digits; number: twelve decimal digits; sample: the name in the variant file; family: by family number.
    """

    persons: npt.NDArray[np.int64]
    hex: Mapping[int, str]
    number: Mapping[int, int]
    sample: Mapping[int, str]
    family: Mapping[int, str]

    def hex_of(self, column: str) -> pl.Expr:
        return pl.col(column).replace_strict(dict(self.hex), return_dtype=pl.String)

    def number_of(self, column: str) -> pl.Expr:
        return pl.col(column).replace_strict(dict(self.number), return_dtype=pl.Int64)

    @staticmethod
    def numbers(count: int, rng: np.random.Generator) -> list[int]:
        """`count` different twelve-digit numbers that say nothing about when they were given."""
        drawn = np.unique(rng.integers(10**11, 10**12, size=2 * count + 10))
        return [int(one) for one in rng.permutation(drawn)[:count]]


def name_people(people: People, site: int, rng: np.random.Generator) -> Identities:
    """Fresh names for everybody at a site."""
    persons = rng.permutation(np.flatnonzero(people.site == site))
    families = np.unique(people.family[persons])

    def opaque(count: int, digits: int) -> list[str]:
        return [rng.bytes((digits + 1) // 2).hex()[:digits] for _ in range(count)]

    return Identities(
        persons,
        dict(zip(persons.tolist(), opaque(len(persons), 26), strict=True)),
        dict(zip(persons.tolist(), Identities.numbers(len(persons), rng), strict=True)),
        dict(zip(persons.tolist(), (f"S{name}" for name in opaque(len(persons), 16)), strict=True)),
        dict(zip(families.tolist(), (f"F{name}" for name in opaque(len(families), 12)), strict=True)),
    )


def dates(column: str) -> pl.Expr:
    """Days since 1970-01-01 as a date."""
    return pl.col(column).cast(pl.Int32).cast(pl.Date)
