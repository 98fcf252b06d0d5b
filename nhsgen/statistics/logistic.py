"""Are cases more often carriers? Logistic regression of yes or no, with covariates, for each allele, within a site or over many.

For a genome-wide scan of cases and controls. All variants get the score test, which fits nothing but the covariates; the few it
finds get more: `firth` where cases are few, `saddlepoint` where they are far fewer than controls, or Wald's test here. Each round
is a sum over people, so that hospitals together get what one hospital with all the people would have got:

    scale = Scale.of(total(moments(site) for site in sites))     everybody centres and scales alike, so that no digits are lost
    sites = [site.scaled(scale) for site in sites]
    null = Null.of(solve(lambda fits: total(summarise(site, fits) for site in sites), step, start(phenotypes, covariates)))
    scores = estimate(null, total(score_sums(g, site, null) for g, site in zip(genotypes, sites)))

`Fits` are many regressions fitted at once, a sum a round: the covariates alone, for each phenotype; or with a genotype, for each
variant and phenotype that is asked about (`wald`). Several phenotypes may be asked at once, each of the people who have it.

Genotypes are tables of variants x people: uint8, 0, 1 or 2 copies and 3 where nothing was called, or float64 dosages, where nan is
as good as 3. The score test gives people who were not called the mean of all others, of all sites; `wald` can leave them out.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit, log_ndtr

from nhsgen.errors import BadInput
from nhsgen.statistics import logistic_kernels as kernels
from nhsgen.statistics.logistic_kernels import SMALL, inverted, put
from nhsgen.statistics.sums import Floats, Sums

__all__ = [
    "REASONS", "Effects", "Fits", "Hits", "Null", "People", "Scale", "Scores", "adjusted", "along", "estimate",
    "log10_p", "moments", "score_sums", "start", "step", "summarise", "wald",
]  # fmt: skip

Genotypes = npt.NDArray[np.uint8] | Floats
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]

REASONS = (
    "",
    "nobody",
    "no cases, or no controls",
    "separated by the covariates",
    "no genotypes called",
    "monomorphic",
    "collinear with the covariates",
    "separated by the genotype",
    "did not settle",
)
"""Why a row has no answer; "" when it has one."""
(OK, NOBODY, ONE_KIND, NULL_SEPARATED, NONE_CALLED, MONOMORPHIC, COLLINEAR, SEPARATED, UNSETTLED) = range(len(REASONS))

SETTLED = 1e-11
"""A step so small, in standard errors, ends the rounds. Firth's steps shrink by a factor only: the answer is that close to its limit."""

CLOSE = 1e-8
"""As small as this is good enough when the rounds are used up: sums in fixed point have no more digits."""

MOST_ROUNDS, MOST_PENALISED = 25, 60
"""A likelihood that has a maximum is there after ten; one that climbs for ever, as coefficients grow by 1 a round, is separated."""

NO_VARIANCE = 1e-10
"""A genotype of whose squares its variance is a smaller share than this is the same in everybody."""

NOBODYS = -1e300
"""The log odds of those without a phenotype: they are controls for certain, and add nothing to any sum."""

LONGEST_STEP = 5.0

