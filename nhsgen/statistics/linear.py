"""Does a measurement go up or down with copies of an allele? Linear regression for every variant, within a site or over many.

For a genome-wide scan of measurements (eGFR, height, blood counts). The sites are asked four times, and each answer is a sum:

    moments      how many, mean, variance   -> `scale`: everybody centres and scales alike, so that no digits are lost
    crossed      X'X, X'Y, Y'Y; twice       -> `fitted`: the model without a genotype, and the same rotation for everybody
    summarise    per variant g'Q, g'R       -> `estimate`

Q = X T are the covariates made orthogonal, R = Y - X c what they leave of the measurements (Frisch and Waugh 1933). `scan` is the
same steps for one site, the variants spread over its cores. A measurement is fitted among those who have it and all
covariates; measurements that the same people have share one X'X.

Somebody not called at a variant is left out of it, exactly, as plink2 does ("complete"): the people left out are few, and what
they added to Q'Q, Q'R and R'R is taken away again. Or they are given the mean of all others ("mean").
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from nhsgen.compute import mapped
from nhsgen.errors import BadInput
from nhsgen.settings import Settings
from nhsgen.statistics import genotype_blocks as blocks
from nhsgen.statistics.genotype_blocks import Ints, Words
from nhsgen.statistics.linear_kernels import REASONS, SMALL, add_missing, add_missing_products, fit, students_p
from nhsgen.statistics.sums import Floats, Sums

__all__ = [
    "REASONS",
    "Associations",
    "Design",
    "Missing",
    "Null",
    "Scale",
    "Site",
    "crossed",
    "estimate",
    "fitted",
    "moments",
    "scale",
    "scan",
    "students_p",
    "summarise",
]  # fmt: skip

Bools = npt.NDArray[np.bool_]
Missing = Literal["complete", "mean"]
Read = Callable[[int, int], Words]

CHUNK = 1024
"""Variants that a thread does at once."""


# -- Who takes part -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Design:
    """A site's people, one row each; what they cannot answer is nan, which leaves them out of what needs it.

    people: their sample numbers. phenotypes: people x P. covariates: people x C, without an intercept.
    haploid: who has one allele where the variants are (men, on X outside its pseudo-autosomal regions): their one copy counts as
        two, as plink2 counts them (--xchr-model 2; Clayton, Biostatistics 2008), unless `compensated` is False.
    offset: people x P or 1, what is known of each phenotype beforehand (the prediction of REGENIE's step 1, leaving a chromosome
        out); what it leaves of the phenotype is explained.
    """

    people: Ints
    phenotypes: Floats
    covariates: Floats
    haploid: Bools | None = None
    compensated: bool = True
    offset: Floats | None = None

    def __post_init__(self) -> None:
        tables = [np.asarray(table, dtype=np.float64) for table in (self.phenotypes, self.covariates)]
        people = np.asarray(self.people, dtype=np.int64)
        if any(table.ndim != 2 or len(table) != len(people) for table in tables):
            raise _bad("its tables do not have a row for each person", "give people x columns")
        if self.offset is not None:
            known = np.asarray(self.offset, dtype=np.float64)
            if known.ndim != 2 or len(known) != len(people) or known.shape[1] not in {1, tables[0].shape[1]}:
                raise _bad("the offset is not about these people", "give one of each person, or of each phenotype")
            tables.append(np.broadcast_to(known, tables[0].shape))
        if any(np.isinf(table).any() for table in tables):
            raise _bad("a column holds an infinite number", "write nan where nothing is known")
        if self.haploid is not None and np.asarray(self.haploid).shape != people.shape:
            raise _bad("it does not say of each person whether they are haploid", "give one truth a person")
        for name, array in zip(("phenotypes", "covariates", "offset"), tables, strict=False):
            object.__setattr__(self, name, array)
        object.__setattr__(self, "people", people)

    def at(self, site: int, sites: int, site_effect: str = "intercept") -> "Design":
        """With a covariate for each of `sites` but the first, 1 at its own: every site has a mean of its own.

        site_effect: "intercept", or "none" for no change.
        """
        if site_effect not in {"none", "intercept"} or not 0 <= site < sites:
            raise _bad("there is no such site or site effect", 'use "none" or "intercept", and sites from 0 on')
        if site_effect == "none":
            return self
        own = np.tile(np.arange(1, sites) == site, (len(self.people), 1)).astype(np.float64)
        return replace(self, covariates=np.hstack([self.covariates, own]))

    @property
    def unexplained(self) -> Floats:
        """The phenotypes less the offset: people x P."""
        return self.phenotypes if self.offset is None else self.phenotypes - self.offset

    def members(self) -> Bools:
        """Who has every covariate, this phenotype and its offset: people x P."""
        return ~np.isnan(self.unexplained) & ~np.isnan(self.covariates).any(axis=1, keepdims=True)


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("testing linear association", found, do_next)


# -- Round 0: one scale for everybody -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Scale:
    """What is taken off each column and what it is divided by (sd 0: it is the same in everybody), covariates first.

    group: of each phenotype, the number of its group: phenotypes that the same people have.
    """

    mean: Floats
    sd: Floats
    group: Ints

    @property
    def groups(self) -> int:
        return int(self.group.max()) + 1

    @property
    def sd_of_phenotypes(self) -> Floats:
        return self.sd[len(self.sd) - len(self.group) :]


def moments(design: Design) -> Sums:
    """Round 0. people, total, squares: C + P, over who has the column. together: P x P, how many have both phenotypes."""
    columns = np.hstack([design.covariates, design.unexplained])
    with_all = ~np.isnan(design.covariates).any(axis=1, keepdims=True)
    known = with_all & ~np.isnan(columns)
    values = np.where(known, columns, 0.0)
    have = design.members().astype(np.float64)
    return Sums.of(
        people=known.sum(axis=0), total=values.sum(axis=0), squares=(values**2).sum(axis=0), together=have.T @ have
    )


def scale(total: Sums) -> Scale:
    """From the total of `moments`. A mean or sd need not be exact: all sites use the same, and the answer is put back."""
    together = total["together"]
    alone = np.diag(together)
    if not alone.size:
        raise _bad("there is no phenotype", "give one at least")
    same = (together == alone) & (together == alone[:, np.newaxis])
    _, group = np.unique(same.argmax(axis=1), return_inverse=True)
    people = np.maximum(total["people"], 1.0)
    mean = total["total"] / people
    variance = total["squares"] / people - mean**2
    return Scale(mean, np.sqrt(np.where(variance > 1e-14 * mean**2, variance, 0.0)), group.reshape(-1).astype(np.int64))


# -- Rounds 1 and 2: the model without a genotype -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Null:
    """The covariates' model, of each group (G) or phenotype (P); K = 1 + C columns, the intercept first.

    rotation: G x K x K, X @ rotation is orthonormal among the group's people; columns of 0 for covariates that others make up.
    coefficients: P x K, of the scaled phenotype on scaled X. rss: P, residual sum of squares, scaled. people, rank, haploid: G.
    """

    scale: Scale
    people: Ints
    haploid: Ints
    rotation: Floats
    rank: Ints
    coefficients: Floats
    rss: Floats

    @classmethod
    def start(cls, scale: Scale) -> "Null":
        """Nothing is known yet: X is not rotated and explains nothing."""
        groups, phenotypes = scale.groups, len(scale.group)
        size = 1 + len(scale.mean) - phenotypes
        nobody = np.zeros(groups, np.int64)
        rotation = np.tile(np.eye(size), (groups, 1, 1))
        return cls(scale, nobody, nobody, rotation, nobody, np.zeros((phenotypes, size)), np.zeros(phenotypes))

    @property
    def constant(self) -> Bools:
        """Whether the covariates leave nothing of the phenotype, or there was nothing: P."""
        left_nothing: Bools = self.rss <= 1e-12 * self.people[self.scale.group]
        left_nothing |= self.scale.sd_of_phenotypes == 0.0
        return left_nothing


def crossed(design: Design, null: Null) -> Sums:
    """Rounds 1 and 2, over each group's people. people, haploid: G. qq: G x K x K, qr: P x K, rr: P, of Q = X @ rotation and R."""
    q, r, members = _columns(design, null)
    men = np.zeros(len(r), np.bool_) if design.haploid is None else design.haploid
    return Sums.of(
        people=members.sum(axis=0),
        haploid=(members & men[:, np.newaxis]).sum(axis=0),
        qq=np.stack([of_group.T @ of_group for of_group in q]),
        qr=np.stack([q[group].T @ r[:, number] for number, group in enumerate(null.scale.group)]),
        rr=(r**2).sum(axis=0),
    )


