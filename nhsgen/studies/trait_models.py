"""The model of a trait without any genotype, fitted to all sites' people in rounds, before alleles or genes are asked about."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from nhsgen.statistics import linear, logistic
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["Linear", "Logistic", "Scores"]

FITS = 2
"""Rounds in which a linear model is fitted; see `linear.fitted`."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Of one site's people with the trait: rows (which of the design's), the slope and the curvature of each one's log likelihood,
    and their covariates, the intercept among them."""

    rows: npt.NDArray[np.int64]
    residuals: Floats
    weights: Floats
    x: Floats


@dataclass(frozen=True, eq=False)
class Linear:
    """A measurement's model, as far as it is known."""

    scale: linear.Scale | None = None
    null: linear.Null | None = None
    fits: int = 0

    @property
    def done(self) -> bool:
        return self.fits == FITS

    def ask(self, here: linear.Design) -> Sums:
        """A site's part of the next round."""
        if self.scale is None:
            return linear.moments(here)
        return linear.crossed(here, self.null or linear.Null.start(self.scale))

    def after(self, total: Sums) -> "Linear":
        """What is known after the round."""
        if self.scale is None:
            return replace(self, scale=linear.scale(total))
        return replace(self, null=linear.fitted(self.null or linear.Null.start(self.scale), total), fits=self.fits + 1)

    def site(self, here: linear.Design) -> linear.Site:
        """A site's people, ready to be asked about alleles."""
        assert self.null is not None  # it is done
        return linear.Site.of(here, self.null)

    def scores(self, here: linear.Design) -> Scores:
        """A site's people, ready to be asked about genes; of the first trait."""
        assert self.null is not None
        site = self.site(here)
        size = self.null.rotation.shape[1]
        rows = here.members()[:, 0]
        table = site.columns[: len(rows)][rows]
        group = int(self.null.scale.group[0])
        left = max(1, int(self.null.people[group]) - int(self.null.rank[group]))
        variance = max(float(self.null.rss[0]) / left, 1e-300)
        q, r = table[:, group * size : (group + 1) * size], table[:, self.null.scale.groups * size]
        return Scores(np.flatnonzero(rows), r / variance, np.full(len(r), 1 / variance), q)


@dataclass(frozen=True, eq=False)
class Logistic:
    """The model of so many diseases' cases and controls, as far as it is known: first the likelihood's, then Firth's, the offset of
    his estimates, where they are `penalised_too`."""

    diseases: int = 1
    penalised_too: bool = True
    scale: logistic.Scale | None = None
    fits: logistic.Fits | None = None
    null: logistic.Null | None = None
    penalised: logistic.Null | None = None

    @property
    def done(self) -> bool:
        return self.null is not None and (self.penalised is not None or not self.penalised_too)

    def ask(self, here: linear.Design) -> Sums:
        """A site's part of the next round."""
        if self.scale is None or self.fits is None:
            return logistic.moments(_people(here))
        return logistic.summarise(self.people(here), self.fits)

    def after(self, total: Sums) -> "Logistic":
        """What is known after the round."""
        if self.scale is None or self.fits is None:
            scale = logistic.Scale.of(total)
            return replace(self, scale=scale, fits=logistic.start(self.diseases, len(scale.mean)))
        fits, done = logistic.step(self.fits, total)
        if not done:
            return replace(self, fits=fits)
        if self.null is None:
            return replace(
                self,
                null=logistic.Null.of(fits),
                fits=logistic.start(self.diseases, len(self.scale.mean), penalised=True),
            )
        return replace(self, penalised=logistic.Null.of(fits))

    def people(self, here: linear.Design) -> logistic.People:
        """A site's people, their covariates on the scale of all sites."""
        assert self.scale is not None
        return _people(here).scaled(self.scale)

    def scores(self, here: linear.Design) -> Scores:
        """A site's people, ready to be asked about genes."""
        assert self.null is not None  # it is done
        people = self.people(here)
        p = expit(self.null.log_odds(people)[0])
        return Scores(np.arange(len(p)), people.y[:, 0] - p, p * (1.0 - p), people.x)


def _people(here: linear.Design) -> logistic.People:
    x = np.column_stack([np.ones(len(here.people)), here.covariates])
    return logistic.People.of(x, here.phenotypes, 0.0 if here.offset is None else here.offset)
