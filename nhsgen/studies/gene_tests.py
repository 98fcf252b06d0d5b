"""In which genes do rare variants go with a trait? Burden, SKAT, SKAT-O and ACAT-O of each gene, in all sites' people together.

The sites count their alleles, and the pooled frequency says which are rare; a model without genotypes is fitted to everybody; then
each site adds up, gene by gene, what its carriers say (statistics/skat.py).
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nhsgen.errors import BadStudy, NotFound
from nhsgen.estimates import GeneTests
from nhsgen.settings import Settings
from nhsgen.statistics import linear, masks, skat
from nhsgen.statistics.sums import Sums
from nhsgen.studies.alleles import Alleles, Listed, listed
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
            return Both(alleles.summary, attendance(data.site, who))
        here = linear.Design(np.arange(len(who.samples)), who.traits, who.covariates)
        here = here.at(state.sites.index(data.site), len(state.sites), study.options["site_effect"])
        if not state.model.done:
            return state.model.ask(here)
        scores = state.model.scores(here)
        carried = masks.Carried.of(alleles.copies(state.chosen.keys)[:, scores.rows])
        return skat.summarise(carried, state.sets, scores.residuals, scores.weights, scores.x)

    return Part(ask, assembly=str(data.variants().assembly))


def _step(study: Study, state: State, total: Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Both):
        sites, _, cases = attended(study, total.two)
        every = listed(total.one)
        chosen = every.only(np.array([bool(gene) for gene in every.genes], dtype=bool) & (every.rarer > 0))
        counted = Sums.of(alternate=chosen.frequency * chosen.called, called=chosen.called)
        annotated = pl.DataFrame(
            {"variant": range(len(chosen.keys)), "gene": chosen.genes, "consequence": [""] * len(chosen.keys)}
        )
        sets = masks.choose(annotated, counted, [masks.Mask(max_af=study.options["max_af"])]) if chosen.keys else None
        if sets is None or not sets.names:
            raise NotFound(
                "testing genes", "no gene has a rare variant that somebody carries", "ask for other variants"
            )
        return replace(state, sites=sites, cases=cases, chosen=chosen, sets=sets), False
    if not state.model.done:
        return replace(state, model=state.model.after(total)), False
    return replace(state, total=total), True


def _estimate(study: Study, state: State) -> GeneTests:
    assert state.total is not None
    assert state.sets is not None
    trait = study.traits[0].name if study.traits else CASES
    found = skat.estimate(state.total, state.sets, trait=trait, cases=state.cases, settings=Settings.read())
    fewest = study.options["min_carriers"]
    rows = [row for row in found.rows if row.carriers >= fewest]
    return replace(
        found,
        rows=tuple(sorted(rows, key=lambda row: (row.skat_o_p if row.skat_o_p == row.skat_o_p else 2.0, row.gene))),
    )


GENE_TESTS = Rounds(_prepare, _start, _step, _estimate, most=200)