def fitted(null: Null, total: Sums) -> Null:
    """The model after a round, from the total of `crossed`. The first is good to the digits that X'X keeps; the second, which
    finds Q'Q close to 1, brings back those that columns of much the same lost (Cholesky QR twice; Yamamoto et al., ETNA 2015).
    """
    group = null.scale.group
    steps = [_orthonormal(qq) for qq in total["qq"]]
    step = np.stack([each for each, _ in steps])
    explained = np.einsum("pk,pkj->pj", total["qr"], step[group])
    rotation = null.rotation @ step
    return Null(
        null.scale,
        total["people"].astype(np.int64),
        total["haploid"].astype(np.int64),
        rotation,
        np.array([rank for _, rank in steps]),
        null.coefficients + np.einsum("pkj,pj->pk", rotation[group], explained),
        np.maximum(total["rr"] - (explained**2).sum(axis=1), 0.0),
    )


def _orthonormal(qq: Floats) -> tuple[Floats, int]:
    """T with T' qq T = 1 by Cholesky's method, in the order of the columns, leaving out what earlier ones make up; and the rank."""
    rotation = np.zeros_like(qq)
    for k in range(len(qq)):
        column = np.zeros(len(qq))
        column[k] = 1.0
        column -= rotation @ (rotation.T @ qq[:, k])
        left = float(column @ qq @ column)
        if left > SMALL * qq[0, 0]:
            rotation[:, k] = column / np.sqrt(left)
    return rotation, int(rotation.any(axis=0).sum())


