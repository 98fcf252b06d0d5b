"""Each allele tested against the traits, in rounds: what a site adds up, what the total says, and what is found.

First the model without alleles is fitted (trait_models.py). Then measurements take one round. Cases and controls take one of score
tests, which fit nothing but the covariates; then some alleles are asked about again, in rounds, by a test that is worth more: those
that look strong by approximate Firth, those whose score is beyond two standard deviations by a saddlepoint, or every one by an exact
regression (Wald's test, or full Firth).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadStudy
from nhsgen.statistics import firth, genotype_blocks, linear, logistic, saddlepoint
from nhsgen.statistics.logistic_kernels import only
from nhsgen.statistics.sums import Floats, Sums, stacked
from nhsgen.studies.alleles import Alleles
from nhsgen.studies.question import Study
from nhsgen.studies.trait_models import Linear, Logistic

__all__ = ["Compared", "Found", "Measured"]

Ints = npt.NDArray[np.int64]

BEYOND_TWO = 0.0455
"""The p of a score two standard deviations out: up to there a normal one is good enough (SAIGE)."""

AT_ONCE = 512
"""Alleles that are numbers at a time."""

MOST_NUMBERS = 2**27
"""Of a round: 1 GB."""


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of V alleles and T traits, V x T each. copies: of ALT, among `alleles`; `reason`: why there is no effect, or "".

    fewest: copies of the rarer allele in cases or in controls, whichever have fewer; None of measurements.
    """

    people: Ints
    copies: Ints
    alleles: Ints
    beta: Floats
    se: Floats
    log10_p: Floats
    reason: npt.NDArray[np.str_]
    fewest: Ints | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """Measurements: the model, as far as it is known; then all."""

    missing: linear.Missing
    model: Linear = field(default_factory=Linear)
    sums: linear.Associations | None = None

    @property
    def done(self) -> bool:
        return self.sums is not None

    def ask(self, here: linear.Design, alleles: Alleles, keys: Sequence[str]) -> Sums:
        """A site's part of the next round."""
        if not self.model.done:
            return self.model.ask(here)
        site = self.model.site(here)
        return alleles.summed(partial(linear.summarise, site=site, missing=self.missing), keys, linear.CHUNK)

    def after(self, total: Sums) -> "Measured":
        """What is known after the round."""
        if not self.model.done:
            return replace(self, model=self.model.after(total))
        assert self.model.null is not None
        return replace(self, sums=linear.estimate(self.model.null, total))

    def found(self) -> Found:
        """The answer."""
        assert self.sums is not None
        of = self.sums
        return Found(of.people, of.copies, of.alleles, of.beta, of.se, of.log10_p, np.array(linear.REASONS)[of.reason])


Fit = firth.Approximate | saddlepoint.Saddlepoints | logistic.Fits