# -- Who takes part, on one scale -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class People:
    """A site's people, one row each; nan is what is not known of somebody, which leaves them out of what needs it.

    x: people x K covariates, the first column ones. y: people x P, 1 for a case, 0 for a control. offset: people x P, what is
    known of the log odds beforehand (the polygenic prediction of REGENIE's step 1, leaving a chromosome out), or 0.
    """

    x: Floats
    y: Floats
    offset: Floats

    @classmethod
    def of(cls, x: npt.ArrayLike, y: npt.ArrayLike, offset: npt.ArrayLike = 0.0) -> "People":
        """BadInput for tables that do not fit together, a first column that is not ones, or an outcome that is not 0, 1 or nan."""
        covariates, outcome = np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)
        outcome = outcome[:, np.newaxis] if outcome.ndim == 1 else outcome
        if covariates.ndim != 2 or outcome.ndim != 2 or len(covariates) != len(outcome) or not covariates.shape[1]:
            raise _bad("its tables do not have a row for each person", "give people x columns")
        known = np.asarray(offset, dtype=np.float64)
        known = known[:, np.newaxis] if known.ndim == 1 else known
        if known.ndim and (len(known) != len(outcome) or known.shape[1] not in {1, outcome.shape[1]}):
            raise _bad("the offset is not about these people", "give one of each person, or of each phenotype")
        if np.isinf(covariates).any() or np.isinf(known).any():
            raise _bad("a column holds an infinite number", "write nan where nothing is known")
        if not np.isin(outcome[~np.isnan(outcome)], (0.0, 1.0)).all():
            raise _bad("an outcome is neither 0 nor 1", "write 1 for cases, 0 for controls, nan for neither")
        unknown = np.isnan(covariates).any(axis=1)
        if (covariates[~unknown, 0] != 1.0).any():
            raise _bad("the first covariate is not 1 in everybody", "put a column of ones first")
        covariates[unknown], outcome[unknown] = 0.0, np.nan
        outcome[np.broadcast_to(np.isnan(known), outcome.shape)] = np.nan
        return cls(covariates, outcome, np.nan_to_num(np.broadcast_to(known, outcome.shape)))

    def scaled(self, scale: "Scale") -> "People":
        """The same people, their covariates as everybody's are: centred, scaled and independent of each other."""
        return replace(self, x=(self.x - scale.mean) @ scale.rotation)


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("testing cases against controls", found, do_next)


def moments(people: People) -> Sums:
    """Round 0, over those who have any of the phenotypes. people: (). total: K. products: K x K, X'X."""
    x = people.x[~np.isnan(people.y).all(axis=1)]
    return Sums.of(people=len(x), total=x.sum(axis=0), products=x.T @ x)


@dataclass(frozen=True, eq=False)
class Scale:
    """What is taken off each covariate, mean: K, and then, rotation: K x K, makes them independent, each with variance 1. The
    column of ones stays; a column that earlier ones make up becomes 0.
    """

    mean: Floats
    rotation: Floats

    @classmethod
    def of(cls, total: Sums) -> "Scale":
        """From the total of `moments`. It need not be exact: all sites use the same, and the answer is put back."""
        people = max(1.0, float(total["people"]))
        mean, rotation = total["total"] / people, np.zeros_like(total["products"])
        covariance = total["products"] / people - np.outer(mean, mean)
        mean[0], rotation[0, 0] = 0.0, 1.0
        for k in range(1, len(mean)):  # Gram and Schmidt
            column = np.eye(len(mean))[k]
            column -= rotation[:, 1:k] @ (rotation[:, 1:k].T @ covariance[k])
            left = float(column @ covariance @ column)
            if left > max(SMALL * covariance[k, k], 1e-14 * mean[k] ** 2):
                rotation[:, k] = column / np.sqrt(left)
        return cls(mean, rotation)

    def original(self, coefficients: Floats) -> Floats:
        """Coefficients, rows x K, for covariates as they were before."""
        back: Floats = coefficients @ self.rotation.T
        back[:, 0] -= back @ self.mean
        return back


# -- Many regressions at once -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Fits:
    """R regressions on C columns, the K covariates and then, where C > K, a genotype: how far they are.

    phenotype: R, which of P each is about. mean: R, what stands for a genotype that was not called, nan to leave people out.
    genotyped: whether C > K; penalised: Firth's. going: which rows are still asked about. coefficients: R x C, where they are
    asked; best: R x C, the last that was no worse, of which value: R, the (penalised) log likelihood; inverse: R x C x C, of X'WX;
    covariance: the same, or Firth's of X'W(1+h)X. weight, people, cases: R. reason: R, numbers of `REASONS`.
    """

    phenotype: Ints
    mean: Floats
    genotyped: bool
    penalised: bool
    going: Ints
    coefficients: Floats
    best: Floats
    value: Floats
    inverse: Floats
    covariance: Floats
    weight: Floats
    people: Ints
    cases: Ints
    reason: Codes
    rounds: int = 0

    @property
    def effects(self) -> "Effects":
        """Of the last column: Wald's test (Firth's standard error is that of plink2 and logistf 1.24, with weights w (1 + h))."""
        beta, variance = self.best[:, -1], self.covariance[:, -1, -1]
        return Effects.of(beta, np.sqrt(np.maximum(variance, 0.0)), self.reason)