def _columns(design: Design, null: Null) -> tuple[list[Floats], Floats, Bools]:
    """Q of each group and R, 0 for who is not in them; and who is in each group, people x G."""
    covariates, scale = design.covariates.shape[1], null.scale
    if covariates + design.phenotypes.shape[1] != len(scale.mean) or covariates + 1 != null.rotation.shape[1]:
        raise _bad("a site has other columns than the rest", "ask all sites the same question")
    members = design.members()
    sd = np.where(scale.sd == 0.0, 1.0, scale.sd)
    x = (design.covariates - scale.mean[:covariates]) / sd[:covariates]
    y = (design.unexplained - scale.mean[covariates:]) / sd[covariates:]
    x = np.hstack([np.ones((len(x), 1)), np.nan_to_num(x)])
    r = np.where(members, y - x @ null.coefficients.T, 0.0)
    of_group = members[:, [int(np.flatnonzero(scale.group == number)[0]) for number in range(scale.groups)]]
    return [(x * of_group[:, [number]]) @ null.rotation[number] for number in range(scale.groups)], r, of_group


# -- Round 3: a variant at a time ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Site:
    """A site's people as the kernels need them: made once, then asked about one block of variants after another.

    columns: people x (G K + P), `widened`: Q of each group, 0 for who is not in it, and R. members, men: G x words.
    """

    design: Design
    null: Null
    columns: Floats
    members: Words
    men: Words

    @classmethod
    def of(cls, design: Design, null: Null) -> "Site":
        q, r, members = _columns(design, null)
        men = np.zeros(len(r), np.bool_) if design.haploid is None else design.haploid
        return cls(
            design,
            null,
            blocks.widened(np.hstack([*q, r])),
            np.stack([blocks.membership(of_group) for of_group in members.T]),
            np.stack([blocks.membership(of_group & men) for of_group in members.T]),
        )


def summarise(words: Words, site: Site, missing: Missing = "complete") -> Sums:
    """Round 3, for V variants: what this site's people add up to.

    counts: V x G x 3, people with one copy, two, no call. men: V x G x 2, haploid people whose one copy is counted as two, and
    those with no call.
    gq: V x G x K, gr: V x P, copies times Q and R.
    "complete" adds, over who was not called, qq: V x G x K (K + 1) / 2, the lower triangle of Q'Q, qr: V x P x K, rr: V x P;
    "mean" instead mq: V x G x K, mr: V x P, the sums of Q and R.
    """
    return Sums.taking(_summed(words, site, missing))


