"""How do people group by their genomes? Principal components of all sites' people together; only a grid of people leaves a site.

Round 1 counts the alleles; the next ones find the components (studies/components.py); the last one counts the people of each recorded
ancestry in each square of a public grid.
"""

from dataclasses import dataclass, replace

import numpy as np

from nhsgen.cohorts import NotBound
from nhsgen.estimates import Structure
from nhsgen.statistics import Summary, counts, pca
from nhsgen.statistics.sums import Sums
from nhsgen.studies.alleles import Alleles, listed
from nhsgen.studies.components import Components
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["STRUCTURE"]

EDGES = np.linspace(-6.0, 6.0, 49)
"""The public grid, in standard deviations of a component: squares of a quarter; who lies beyond counts at its edge."""


@dataclass(frozen=True)
class State:
    """Nothing known; then the components, as far as they are; then the grid."""

    components: Components | None = None
    grid: Summary | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    links = first_samples(data, data.people(study.cohort))
    alleles = Alleles(data, variants, links["number"].to_numpy(), links["person_id"])
    try:
        recorded = data.groups(links["person_id"], ["ancestry"]).select("person_id", "ancestry")
        ancestry = links.join(recorded, on="person_id", how="left", maintain_order="left")["ancestry"].to_list()
    except NotBound:
        ancestry = [None] * len(links)

    def ask(state: State) -> Summary | Sums:
        if state.components is None:
            return alleles.summary
        if not state.components.done:
            return state.components.ask(alleles)
        return pca.binned(state.components.people(alleles), ancestry, EDGES)

    return Part(ask, assembly=str(data.variants().assembly))


def _step(study: Study, state: State, total: Summary | Sums) -> tuple[State, bool]:
    if isinstance(total, Sums):
        assert state.components is not None
        return replace(state, components=state.components.after(total)), False
    if state.components is not None:
        return replace(state, grid=total), True
    options = study.options
    return State(
        Components.among(listed(total), options["components"], min_af=options["min_af"], max_r2=options["max_r2"])
    ), False


def _estimate(study: Study, state: State) -> Structure:
    assert state.grid is not None
    assert state.components is not None
    loadings = state.components.loadings
    assert loadings is not None
    people = counts.estimate(state.grid, ["ancestry", "pc1", "pc2"])
    cells = {(ancestry, float(one), float(two)): number for (ancestry, one, two), number in people.cells.items()}
    return Structure(cells, tuple(loadings.eigenvalues.tolist()), loadings.scale.used)


STRUCTURE = Rounds(_prepare, lambda _: State(), _step, _estimate)
