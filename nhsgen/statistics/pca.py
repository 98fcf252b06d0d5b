"""Principal components: the few directions in which a cohort's genomes differ most, mostly because of where people's families
come from. They are covariates that keep an association from mistaking ancestry for cause, and the axes of a picture of structure.

With Z the standardised genotypes (variants x people) of everybody, components are the leading eigenvectors u of Z Z': loadings,
one number a variant. Z Z' V is a sum over people, so each round sends Z_s'(Z_s V) of a site s and no person's coordinates. The
centre keeps every direction met so far and finds the best combination of all (block Krylov: Golub and Underwood 1977; Musco and
Musco, NeurIPS 2015), which needs a third of the rounds of plain subspace iteration (Hartebrodt et al., 2022).

    known = sample_qc.estimate(total(sample_qc.summarise(site) for site in sites))     round 0: frequencies
    scale = standardisation(known)
    state = solve(lambda s: total(summarise(site, scale, s.ask) for site in sites), step, start(scale))
    pcs = project(site, state.answer(scale))                                            at each site, and it stays there

Blocks are variants x people, uint8: 0, 1, 2 copies, 3 where nothing was called; they are walked through more than once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from nhsgen.errors import BadInput
from nhsgen.statistics import counts
from nhsgen.statistics.sample_qc import Copies, Texts, Variants, bins, checked
from nhsgen.statistics.summary import Summary, label
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["Krylov", "Loadings", "Scale", "binned", "project", "standardisation", "start", "step", "summarise"]

Function = TypeVar("Function", bound=Callable[..., object])

_BLAS = ThreadpoolController()
"""What limits numpy's products to one thread: on shapes as narrow as these a second one waits longer than it works."""

EXTRA = 10
"""Directions asked about beyond the components wanted: they take up what lies just below, and save rounds."""

_PIECE = 2**20
"""Genotypes that are numbers at a time: 8 MB, however many people there are."""

_ROUNDING = 1e-12
"""What is smaller than this share of the largest eigenvalue says nothing: a step to the next one, a direction not yet known."""


@dataclass(frozen=True, eq=False)
class Scale:
    """How copies become comparable: z = (copies - mean) x per, and 0 where nothing was called.

    mean, per: float64, one a variant; per is 0 for a variant left out, and `reason` says why ("rare", "monomorphic", ...).
    """

    mean: Floats
    per: Floats
    reason: Texts
    people: int

    @property
    def used(self) -> int:
        return int((self.per > 0).sum())


@dataclass(frozen=True, eq=False)
class Loadings:
    """Components of everybody: what a site needs to place its own people among them. No row is about a person.

    vectors: variants x components, orthonormal columns; the largest loading of each is positive. eigenvalues: of the genetic
    relationship matrix Z'Z / variants used, descending, as plink2 --pca prints them. error: by how much each vector may be off,
    the sine of the angle, estimated. reason: one a component, "" or "no gap": its eigenvalue is that of a neighbour, and
    only the plane of both means anything; components that do not exist (more than people or variants) are not listed.
    """

    scale: Scale
    vectors: Floats
    eigenvalues: Floats
    error: Floats
    reason: Texts


@dataclass(frozen=True, eq=False)
class Krylov:
    """Where the rounds stand: `ask` is what every site multiplies next; basis and images (Z Z' basis) are of earlier rounds."""

    ask: Floats
    basis: Floats
    images: Floats
    components: int
    tolerance: float

    def answer(self, scale: Scale) -> Loadings:
        """The loadings as far as they are known; final when `step` said so."""
        values, vectors, error, gap = _ritz(self)
        signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
        vectors[scale.per == 0] = 0.0
        return Loadings(scale, vectors * signs, values / scale.used, error, np.where(gap, "", "no gap"))


