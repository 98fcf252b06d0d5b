"""The model of a trait without any genotype, fitted to all sites' people in rounds, before alleles or genes are asked about."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from nhsgen.statistics import binary, linear
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
    """The model of cases and controls, as far as it is known; covariates are brought to one scale first."""

    scale: linear.Scale | None = None
    null: binary.Null | None = None

    @property
    def done(self) -> bool:
        return self.null is not None and self.null.done

    def ask(self, here: linear.Design) -> Sums:
        """A site's part of the next round."""
        if self.scale is None or self.null is None:
            return linear.moments(here)
        return binary.null_sums(self.columns(here), here.phenotypes[:, 0], self.null)

    def after(self, total: Sums) -> "Logistic":
        """What is known after the round."""
        if self.scale is None or self.null is None:
            return Logistic(linear.scale(total), binary.Null.start(len(total["people"])))
        return replace(self, null=binary.null_step(self.null, total))

    def columns(self, here: linear.Design) -> Floats:
        """The intercept and the scaled covariates of a site's people."""
        assert self.scale is not None
        size = here.covariates.shape[1]
        sd = np.where(self.scale.sd == 0.0, 1.0, self.scale.sd)[:size]
        return np.column_stack([np.ones(len(here.people)), (here.covariates - self.scale.mean[:size]) / sd])

    def scores(self, here: linear.Design) -> Scores:
        """A site's people, ready to be asked about genes."""
        assert self.null is not None  # it is done
        x = self.columns(here)
        p = expit(x @ self.null.beta)
        return Scores(np.arange(len(x)), here.phenotypes[:, 0] - p, p * (1.0 - p), x)