def start(phenotypes: int, covariates: int, *, penalised: bool = False) -> Fits:
    """The covariates alone (K of them, with the ones), for each phenotype."""
    mean, first = np.full(phenotypes, np.nan), np.zeros((phenotypes, covariates))
    return _start(np.arange(phenotypes), mean, first, penalised, False)


def wald(null: "Null", hits: "Hits", *, missing: str = "complete", penalised: bool = False) -> Fits:
    """The covariates and a genotype, for each hit: exact maximum likelihood, `effects` of which are Wald's; or full Firth.

    missing: "complete" leaves out who was not called, as plink2 does; "mean" gives them the mean of all others.
    """
    if missing not in {"complete", "mean"}:
        raise _bad("there is no such way with missing genotypes", 'use "complete" or "mean"')
    mean = hits.mean if missing == "mean" else np.full(len(hits.mean), np.nan)
    first = np.pad(null.coefficients[hits.phenotype], ((0, 0), (0, 1)))
    return _start(hits.phenotype, mean, first, penalised, True)


def _start(phenotype: Ints, mean: Floats, coefficients: Floats, penalised: bool, genotyped: bool) -> Fits:
    rows, size = coefficients.shape
    none, nobody = np.zeros((rows, size, size)), np.zeros(rows, np.int64)
    return Fits(
        phenotype, mean, genotyped, penalised, np.arange(rows), coefficients, coefficients, np.full(rows, -np.inf),
        none, none, np.zeros(rows), nobody, nobody, np.zeros(rows, np.uint8),
    )  # fmt: skip


def summarise(people: People, fits: Fits, g: Genotypes | None = None) -> Sums:
    """A round, for the G rows of `fits.going`. g: R x people, the genotype of each row of the fits, where they have one.

    gradient: G x C, X'(y - p). information: G x C x C, X'WX. log_likelihood, people, cases: G. Firth's adds third: G x C x C x C,
    the sum of w (1/2 - p) over products of three columns; fourth: G x C x C, of h (1/2 - 3 w) over products of two; and
    augmented: G x C x C, X'W(1+h)X. h, how much each person weighs in the fit, is from the round before.
    """
    rows, size = len(fits.going), fits.best.shape[1]
    if size != people.x.shape[1] + fits.genotyped:
        raise _bad("a site has other covariates than the rest", "ask all sites the same question")
    if (g is not None) != fits.genotyped or (g is not None and g.shape != (len(fits.mean), len(people.x))):
        raise _bad("there is not a genotype of each person for each row", "give the variants that the fits are about")
    genotypes = np.empty((0, 0), np.uint8) if g is None else g
    gradient, information, others = np.zeros((rows, size)), np.zeros((rows, size, size)), np.zeros((rows, 3))
    third, fourth, augmented = (np.zeros((rows * fits.penalised, *[size] * degree)) for degree in (3, 2, 2))
    kernels.add_fits(
        genotypes, fits.genotyped, fits.mean, fits.going, people.x, people.y, people.offset, fits.phenotype,
        fits.coefficients, fits.inverse, fits.penalised, gradient, information, third, fourth, augmented, others,
    )  # fmt: skip
    counts = {"log_likelihood": others[:, 0], "people": others[:, 1], "cases": others[:, 2]}
    firth = {"third": third, "fourth": fourth, "augmented": augmented} if fits.penalised else {}
    return Sums.of(gradient=gradient, information=information, **counts, **firth)