def standardisation(known: Variants, *, least_frequency: float = 0.01) -> Scale:
    """plink2's: copies less 2p, by the square root of 2p(1-p) (Patterson, Price and Reich 2006; GCTA, Yang et al. 2011).

    least_frequency: of the rarer allele; rarer variants are left out, since one person weighs most in them: a carrier's square
        of z is near 1/p.
    """
    p = np.nan_to_num(known.frequency)
    rare = (known.reason == "") & (np.minimum(p, 1 - p) < least_frequency)
    reason = np.where(rare, "rare", known.reason)
    variance = np.where(reason == "", 2 * p * (1 - p), np.inf)
    return Scale(2 * p, 1 / np.sqrt(variance), reason, known.people)


def summarise(blocks: Iterable[Copies], scale: Scale, ask: Floats) -> Sums:
    """One site's part of a round: product, variants x columns of `ask`, Z_s (Z_s' ask) with Z_s its standardised people.

    One person adds z (z' ask): row v changes by |z_v| |z' ask| at most, and |z_v| is below sqrt(2 / least frequency).
    """
    product = np.zeros_like(ask)
    with _BLAS.limit(limits=1, user_api="blas"):
        people = _coordinates(blocks, scale, ask)
        for rows, z in _standardised(blocks, scale):
            product[rows] = z @ people
    return Sums.of(product=product)


def start(scale: Scale, *, components: int = 10, tolerance: float = 1e-8, seed: int = 0) -> Krylov:
    """What to ask first: directions at random, the same for the same seed.

    tolerance: the error of each vector (sine of the angle) at which rounds end; 1e-6 is 1 - |cos| < 1e-12.
    BadInput when no variant varies.
    """
    if not scale.used:
        raise BadInput("finding principal components", "no variant varies enough", "choose common variants")
    width = min(components + EXTRA, scale.used)
    random = np.random.default_rng(seed).standard_normal((len(scale.per), width))
    random[scale.per == 0] = 0.0
    ask = np.linalg.qr(random)[0]
    ask[scale.per == 0] = 0.0
    none = np.empty((len(scale.per), 0))
    return Krylov(ask, none, none, min(components, scale.used), tolerance)


def step(state: Krylov, sums: Sums) -> tuple[Krylov, bool]:
    """Take in a round's total; done when every component is as exact as asked, or nothing new can be asked."""
    images = sums["product"]
    known = replace(state, basis=np.hstack([state.basis, state.ask]), images=np.hstack([state.images, images]))
    with _BLAS.limit(limits=1, user_api="blas"):
        values, _, error, _ = _ritz(known)
        fresh = _fresh(images, known.basis, _ROUNDING * values.max(initial=0.0))
    exact = len(values) == state.components and bool((error <= state.tolerance).all())
    return replace(known, ask=fresh), exact or not fresh.shape[1]


def project(blocks: Iterable[Copies], loadings: Loadings) -> Floats:
    """Where a site's people lie: people x components. These are rows about people: covariates there, and they never leave.

    Any people may be placed on loadings of others, such as those of a public reference, when the variants are the same. Over
    the people the loadings were made of, the mean square of a component is 1: plink2's eigenvectors times sqrt(people).
    """
    scale = loadings.scale
    with_length = np.sqrt(np.maximum(loadings.eigenvalues, 0.0) * scale.used / max(scale.people, 1))
    per = np.divide(1.0, with_length, out=np.zeros_like(with_length), where=with_length > 0)
    with _BLAS.limit(limits=1, user_api="blas"):
        return _coordinates(blocks, scale, loadings.vectors) * per


def binned(pcs: Floats, groups: Iterable[str | None], edges: npt.ArrayLike) -> Summary:
    """How many of a site's people are in each (group, bin of PC1, bin of PC2), named by the middles of the bins.

    edges: of the bins of both axes, fixed and public, the same at every site. It adds up like counts, is read by
    `counts.estimate(total, ["ancestry", "pc1", "pc2"])`, and is the only form in which coordinates may be drawn.
    One person changes one number by one.

    >>> binned(np.array([[0.2, 1.5], [0.4, 1.1]]), ["EUR", "EUR"], [0.0, 1.0, 2.0]).to_dict()["rows"]
    {'EUR\\x1f0.5\\x1f1.5': [2, 0]}
    """
    if pcs.ndim != 2 or pcs.shape[1] < 2:
        raise BadInput("counting people on principal components", "there are not two of them", "ask for two or more")
    found = Counter(map(label, zip(groups, bins(pcs[:, 0], edges), bins(pcs[:, 1], edges), strict=True)))
    return Summary.from_rows(counts.MEASURES, {name: [people, 0] for name, people in found.items()})


