"""Principal components of all sites' people together, found in rounds: a picture of structure, or covariates of an association.

The counts say which alleles are common; the next round which of them are linked, and one of each such pair is left out, or a long
gene would pass for a people; then each round multiplies by the directions that the last total suggests (statistics/pca.py). What
comes out is a number an allele. Where its own people lie each site works out for itself, and keeps.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nhsgen.errors import NotFound
from nhsgen.statistics import ld, pca
from nhsgen.statistics.sums import Floats, Sums
from nhsgen.studies.alleles import Alleles, Listed, places

__all__ = ["MAX_R2", "MIN_AF", "Components"]

MIN_AF, MAX_R2 = 0.05, 0.2
"""Which alleles make components: at least this common in all sites together, and of two with r2 above this one is left out."""

KB, PLACES = 500.0, 200
"""How far apart, in thousand bases and in alleles, two may be that are looked at for linkage."""

TOLERANCE = 1e-8
"""The sine of the angle by which a component may be off."""


@dataclass(frozen=True, eq=False)
class Components:
    """The common alleles; then those that are not linked; then where the rounds stand; then the loadings, and it is `done`."""

    number: int
    max_r2: float
    common: Listed
    chosen: Listed | None = None
    scale: pca.Scale | None = None
    krylov: pca.Krylov | None = None
    loadings: pca.Loadings | None = None

    @classmethod
    def among(cls, every: Listed, number: int, *, min_af: float = MIN_AF, max_r2: float = MAX_R2) -> "Components":
        """So many of these alleles, as the sites' counts have them; NotFound when too few are common."""
        common = np.minimum(every.frequency, 1 - every.frequency) >= min_af
        on_autosomes = np.array([key.partition("-")[0] not in {"X", "Y", "MT"} for key in every.keys], dtype=bool)
        return cls(number, max_r2, _enough(every.only(common & on_autosomes), number))

    @property
    def done(self) -> bool:
        return self.loadings is not None

    def ask(self, alleles: Alleles) -> Sums:
        """A site's part of the next round."""
        if self.chosen is None or self.scale is None or self.krylov is None:
            return ld.summarise(alleles.copies(self.common.keys), _near(self.common))
        return pca.summarise(alleles.blocks(self.chosen.keys), self.scale, self.krylov.ask)

    def after(self, total: Sums) -> "Components":
        """What is known after the round."""
        if self.chosen is None or self.scale is None or self.krylov is None:
            linked = np.nan_to_num(ld.estimate(total).r2)
            kept = ld.prune(_near(self.common), linked, self.common.frequency, most=self.max_r2)
            chosen = _enough(self.common.only(kept), self.number)
            p = chosen.frequency
            scale = pca.Scale(2 * p, 1 / np.sqrt(2 * p * (1 - p)), np.full(len(p), ""), chosen.people)
            first = pca.start(scale, components=self.number, tolerance=TOLERANCE)
            return replace(self, chosen=chosen, scale=scale, krylov=first)
        krylov, done = pca.step(self.krylov, total)
        return replace(self, krylov=krylov, loadings=krylov.answer(self.scale) if done else None)

    def people(self, alleles: Alleles) -> Floats:
        """Where a site's people lie, people x components: rows about people, which never leave it."""
        assert self.chosen is not None
        assert self.loadings is not None  # it is done
        return pca.project(alleles.blocks(self.chosen.keys), self.loadings)


def _near(alleles: Listed) -> npt.NDArray[np.int64]:
    """The pairs that may be linked: at most so far apart, and so many places."""
    return ld.near(*places(alleles.keys), kb=KB, variants=PLACES)


def _enough(alleles: Listed, number: int) -> Listed:
    if len(alleles.keys) < 2 * number:
        raise NotFound(
            "finding principal components",
            f"only {len(alleles.keys)} alleles are common enough and not linked",
            "ask for fewer components, or more variants",
        )
    return alleles
