"""The alleles that an analysis is about, the same ones in the same order at every site, whatever each of them lists.

Sites list the variants that their people have. So a first round counts alleles, as `frequencies` does, and the pooled list is what
every later round asks about. Where a site does not list an allele its people have none of it (absence means reference), or
nothing is known of them.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from nhsgen.compute import mapped
from nhsgen.estimates import FrequencyRow
from nhsgen.statistics import Summary, frequencies, genotype_blocks, label, parts
from nhsgen.statistics.sums import Sums, stacked
from nhsgen.studies.allele_counts import allele_counts
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter
from nhsgen.variants.consequences import IMPACTS

__all__ = ["Alleles", "Listed", "listed", "places", "worst_impacts"]

Copies = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
_AT_ONCE = 256
NOT_CALLED = 3


@dataclass(frozen=True)
class Listed:
    """The pooled list.

    keys: in genome order; genes: "" where there is none; frequency: of ALT;
    rarer: copies of the rarer allele; called: alleles whose kind is known; people: who were counted.
    """

    keys: tuple[str, ...]
    genes: tuple[str, ...]
    frequency: npt.NDArray[np.float64]
    rarer: npt.NDArray[np.int64]
    carriers: npt.NDArray[np.int64]
    called: npt.NDArray[np.int64]
    people: int

    def only(self, rows: npt.NDArray[np.bool_]) -> "Listed":
        at = np.flatnonzero(rows)
        return Listed(tuple(self.keys[i] for i in at), tuple(self.genes[i] for i in at), self.frequency[at], self.rarer[at],
                      self.carriers[at], self.called[at], self.people)  # fmt: skip


def places(keys: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Chromosome and position of each allele.

    >>> places(["1-1000-A-G", "X-2000-C-T"])[0]
    ('1', 'X')
    """
    split = [key.split("-", 2) for key in keys]
    return tuple(chrom for chrom, *_ in split), np.array([pos for _, pos, _ in split], dtype=np.int64)


def listed(total: Summary) -> Listed:
    """The list that the sites' counts add up to; alleles that nobody was called for are not on it."""
    counted = frequencies.estimate(total)
    rows: list[FrequencyRow] = [row for row in counted.rows if row.called]
    alternate = np.array([row.alternate for row in rows], dtype=np.int64)
    called = np.array([row.called for row in rows], dtype=np.int64)
    return Listed(
        tuple(row.variant for row in rows),
        tuple(row.gene for row in rows),
        alternate / np.maximum(called, 1),
        np.minimum(alternate, called - alternate),
        np.array([row.carriers for row in rows], dtype=np.int64),
        called,
        counted.people,
    )


def worst_impacts(said: Summary) -> Mapping[str, str]:
    """By allele: HIGH, MODERATE, LOW or MODIFIER, the most severe that any site says; no entry where none says."""
    found: dict[str, str] = {}
    for key, impact in map(parts, said.labels):
        if impact in IMPACTS:
            found[key] = min(impact, found.get(key, impact), key=IMPACTS.index)
    return found


class Alleles:
    """One site's genotypes at the alleles of a filter, for some of its people.

    They lie in a file without a name, at the site, that is gone with this object: a genome's alleles are more than memory holds.
    """

    def __init__(
        self,
        data: SiteData,
        variants: VariantFilter,
        samples: npt.NDArray[np.int64],
        persons: pl.Series,
    ) -> None:
        """samples: numbers in the store, one a person."""
        store = data.variants()
        self._settings = data.settings
        self.people = len(samples)
        self._places: dict[str, int] = {}
        self._impacts: list[str] = []
        width = genotype_blocks.words_for(len(samples))
        with tempfile.TemporaryFile() as file:
            for frame, words, sets in store.packed(variants):
                file.write(_chosen(words, frame["haploid_set"], sets, samples).tobytes())
                for key in frame["key"]:
                    self._places[key] = len(self._places)
                self._impacts += frame["impact"].fill_null("").to_list()
            file.flush()
            shape = (len(self._places), width)
            self._words = np.memmap(file, np.uint64, "r", shape=shape) if all(shape) else np.zeros(shape, np.uint64)
        nobody_called = genotype_blocks.pack(np.full((1, len(samples)), NOT_CALLED, dtype=np.uint8))[0]
        self._absent = np.zeros_like(nobody_called) if store.absence == "reference" else nobody_called
        self.summary = allele_counts(data, persons, variants)

    def impacts(self) -> Summary:
        """What this site's annotation says that each allele does, on the gene that it counts for."""
        return Summary.from_rows(
            ("sites",), {label(said): [1] for said in zip(self._places, self._impacts, strict=True)}
        )

    def words(self, keys: Sequence[str]) -> Words:
        """These alleles packed, alleles x words, this site's people in order: two bits each, 3 where nothing is known. A man's one
        copy on X counts as two: dosage compensation."""
        rows = np.tile(self._absent, (len(keys), 1))
        here = [(row, self._places[key]) for row, key in enumerate(keys) if key in self._places]
        if here:
            at, places = (np.array(column) for column in zip(*here, strict=True))
            rows[at] = self._words[places]
        return rows

    def summed(self, function: Callable[[Words], Sums], keys: Sequence[str], at_once: int) -> Sums:
        """What `function` says of the words of some alleles at a time, one after the other; the site's workers share the work, so it must
        be importable by name (or a `partial` of such a one)."""
        pieces = (self.words(keys[start : start + at_once]) for start in range(0, len(keys), at_once))
        # One thread for each product: there are as many products at once as there are threads.
        with threadpool_limits(1, "blas"):
            return stacked([*mapped(function, pieces, workers=self._settings.workers, settings=self._settings)])

    def copies(self, keys: Sequence[str]) -> Copies:
        """The same as alleles x people: 0, 1, 2, or 3."""
        return genotype_blocks.copies(self.words(keys), self.people)

    def blocks(self, keys: Sequence[str]) -> "Blocks":
        """`copies`, some alleles at a time, as often as it is walked through."""
        return Blocks(self, keys)


def _chosen(
    words: npt.NDArray[np.uint64],
    sets: pl.Series,
    haploid: Sequence[npt.NDArray[np.bool_]],
    samples: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint64]:
    """The rows of these people alone, the one copy of who is haploid there written as two."""
    found = np.empty((len(words), genotype_blocks.words_for(len(samples))), dtype=np.uint64)
    numbers = sets.fill_null(-1).to_numpy()
    for number in np.unique(numbers):
        rows = numbers == number
        who = None if number < 0 else haploid[number][samples]
        found[rows] = genotype_blocks.chosen(words[rows], samples, who)[:, : found.shape[1]]
    return found


@dataclass(frozen=True)
class Blocks:
    """An iterable of copies that can be walked through again."""

    alleles: Alleles
    keys: Sequence[str]

    def __iter__(self) -> Iterator[Copies]:
        for start in range(0, len(self.keys), _AT_ONCE):
            yield self.alleles.copies(self.keys[start : start + _AT_ONCE])
