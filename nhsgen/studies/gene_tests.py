"""In which genes do rare variants go with a trait? Burden, SKAT, SKAT-O and ACAT-O of each gene, in all sites' people together.

The sites count their alleles, and the pooled frequency says which are rare; a model without genotypes is fitted to everybody; then
each site adds up, gene by gene, what its carriers say (statistics/skat.py).

Nobody knows beforehand which variants of a gene matter: only those that break it, or missense too; only the rarest? A study may test
several choices at once, its masks: each impact of `impacts` with each frequency of `max_afs`. The p over all of a gene's masks
(Cauchy) pays for having tried them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import polars as pl

from nhsgen.errors import BadStudy, NotFound
from nhsgen.estimates import GeneTests
from nhsgen.settings import Settings
from nhsgen.statistics import linear, masks, skat
from nhsgen.statistics.sums import Sums
from nhsgen.studies.alleles import Alleles, Listed, listed, worst_impacts
from nhsgen.studies.association import attendance, attended
from nhsgen.studies.design import CASES, design
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Both, Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.studies.trait_models import Linear, Logistic
from nhsgen.variants import VariantFilter

__all__ = ["GENE_TESTS"]


@dataclass(frozen=True)
class State:
    """The model of the trait; then the sites, the rare alleles and their sets; then the answer's sums."""

    model: Linear | Logistic
    sites: tuple[str, ...] = ()
    cases: int | None = None
    chosen: Listed | None = None
    sets: masks.Sets | None = None
    total: Sums | None = None


def _start(study: Study) -> State:
    if len(study.traits) > 1:
        raise BadStudy("testing genes", "it has several traits", "ask about one at a time")
    return State(Linear() if study.traits else Logistic())


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    who = design(study, data)
    alleles = Alleles(data, variants, who.samples, who.persons)

    def ask(state: State) -> Both | Sums:
        if state.chosen is None or state.sets is None:
            first = Both(alleles.summary, attendance(data.site, who))
            return first if study.options["impacts"] == ("all",) else Both(first, alleles.impacts())
        here = linear.Design(np.arange(len(who.samples)), who.traits, who.covariates, offset=who.offset)
        here = here.at(state.sites.index(data.site), len(state.sites), study.options["site_effect"])
        if not state.model.done:
            return state.model.ask(here)
        scores = state.model.scores(here)
        carried = masks.Carried.of(alleles.copies(state.chosen.keys)[:, scores.rows])
        return skat.summarise(carried, state.sets, scores.residuals, scores.weights, scores.x)

    return Part(ask, assembly=str(data.variants().assembly))


def _step(study: Study, state: State, total: Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Both):
        impact_of: Mapping[str, str] = {}
        if isinstance(total.one, Both):
            total, impact_of = total.one, worst_impacts(total.two)
        sites, _, cases = attended(study, total.two)
        every = listed(total.one)
        chosen = every.only(np.array([bool(gene) for gene in every.genes], dtype=bool) & (every.rarer > 0))
        counted = Sums.of(alternate=chosen.frequency * chosen.called, called=chosen.called)
        impacts = [impact_of.get(key, "") for key in chosen.keys]
        annotated = pl.DataFrame({"variant": range(len(chosen.keys)), "gene": chosen.genes, "consequence": impacts})
        sets = masks.choose(annotated, counted, _masks(study)) if chosen.keys else None
        if sets is None or not sets.names:
            raise NotFound(
                "testing genes", "no gene has a rare variant that somebody carries", "ask for other variants"
            )
        return replace(state, sites=sites, cases=cases, chosen=chosen, sets=sets), False
    if not state.model.done:
        return replace(state, model=state.model.after(total)), False
    return replace(state, total=total), True


def _masks(study: Study) -> list[masks.Mask]:
    """Every impact with every frequency; numbered when there are several."""
    every = [*product(study.options["impacts"], study.options["max_afs"])]
    names = map(str, range(len(every))) if len(every) > 1 else [""]
    return [
        masks.Mask(name, () if impact == "all" else tuple(impact.upper().split("+")), limit)
        for name, (impact, limit) in zip(names, every, strict=True)
    ]


def _named(study: Study) -> list[str]:
    """The masks in words: by impact and frequency, or by whichever of the two there are several of."""
    impacts, limits = study.options["impacts"], study.options["max_afs"]
    return [
        ", ".join([impact] * (len(impacts) > 1 or len(limits) == 1) + [f"up to {limit:g}"] * (len(limits) > 1))
        for impact, limit in product(impacts, limits)
    ]


def _within(one: masks.Mask, other: masks.Mask) -> bool:
    """Whether no variant of one is missing in the other."""
    of_impact = not other.consequences or (bool(one.consequences) and {*one.consequences} <= {*other.consequences})
    return one is not other and one.max_af <= other.max_af and of_impact


def _estimate(study: Study, state: State) -> GeneTests:
    assert state.total is not None
    assert state.sets is not None
    found = skat.estimate(
        state.total,
        state.sets,
        trait=study.traits[0].name if study.traits else CASES,
        cases=state.cases,
        equal=study.options["weights"] == "equal",
        settings=Settings.read(),
    )
    chosen = _masks(study)
    if len(chosen) == 1:
        by_p = sorted(found.rows, key=lambda row: (row.skat_o_p if row.skat_o_p == row.skat_o_p else 2.0, row.gene))
        return replace(found, rows=tuple(by_p))
    names = _named(study)
    numbered = sorted((gene, int(number), row) for row in found.rows for gene, _, number in [row.gene.rpartition(" ")])
    rows = tuple(replace(row, gene=gene, mask=names[number]) for gene, number, row in numbered)
    pairs = product(zip(names, chosen, strict=True), repeat=2)
    return replace(found, rows=rows, nested=tuple((a, b) for (a, one), (b, other) in pairs if _within(one, other)))


GENE_TESTS = Rounds(_prepare, _start, _step, _estimate, most=200)
