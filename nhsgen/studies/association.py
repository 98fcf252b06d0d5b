"""Which alleles go with a trait? A linear model for a measurement, in all sites' people together.

The sites count their alleles and say who takes part; then they are asked for the three sums of statistics/linear.py. Sites have
levels of their own unless the study says otherwise. Alleles with too few copies in all sites together are left out before anything
is asked about them.
"""

from dataclasses import dataclass, replace

import numpy as np

from nhsgen.disclosure import Policy
from nhsgen.errors import NotFound
from nhsgen.results import Association, AssociationRow
from nhsgen.statistics import Summary, inflation, linear
from nhsgen.statistics.sums import Sums
from nhsgen.studies.alleles import Alleles, Listed, listed
from nhsgen.studies.design import CASES, Design, design
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Both, Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["ASSOCIATION"]


FITS = 2
"""Rounds in which the model without a genotype is fitted; see `linear.fitted`."""


@dataclass(frozen=True)
class State:
    """What is known so far: the sites and the alleles, the scale, the model without a genotype, the answer."""

    sites: tuple[str, ...] = ()
    chosen: Listed | None = None
    scale: linear.Scale | None = None
    null: linear.Null | None = None
    fits: int = 0
    found: linear.Associations | None = None
    cases: int | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter, policy: Policy) -> Part:
    who = design(study, data)
    alleles = Alleles(data, variants, who.samples, who.persons, policy)

    def ask(state: State) -> Both | Sums:
        if state.chosen is None:
            return Both(alleles.summary, _attendance(data.site, who))
        here = linear.Design(np.arange(len(who.samples)), who.traits, who.covariates)
        here = here.at(state.sites.index(data.site), len(state.sites), study.options["site_effect"])
        if state.scale is None:
            return linear.moments(here)
        if state.null is None or state.fits < FITS:
            return linear.crossed(here, state.null or linear.Null.start(state.scale))
        return linear.summarise(alleles.words(state.chosen.keys), linear.Site.of(here, state.null))

    return Part(ask, assembly=str(data.variants().assembly))


def _attendance(site: str, who: Design) -> Summary:
    """How many take part here, and how many of them are cases."""
    cases = int(who.traits.sum()) if who.trait_names == (CASES,) else 0
    return Summary.from_rows(("people", "cases"), {site: [len(who.samples), cases]})


def attended(study: Study, total: Summary) -> tuple[tuple[str, ...], int | None]:
    """The sites, in order, and how many cases there are, None for a measured trait; NotFound when nobody takes part."""
    if not any(row["people"] for _, row in total.rows()):
        raise NotFound(
            "finding people for the study",
            "nobody was sequenced and has all that was asked for",
            "ask for other words, or fewer covariates",
        )
    return total.labels, None if study.traits else sum(row["cases"] for _, row in total.rows())


def _step(study: Study, state: State, total: Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Both):
        sites, cases = attended(study, total.two)
        every = listed(total.one)
        chosen = every.only(every.rarer >= study.options["min_count"])
        if not chosen.keys:
            raise NotFound(
                "looking for associations", "no allele has enough copies", "ask for other variants, or more people"
            )
        return State(sites, chosen, cases=cases), False
    if state.scale is None:
        return replace(state, scale=linear.scale(total)), False
    if state.null is None or state.fits < FITS:
        null = linear.fitted(state.null or linear.Null.start(state.scale), total)
        return replace(state, null=null, fits=state.fits + 1), False
    return replace(state, found=linear.estimate(state.null, total)), True


def _estimate(study: Study, state: State) -> Association:
    assert state.chosen is not None
    assert state.found is not None
    found, names = state.found, tuple(trait.name for trait in study.traits) or (CASES,)
    rows = [
        AssociationRow(
            trait=name,
            variant=key,
            gene=state.chosen.genes[v],
            people=int(found.people[v, t]),
            copies=int(min(found.copies[v, t], found.alleles[v, t] - found.copies[v, t])),
            frequency=float(found.copies[v, t] / max(1, found.alleles[v, t])),
            beta=float(found.beta[v, t]),
            se=float(found.se[v, t]),
            log10p=float(found.log10_p[v, t]),
            reason=linear.REASONS[found.reason[v, t]],
        )
        for t, name in enumerate(names)
        for v, key in enumerate(state.chosen.keys)
    ]
    return Association(
        tuple(rows), int(found.people.max()), state.cases, inflation.genomic_inflation(found.log10_p[found.reason == 0])
    )


ASSOCIATION = Rounds(_prepare, lambda _: State(), _step, _estimate)
