"""A public panel that a study places people beside, 1000 Genomes say: what its alleles weigh, and where its own people lie.

    panel = Reference.learn(VariantStore.open("1000g"), groups, name="1000 Genomes")   # groups: sample -> EUR, AFR ...
    panel.write("1000g.json")

Its people agreed to be public. So their places may travel with a question, where those of a site's people never do; it is learned
from a store of one's own, never from a site. A study's file may name such a file, which is read beside it; the study holds what was in it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nhsgen.durable import write_whole
from nhsgen.errors import BadFile, BadInput, BadStudy, NotFound
from nhsgen.genome import Assembly, Variant
from nhsgen.statistics import genotype_blocks, ld, pca
from nhsgen.statistics.sample_qc import Copies
from nhsgen.statistics.sums import Floats, solve
from nhsgen.variants import VariantFilter, VariantStore

__all__ = ["MOST_ALLELES", "MOST_PEOPLE", "Reference"]

MOST_ALLELES, MOST_PEOPLE, MOST_COMPONENTS = 50_000, 10_000, 20
MIN_AF, MIN_CALLED, MAX_R2, KB, PLACES = 0.05, 0.98, 0.2, 500.0, 200
"""Which alleles a panel is learned from: common, called, and of two that are linked and near each other one."""

_AUTOSOMES = frozenset(map(str, range(1, 23)))


@dataclass(frozen=True)
class Reference:
    """One panel.

    alleles: "key frequency weight weight ..." on `assembly`, a weight a component: somebody's place is the sum of
        (copies - 2 frequency) x weight.
    people: "group place place ...", of each of the panel's own.

    >>> Reference("toy", Assembly.GRCh38, ("1-100-A-G 0.25 1.5",), ("north -0.5", "south 0.75")).describe()
    'toy: 2 people of north, south; 1 component of 1 allele on GRCh38'
    """

    name: str
    assembly: Assembly
    alleles: tuple[str, ...]
    people: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isprintable() or not 0 < len(self.name) <= 200:
            raise _bad("its name is not one line of text", "name it in a few words")
        for lines, most, what in ((self.alleles, MOST_ALLELES, "alleles"), (self.people, MOST_PEOPLE, "people")):
            if not 0 < len(lines) <= most:
                raise _bad(f"it has {len(lines):,} {what}", f"give one to {most:,}")
        try:
            widths = {len(line.split(" ")) - 1 for line in self.alleles}
            if len({line.split(" ", 1)[0] for line in self.alleles}) < len(self.alleles):
                raise ValueError
            numbers = [float(x) for line in (*self.alleles, *self.people) for x in line.split(" ")[1:]]
            for line in self.alleles:
                Variant.parse(line.split(" ", 1)[0])
        except (AttributeError, ValueError, BadInput) as error:
            raise _bad(
                "a line of it is not written as it should be, or an allele stands twice",
                'write "key frequency weight ..." and "group place ...", each allele once',
            ) from error
        of_people = {len(line.split(" ")) for line in self.people}
        if widths != of_people or not widths <= set(range(2, MOST_COMPONENTS + 2)) or not np.isfinite(numbers).all():
            raise _bad(
                "its lines do not all have as many numbers", f"give 1 to {MOST_COMPONENTS} components throughout"
            )
        if not ((self._numbers[:, 0] > 0) & (self._numbers[:, 0] < 1)).all():
            raise _bad("a frequency is not between 0 and 1", "leave out alleles that everybody or nobody has")

    @classmethod
    def learn(
        cls, store: VariantStore, groups: Mapping[str, str], *, name: str, components: int = 6, most: int = 20_000
    ) -> "Reference":
        """From a store of public people. groups: of each sample that takes part. most: alleles, the first unlinked ones in genome order.

        NotFound when the store has too few of the samples, or too few alleles that are common, called and unlinked.
        """
        samples = [number for number, sample in enumerate(store.samples) if sample in groups]
        if len(samples) <= components:
            raise NotFound(
                "learning a reference", "the store has too few of these samples", "name samples of the store"
            )
        keys, copies = _unlinked(store, np.array(samples), most)
        if len(keys) < 2 * components:
            raise NotFound("learning a reference", f"only {len(keys)} alleles are common, called and unlinked",
                           "use a store of more of the genome, or fewer components")  # fmt: skip
        p = _frequency(copies)
        scale = pca.Scale(2 * p, 1 / np.sqrt(2 * p * (1 - p)), np.full(len(p), ""), len(samples))
        begin = pca.start(scale, components=components)
        krylov = solve(lambda state: pca.summarise([copies], scale, state.ask), pca.step, begin, most_rounds=100)
        loadings = krylov.answer(scale)
        length = np.sqrt(loadings.eigenvalues * scale.used / scale.people)
        weights, where = loadings.vectors * scale.per[:, None] / length, pca.project([copies], loadings)
        named = [groups[store.samples[number]].replace(" ", "_") for number in samples]
        return cls(
            name,
            store.assembly,
            tuple(f"{key} {f:.8g} {_said(row)}" for key, f, row in zip(keys, p, weights, strict=True)),
            tuple(f"{group} {_said(row)}" for group, row in zip(named, where, strict=True)),
        )

    @classmethod
    def read(cls, path: str | Path) -> "Reference":
        """From what `write` wrote."""
        source = Path(path)
        try:
            return cls.from_dict(json.loads(source.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise NotFound("reading a reference", "there is no such file", "check the path", file=source) from error
        except (OSError, ValueError) as error:
            raise BadFile(
                "reading a reference", "it is not JSON", "write it by Reference.write", file=source
            ) from error
        except BadInput as error:
            raise type(error)(error.tried, error.found, error.do_next, file=source) from error

    def write(self, path: str | Path) -> Path:
        """As JSON, whole or not at all."""
        target = Path(path)
        write_whole(target, (json.dumps(self.to_dict(), indent=1) + "\n").encode())
        return target

    def to_dict(self) -> dict[str, Any]:
        """Plain, complete, in one order."""
        return {
            "name": self.name, "assembly": str(self.assembly), "alleles": list(self.alleles), "people": list(self.people)
        }  # fmt: skip

    @classmethod
    def from_dict(cls, plain: Any) -> "Reference":
        """The inverse of `to_dict`."""
        known = {"name", "assembly", "alleles", "people"}
        if not isinstance(plain, Mapping) or set(plain) != known:
            raise _bad("it is not name, assembly, alleles and people", "write it by Reference.write")
        if not all(isinstance(plain[part], list | tuple) for part in ("alleles", "people")):
            raise _bad("its alleles or people are not a list", "write it by Reference.write")
        try:
            assembly = Assembly(plain["assembly"])
        except ValueError as error:
            raise _bad("its assembly is unknown", f"use {' or '.join(map(str, Assembly))}") from error
        return cls(plain["name"], assembly, tuple(plain["alleles"]), tuple(plain["people"]))

    def describe(self) -> str:
        """In a few words."""
        number, many = self._numbers.shape[1] - 1, len(self.alleles)
        what = f"{number} component{'' if number == 1 else 's'} of {many:,} allele{'' if many == 1 else 's'}"
        return f"{self.name}: {len(self.people):,} people of {', '.join(sorted(set(self.groups)))}; {what} on {self.assembly}"

    @cached_property
    def keys(self) -> tuple[str, ...]:
        return tuple(line.split(" ", 1)[0] for line in self.alleles)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Of each of its people."""
        return tuple(line.split(" ", 1)[0] for line in self.people)

    @cached_property
    def places(self) -> Floats:
        """Of its people, people x components."""
        return np.array([line.split(" ")[1:] for line in self.people], dtype=np.float64)

    @cached_property
    def loadings(self) -> pca.Loadings:
        """As the statistics take them."""
        p, weights = self._numbers[:, 0], self._numbers[:, 1:]
        many, number = weights.shape
        scale = pca.Scale(2 * p, np.ones(many), np.full(many, ""), many)
        return pca.Loadings(scale, weights, np.ones(number), np.zeros(number), np.full(number, ""))

    @cached_property
    def variants(self) -> VariantFilter:
        return VariantFilter(keys=self.keys)

    @cached_property
    def _numbers(self) -> Floats:
        return np.array([line.split(" ")[1:] for line in self.alleles], dtype=np.float64)


