"""How many relatives are there among the people of each site, by their genomes? For whoever must leave relatives out, or finds people twice.

The first round counts the alleles; then each site compares its own people two by two at common ones of the autosomes, one a place
(KING-robust, statistics/kinship.py), and says how many pairs there are of each degree, and how many distinct people are in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nhsgen.errors import NotFound
from nhsgen.estimates import Relatedness
from nhsgen.methods import SITE
from nhsgen.statistics import Summary, kinship, label, parts
from nhsgen.studies.alleles import Alleles, Listed, listed, places
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["DEGREES", "RELATEDNESS"]

DEGREES: Mapping[str, float] = {
    "the same person or identical twins": kinship.DUPLICATE,
    "first degree": kinship.FIRST_DEGREE,
    "second degree": kinship.SECOND_DEGREE,
    "third degree": kinship.THIRD_DEGREE,
}
"""The least kinship of each degree, closest first."""

PLACE = 100_000
"""Bases in which alleles say much the same, so that only the commonest is taken."""

APART = 4.5
"""A degree is told when its least kinship is so many standard deviations of strangers' from 0: of 300,000 pairs of strangers one passes
for relatives."""


@dataclass(frozen=True)
class State:
    """Nothing known; then the alleles; then pairs by degree."""

    chosen: Listed | None = None
    pairs: Summary | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    links = first_samples(data, data.people(study.cohort))
    alleles = Alleles(data, variants, links["number"].to_numpy(), links["person_id"])

    def ask(state: State) -> Summary:
        if state.chosen is None:
            return alleles.summary
        pairs = kinship.relatives(alleles.words(state.chosen.keys), alleles.people)
        half_called = pairs.filter(pl.col("alleles") >= len(state.chosen.keys) / 2)
        return _by_degree(half_called, data.site if SITE in study.by else "")

    return Part(ask, assembly=str(data.variants().assembly))


def _by_degree(pairs: pl.DataFrame, site: str) -> Summary:
    """Pairs and the distinct people in them."""
    rows, above = {}, np.inf
    for degree, least in DEGREES.items():
        here = pairs.filter(pl.col("kinship") >= least, pl.col("kinship") < above)
        people = pl.concat([here["first"], here["second"]]).n_unique()
        rows[label([degree, site] if site else [degree])] = [len(here), people]
        above = least
    return Summary.from_rows(("pairs", "people"), rows)


def _step(study: Study, state: State, total: Summary) -> tuple[State, bool]:
    if state.chosen is not None:
        return replace(state, pairs=total), True
    every = listed(total)
    common = np.minimum(every.frequency, 1 - every.frequency) >= study.options["min_af"]
    autosomal = np.isin(places(every.keys)[0], [str(number) for number in range(1, 23)])
    chosen = _one_a_place(every.only(common & autosomal))
    if len(_uncertain(chosen)) == len(DEGREES):
        raise NotFound(
            "looking for relatives",
            f"the alleles asked about lie at only {len(chosen.keys):,} places of the autosomes, too few to tell anybody's kin",
            "ask for variants of the whole genome, or a lower min_af",
        )
    return State(chosen), False


def _one_a_place(alleles: Listed) -> Listed:
    """The allele with the highest frequency of its rarer form in each place."""
    chroms, pos = places(alleles.keys)
    minor = np.minimum(alleles.frequency, 1 - alleles.frequency)
    best: dict[tuple[str, int], int] = {}
    for row, place in enumerate(zip(chroms, (pos // PLACE).tolist(), strict=True)):
        if place not in best or minor[row] > minor[best[place]]:
            best[place] = row
    kept = np.zeros(len(alleles.keys), dtype=bool)
    kept[list(best.values())] = True
    return alleles.only(kept)


def _uncertain(alleles: Listed) -> tuple[str, ...]:
    """The degrees that these alleles cannot tell from chance."""
    chance = kinship.strangers(alleles.frequency)
    return tuple(degree for degree, least in DEGREES.items() if not least >= APART * chance)


def _estimate(study: Study, state: State) -> Relatedness:
    assert state.chosen is not None
    assert state.pairs is not None
    found = {parts(name): row for name, row in state.pairs.rows()}
    order = sorted(found, key=lambda group: (list(DEGREES).index(group[0]), group))
    return Relatedness(
        ("degree", *study.by),
        {group: found[group]["pairs"] for group in order},
        {group: found[group]["people"] for group in order},
        state.chosen.people,
        len(state.chosen.keys),
        _uncertain(state.chosen),
    )


RELATEDNESS = Rounds(_prepare, lambda _: State(), _step, _estimate)