def step(fits: Fits, total: Sums) -> tuple[Fits, bool]:
    """Newton's step from a round's total, halved as long as it goes down; and whether no row needs another."""
    rows, first = fits.going, fits.rounds == 0
    inverse, determinant, kept = inverted(total["information"])
    value = total["log_likelihood"] + 0.5 * fits.penalised * determinant
    lost = kept.sum(axis=1) < (fits.inverse[rows].diagonal(axis1=1, axis2=2) > 0.0).sum(axis=1)
    better = value >= fits.value[rows] - 1e-10 * (1.0 + np.abs(value))
    covariance = inverted(total["augmented"])[0] if fits.penalised else inverse
    slope, curvature = total["gradient"], inverse
    if fits.penalised:
        slope, curvature = kernels.firth_slope(inverse, slope, total["information"], total["third"], total["fourth"])
    delta = np.einsum("rij,rj->ri", curvature, slope)
    left = np.sqrt(np.maximum((delta * slope).sum(axis=1), 0.0))
    longest = np.abs(delta).max(axis=1, initial=0.0)
    delta *= np.minimum(1.0, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))[:, np.newaxis]
    here, last = fits.coefficients[rows], fits.best[rows]
    best = np.where(better[:, np.newaxis], here, last)
    ahead = np.where(better[:, np.newaxis], here + delta, 0.5 * (here + last))
    rounds, failure = fits.rounds + 1, UNSETTLED if fits.penalised else SEPARATED
    last_round = rounds >= (MOST_PENALISED if fits.penalised else MOST_ROUNDS)
    reason = _reasons(fits, total, kept) if first else np.where(lost, failure, OK).astype(np.uint8)
    settled = better & (left <= (CLOSE if last_round else SETTLED)) & (rounds > fits.penalised)
    if last_round:
        reason[(reason == OK) & ~settled] = failure
    ok = rows[better]
    after = replace(
        fits,
        going=rows[~settled & (reason == OK)],
        coefficients=put(fits.coefficients, rows, ahead),
        best=put(fits.best, rows, best),
        value=put(fits.value, ok, value[better]),
        inverse=put(fits.inverse, ok, inverse[better]),
        covariance=put(fits.covariance, ok, covariance[better]),
        weight=put(fits.weight, ok, total["information"][better, 0, 0]),
        people=put(fits.people, rows, total["people"]),
        cases=put(fits.cases, rows, total["cases"]),
        reason=put(fits.reason, rows, reason),
        rounds=rounds,
    )
    return after, not after.going.size


def _reasons(fits: Fits, total: Sums, kept: npt.NDArray[np.bool_]) -> Codes:
    """What cannot be fitted, said after the first round."""
    people, cases, information = total["people"], total["cases"], total["information"]
    reason = np.zeros(len(people), np.uint8)
    if fits.genotyped:
        squares, weight = information[:, -1, -1], np.maximum(information[:, 0, 0], 1e-300)
        reason[~kept[:, -1]] = COLLINEAR
        reason[squares - information[:, 0, -1] ** 2 / weight <= NO_VARIANCE * squares] = MONOMORPHIC
    reason[(cases == 0) | (cases == people)] = ONE_KIND
    reason[people == 0] = NONE_CALLED if fits.genotyped else NOBODY
    return reason


# -- The model without a genotype -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Null:
    """The covariates' model of each phenotype: coefficients: P x K, of scaled covariates; inverse: P x K x K, of X'WX.

    weight: P, the sum of W. log_likelihood (with the penalty, if there was one), people, cases, reason: P.
    """

    coefficients: Floats
    inverse: Floats
    weight: Floats
    log_likelihood: Floats
    people: Ints
    cases: Ints
    reason: Codes

    @classmethod
    def of(cls, fits: Fits) -> "Null":
        reason = np.where(fits.reason == SEPARATED, NULL_SEPARATED, fits.reason).astype(np.uint8)
        return cls(fits.best, fits.inverse, fits.weight, fits.value, fits.people, fits.cases, reason)

    def log_odds(self, people: People) -> Floats:
        """P x people, what they are before any genotype; of those who have no phenotype, `NOBODYS`."""
        odds = people.offset + people.x @ self.coefficients.T
        return np.ascontiguousarray(np.where(np.isnan(people.y), NOBODYS, odds).T)


# -- The score test ---------------------------------------------------------------------------------------------------


