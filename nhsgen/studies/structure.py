"""How do people group by their genomes? Principal components of all sites' people together; only a grid of people leaves a site.

Round 1 counts the alleles; the next says which of them are linked, and one of each such pair is left out, or a long gene would pass for
a people; then each round multiplies by the directions that the last total suggests (statistics/pca.py); the last
one counts the people of each recorded ancestry in each square of a public grid.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nhsgen.cohorts import NotBound
from nhsgen.errors import NotFound
from nhsgen.estimates import Structure
from nhsgen.statistics import Summary, counts, ld, pca
from nhsgen.statistics.sums import Sums
from nhsgen.studies.alleles import Alleles, Listed, listed
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["STRUCTURE"]

EDGES = np.linspace(-6.0, 6.0, 49)
"""The public grid, in standard deviations of a component: squares of a quarter; who lies beyond counts at its edge."""

KB, PLACES = 500.0, 200
"""How far apart, in thousand bases and in alleles, two may be that are looked at for linkage."""


@dataclass(frozen=True)
class State:
    """Nothing known; then the common alleles; then those that are not linked; then where the rounds stand; then the loadings."""

    common: Listed | None = None
    chosen: Listed | None = None
    scale: pca.Scale | None = None
    krylov: pca.Krylov | None = None
    loadings: pca.Loadings | None = None
    grid: Summary | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    links = first_samples(data, data.people(study.cohort))
    samples = links["number"].to_numpy()
    alleles = Alleles(data, variants, samples, links["person_id"])
    try:
        recorded = data.groups(links["person_id"], ["ancestry"]).select("person_id", "ancestry")
        ancestry = links.join(recorded, on="person_id", how="left", maintain_order="left")["ancestry"].to_list()
    except NotBound:
        ancestry = [None] * len(links)

    def ask(state: State) -> Summary | Sums:
        if state.common is None:
            return alleles.summary
        if state.chosen is None or state.scale is None:
            return ld.summarise(alleles.copies(state.common.keys), _near(state.common))
        blocks = alleles.blocks(state.chosen.keys)
        if state.loadings is None:
            assert state.krylov is not None
            return pca.summarise(blocks, state.scale, state.krylov.ask)
        return pca.binned(pca.project(blocks, state.loadings), ancestry, EDGES)

    return Part(ask, assembly=str(data.variants().assembly))


def _near(alleles: Listed) -> npt.NDArray[np.int64]:
    """The pairs that may be linked: at most so far apart, and so many places."""
    chroms, places = zip(*(key.split("-", 2)[:2] for key in alleles.keys), strict=True)
    return ld.near(chroms, np.array(places, dtype=np.int64), kb=KB, variants=PLACES)


def _step(study: Study, state: State, total: Summary | Sums) -> tuple[State, bool]:
    if state.common is None:
        assert isinstance(total, Summary)
        every = listed(total)
        common = np.minimum(every.frequency, 1 - every.frequency) >= study.options["min_af"]
        on_autosomes = np.array([key.partition("-")[0] not in {"X", "Y", "MT"} for key in every.keys], dtype=bool)
        return State(_enough(study, every.only(common & on_autosomes))), False
    if state.chosen is None or state.scale is None:
        assert isinstance(total, Sums)
        linked = np.nan_to_num(ld.estimate(total).r2)
        kept = ld.prune(_near(state.common), linked, state.common.frequency, most=study.options["max_r2"])
        chosen = _enough(study, state.common.only(kept))
        p = chosen.frequency
        scale = pca.Scale(2 * p, 1 / np.sqrt(2 * p * (1 - p)), np.full(len(p), ""), chosen.people)
        krylov = pca.start(scale, components=study.options["components"], tolerance=1e-6)
        return replace(state, chosen=chosen, scale=scale, krylov=krylov), False
    if state.loadings is not None:
        assert isinstance(total, Summary)
        return replace(state, grid=total), True
    assert isinstance(total, Sums)
    assert state.krylov is not None
    krylov, done = pca.step(state.krylov, total)
    return replace(state, krylov=krylov, loadings=krylov.answer(state.scale) if done else None), False


def _enough(study: Study, alleles: Listed) -> Listed:
    if len(alleles.keys) < 2 * study.options["components"]:
        raise NotFound(
            "finding principal components",
            f"only {len(alleles.keys)} alleles are common enough and not linked",
            "ask for a lower min_af, a higher max_r2, or more variants",
        )
    return alleles


def _estimate(study: Study, state: State) -> Structure:
    assert isinstance(state.grid, Summary)
    assert state.loadings is not None
    assert state.scale is not None
    people = counts.estimate(state.grid, ["ancestry", "pc1", "pc2"])
    cells = {(ancestry, float(one), float(two)): number for (ancestry, one, two), number in people.cells.items()}
    return Structure(cells, tuple(state.loadings.eigenvalues.tolist()), state.scale.used)


STRUCTURE = Rounds(_prepare, lambda _: State(), _step, _estimate)
