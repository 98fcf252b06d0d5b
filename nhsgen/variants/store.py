"""A variant store: what is in it, which alleles match, who carries them, how often they occur in a cohort.

The store is a folder that `ingest` made. Queries read only the row groups that a region, a gene or a key can be in, and of
those only the columns that are asked about; row groups are worked on by as many threads as the settings allow.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from nhsgen.compute import mapped
from nhsgen.errors import BadInput, Tampered
from nhsgen.genome import Assembly, chromosome_order
from nhsgen.progress import track
from nhsgen.settings import Settings
from nhsgen.variants import genotypes
from nhsgen.variants.filters import VariantFilter
from nhsgen.variants.genotypes import COUNTS, GENOTYPE_COLUMNS
from nhsgen.variants.schema import BLOCKS, COLUMNS, LISTED
from nhsgen.variants.selection import KEY, NO_EFFECT, NOT_PLAIN, columns_of, effects_used, select, used
from nhsgen.variants.store_files import Group, StoreFiles

__all__ = ["VariantStore"]

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Answer = TypeVar("Answer")
_EVERYTHING = VariantFilter()
_GENOTYPES = GENOTYPE_COLUMNS.names
_CELLS_AT_ONCE = 1 << 26
"""Alleles times people that a thread works on at one time."""


class VariantStore:
    """An opened store; make one with `VariantStore.open`.

    assembly: GRCh37 or GRCh38.
    absence: what it means that a variant is not listed: "reference" or "unknown".
    samples: names, in the order of sample numbers.
    """

    def __init__(self, path: Path, files: StoreFiles, settings: Settings) -> None:
        self.path = path
        self.assembly = Assembly(files.info["assembly"])
        self.absence: Literal["reference", "unknown"] = files.info["absence"]
        self._names = pl.Series("sample", files.samples["name"])
        self.samples: tuple[str, ...] = tuple(self._names.to_list())
        self._files = files
        self._settings = settings

    @classmethod
    def open(cls, path: str | Path, settings: Settings | None = None) -> "VariantStore":
        """Open the store in the folder `path`; NotFound, BadFile when it is no store of ours, Tampered when it was changed.

        settings: how many threads its questions may use.
        """
        folder = Path(path)
        return cls(folder, StoreFiles(folder), settings or Settings.read())

    def __repr__(self) -> str:
        alleles = self._files.info["alleles"]
        return f"VariantStore({str(self.path)!r}: {len(self.samples):,} samples, {alleles:,} alleles, {self.assembly})"

    def info(self) -> dict[str, Any]:
        """What the store holds and where it came from: what store.json says, but for its own files."""
        return {name: value for name, value in self._files.info.items() if name not in {"parts", "sha256", "seal"}}

    # -- Questions about alleles ------------------------------------------------------------------------------------------

    def query(self, filter: VariantFilter = _EVERYTHING, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The alleles that match: `key` and the columns of `schema.LISTED`, or those of them that are asked for.

        gene, consequence, impact and the other columns of `schema.EFFECT` speak of the most severe effect that matches;
        `genes` of all effects. No genotypes.
        """
        wanted = list(columns or ("key", *LISTED))
        for name in wanted:
            if name not in ("key", *LISTED):
                raise BadInput("querying variants", f"there is no column '{name}'", f"use key, {', '.join(LISTED)}")
        return columns_of(pl.concat(self._each(filter, wanted, lambda _, found, __: found)), wanted)

    def genes(self, filter: VariantFilter = _EVERYTHING) -> list[str]:
        """The symbols of the genes that `filter` names, or else of all that an allele touches, in alphabetical order.

        An Ensembl id becomes what the files call that gene, and nothing where they do not know it.
        """
        if not filter.genes:
            effects = self.query(columns=["genes"])["genes"].explode(empty_as_null=False).struct.unnest()
            return sorted(effects["gene"].drop_nulls().unique()) if len(effects) else []
        called = self._called(filter)
        known = {names: {symbol for name in names for symbol in called.get(name, ())} for names in filter.asked_genes}
        unseen = {names[0] for names, symbols in known.items() if not symbols and not names[0].startswith("ENSG")}
        return sorted(unseen.union(*known.values()))

    def unseen_genes(self, filter: VariantFilter) -> list[str]:
        """Of the genes that `filter` names, each by the first of its names, those that no allele here touches."""
        called = self._called(filter) if filter.genes else {}
        return [names[0] for names in filter.asked_genes if called.keys().isdisjoint(names)]

    def _called(self, filter: VariantFilter) -> dict[str, set[str]]:
        """What the files call the genes that alleles of these genes touch, by symbol and by id."""
        effects = self.query(VariantFilter(genes=filter.genes), ["genes"])["genes"].explode().struct.unnest()
        called: dict[str, set[str]] = {}
        for symbol, gene_id in effects.select("gene", "gene_id").drop_nulls("gene").unique().rows():
            for name in {symbol, gene_id} - {None}:
                called.setdefault(name, set()).add(symbol)
        return called

    # -- Questions about people -------------------------------------------------------------------------------------------

    def mask(self, samples: Mask | Sequence[str] | None) -> Mask:
        """Which samples are meant, one truth for each of the store's: by name, by truths, or all (None).

        Names that the store has not are passed over: a cohort may hold people who were never sequenced.
        """
        if samples is None:
            return np.ones(len(self.samples), dtype=bool)
        if isinstance(samples, np.ndarray):
            if samples.dtype != np.bool_ or samples.shape != (len(self.samples),):
                raise BadInput(
                    "choosing samples",
                    "the mask is not one truth for each sample",
                    f"give {len(self.samples):,} truths, or names",
                )
            return samples
        chosen: Mask = self._names.is_in(list(samples)).to_numpy()
        return chosen

    def counts(self, filter: VariantFilter = _EVERYTHING, samples: Mask | Sequence[str] | None = None) -> pl.DataFrame:
        """How often each matching allele occurs among `samples`; one row an allele, whether anybody carries it or not.

        key, chrom, pos, ref, alt, gene: the allele, and the gene of its most severe effect that matches.
        hom_ref, het, hom_alt, other, missing, half, haploid: people, each in one of these (see `schema.COLUMNS`).
        hemizygous: of the haploid, those with the allele.
        ac, an: copies of the allele, and of any allele that was called.
        carriers, homozygous: people with one copy or more, and with two.
        """
        mask = self.mask(samples)

        def count(part: int, found: pl.DataFrame, table: pa.Table) -> tuple[pl.DataFrame, dict[str, Ints]]:
            return found, genotypes.count(table, mask, self._files.haploid_sets_of(part))

        wanted = ["key", "chrom", "pos", "ref", "alt", "gene"]
        answers = list(self._each(filter, wanted, count, with_people=True))
        counted = {name: np.concatenate([counts[name] for _, counts in answers]) for name in COUNTS}
        return columns_of(pl.concat([found for found, _ in answers]), wanted).with_columns(
            *(pl.Series(name, counted[name]) for name in COUNTS),
            pl.Series("carriers", counted["ac"] - counted["hom_alt"]),
            pl.Series("homozygous", counted["hom_alt"]),
        )

    def carriers(
        self, filter: VariantFilter = _EVERYTHING, samples: Mask | Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Who of `samples` carries a matching allele: one row for each person, allele and gene on which its effect matches.

        key, gene, impact, consequence, sample (its name), copies (1 or 2). An allele that touches no gene has null for the gene.
        """
        mask = self.mask(samples)

        def carry(_: int, found: pl.DataFrame, table: pa.Table) -> pl.DataFrame:
            at, who, copies = genotypes.copies(table, mask)
            found = found if "hits" in found.columns else found.with_columns(hits=NO_EFFECT)
            effects = found.select(KEY.alias("key"), "hits").with_row_index("row").explode("hits", empty_as_null=True)
            said = (pl.col("hits").struct.field(name) for name in ("gene", "impact", "consequence"))
            effects = effects.select("row", "key", *said)
            people = pl.DataFrame({"sample": self._names.gather(who), "copies": copies.astype(np.int8)})
            if len(effects) == len(found):  # one effect each: no join is needed
                return pl.concat([effects.drop("row")[at], people], how="horizontal")
            people = people.with_columns(pl.Series("row", at.astype(np.uint32)))
            return people.join(effects, on="row", maintain_order="left_right").select(
                "key", "gene", "impact", "consequence", "sample", "copies"
            )

        return pl.concat(self._each(filter, ["key"], carry, ("impact", "consequence"), with_people=True))

    def genotypes(
        self, filter: VariantFilter = _EVERYTHING, samples: Mask | Sequence[str] | None = None
    ) -> Iterator[tuple[pl.DataFrame, genotypes.States]]:
        """Everybody's genotypes at the matching alleles, a piece of the store at a time, in its order.

        Each piece: the alleles (`key` and the columns of `schema.LISTED`), and their states, alleles x chosen samples, one byte
        each: copies (0, 1, 2, or 3 where nothing was called) and the marks HALF, HAPLOID and OTHER of genotypes.py.
        """
        chosen = np.flatnonzero(self.mask(samples))

        def decode(part: int, found: pl.DataFrame, table: pa.Table) -> tuple[pl.DataFrame, genotypes.States]:
            states = genotypes.states_with_marks(table, len(self.samples), self._files.haploid_sets_of(part))
            listed = columns_of(found, ("key", *LISTED))
            return listed, states if len(chosen) == len(self.samples) else states[:, chosen]

        yield from self._each(filter, ["key", *LISTED], decode, with_people=True)

    def packed(
        self, filter: VariantFilter = _EVERYTHING
    ) -> Iterator[tuple[pl.DataFrame, npt.NDArray[np.uint64], list[Mask]]]:
        """Everybody's copies at the matching alleles, a piece of the store at a time, in its order: what statistics calculate with.

        Each piece: the alleles (key, chrom, pos, ref, alt, gene, impact, consequence, af, and the number of their haploid set or
        null); their copies, alleles x words, two bits a sample (`genotypes.packed`); and the haploid sets, a truth a sample each.
        """
        columns = ("key", "chrom", "pos", "ref", "alt", "gene", "impact", "consequence", "af")

        def pack(
            part: int, found: pl.DataFrame, table: pa.Table
        ) -> tuple[pl.DataFrame, npt.NDArray[np.uint64], list[Mask]]:
            alleles = columns_of(found, columns).with_columns(
                pl.Series("haploid_set", pl.from_arrow(table["haploid_set"]))
            )
            return alleles, genotypes.packed(table, len(self.samples)), self._files.haploid_sets_of(part)

        yield from self._each(filter, columns, pack, with_people=True)

    def unlisted(self, places: Sequence[tuple[str, int]], samples: Mask | Sequence[str] | None = None) -> pl.DataFrame:
        """What is known of people where the store lists no variant: chrom, pos (1-based), hom_ref and unknown, people each.

        In a store whose absence is "reference" everybody is homozygous reference there. In another only those are of whom a
        gVCF said so; of the others nothing is known, and that is not the same.
        """
        mask = self.mask(samples)
        blocks = self._files.blocks(BLOCKS)
        chroms = np.array(blocks["chrom"].to_pylist(), dtype=object)
        first, last = blocks["pos"].to_numpy(), blocks["end"].to_numpy()
        rows = []
        for chrom, pos in places:
            known = np.full(len(mask), self.absence == "reference")
            for row in np.flatnonzero((chroms == chrom) & (first <= pos) & (last >= pos)).tolist():
                called = blocks["called"][row].as_py()
                known[slice(None) if called is None else called] = True
            hom_ref = int((known & mask).sum())
            rows.append((chrom, pos, hom_ref, int(mask.sum()) - hom_ref))
        schema = {"chrom": pl.String, "pos": pl.Int64, "hom_ref": pl.Int64, "unknown": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def source_places(
        self, filter: VariantFilter, source: int
    ) -> Iterator[tuple[tuple[int, int] | None, set[tuple[str, int, str]]]]:
        """Where in source file `source` to look for the records of the matching alleles (streams.py says what a place is; None:
        anywhere), and the chrom, pos and REF of those that are there.
        """
        anywhere: set[tuple[str, int, str]] = set()
        for number in self._groups(filter):
            group = self._files.groups[number]
            if group.source not in {source, -1}:
                continue
            read = self._files.read([number], self._read_for(filter, ("chrom", "pos", "ref")))
            found = select(pl.DataFrame(pl.from_arrow(read)), filter).select("chrom", "pos", "ref")
            if found.is_empty():
                continue
            if group.source < 0:
                anywhere |= set(found.rows())
            else:
                yield (group.block, group.within), set(found.rows())
        if anywhere:
            yield None, anywhere

    def verify(self) -> dict[str, int]:
        """Hash the files again and count the genotypes again; Tampered when either is not what was written down.

        How many alleles there are, how many of them the source files claimed a count for (INFO AC and AN), and for how many
        the claim is not what the genotypes say: files cut from larger ones often keep the larger one's counts.
        """
        self._files.verify()
        everyone = self.mask(None)

        def compare(part: int, found: pl.DataFrame, table: pa.Table) -> tuple[int, int, int]:
            counted = genotypes.count(table, everyone, self._files.haploid_sets_of(part))
            for name in COUNTS:
                if not np.array_equal(counted[name], found[name].to_numpy()):
                    raise Tampered(
                        "counting the genotypes again", f"{name} is not what was written down", "ingest the variants again",
                        file=self._files.info["parts"][part]["file"],
                    )  # fmt: skip
            # A file without samples claims counts that nobody here can count again.
            claims = found.filter(
                pl.col("info_ac").is_not_null() & pl.col("info_an").is_not_null() & bool(self.samples)
            )
            differ = (pl.col("ac") != pl.col("info_ac")) | (pl.col("an") != pl.col("info_an"))
            return len(found), len(claims), len(claims.filter(differ))

        answers = list(self._each(_EVERYTHING, [*COUNTS, "info_ac", "info_an"], compare, with_people=True))
        return dict(zip(("alleles", "claimed", "differing"), map(sum, zip(*answers, strict=True)), strict=True))

    # -- Reading ----------------------------------------------------------------------------------------------------------

    def _each(
        self,
        filter: VariantFilter,
        columns: Sequence[str],
        use: Callable[[int, pl.DataFrame, pa.Table], Answer],
        effects: Sequence[str] = (),
        *,
        with_people: bool = False,
    ) -> Iterator[Answer]:
        """What `use` makes of the matching rows of some row groups at a time, in order; once of no row where none matches.

        use: called with the number of their file, the columns that `columns` need and their effects that match as `hits` (the
        gene, what the filter asks and `effects`), and their genotypes, read only `with_people`.
        """
        if filter.needs_pooled_af:
            raise BadInput(
                "querying variants",
                "the limit is on the frequency in all people asked",
                "resolve it with VariantFilter.resolved first",
            )
        read = self._read_for(filter, columns, effects)
        # Where only a place is asked for, some rows surely match: everything is read in one go.
        together = with_people and filter == VariantFilter(regions=filter.regions)

        def answer(numbers: list[int]) -> list[Answer]:
            table = self._files.read(numbers, [*read, *_GENOTYPES] if together else read)
            frame = pl.DataFrame(pl.from_arrow(table.drop_columns(_GENOTYPES) if together else table))
            found = select(frame, filter)
            if found.is_empty():
                return []
            if with_people and not together:
                table = self._files.read(numbers, _GENOTYPES)
            if "_row" in found.columns and len(found) != len(frame):
                table = table.take(pa.array(found["_row"].to_numpy()))
            return [
                use(
                    self._files.groups[numbers[0]].part,
                    found,
                    table.select(_GENOTYPES) if with_people else GENOTYPE_COLUMNS.empty_table(),
                )
            ]

        some = False
        runs = list(self._runs(self._groups(filter), with_people))
        answered = mapped(answer, runs, settings=self._settings) if len(runs) > 1 else map(answer, runs)
        for answers in track(answered, "asking the store", len(runs)):
            some |= bool(answers)
            yield from answers
        if not some:
            empty = COLUMNS.empty_table().select(list(dict.fromkeys(name.split(".")[0] for name in [*read, "genes"])))
            yield use(-1, select(pl.DataFrame(pl.from_arrow(empty)), filter), GENOTYPE_COLUMNS.empty_table())

    def _read_for(self, filter: VariantFilter, columns: Sequence[str], effects: Sequence[str] = ()) -> list[str]:
        """The columns that must be read for a filter and for `columns`; of an effect only the parts that are asked about."""
        wanted = effects_used(filter, columns, effects) if self._files.info["annotation"] else []
        if wanted == ["gene"] and not effects:  # what stands beside the list is enough
            wanted = []
        plain = [name for name in COLUMNS.names if name in {*columns, *used(filter, columns)} and name not in NOT_PLAIN]
        return [*plain, *(f"genes.list.element.{name}" for name in wanted)]

    def _runs(self, numbers: Sequence[int], with_people: bool) -> Iterator[list[int]]:
        """Row groups that are read together: neighbours in one file, not more than fit well in memory."""
        most = max(1, _CELLS_AT_ONCE // max(1, len(self.samples) * with_people, 256))
        run: list[int] = []
        rows = 0
        for number in numbers:
            group = self._files.groups[number]
            if run and (group.part != self._files.groups[run[0]].part or rows + group.rows > most):
                yield run
                run, rows = [], 0
            run.append(number)
            rows += group.rows
        if run:
            yield run

    def _groups(self, filter: VariantFilter) -> list[int]:
        """The numbers of the row groups that can hold a match."""
        groups = self._files.groups
        kept = set(range(len(groups)))
        if filter.regions:
            kept &= {
                number
                for number, group in enumerate(groups)
                for region in filter.regions
                if _may_hold(group, region.chrom)
                and (
                    group.first_chrom != group.last_chrom
                    or (group.first_pos <= region.end and group.last_end > region.start)
                )
            }
        if filter.keys is not None:
            kept &= self._groups_of_keys(filter.keys)
        if filter.genes:
            of_genes = self._files.groups_of_genes
            kept &= {number for gene in filter.genes for number in of_genes.get(gene, ())}
        return sorted(kept)

    def _groups_of_keys(self, keys: Sequence[str]) -> set[int]:
        places: dict[str, list[int]] = {}
        for key in keys:
            chrom, pos, *_ = (*key.split("-", 2), "")
            if not pos.isdecimal():  # a contig whose own name has a dash: look everywhere
                return set(range(len(self._files.groups)))
            places.setdefault(chrom, []).append(int(pos))
        ordered = {chrom: np.sort(positions) for chrom, positions in places.items()}
        nowhere = np.empty(0, dtype=np.int64)
        return {
            number
            for number, group in enumerate(self._files.groups)
            if group.first_chrom != group.last_chrom
            or np.any(
                np.diff(np.searchsorted(ordered.get(group.first_chrom, nowhere), [group.first_pos, group.last_end + 1]))
            )
        }


def _may_hold(group: Group, chrom: str) -> bool:
    return chromosome_order(group.first_chrom) <= chromosome_order(chrom) <= chromosome_order(group.last_chrom)
