"""Which alleles go with a trait? In all sites' people together: a linear model for measurements, a score test and approximate Firth
for cases and controls.

The sites count their alleles and say who takes part; then they are asked for the sums of statistics/linear.py, or of
logistic.py and firth.py. Sites have levels of their own unless the study says otherwise. Alleles with too few copies in all sites
together are left out before anything is asked about them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nhsgen.errors import NotFound
from nhsgen.estimates import Association, AssociationRow
from nhsgen.statistics import Summary, firth, inflation, linear, logistic
from nhsgen.statistics.sums import Floats, Sums
from nhsgen.studies.alleles import Alleles, Listed, listed
from nhsgen.studies.design import CASES, Design, design
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Both, Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.studies.trait_models import Linear, Logistic
from nhsgen.variants import VariantFilter

__all__ = ["ASSOCIATION", "attendance", "attended"]


@dataclass(frozen=True)
class State:
    """The model of the traits; the sites and the alleles; then what the alleles' sums said, and for the strongest Firth's rounds."""

    model: Linear | Logistic
    sites: tuple[str, ...] = ()
    people: int = 0
    cases: int | None = None
    chosen: Listed | None = None
    found: linear.Associations | None = None
    scores: logistic.Scores | None = None
    hits: firth.Approximate | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    who = design(study, data)
    alleles = Alleles(data, variants, who.samples, who.persons)

    def ask(state: State) -> Both | Sums:
        if state.chosen is None:
            return Both(alleles.summary, attendance(data.site, who))
        here = linear.Design(np.arange(len(who.samples)), who.traits, who.covariates)
        here = here.at(state.sites.index(data.site), len(state.sites), study.options["site_effect"])
        if not state.model.done:
            return state.model.ask(here)
        if isinstance(state.model, Linear):
            return linear.summarise(alleles.words(state.chosen.keys), state.model.site(here))
        assert state.model.null is not None
        people = state.model.people(here)
        if state.hits is None:
            blocks = alleles.blocks(state.chosen.keys)
            return _stacked([logistic.score_sums(block, people, state.model.null) for block in blocks])
        return firth.summarise(_genotypes(state, alleles, people), people, state.hits)

    return Part(ask, assembly=str(data.variants().assembly))


def _stacked(parts: Sequence[Sums]) -> Sums:
    """The sums of some alleles after those of others."""
    return Sums({name: np.concatenate([part[name] for part in parts]) for name in parts[0].arrays})


def _genotypes(state: State, alleles: Alleles, people: logistic.People) -> Floats:
    """What covariates leave of the hits' genotypes, hits x people."""
    assert state.chosen is not None
    assert state.hits is not None
    hits = state.hits.hits
    copies = alleles.copies([state.chosen.keys[row] for row in hits.variant])
    return logistic.adjusted(copies, people, replace(hits, variant=np.arange(len(hits.variant))))


def attendance(site: str, who: Design) -> Summary:
    """How many take part here, and how many of them are cases."""
    cases = int(who.traits.sum()) if who.trait_names == (CASES,) else 0
    return Summary.from_rows(("people", "cases"), {site: [len(who.samples), cases]})


def attended(study: Study, total: Summary) -> tuple[tuple[str, ...], int, int | None]:
    """The sites, in order, how many people take part and how many cases, None for a measured trait; NotFound when nobody does."""
    if not any(row["people"] for _, row in total.rows()):
        raise NotFound(
            "finding people for the study",
            "nobody was sequenced and has all that was asked for",
            "ask for other words, or fewer covariates",
        )
    people = sum(row["people"] for _, row in total.rows())
    return total.labels, people, None if study.traits else sum(row["cases"] for _, row in total.rows())


def _step(study: Study, state: State, total: Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Both):
        sites, people, cases = attended(study, total.two)
        every = listed(total.one)
        chosen = every.only(every.rarer >= study.options["min_count"])
        if not chosen.keys:
            raise NotFound(
                "looking for associations", "no allele has enough copies", "ask for other variants, or more people"
            )
        return replace(state, sites=sites, people=people, cases=cases, chosen=chosen), False
    if not state.model.done:
        return replace(state, model=state.model.after(total)), False
    assert state.model.null is not None
    if isinstance(state.model, Linear):
        return replace(state, found=linear.estimate(state.model.null, total)), True
    if state.hits is None:
        assert state.model.penalised is not None
        scores = logistic.estimate(state.model.null, total)
        hits = firth.approximate(scores.hits(study.options["firth_below"]), state.model.penalised)
        return replace(state, scores=scores, hits=hits), not hits.going.size
    hits, done = firth.step(state.hits, total)
    return replace(state, hits=hits), done


def _estimate(study: Study, state: State) -> Association:
    rows = [*_measured(study, state)] if isinstance(state.model, Linear) else [*_compared(state)]
    tested = np.array([row.log10p for row in rows if not row.reason])
    return Association(tuple(rows), state.people, state.cases, inflation.genomic_inflation(tested))


def _measured(study: Study, state: State) -> Iterator[AssociationRow]:
    assert state.chosen is not None
    assert state.found is not None
    found = state.found
    for t, trait in enumerate(study.traits):
        for v, (key, gene) in enumerate(zip(state.chosen.keys, state.chosen.genes, strict=True)):
            copies, alleles = int(found.copies[v, t]), int(found.alleles[v, t])
            yield AssociationRow(
                trait.name, key, gene, int(found.people[v, t]), min(copies, alleles - copies), copies / max(1, alleles),
                float(found.beta[v, t]), float(found.se[v, t]), float(found.log10_p[v, t]), linear.REASONS[found.reason[v, t]],
            )  # fmt: skip


def _compared(state: State) -> Iterator[AssociationRow]:
    assert state.chosen is not None
    assert state.scores is not None
    assert state.hits is not None
    found = state.scores.replaced(state.hits.hits, state.hits.effects())
    effects = found.effects
    for v, (key, gene) in enumerate(zip(state.chosen.keys, state.chosen.genes, strict=True)):
        people, copies = int(found.people[v, 0]), int(found.copies[v, 0])
        yield AssociationRow(
            CASES, key, gene, people, min(copies, 2 * people - copies), copies / max(1, 2 * people), float(effects.beta[v, 0]),
            float(effects.se[v, 0]), float(effects.log10_p[v, 0]), logistic.REASONS[effects.reason[v, 0]],
            _fewest(copies, int(found.case_copies[v, 0]), people, state.cases or 0),
        )  # fmt: skip


def _fewest(copies: int, in_cases: int, people: int, cases: int) -> int:
    """Copies of the rarer allele in cases or in controls, whichever have fewer; who was not called counts as having two of it."""
    if copies > people:
        copies, in_cases = 2 * people - copies, max(0, 2 * cases - in_cases)
    return max(0, min(in_cases, copies - in_cases))


ASSOCIATION = Rounds(
    _prepare, lambda study: State(Linear() if study.traits else Logistic()), _step, _estimate, most=200
)