# -- What the centre calculates -------------------------------------------------------------------------------------------


def _ritz(state: Krylov) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    """The best eigenvectors the basis holds (Rayleigh and Ritz): values, vectors, errors, and whether there is a gap.

    The sine of the angle to the true vector is at most residual / gap (Davis and Kahan 1970), and both are known without asking
    again. Where there is no gap, the residual is judged by the largest eigenvalue.
    """
    small = state.basis.T @ state.images
    ascending, turns = np.linalg.eigh((small + small.T) / 2)
    values, turns = ascending[::-1], turns[:, ::-1]
    rounding = _ROUNDING * values.max(initial=0.0)
    k = min(state.components, int((values > rounding).sum()))
    vectors = state.basis @ turns[:, :k]
    residual = np.linalg.norm(state.images @ turns[:, :k] - vectors * values[:k], axis=0)
    steps = -np.diff(values[: k + 1], prepend=np.inf, append=-np.inf)
    gap = np.minimum(steps[:k], steps[1 : k + 1])
    separate = gap > rounding
    error = residual / np.where(separate, gap, values.max(initial=1.0))
    return values[:k], vectors, np.minimum(error, 1.0), separate


def _fresh(images: Floats, basis: Floats, least: float) -> Floats:
    """An orthonormal basis of what `images` hold beyond `basis`; twice is enough (Kahan and Parlett 1976)."""
    rest = images - basis @ (basis.T @ images)
    rest -= basis @ (basis.T @ rest)
    directions, sizes, _ = np.linalg.svd(rest, full_matrices=False)
    fresh = directions[:, sizes > least][:, : max(0, len(basis) - basis.shape[1])]
    fresh -= basis @ (basis.T @ fresh)
    return np.linalg.qr(fresh)[0]


# -- What a site calculates -----------------------------------------------------------------------------------------------


def _coordinates(blocks: Iterable[Copies], scale: Scale, directions: Floats) -> Floats:
    """Z' directions, people x columns."""
    people: Floats | None = None
    for rows, z in _standardised(blocks, scale):
        part = z.T @ directions[rows]
        people = part if people is None else people + part
    return np.zeros((0, directions.shape[1])) if people is None else people


def _standardised(blocks: Iterable[Copies], scale: Scale) -> Iterator[tuple[slice, Floats]]:
    """Pieces of blocks as z, and which rows they are. The next is written over the last: new memory costs more than arithmetic."""
    found, do_next = "the blocks are not of the variants counted", "give the same ones, to be read more than once"
    unlike = BadInput("finding principal components", found, do_next)
    at, buffer = 0, np.empty((0, 0))
    for block in checked(blocks):
        if at + len(block) > len(scale.per):
            raise unlike
        height = max(1, _PIECE // max(1, block.shape[1]))
        if buffer.shape != (height, block.shape[1]):
            buffer = np.empty((height, block.shape[1]))
        for first in range(0, len(block), height):
            piece = block[first : first + height]
            rows = slice(at, at + len(piece))
            at = rows.stop
            _scaled(piece, scale.mean[rows], scale.per[rows], buffer)
            yield rows, buffer[: len(piece)]
    if at != len(scale.per):
        raise unlike


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


@_compiled
def _scaled(block: Copies, mean: Floats, per: Floats, out: Floats) -> None:
    z = np.zeros(4)
    for row in range(block.shape[0]):
        for copies in range(3):
            z[copies] = (copies - mean[row]) * per[row]
        for person in range(block.shape[1]):
            out[row, person] = z[block[row, person]]