def _unlinked(store: VariantStore, samples: npt.NDArray[np.int64], most: int) -> tuple[list[str], Copies]:
    """The alleles to learn from, and the copies of these samples."""
    keys: list[str] = []
    kept: list[Copies] = [np.zeros((0, len(samples)), np.uint8)]
    for chrom, of_it, copies in _common(store, samples):
        near = ld.near(
            [chrom] * len(of_it), np.array([int(key.split("-")[1]) for key in of_it]), kb=KB, variants=PLACES
        )
        r2 = np.nan_to_num(ld.estimate(ld.summarise(copies, near)).r2)
        chosen = ld.prune(near, r2, _frequency(copies), most=MAX_R2)
        keys += [key for key, stays in zip(of_it, chosen, strict=True) if stays]
        kept.append(copies[chosen])
        if len(keys) >= most:
            break
    return keys[:most], np.concatenate(kept)[:most]


def _common(store: VariantStore, samples: npt.NDArray[np.int64]) -> Iterator[tuple[str, list[str], Copies]]:
    """Chromosome by chromosome, its single-base alleles that are common and called."""
    found: dict[str, list[tuple[int, str, Copies]]] = {}
    for frame, words, _ in store.packed(VariantFilter()):
        copies = genotype_blocks.copies(genotype_blocks.chosen(words, samples), len(samples))
        p, called = _frequency(copies), (copies < 3).mean(axis=1)
        good = (np.minimum(p, 1 - p) >= MIN_AF) & (called >= MIN_CALLED)
        for row in np.flatnonzero(good):
            chrom, pos, ref, alt = (frame[name][int(row)] for name in ("chrom", "pos", "ref", "alt"))
            if chrom in _AUTOSOMES and len(ref) == len(alt) == 1:
                found.setdefault(chrom, []).append((pos, frame["key"][int(row)], copies[row]))
    for chrom in sorted(found, key=int):
        rows = sorted(found[chrom], key=lambda row: row[:2])
        yield chrom, [key for _, key, _ in rows], np.array([copies for *_, copies in rows])


def _frequency(copies: Copies) -> Floats:
    called = (copies < 3).sum(axis=1)
    return np.asarray(np.where(copies < 3, copies, 0).sum(axis=1) / np.maximum(2 * called, 1))


def _said(numbers: Floats) -> str:
    return " ".join(f"{x:.8g}" for x in numbers.tolist())


def _bad(found: str, do_next: str) -> BadStudy:
    return BadStudy("reading a reference", found, do_next)
