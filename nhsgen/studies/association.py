"""Which alleles go with a trait? In all sites' people together: a linear model for measurements; for cases and controls a score test
with approximate Firth, a saddlepoint, or an exact regression of each allele; several diseases in one scan, or several measurements.

The sites count their alleles and say who takes part. If asked to they find principal components (components.py), which each keeps of
its own people as covariates. Then they are asked for the sums of the tests (allele_tests.py), and at last how the strongest alleles
are linked, so that those which say the same are one signal. Sites have levels of their own unless the study says otherwise.
Alleles with too few copies in all sites together are left out before anything is asked about them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from nhsgen.errors import NotFound
from nhsgen.estimates import Association, AssociationRow, Signals
from nhsgen.statistics import BACKGROUND, Summary, inflation, ld, linear
from nhsgen.statistics.sums import Sums
from nhsgen.studies.allele_tests import Compared, Found, Measured
from nhsgen.studies.alleles import Alleles, Listed, listed, places
from nhsgen.studies.components import Components
from nhsgen.studies.design import CASES, Design, design
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Both, Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["ASSOCIATION", "attendance", "attended"]

MEMBER_P = 0.01
"""The p of an allele that belongs to a signal is at most this, as plink has it."""


@dataclass(frozen=True)
class Near:
    """The alleles near the strongest ones, by key, and the pairs of them that may be linked."""

    keys: tuple[str, ...]
    pairs: npt.NDArray[np.int64]
    r2: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class State:
    """What is known: the sites and the alleles; then the components; then what the tests say; then what is linked."""

    scan: Measured | Compared
    sites: tuple[str, ...] = ()
    people: int = 0
    cases: int | None = None
    chosen: Listed | None = None
    components: Components | None = None
    near: Near | None = None


def _start(study: Study) -> State:
    return State(Measured(study.options["missing"]) if study.traits else Compared.of(study))


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    who = design(study, data)
    alleles = Alleles(data, variants, who.samples, who.persons)

    @cache
    def here(sites: tuple[str, ...], components: Components | None) -> linear.Design:
        covariates = who.covariates
        if components is not None:
            covariates = np.hstack([covariates, components.people(alleles)])
        people = linear.Design(np.arange(len(who.samples)), who.traits, covariates, offset=who.offset)
        return people.at(sites.index(data.site), len(sites), study.options["site_effect"])

    def ask(state: State) -> Both | Sums:
        if state.chosen is None:
            return Both(alleles.summary, attendance(data.site, who))
        if state.components is not None and not state.components.done:
            return state.components.ask(alleles)
        if state.near is None:
            return state.scan.ask(here(state.sites, state.components), alleles, state.chosen.keys)
        return ld.summarise(alleles.copies(state.near.keys), state.near.pairs)

    return Part(ask, assembly=str(data.variants().assembly))


def attendance(site: str, who: Design) -> Summary:
    """How many take part, and how many of them are cases: in the row of everybody, so that no site's own number is in the sum."""
    cases = int(who.traits.sum()) if who.trait_names == (CASES,) else 0
    return Summary.from_rows(("people", "cases"), {BACKGROUND: [len(who.samples), cases], site: [0, 0]})


def attended(study: Study, total: Summary) -> tuple[tuple[str, ...], int, int | None]:
    """The sites, in order, how many people take part and how many are cases, None where that is not one number; NotFound when nobody
    takes part."""
    everybody = total.row(BACKGROUND)
    if not everybody["people"]:
        raise NotFound(
            "finding people for the study",
            "nobody was sequenced and has all that was asked for",
            "ask for other words, or fewer covariates",
        )
    one = not study.traits and not study.diseases
    return tuple(site for site, _ in total.rows()), everybody["people"], everybody["cases"] if one else None


def _step(study: Study, state: State, total: Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Both):
        return _begun(study, state, total), False
    if state.components is not None and not state.components.done:
        return replace(state, components=state.components.after(total)), False
    if state.near is not None:
        return replace(state, near=replace(state.near, r2=ld.estimate(total).r2)), True
    scan = state.scan.after(total)
    if not scan.done or not study.options["clump_r2"]:
        return replace(state, scan=scan), scan.done
    assert state.chosen is not None
    near = _near(study, state.chosen.keys, scan.found())
    return replace(state, scan=scan, near=near), not len(near.pairs)


def _begun(study: Study, state: State, total: Both) -> State:
    sites, people, cases = attended(study, total.two)
    every = listed(total.one)
    chosen = every.only(every.rarer >= study.options["min_count"])
    if not chosen.keys:
        raise NotFound(
            "looking for associations", "no allele has enough copies", "ask for other variants, or more people"
        )
    number = study.options["components"]
    components = Components.among(every, number) if number else None
    return replace(state, sites=sites, people=people, cases=cases, chosen=chosen, components=components)


def _near(study: Study, keys: tuple[str, ...], found: Found) -> Near:
    """Each allele that may lead a signal of a trait, with those near it that may belong to it. The p that is shown is rounded: so a little
    more than at most is asked about."""
    strongest = np.nan_to_num(found.log10_p).max(axis=1)
    lead, member = (1.01 * p for p in (study.options["clump_p"], MEMBER_P))
    pairs = ld.around(*places(keys), 10.0**-strongest, p1=lead, p2=member, kb=study.options["clump_kb"])
    asked, renamed = np.unique(pairs, return_inverse=True)
    return Near(tuple(keys[row] for row in asked), renamed.reshape(pairs.shape))


def _estimate(study: Study, state: State) -> Association:
    found = state.scan.found()
    names = tuple(trait.name for trait in study.traits) or tuple(study.diseases) or (CASES,)
    return Association(
        tuple(_rows(names, state, found)),
        state.people,
        state.cases,
        {name: inflation.genomic_inflation(height) for name, height in zip(names, found.log10_p.T, strict=True)},
        state.scan.cases(study.diseases) if isinstance(state.scan, Compared) else {},
        _signals(study, state.near) if state.near is not None else None,
    )


def _rows(names: tuple[str, ...], state: State, found: Found) -> Iterator[AssociationRow]:
    assert state.chosen is not None
    for t, name in enumerate(names):
        for v, (key, gene) in enumerate(zip(state.chosen.keys, state.chosen.genes, strict=True)):
            copies, alleles = int(found.copies[v, t]), int(found.alleles[v, t])
            yield AssociationRow(
                name, key, gene, int(found.people[v, t]), min(copies, alleles - copies), copies / max(1, alleles),
                float(found.beta[v, t]), float(found.se[v, t]), float(found.log10_p[v, t]), str(found.reason[v, t]),
                **({} if found.fewest is None else {"fewest": int(found.fewest[v, t])}),
            )  # fmt: skip


def _signals(study: Study, near: Near) -> Signals:
    """r2 is taken to two decimals: moving the limit must not tell it, and so who carries both, any better than a table of r2 does."""
    linked: dict[str, tuple[str, ...]] = {}
    if near.r2 is not None:
        strong = np.round(np.nan_to_num(near.r2), 2) > study.options["clump_r2"]
        for one, other in near.pairs[strong]:
            for mine, theirs in ((near.keys[one], near.keys[other]), (near.keys[other], near.keys[one])):
                linked[mine] = (*linked.get(mine, ()), theirs)
    return Signals(linked, study.options["clump_p"], MEMBER_P)


ASSOCIATION = Rounds(_prepare, _start, _step, _estimate, most=300)