def _summed(words: Words, site: Site, missing: Missing) -> dict[str, Floats]:
    if missing not in {"complete", "mean"}:
        raise _bad("there is no such way with missing genotypes", 'use "complete" or "mean"')
    design, groups, size = site.design, site.null.scale.groups, site.null.rotation.shape[1]
    men = design.haploid if design.compensated else None
    words = blocks.chosen(words, design.people, men)
    counts = np.stack([blocks.count(words, members) for members in site.members], axis=1)
    both = np.zeros((len(words), groups, 2))
    if design.haploid is not None and design.haploid.any():
        for number, members in enumerate(site.men):
            _, two, none = blocks.count(words, members).T
            both[:, number] = np.stack([two * design.compensated, none], axis=1)
    products = blocks.products(words, site.columns, counts.sum(axis=2).max(axis=1))
    found = {
        "counts": counts.astype(np.float64),
        "men": both,
        "gq": products[:, : groups * size].reshape(-1, groups, size),
        "gr": np.ascontiguousarray(products[:, groups * size : groups * size + len(site.null.scale.group)]),
    }
    rows = np.flatnonzero(counts[:, :, 2].any(axis=1))
    group, variants, phenotypes = site.null.scale.group, len(words), len(site.null.scale.group)
    if missing == "mean":
        found |= {"mq": np.zeros((variants, groups, size)), "mr": np.zeros((variants, phenotypes))}
        add_missing(words, rows, site.columns, found["mq"], found["mr"])
    else:
        found |= {
            "qq": np.zeros((variants, groups, size * (size + 1) // 2)),
            "qr": np.zeros((variants, phenotypes, size)),
            "rr": np.zeros((variants, phenotypes)),
        }
        add_missing_products(words, rows, site.columns, group, found["qq"], found["qr"], found["rr"])
    return found


# -- The answer ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Associations:
    """One entry for each variant and phenotype: V x P. nan wherever `reason`, a number of `REASONS`, is not 0.

    beta: what one copy more of ALT adds to the phenotype, in its unit; se: its standard error; t = beta / se; p: two-sided, of
    Student's t with people - rank - 1 degrees of freedom; log10_p: -log10 of p, also where p is too small for a float64.
    people: who was used. copies: of ALT among them who were called; alleles: how many they have, of either kind.
    """

    beta: Floats
    se: Floats
    t: Floats
    p: Floats
    log10_p: Floats
    people: Ints
    copies: Ints
    alleles: Ints
    reason: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls, variants: int, phenotypes: int) -> "Associations":
        shape = (variants, phenotypes)
        kinds: list[Any] = [np.float64] * 5 + [np.int64] * 3 + [np.uint8]
        return cls(*(np.empty(shape, kind) for kind in kinds))

    def rows(self, start: int, stop: int) -> "Associations":
        """A view of some variants."""
        return Associations(*[getattr(self, each.name)[start:stop] for each in fields(self)])

    def frame(self, phenotypes: Sequence[str] = ()) -> pl.DataFrame:
        """A row a variant and phenotype: variant (its number, from 0), phenotype (its number or name), and the columns; no nan."""
        variants, width = self.beta.shape
        names = list(phenotypes) or [str(number) for number in range(width)]
        columns = {
            each.name: pl.Series(getattr(self, each.name).reshape(-1), nan_to_null=True) for each in fields(self)
        }
        place = {
            "variant": pl.Series(np.repeat(np.arange(variants, dtype=np.int64), width)),
            "phenotype": pl.Series(names * variants, dtype=pl.Enum(names)),
        }
        table = pl.DataFrame(place | columns)
        return table.with_columns(pl.Series("reason", REASONS, dtype=pl.Enum(REASONS)).gather(table["reason"]))


def estimate(null: Null, total: Sums) -> Associations:
    """From the total of `summarise`."""
    answer = Associations.empty(len(total["counts"]), len(null.scale.group))
    _estimate(
        null, {name: array.copy() for name, array in total.arrays.items()}, answer
    )  # read-only is another type to numba
    return answer


def scan(
    read: Read, variants: int, design: Design, *, missing: Missing = "complete", settings: Settings | None = None
) -> Associations:
    """All rounds for the people of one site, `variants` of them on as many threads as the settings say.

    read: the words of the variants from a first to before a last; it is called by several threads.
    """
    # One thread for each product: they are small, and there are as many at once as there are threads.
    with threadpool_limits(1, "blas"):
        null = Null.start(scale(moments(design)))
        for _ in range(2):
            null = fitted(null, crossed(design, null))
        site = Site.of(design, null)
        answer = Associations.empty(variants, len(null.scale.group))

        def some(start: int) -> None:
            stop = min(start + CHUNK, variants)
            _estimate(null, _summed(read(start, stop), site, missing), answer.rows(start, stop))

        for _ in mapped(some, range(0, variants, CHUNK), settings=settings or Settings()):
            pass
    return answer


def _estimate(null: Null, sums: Mapping[str, Floats], answer: Associations) -> None:
    mean = "mq" in sums
    qq, qr, rr = (
        (sums["mq"], sums["mr"][:, :, np.newaxis], sums["mr"]) if mean else (sums["qq"], sums["qr"], sums["rr"])
    )
    df = np.empty(answer.t.shape)
    fit(
        sums["counts"], sums["men"], sums["gq"], sums["gr"], qq, qr, rr, mean,
        null.scale.group, null.people, null.haploid, null.rank, null.rss, null.constant, null.scale.sd_of_phenotypes,
        answer.beta, answer.se, answer.t, df, answer.people, answer.copies, answer.alleles, answer.reason,
    )  # fmt: skip
    answer.p[:], answer.log10_p[:] = students_p(answer.t, df)
