"""The loops of logistic.py, compiled: what people add up to, and the algebra of many small matrices at once.

`plainly` in the tests fits one variant at a time, with what numpy has for matrices, and says the same.
"""

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.statistics.sums import Floats

__all__ = ["SMALL", "add_along", "add_fits", "fill", "firth_slope", "inverted", "multiplied", "only", "put"]

Genotypes = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Table = TypeVar("Table")

SMALL = 1e-8
"""A column of which the others leave a smaller share than this is one of them."""


TILE_ROWS, TILE_PEOPLE = 128, 512
"""Half a megabyte of float64: a tile and the columns it meets stay in the cache of one core."""


def multiplied(g: Genotypes, columns: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Copies times columns and squared copies times weights, over those called; the columns over those not called: V x columns."""
    columns = np.pad(columns, ((0, 0), (0, -columns.shape[1] % 4)))
    products, missing = np.zeros((2, len(g), columns.shape[1]))
    squares = np.zeros((len(g), weights.shape[1]))
    tile = np.empty((TILE_ROWS, TILE_PEOPLE))
    for row in range(0, len(g), TILE_ROWS):
        rows = slice(row, row + TILE_ROWS)
        for person in range(0, g.shape[1], TILE_PEOPLE):
            here = slice(person, person + TILE_PEOPLE)
            part = g[rows, here]
            view = tile[: part.shape[0], : part.shape[1]]
            if fill(part, view):
                _add_missing(part, columns[here], missing[rows])
            products[rows] += view @ columns[here]
            np.multiply(view, view, out=view)
            squares[rows] += view @ weights[here]
    return products, squares, missing


def put(array: npt.NDArray[Any], rows: Any, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """A copy with other values in these rows."""
    changed = array.copy()
    changed[rows] = values
    return changed


def only(table: Table, rows: Ints) -> Table:
    """A dataclass of arrays, a row each, with these rows alone; if some of its rows are `going`, then all of these are."""
    arrays = {each.name: getattr(table, each.name) for each in fields(table)}  # type: ignore[arg-type]
    going = {"going": np.arange(len(rows))} if "going" in arrays else {}
    taken = {name: array[rows] for name, array in arrays.items() if isinstance(array, np.ndarray) and name not in going}
    return replace(table, **taken, **going)  # type: ignore[type-var]


@njit(cache=True, nogil=True)
def fill(part: Genotypes, out: Floats) -> bool:
    """Copies as numbers, 0 where nothing was called; whether there was any such."""
    missing = 0
    for row in range(part.shape[0]):
        for who in range(part.shape[1]):
            called = part[row, who] <= 2
            out[row, who] = part[row, who] if called else 0.0
            missing += not called
    return missing > 0


@njit(cache=True, nogil=True)
def _add_missing(part: Genotypes, columns: Floats, sums: Floats) -> None:
    """Each column, over those not called in each row."""
    for row in range(part.shape[0]):
        for who in range(part.shape[1]):
            if not part[row, who] <= 2:
                for k in range(columns.shape[1]):
                    sums[row, k] += columns[who, k]


@njit(cache=True, nogil=True)
def add_along(
    genotype: Floats, rows: Ints, at: Floats, log_odds: Floats, outcome: Floats, phenotype: Ints, answer: Floats
) -> None:
    """See `logistic.along`."""
    for k in range(rows.size):
        row, t, which = rows[k], at[k], phenotype[rows[k]]
        likelihood, slope, information, third, fourth, product = 0.0, 0.0, 0.0, 0.0, 0.0, 1.0
        for i in range(genotype.shape[1]):
            a = genotype[row, i]
            odds = log_odds[which, i] + t * a
            e = np.exp(-abs(odds))
            q = 1.0 / (1.0 + e)
            p = q if odds >= 0.0 else e * q
            w = e * q * q
            share = w * a * a
            slope += a * (outcome[which, i] - p)
            information += share
            third += share * a * (0.5 - p)
            fourth += share * a * a * (0.5 - 3.0 * w)
            likelihood += outcome[which, i] * odds - max(odds, 0.0)
            product *= 1.0 + e  # one logarithm for many: no factor is above 2
            if i & 511 == 511:
                likelihood -= np.log(product)
                product = 1.0
        answer[k, 0] = likelihood - np.log(product)
        answer[k, 1], answer[k, 2], answer[k, 3], answer[k, 4] = slope, information, third, fourth


@njit(cache=True, nogil=True)
def add_fits(
    g: Genotypes, genotyped: bool, mean: Floats, rows: Ints, x: Floats, y: Floats, offset: Floats, phenotype: Ints,
    coefficients: Floats, inverse: Floats, penalised: bool, gradient: Floats, information: Floats, third: Floats,
    fourth: Floats, augmented: Floats, others: Floats,
) -> None:  # fmt: skip
    """See `logistic.summarise`. others: G x 3, log likelihood, people, cases."""
    covariates, size = x.shape[1], coefficients.shape[1]
    z = np.empty(size)
    for k in range(rows.size):
        row, which = rows[k], phenotype[rows[k]]
        for i in range(x.shape[0]):
            case = y[i, which]
            z[:covariates] = x[i]
            if genotyped:
                z[covariates] = g[row, i] if g[row, i] <= 2 else mean[row]
            if np.isnan(case) or np.isnan(z[size - 1]):
                continue
            odds = offset[i, which]
            for j in range(size):
                odds += coefficients[row, j] * z[j]
            e = np.exp(-abs(odds))
            p = 1.0 / (1.0 + e) if odds >= 0.0 else e / (1.0 + e)
            w = e / (1.0 + e) ** 2
            for j in range(size):
                gradient[k, j] += (case - p) * z[j]
                for m in range(j + 1):
                    information[k, j, m] += w * z[j] * z[m]
            if penalised:
                _add_penalty(z, w, p, inverse[row], third[k], fourth[k], augmented[k])
            others[k, 0] += case * odds - max(odds, 0.0) - np.log1p(e)
            others[k, 1] += 1.0
            others[k, 2] += case
        _mirror(information[k])
        if penalised:
            _mirror(augmented[k])
            _mirror(fourth[k])
            _mirror_thirds(third[k])


@njit(cache=True, nogil=True)
def _add_penalty(
    z: Floats, w: float, p: float, inverse: Floats, third: Floats, fourth: Floats, augmented: Floats
) -> None:
    hat = 0.0
    for j in range(z.size):
        for m in range(z.size):
            hat += w * inverse[j, m] * z[j] * z[m]
    for j in range(z.size):
        for m in range(j + 1):
            both = w * z[j] * z[m]
            augmented[j, m] += (1.0 + hat) * both
            fourth[j, m] += hat * (0.5 - 3.0 * w) * z[j] * z[m]
            for n in range(m + 1):
                third[j, m, n] += (0.5 - p) * both * z[n]


@njit(cache=True, nogil=True)
def _mirror(square: Floats) -> None:
    for j in range(square.shape[0]):
        for m in range(j):
            square[m, j] = square[j, m]


@njit(cache=True, nogil=True)
def _mirror_thirds(cube: Floats) -> None:
    for j in range(cube.shape[0]):
        for m in range(j + 1):
            for n in range(m + 1):
                same = cube[j, m, n]
                cube[j, n, m] = cube[m, j, n] = cube[m, n, j] = cube[n, j, m] = cube[n, m, j] = same


def inverted(matrices: Floats) -> tuple[Floats, Floats, Bools]:
    """The inverse of each symmetric matrix, G x C x C, the log of its determinant, and which columns are there, G x C: one that
    earlier columns make up is left out, and is 0 in the inverse.

    >>> inverse, _, kept = inverted(np.array([[[4.0, 4.0, 0.0], [4.0, 4.0, 0.0], [0.0, 0.0, 2.0]]]))
    >>> inverse.diagonal(axis1=1, axis2=2).tolist(), kept.tolist()
    ([[0.25, 0.0, 0.5]], [[True, False, True]])
    """
    inverse, kept, determinant = matrices.copy(), np.zeros(matrices.shape[:2], np.bool_), np.zeros(len(matrices))
    for k in range(len(matrices)):
        determinant[k] = _sweep(inverse[k], kept[k])
    return inverse, determinant, kept


@njit(cache=True, nogil=True)
def _sweep(a: Floats, kept: Bools) -> float:
    """In place (Goodnight, The American Statistician 1979)."""
    diagonal, determinant = np.diag(a).copy(), 0.0
    for j in range(len(a)):
        pivot = a[j, j]
        kept[j] = pivot > SMALL * diagonal[j]
        if kept[j]:
            determinant += np.log(pivot)
            column, row = a[:, j] / pivot, a[j].copy()
            for m in range(len(a)):
                if m != j:
                    a[m] -= column[m] * row
            a[:, j], a[j] = -column, row / pivot
            a[j, j] = 1.0 / pivot
    gone = ~kept
    a[gone], a[:, gone] = 0.0, 0.0
    return determinant


def firth_slope(
    inverse: Floats, gradient: Floats, information: Floats, third: Floats, fourth: Floats
) -> tuple[Floats, Floats]:
    """X'(y - p + h (1/2 - p)), which Firth's estimate makes 0, and the inverse of its curvature, with which Newton steps there
    (Firth, Biometrika 1993; Heinze and Schemper, Statistics in Medicine 2002).

    The sum of h (1/2 - p) is trace(I^-1 T), T the third products. T changes with the coefficients, by the fourth, and I^-1 by
    -2 I^-1 T I^-1: a step that did not know it would take three times the rounds. Where the whole is not a curvature, as it may
    be far from the top, the part that always is one is taken.
    """
    rows, size = gradient.shape
    turned = (inverse[:, np.newaxis] @ third @ inverse[:, np.newaxis]).reshape(rows, size, -1)
    curvature = information + 2.0 * turned @ third.reshape(rows, size, -1).swapaxes(1, 2)
    safe, _, there = inverted(curvature)
    whole, _, kept = inverted(curvature - fourth)
    good = (kept == there).all(axis=1)
    step = np.where(good[:, np.newaxis, np.newaxis], whole, safe)
    return gradient + np.einsum("rjk,rjkl->rl", inverse, third), step