@dataclass(frozen=True, eq=False)
class Compared:
    """Cases and controls: the model, as far as it is known; then the scores; then how far the better test of the `hits` is."""

    test: str
    missing: str
    firth_below: float
    model: Logistic
    scores: logistic.Scores | None = None
    hits: logistic.Hits | None = None
    fit: Fit | None = None

    @classmethod
    def of(cls, study: Study) -> "Compared":
        """By the study's options."""
        test = study.options["test"]
        model = Logistic(max(1, len(study.diseases)), penalised_too=test == "score")
        return cls(test, study.options["missing"], study.options["firth_below"], model)

    @property
    def done(self) -> bool:
        return self.fit is not None and not self.fit.going.size

    def ask(self, here: linear.Design, alleles: Alleles, keys: Sequence[str]) -> Sums:
        """A site's part of the next round."""
        if not self.model.done:
            return self.model.ask(here)
        assert self.model.null is not None
        people = self.model.people(here)
        if self.fit is None:
            return alleles.summed(partial(_scores, people=people, null=self.model.null), keys, AT_ONCE)
        return stacked([self._again(rows, people, alleles, keys) for rows in _some(self.fit.going)])

    def _again(self, rows: Ints, people: logistic.People, alleles: Alleles, keys: Sequence[str]) -> Sums:
        """A round of some rows of the better test. Approximations ask about what the covariates leave of a genotype, exact
        regressions about itself."""
        assert self.hits is not None
        hits = only(self.hits, rows % len(self.hits.variant))  # a saddlepoint has two rows a hit
        g = alleles.copies([keys[variant] for variant in hits.variant])
        if isinstance(self.fit, logistic.Fits):
            return logistic.summarise(people, only(self.fit, rows), g)
        hits = replace(hits, variant=np.arange(len(rows)))
        genotype = logistic.adjusted(g, people, hits)
        if isinstance(self.fit, firth.Approximate):
            return firth.summarise(genotype, people, replace(only(self.fit, rows), hits=hits))
        assert self.fit is not None
        return saddlepoint.summarise(genotype, people, replace(only(self.fit, rows), hits=hits))

    def after(self, total: Sums) -> "Compared":
        """What is known after the round."""
        if not self.model.done:
            return replace(self, model=self.model.after(total))
        if self.fit is None:
            assert self.model.null is not None
            scores = logistic.estimate(self.model.null, total)
            hits = scores.hits({"score": self.firth_below, "saddlepoint": BEYOND_TWO}.get(self.test, np.inf))
            return replace(self, scores=scores, hits=hits, fit=self._begun(self.model.null, hits))
        if isinstance(self.fit, firth.Approximate):
            return replace(self, fit=firth.step(self.fit, total)[0])
        if isinstance(self.fit, saddlepoint.Saddlepoints):
            return replace(self, fit=saddlepoint.step(self.fit, total)[0])
        return replace(self, fit=logistic.step(self.fit, total)[0])

    def _begun(self, null: logistic.Null, hits: logistic.Hits) -> Fit:
        """The better test of the hits; BadStudy when exact regressions are too many."""
        if self.test == "score":
            assert self.model.penalised is not None
            return firth.approximate(hits, self.model.penalised)
        if self.test == "saddlepoint":
            return saddlepoint.approximate(hits, null)
        numbers = len(hits.variant) * (null.coefficients.shape[1] + 1) ** (3 if self.test == "firth" else 2)
        if numbers > MOST_NUMBERS:
            raise BadStudy(
                f"testing each allele by test = '{self.test}'",
                f"{len(hits.variant):,} regressions are more than fit into memory",
                "ask about fewer alleles, or use test = 'score' or 'saddlepoint'",
            )
        return logistic.wald(null, hits, missing=self.missing, penalised=self.test == "firth")

    def cases(self, diseases: Iterable[str]) -> Mapping[str, int]:
        """How many people have each of the diseases."""
        assert self.model.null is not None
        return dict(zip(diseases, map(int, self.model.null.cases), strict=False))

    def found(self) -> Found:
        """The answer."""
        assert self.scores is not None
        assert self.hits is not None
        assert self.fit is not None
        better = self.fit.effects if isinstance(self.fit, logistic.Fits) else self.fit.effects()
        scores = self.scores.replaced(self.hits, better)
        effects, copies = scores.effects, scores.copies.astype(np.int64)
        return Found(
            scores.people, copies, 2 * scores.people, effects.beta, effects.se, effects.log10_p,
            np.array(logistic.REASONS)[effects.reason], _fewest(scores),
        )  # fmt: skip


def _scores(words: npt.NDArray[np.uint64], people: logistic.People, null: logistic.Null) -> Sums:
    return logistic.score_sums(genotype_blocks.copies(words, len(people.y)), people, null)


def _fewest(scores: logistic.Scores) -> Ints:
    """Copies of the rarer allele in cases or in controls, whichever have fewer."""
    common = scores.copies > scores.people
    copies = np.where(common, 2 * scores.people - scores.copies, scores.copies)
    in_cases = np.where(common, 2 * scores.cases - scores.case_copies, scores.case_copies)
    return np.asarray(np.minimum(in_cases, copies - in_cases), dtype=np.int64)


def _some(rows: Ints) -> Iterator[Ints]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]
