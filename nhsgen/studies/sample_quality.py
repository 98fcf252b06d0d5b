"""How good are people's genotypes? Call rates, inbreeding, Ti/Tv and singletons, as numbers of people on public scales.

The first round counts the alleles of the autosomes, the second their genotypes, from which a person's expected homozygotes and
singletons follow (statistics/sample_qc.py); in the last each site measures its own people and says how many are on each step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from nhsgen.errors import NotFound
from nhsgen.estimates import SampleQuality
from nhsgen.statistics import Summary, counts, sample_qc
from nhsgen.statistics.sums import Floats, Sums
from nhsgen.studies.alleles import Alleles, Listed, listed, places
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["SAMPLE_QUALITY", "SCALES"]

SCALES: Mapping[str, Floats] = {
    "call rate": np.round(np.linspace(0.9, 1.0, 21), 4),
    "inbreeding F": np.round(np.linspace(-0.5, 0.5, 21), 4),
    "heterozygotes to homozygotes": np.round(np.linspace(0.0, 6.0, 31), 4),
    "Ti/Tv": np.round(np.linspace(0.0, 6.0, 31), 4),
    "singletons": np.array([0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6]),
}
"""The public steps of each measure: fixed before anybody looked, the same at every site."""


@dataclass(frozen=True)
class State:
    """Nothing known; then the alleles; then their genotypes; then people on the scales."""

    chosen: Listed | None = None
    known: sample_qc.Variants | None = None
    people: Summary | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    links = first_samples(data, data.people(study.cohort))
    alleles = Alleles(data, variants, links["number"].to_numpy(), links["person_id"])

    def ask(state: State) -> Summary | Sums:
        if state.chosen is None:
            return alleles.summary
        blocks = alleles.blocks(state.chosen.keys)
        if state.known is None:
            return sample_qc.summarise(blocks)
        pairs = [key.split("-")[2:4] for key in state.chosen.keys]
        kinds = sample_qc.changes([ref for ref, _ in pairs], [alt for _, alt in pairs])
        return _measured(sample_qc.of_people(blocks, state.known, kinds))

    return Part(ask, assembly=str(data.variants().assembly))


def _measured(people: sample_qc.People) -> Summary:
    measures = (people.call_rate, people.inbreeding, people.het_hom, people.ti_tv, people.singletons)
    return reduce(
        add, [sample_qc.binned(name, values, SCALES[name]) for name, values in zip(SCALES, measures, strict=True)]
    )


def _step(study: Study, state: State, total: Summary | Sums) -> tuple[State, bool]:
    if isinstance(total, Sums):
        return replace(state, known=sample_qc.estimate(total)), False
    if state.chosen is not None:
        return replace(state, people=total), True
    every = listed(total)
    chosen = every.only(np.isin(places(every.keys)[0], [str(number) for number in range(1, 23)]))
    if not chosen.keys or not chosen.people:
        raise NotFound("measuring the quality of samples", "no allele of an autosome is known in anybody asked about",
                       "ask for other variants, or other people")  # fmt: skip
    return State(chosen), False


def _estimate(study: Study, state: State) -> SampleQuality:
    assert state.chosen is not None
    assert state.people is not None
    steps = {
        (name, middle): (name, float(low), float(high))
        for name, edges in SCALES.items()
        for low, high, middle in zip(
            edges[:-1], edges[1:], sample_qc.bins((edges[:-1] + edges[1:]) / 2, edges), strict=True
        )
    }
    found = counts.estimate(state.people, ["measure", "step"]).cells
    order = list(SCALES)
    cells = {steps[cell]: n for cell, n in found.items() if cell in steps}
    ordered = sorted(cells.items(), key=lambda cell: (order.index(cell[0][0]), cell[0][1]))
    return SampleQuality(dict(ordered), state.chosen.people, len(state.chosen.keys))


SAMPLE_QUALITY = Rounds(_prepare, lambda _: State(), _step, _estimate)