def score_sums(g: Genotypes, people: People, null: Null) -> Sums:
    """One round for V variants, with the null model of all sites: what this site's people add up to.

    u, gwg, called, case_called, copies, case_copies: V x P, g'(y - p), g'Wg, who has a genotype, cases who do, copies of both.
    gwx: V x P x K, g'WX. All over those called; of those not called, mu: V x P, the sum of y - p, and mwx: V x P x K, of WX.
    """
    if g.ndim != 2 or g.shape[1] != len(people.x):
        raise _bad("the genotypes are not of these people", "give variants x people")
    members = ~np.isnan(people.y)
    p = expit(null.log_odds(people).T)
    y = np.where(members, people.y, 0.0)
    w = p * (1.0 - p)
    phenotypes, size = null.coefficients.shape
    wx = (w[:, :, np.newaxis] * people.x[:, np.newaxis, :]).reshape(len(w), phenotypes * size)
    columns = np.hstack([y - p, members, y, wx])
    products, squares, missing = kernels.multiplied(g, columns, w)
    u, copies, case_copies = (products[:, n * phenotypes : (n + 1) * phenotypes] for n in range(3))
    wide, shape = slice(3 * phenotypes, (3 + size) * phenotypes), (len(g), phenotypes, size)
    return Sums.of(
        u=u, gwg=squares, copies=copies, case_copies=case_copies, gwx=products[:, wide].reshape(shape),
        called=members.sum(axis=0) - missing[:, phenotypes : 2 * phenotypes],
        case_called=y.sum(axis=0) - missing[:, 2 * phenotypes : 3 * phenotypes],
        mu=missing[:, :phenotypes], mwx=missing[:, wide].reshape(shape),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Effects:
    """Log odds ratios of one copy more, of any shape: nan wherever `reason`, a number of `REASONS`, is not 0.

    log10_p: -log10 of the two-sided p, also where p is too small for a float64.
    """

    beta: Floats
    se: Floats
    log10_p: Floats
    reason: Codes

    @classmethod
    def of(cls, beta: Floats, se: Floats, reason: Codes) -> "Effects":
        """With p that of beta / se in a normal distribution."""
        ok = reason == OK
        beta, se = np.where(ok, beta, np.nan), np.where(ok, se, np.nan)
        return cls(beta, se, log10_p(np.divide(beta, se, out=np.full(beta.shape, np.nan), where=ok)), reason)

    @property
    def p(self) -> Floats:
        return np.asarray(10.0**-self.log10_p)


def log10_p(z: npt.ArrayLike) -> Floats:
    """-log10 of the two-sided p of a normal deviate, nan for nan.

    >>> log10_p([1.959964, 40.0]).round(4).tolist()
    [1.301, 349.136]
    """
    return np.asarray(-(log_ndtr(-np.abs(np.asarray(z, np.float64))) + np.log(2.0)) / np.log(10.0))


@dataclass(frozen=True, eq=False)
class Hits:
    """Variants and phenotypes to look at again, R: where they are among V and P.

    mean: R, copies of those called. projection: R x K, (X'WX)^-1 X'Wg: what the covariates explain of the genotype. score: R,
    variance: R.
    """

    variant: Ints
    phenotype: Ints
    mean: Floats
    projection: Floats
    score: Floats
    variance: Floats


@dataclass(frozen=True, eq=False)
class Scores:
    """Of V variants and P phenotypes: effects, beta = U / V and se = V^-1/2, of whichever test was made last.

    score, variance: V x P, U and V. people, cases: who was called; copies, case_copies: of the counted allele among them. mean:
    V x P. projection: V x P x K.
    """

    effects: Effects
    score: Floats
    variance: Floats
    people: Ints
    cases: Ints
    copies: Floats
    case_copies: Floats
    mean: Floats
    projection: Floats

    def hits(self, below: float = 0.01) -> Hits:
        """Those whose p is below this: 0.01 for `firth`, 0.0455 (z of 2) for `saddlepoint`."""
        variant, phenotype = np.nonzero((self.effects.reason == OK) & (self.effects.p < below))
        arrays = (self.mean, self.projection, self.score, self.variance)
        return Hits(variant, phenotype, *(array[variant, phenotype] for array in arrays))

    def replaced(self, hits: Hits, effects: Effects) -> "Scores":
        """With what a better test says of the hits."""
        where = hits.variant, hits.phenotype
        names = ("beta", "se", "log10_p", "reason")
        return replace(
            self, effects=Effects(*[put(getattr(self.effects, name), where, getattr(effects, name)) for name in names])
        )

    def frame(self, phenotypes: tuple[str, ...] = ()) -> pl.DataFrame:
        """A row a variant (its number, from 0) and phenotype (its name or number); null where there is no answer."""
        (variants, width), effects = self.score.shape, self.effects
        names = list(phenotypes) or [str(number) for number in range(width)]
        columns = {"beta": effects.beta, "se": effects.se, "p": effects.p, "log10_p": effects.log10_p}
        counts = {"people": self.people, "copies": self.copies, "case_copies": self.case_copies}
        return pl.DataFrame(
            {
                "variant": np.repeat(np.arange(variants), width),
                "phenotype": pl.Series(names * variants, dtype=pl.Enum(names)),
            }
            | {name: pl.Series(values.reshape(-1), nan_to_null=True) for name, values in (columns | counts).items()}
            | {"reason": pl.Series([REASONS[code] for code in effects.reason.reshape(-1)], dtype=pl.String)}
        )


def estimate(null: Null, total: Sums) -> Scores:
    """The score test from the total of `score_sums` (Rao 1948; as REGENIE has it: Mbatchou et al., Nature Genetics 2021).

    U = g'(y - p) and V = g'Wg - g'WX (X'WX)^-1 X'Wg, with p the chance of being a case and W = p (1 - p) of the model without g.
    """
    called, copies = total["called"], total["copies"]
    mean = np.divide(copies, called, out=np.zeros_like(copies), where=called > 0)
    score = total["u"] + mean * total["mu"]
    gwx = total["gwx"] + mean[:, :, np.newaxis] * total["mwx"]
    gwg = total["gwg"] + mean**2 * total["mwx"][:, :, 0]
    projection = np.einsum("vpk,pkj->vpj", gwx, null.inverse)
    variance = gwg - (projection * gwx).sum(axis=2)
    spread = gwg - gwx[:, :, 0] ** 2 / np.maximum(null.weight, 1e-300)
    reason = np.zeros(score.shape, np.uint8)
    reason[variance <= SMALL * spread] = COLLINEAR
    reason[spread <= NO_VARIANCE * gwg] = MONOMORPHIC
    reason[called == 0] = NONE_CALLED
    reason = np.where(null.reason, null.reason, reason).astype(np.uint8)
    good = np.where(reason == OK, variance, 1.0)
    effects = Effects.of(score / good, good**-0.5, reason)
    people, cases = called.astype(np.int64), total["case_called"].astype(np.int64)
    return Scores(effects, score, variance, people, cases, copies, total["case_copies"], mean, projection)


# -- Along one genotype -----------------------------------------------------------------------------------------------


def adjusted(g: Genotypes, people: People, hits: Hits) -> Floats:
    """What covariates leave of the genotype of each hit: R x people, 0 for those who do not have the phenotype.

    g: V x people, all the variants that the hits were found among. The answer is large: ask about a thousand hits or so at a time.
    """
    values = np.empty((len(hits.variant), len(people.x)))
    chosen = g[hits.variant]
    kernels.fill(chosen, values)
    np.copyto(values, hits.mean[:, np.newaxis], where=~(chosen <= 2))
    values -= hits.projection @ people.x.T
    values[np.isnan(people.y).T[hits.phenotype]] = 0.0
    return values


def along(genotype: Floats, rows: Ints, at: Floats, log_odds: Floats, outcome: Floats, phenotype: Ints) -> Floats:
    """For each of G rows, the logistic model with a genotype times one coefficient added to known log odds.

    genotype: R x people. rows, at: G, which of them and with what coefficient. log_odds, outcome: P x people. phenotype: R.
    Returns G x 5: log likelihood, its slope g'(y - p), g'Wg, and the sums of w g^3 (1/2 - p) and of w g^4 (1/2 - 3 w).
    """
    answer = np.empty((len(rows), 5))
    kernels.add_along(genotype, rows, at, log_odds, outcome, phenotype, answer)
    return answer
