"""Pedigrees: whether an allele goes with the illness through a whole family. For rare-disease families larger than a trio.

Each person who was called and whose state is known is asked one question: does a person with so many copies, ill or well, fit
the model? The answers are a table (`fits`). People who were not sequenced or not called, or of whom nobody knows whether they
are ill, rule nothing out. Findings are about single families: they stay inside the wall (tiering.py makes sums of them).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.errors import BadInput
from nhsgen.statistics.trios import AUTOSOME, INHERITANCES, MT, NOT_CALLED, PLACES, Trios, X, Y

__all__ = ["ILL", "MODELS", "REASONS", "Pedigree", "candidates", "fits", "segregation"]

Copies = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Penetrance = Literal["complete", "incomplete"]

SEXES = ("female", "male", "unknown")
WELL, ILL, UNKNOWN = range(3)

MODELS: Mapping[str, tuple[int, ...]] = {
    "dominant": (AUTOSOME,),
    "recessive": (AUTOSOME,),
    "compound heterozygous": (AUTOSOME, X),
    "X-linked dominant": (X,),
    "X-linked recessive": (X,),
    "Y-linked": (Y,),
    "mitochondrial": (MT,),
    "de novo": tuple(range(len(PLACES))),
}
"""Each model, and where in the genome it can be. "compound heterozygous" asks of an allele whether it can be one of a pair;
"de novo" is dominant, and somebody who is ill has parents without it."""

REASONS = (
    "",
    "somebody ill has not enough copies",
    "somebody well has too many copies",
    "nobody ill was called",
    "nobody ill has it and parents called without it",
    "not in this part of the genome",
)
"""Why an allele does not segregate in a family, by number; the first when it does."""


@dataclass(frozen=True, eq=False)
class Pedigree:
    """Families. `family`, `mother`, `father`, `sex` and `affected` have an entry a person of `people`.

    mother, father: numbers of people, -1 unknown. sex: a number of ("female", "male", "unknown").
    affected: 0 well, 1 ill, 2 unknown.
    """

    people: tuple[str, ...]
    family: tuple[str, ...]
    mother: Ints
    father: Ints
    sex: Ints
    affected: Ints

    @classmethod
    def from_rows(cls, rows: pl.DataFrame) -> "Pedigree":
        """From person, father, mother, sex ("female", "male", other: unknown), affected (true, false, null), and family if known.

        A parent of "", "0" or null is unknown; one who has no row of their own gets one. Without a family column, families
        are the people whom parents link, each named after its first person.
        BadInput when a column is not there or affected is not true and false (in .ped files 2 is ill), somebody has two rows,
        a mother is male or a father female, or somebody is their own ancestor.
        """
        missing = {"person", "father", "mother", "sex", "affected"} - set(rows.columns)
        if missing or rows["affected"].dtype not in (pl.Boolean, pl.Null):
            raise _bad("a column is missing, or affected is not true, false or null", "name and convert the columns")
        listed = [_plain(row) for row in rows.iter_rows(named=True)]
        by_name: dict[str, dict[str, Any]] = {row["person"]: row for row in listed}
        if len(by_name) < len(listed) or None in by_name:
            raise _bad("somebody has no name or two rows", "give a row for each person")
        for row in listed:
            for parent, sex in (("mother", "female"), ("father", "male")):
                if row[parent] is not None:
                    default = {"person": row[parent], "mother": None, "father": None, "sex": sex, "affected": None}
                    known = by_name.setdefault(row[parent], default | {"family": row["family"]})
                    if known["sex"] not in (sex, None) or known["family"] != row["family"]:
                        raise _bad(
                            "a parent is of the other sex or of another family", "look at the pedigree's columns"
                        )
        people = tuple(by_name)
        number = {person: i for i, person in enumerate(people)} | {None: -1}
        mother, father = (
            np.array([number[r[p]] for r in by_name.values()], dtype=np.int64) for p in ("mother", "father")
        )
        families = _linked(people, mother, father)
        if "family" in rows.columns:
            families = tuple(row["family"] or families[i] for i, row in enumerate(by_name.values()))
        sexes = [SEXES.index(row["sex"] or "unknown") for row in by_name.values()]
        affected = [UNKNOWN if row["affected"] is None else int(row["affected"]) for row in by_name.values()]
        return cls(
            people, families, mother, father, np.array(sexes, dtype=np.int64), np.array(affected, dtype=np.int64)
        )

    @property
    def families(self) -> tuple[str, ...]:
        """Names of families in the order of their first people."""
        return tuple(dict.fromkeys(self.family))

    def columns(self, samples: Sequence[str]) -> Ints:
        """The column of each person in `samples`; -1 for who is not there."""
        place = {name: i for i, name in enumerate(samples)}
        return np.array([place.get(person, -1) for person in self.people], dtype=np.int64)

    def trios(self, samples: Sequence[str], *, of_well_parents: bool = False) -> Trios:
        """Everybody who was sequenced and has a known parent; a parent who was not sequenced is -1.

        of_well_parents: only who is ill and has no ill parent, of whom `trios.candidates` can say something; for other families
            use `candidates` of this module.
        """
        column, ill = np.append(self.columns(samples), -1), np.append(self.affected == ILL, False)
        wanted = (column[:-1] >= 0) & ((self.mother >= 0) | (self.father >= 0))
        if of_well_parents:
            wanted &= ill[:-1] & ~ill[self.mother] & ~ill[self.father]
        child = np.flatnonzero(wanted)
        return Trios(column[child], column[self.mother[child]], column[self.father[child]], self.sex[child] == 1)


def fits(model: str, place: int, sex: int, ill: bool, copies: int) -> bool:
    """Can somebody with so many copies be ill, or well, when each person with enough copies is ill and nobody else?

    On a man's X and Y any number is one copy; of unknown sex, whatever fits a woman or a man fits.
    """
    if sex == SEXES.index("unknown") and place in (X, Y):
        return any(fits(model, place, either, ill, copies) for either in (0, 1))
    one_x = place == X and sex == SEXES.index("male")
    if model == "compound heterozygous":
        return copies == 1 and not one_x if ill else copies < (1 if one_x else 2)
    if model == "mitochondrial" or (model == "de novo" and place == MT):
        return copies > 0 or not ill  # somebody well may have it in few of their mitochondria
    if place == Y and sex == SEXES.index("female"):
        return not ill
    enough = 2 if model in ("recessive", "X-linked recessive") and not one_x else 1
    return (copies >= enough) == ill


def segregation(
    copies: Copies,
    place: Copies,
    pedigree: Pedigree,
    samples: Sequence[str],
    model: str,
    penetrance: Penetrance = "complete",
) -> Copies:
    """Whether each allele goes with the illness in each family: alleles x families, numbers of `REASONS`, 0 when it does.

    copies: alleles x samples, 0, 1, 2 or 3 for not called (marks of a store's states are ignored). place: as in trios.py.
    samples: the names of the columns. penetrance: "incomplete" asks only those who are ill.
    """
    if model not in MODELS or penetrance not in ("complete", "incomplete"):
        raise _bad(f"'{model}' or '{penetrance}' is not known", f"use one of {', '.join(MODELS)}")
    if copies.shape != (len(place), len(samples)) or copies.dtype != np.uint8:
        raise _bad("copies are not alleles x samples of bytes", "give a place for each row and a name for each column")
    number = {family: i for i, family in enumerate(pedigree.families)}
    answer = np.zeros((len(copies), len(number)), dtype=np.uint8)
    called_ill = np.zeros(answer.shape, dtype=np.bool_)
    column = pedigree.columns(samples)
    for who in np.flatnonzero((column >= 0) & (pedigree.affected != UNKNOWN)):
        ill, family = bool(pedigree.affected[who] == ILL), number[pedigree.family[who]]
        theirs = copies[:, column[who]] & 3
        called_ill[:, family] |= ill & (theirs != NOT_CALLED)
        if ill or penetrance == "complete":
            wrong = ~_table(model, int(pedigree.sex[who]), ill)[place, theirs]
            answer[wrong & (answer[:, family] == 0), family] = 1 if ill else 2
    answer[(answer == 0) & ~called_ill] = 3
    if model == "de novo":
        answer[(answer == 0) & ~_new(copies, place, pedigree, column)] = 4
    answer[~np.isin(place, MODELS[model])] = 5
    return answer


def candidates(
    copies: Copies,
    place: Copies,
    pedigree: Pedigree,
    samples: Sequence[str],
    genes: pl.Series,
    penetrance: Penetrance = "complete",
) -> pl.DataFrame:
    """Every allele, and every pair in a gene, that segregates in a family in some way; choose rare and damaging alleles first.

    A row a candidate, as in trios.py: family (its name), variant, partner, gene, inheritance, de_novo, note ("", or
    "somebody not called"; of a pair also "phase unknown").
    """
    column, names = pedigree.columns(samples), pedigree.families
    new = _new(copies, place, pedigree, column)
    known = _everybody_called(copies, pedigree, column)
    rows: list[tuple[str, int, int | None, str | None, str, bool, str]] = []
    for inheritance in INHERITANCES:
        right = segregation(copies, place, pedigree, samples, inheritance, penetrance) == 0
        if inheritance == "compound heterozygous":
            for family in range(len(names)):
                here = np.flatnonzero(right[:, family])
                rows += _pairs(copies, pedigree, column, genes, here, names[family], new[:, family], penetrance)
        else:
            for row, family in zip(*np.nonzero(right), strict=True):
                note = "" if known[row, family] else "somebody not called"
                one = (names[family], int(row), None, genes[int(row)], inheritance, bool(new[row, family]), note)
                rows.append(one)
    schema = {"family": pl.String, "variant": pl.Int64, "partner": pl.Int64, "gene": pl.String,
              "inheritance": pl.String, "de_novo": pl.Boolean, "note": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").sort(
        "family", "variant", "partner", "inheritance", nulls_last=False
    )


def _pairs(
    copies: Copies,
    pedigree: Pedigree,
    column: Ints,
    genes: pl.Series,
    rows: Ints,
    family: str,
    new: Mask,
    penetrance: Penetrance,
) -> list[tuple[str, int, int | None, str | None, str, bool, str]]:
    """Pairs of `rows` in one gene that somebody ill has both of and nobody well does (who has them on one chromosome)."""
    members = [i for i, name in enumerate(pedigree.family) if name == family and column[i] >= 0]
    well = [column[i] for i in members if pedigree.affected[i] == WELL and penetrance == "complete"]
    ill = [i for i in members if pedigree.affected[i] == ILL]
    in_gene: dict[str, list[int]] = {}
    for row in rows:
        if genes[int(row)] is not None:
            in_gene.setdefault(genes[int(row)], []).append(int(row))
    answer: list[tuple[str, int, int | None, str | None, str, bool, str]] = []
    for gene, here in in_gene.items():
        for one, two in combinations(here, 2):
            pair = copies[[one, two]] & np.uint8(3)
            if (
                not (pair[:, column[ill]] == 1).all(axis=0).any()
                or np.isin(pair[:, np.array(well, dtype=np.int64)], (1, 2)).all(axis=0).any()
            ):
                continue
            phased = any(_in_trans(pair, column, int(pedigree.mother[i]), int(pedigree.father[i])) for i in ill)
            note = "" if phased else "phase unknown"
            answer.append((family, one, two, gene, "compound heterozygous", bool(new[one] or new[two]), note))
    return answer


def _in_trans(pair: Copies, column: Ints, mother: int, father: int) -> bool:
    """One allele came from the mother alone, the other from the father alone."""
    if min(mother, father) < 0 or min(column[mother], column[father]) < 0:
        return False
    one, two = (pair[:, column[parent]].tolist() for parent in (mother, father))
    return (one, two) in (([1, 0], [0, 1]), ([0, 1], [1, 0]))


def _new(copies: Copies, place: Copies, pedigree: Pedigree, column: Ints) -> Mask:
    """Where somebody ill has an allele, and every parent who could have given it was called without: alleles x families."""
    number = {family: i for i, family in enumerate(pedigree.families)}
    answer = np.zeros((len(copies), len(number)), dtype=np.bool_)
    for who in np.flatnonzero((column >= 0) & (pedigree.affected == ILL)):
        new = np.isin(copies[:, column[who]] & 3, (1, 2))
        son = pedigree.sex[who] == SEXES.index("male")
        for parent, gives in (
            (pedigree.mother[who], place != Y),
            (pedigree.father[who], (place != MT) & ~((place == X) & son)),
        ):
            without = parent >= 0 and column[parent] >= 0 and (copies[:, column[parent]] & 3) == 0
            new &= ~gives | without
        answer[:, number[pedigree.family[who]]] |= new
    return answer


def _everybody_called(copies: Copies, pedigree: Pedigree, column: Ints) -> Mask:
    number = {family: i for i, family in enumerate(pedigree.families)}
    answer = np.ones((len(copies), len(number)), dtype=np.bool_)
    for who, family in enumerate(pedigree.family):
        answer[:, number[family]] &= column[who] >= 0 and (copies[:, column[who]] & 3) != NOT_CALLED
    return answer


def _table(model: str, sex: int, ill: bool) -> Mask:
    """`fits` for every place and number of copies; who was not called fits."""
    return np.array(
        [[n == NOT_CALLED or fits(model, place, sex, ill, n) for n in range(4)] for place in range(len(PLACES))]
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    person, mother, father = (
        None if row[name] in (None, "", "0") else str(row[name]) for name in ("person", "mother", "father")
    )
    sex = row["sex"] if row["sex"] in SEXES[:2] else None
    family = None if row.get("family") in (None, "") else str(row["family"])
    return {
        "person": person,
        "mother": mother,
        "father": father,
        "sex": sex,
        "affected": row["affected"],
        "family": family,
    }


def _linked(people: Sequence[str], mother: Ints, father: Ints) -> tuple[str, ...]:
    """For each person, the first of all whom parents link with them; BadInput when somebody is their own ancestor."""
    root = list(range(len(people)))

    def top(who: int) -> int:
        while root[who] != who:
            root[who] = root[root[who]]
            who = root[who]
        return who

    waiting = np.zeros(len(people), dtype=np.int64)  # how many children have not been looked at
    for who in range(len(people)):
        for parent in (int(mother[who]), int(father[who])):
            if parent >= 0:
                low, high = sorted((top(who), top(parent)))
                root[high] = low
                waiting[parent] += 1
    youngest, seen = [who for who in range(len(people)) if not waiting[who]], 0
    while youngest:
        who, seen = youngest.pop(), seen + 1
        for parent in (int(mother[who]), int(father[who])):
            if parent >= 0:
                waiting[parent] -= 1
                if not waiting[parent]:
                    youngest.append(parent)
    if seen < len(people):
        raise _bad("somebody is their own ancestor", "look at the father and mother columns")
    return tuple(people[top(who)] for who in range(len(people)))


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("reading a pedigree", found, do_next)
