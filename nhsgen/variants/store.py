"""A variant store: what is in it, which alleles match, who carries them, how often they occur in a cohort.

The store is a folder that `ingest` made. It is hashed before it is believed, and its pages are checked as they are read: one
flipped bit in a Parquet file is otherwise a silently wrong answer. Queries read only the row groups that a region or a gene
can be in.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nhsgen import durable
from nhsgen.errors import BadFile, BadInput, NotFound, Tampered
from nhsgen.genome import Assembly
from nhsgen.variants import genotypes
from nhsgen.variants.filters import VariantFilter
from nhsgen.variants.genotypes import COUNTS, GENOTYPE_COLUMNS
from nhsgen.variants.schema import COLUMNS, EFFECT, LISTED, SAMPLES, SCHEMA_VERSION

__all__ = ["VariantStore"]

Mask = npt.NDArray[np.bool_]
_EVERYTHING = VariantFilter()
_GROUPS_AT_ONCE = 8
"""Row groups in memory at one time."""


class VariantStore:
    """An opened store; make one with `VariantStore.open`.

    assembly: GRCh37 or GRCh38.
    absence: what it means that a variant is not listed: "reference" or "unknown".
    samples: names, in the order of sample numbers.
    """

    def __init__(
        self, path: Path, info: dict[str, Any], samples: tuple[str, ...], haploid_sets: tuple[Mask, ...]
    ) -> None:
        self.path = path
        self.assembly = Assembly(info["assembly"])
        self.absence: Literal["reference", "unknown"] = info["absence"]
        self.samples = samples
        self._info = info
        self._haploid_sets = haploid_sets

    @classmethod
    def open(cls, path: str | Path) -> "VariantStore":
        """Open the store in the folder `path`; NotFound, BadFile when it is no store of ours, Tampered when it was changed."""
        folder = Path(path)
        info = _read_info(folder)
        for name, expected in info["sha256"].items():
            file = folder / name
            if not file.is_file():
                raise Tampered("opening a variant store", "a file is gone", "restore the release", file=name)
            status = file.stat()
            if _hash(file, status.st_ino, status.st_size, status.st_mtime_ns) != expected:
                raise Tampered(
                    "opening a variant store", "its bytes changed since it was made", "restore the release", file=name
                )
        table = pq.read_table(folder / "samples.parquet", page_checksum_verification=True)
        if not table.schema.equals(SAMPLES) or not pq.read_schema(folder / "variants.parquet").equals(COLUMNS):
            raise BadFile(
                "opening a variant store", "its columns are not ours", "ingest the variants again", file=folder.name
            )
        belongs = table["haploid"].to_pylist()
        sets = 1 + max((number for numbers in belongs for number in numbers), default=-1)
        masks = tuple(np.array([number in numbers for numbers in belongs], dtype=bool) for number in range(sets))
        return cls(folder, info, tuple(table["name"].to_pylist()), masks)

    def info(self) -> dict[str, Any]:
        """What the store holds and where it came from: what store.json says."""
        return json.loads(json.dumps(self._info))  # type: ignore[no-any-return]

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
        found = pl.concat([part for _, _, part in self._matches(filter, wanted)], how="vertical")
        return found.select(wanted)

    def genes(self, filter: VariantFilter = _EVERYTHING) -> list[str]:
        """The symbols of the genes that `filter` names, or else of all that an allele touches, in alphabetical order.

        An Ensembl id becomes what the files call that gene, and nothing where they do not know it.
        """
        if not filter.genes:
            return sorted(self._groups_of_genes)
        effects = self.query(VariantFilter(genes=filter.genes), ["genes"])["genes"].explode().struct.unnest()
        meant = effects.filter(pl.col("gene_id").is_in(filter.genes))["gene"].drop_nulls()
        return sorted({*meant, *(gene for gene in filter.genes if not gene.startswith("ENSG"))})

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
        chosen = set(samples)
        return np.fromiter((name in chosen for name in self.samples), dtype=bool, count=len(self.samples))

    def counts(self, filter: VariantFilter = _EVERYTHING, samples: Mask | Sequence[str] | None = None) -> pl.DataFrame:
        """How often each matching allele occurs among `samples`; one row an allele, whether anybody carries it or not.

        key, chrom, pos, ref, alt, gene: the allele, and the gene of its most severe effect that matches.
        hom_ref, het, hom_alt, other, missing, half, haploid: people, each in one of these (see `schema.COLUMNS`).
        hemizygous: of the haploid, those with the allele.
        ac, an: copies of the allele, and of any allele that was called.
        carriers, homozygous: people with one copy or more, and with two.
        """
        mask = self.mask(samples)
        parts = []
        for group, rows, found in self._matches(filter, ["key", "chrom", "pos", "ref", "alt", "gene"]):
            table = self._genotypes(group, rows)
            counted = genotypes.count(table, mask, self._haploid_sets)
            carriers = counted["ac"] - counted["hom_alt"]
            parts.append(
                found.drop("hits").with_columns(
                    *(pl.Series(name, counted[name]) for name in COUNTS),
                    pl.Series("carriers", carriers),
                    pl.Series("homozygous", counted["hom_alt"]),
                )
            )
        return pl.concat(parts, how="vertical")

    def carriers(
        self, filter: VariantFilter = _EVERYTHING, samples: Mask | Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Who of `samples` carries a matching allele: one row for each person, allele and gene on which its effect matches.

        key, gene, impact, consequence, sample (its name), copies (1 or 2). An allele that touches no gene has null for the gene.
        """
        mask = self.mask(samples)
        names = pl.Series("sample", self.samples, dtype=pl.String)
        parts = []
        for group, rows, found in self._matches(filter, ["key"]):
            at, who, copies = genotypes.copies(self._genotypes(group, rows), mask)
            people = pl.DataFrame({"row": at, "sample": names.gather(who), "copies": copies.astype(np.int8)})
            effects = (
                found.with_row_index("row")
                .with_columns(pl.col("row").cast(pl.Int64))
                .explode("hits", empty_as_null=True)
            )
            parts.append(
                people.join(effects, on="row", maintain_order="left_right").select(
                    "key",
                    *(pl.col("hits").struct.field(name) for name in ("gene", "impact", "consequence")),
                    "sample",
                    "copies",
                )
            )
        return pl.concat(parts, how="vertical")

    def verify(self) -> dict[str, int]:
        """Hash the files again and count the genotypes again; Tampered when either is not what was written down.

        How many alleles there are, how many of them the source files claimed a count for (INFO AC and AN), and for how many
        the claim is not what the genotypes say: files cut from larger ones often keep the larger one's counts.
        """
        _hash.cache_clear()
        VariantStore.open(self.path)
        everyone = self.mask(None)
        answer = {"alleles": 0, "claimed": 0, "differing": 0}
        for group, rows, found in self._matches(_EVERYTHING, [*COUNTS, "info_ac", "info_an"]):
            counted = genotypes.count(self._genotypes(group, rows), everyone, self._haploid_sets)
            for name in COUNTS:
                if not np.array_equal(counted[name], found[name].to_numpy()):
                    raise Tampered(
                        "counting the genotypes again", f"{name} is not what was written down", "ingest the variants again",
                        file="variants.parquet",
                    )  # fmt: skip
            # A file without samples claims counts that nobody here can count again.
            claims = found.filter(
                pl.col("info_ac").is_not_null() & pl.col("info_an").is_not_null() & bool(self.samples)
            )
            answer["alleles"] += len(found)
            answer["claimed"] += len(claims)
            answer["differing"] += len(
                claims.filter((pl.col("ac") != pl.col("info_ac")) | (pl.col("an") != pl.col("info_an")))
            )
        return answer

    # -- Reading ----------------------------------------------------------------------------------------------------------

    @cached_property
    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path / "variants.parquet", page_checksum_verification=True)

    def _matches(
        self, filter: VariantFilter, columns: Sequence[str]
    ) -> Iterator[tuple[list[int], pa.Array, pl.DataFrame]]:
        """Pieces of the store that hold matches: row groups, the matching rows in them, and these rows' columns and `hits`.

        The first piece is always there, be it empty, so that an answer has its columns.
        """
        if filter.needs_pooled_af:
            raise BadInput(
                "querying variants",
                "the limit is on the frequency in all people asked",
                "resolve it with VariantFilter.resolved first",
            )
        read = [
            name for name in LISTED if name not in EFFECT.names and name in {*columns, *_used(filter, columns), "genes"}
        ]
        groups = self._groups(filter)
        for first in range(0, max(1, len(groups)), _GROUPS_AT_ONCE):
            some = groups[first : first + _GROUPS_AT_ONCE]
            frame = pl.DataFrame(pl.from_arrow(self._file.read_row_groups(some, columns=read)))
            found = _select(frame.with_row_index("_row"), filter)
            if len(found) or first == 0:
                rows = pa.array(found["_row"].to_numpy().astype(np.int64))
                yield some, rows, found.select(*(_column(name) for name in columns), "hits")

    def _genotypes(self, groups: list[int], rows: pa.Array) -> pa.Table:
        if not len(rows):
            return GENOTYPE_COLUMNS.empty_table()
        return self._file.read_row_groups(groups, columns=GENOTYPE_COLUMNS.names).take(rows)

    def _groups(self, filter: VariantFilter) -> list[int]:
        """The row groups that can hold a match."""
        kept = set(range(self._file.num_row_groups))
        if filter.regions:
            kept &= {
                group
                for group, (first, last, start, end) in enumerate(self._extents)
                for region in filter.regions
                if first <= region.chrom <= last and (first != last or (start <= region.end and end > region.start))
            }
        if filter.keys is not None:
            kept &= self._groups_of_keys(filter.keys)
        if filter.genes:
            of_genes = self._groups_of_genes | self._groups_of_gene_ids
            kept &= {group for gene in filter.genes for group in of_genes.get(gene, ())}
        return sorted(kept)

    def _groups_of_keys(self, keys: Sequence[str]) -> set[int]:
        places: dict[str, list[int]] = {}
        for key in keys:
            chrom, pos, *_ = (*key.split("-", 2), "")
            if not pos.isdecimal():  # a contig whose own name has a dash: look everywhere
                return set(range(self._file.num_row_groups))
            places.setdefault(chrom, []).append(int(pos))
        ordered = {chrom: np.sort(positions) for chrom, positions in places.items()}
        nowhere = np.empty(0, dtype=np.int64)
        return {
            group
            for group, (first, last, start, end) in enumerate(self._extents)
            if first != last or np.any(np.diff(np.searchsorted(ordered.get(first, nowhere), [start, end + 1])))
        }

    @cached_property
    def _extents(self) -> list[tuple[str, str, int, int]]:
        """First and last chromosome in text order, lowest `pos` and highest `end` of each row group, from its statistics."""
        chrom, pos, end = (COLUMNS.names.index(name) for name in ("chrom", "pos", "end"))
        groups = (self._file.metadata.row_group(group) for group in range(self._file.num_row_groups))
        return [
            (
                group.column(chrom).statistics.min,
                group.column(chrom).statistics.max,
                group.column(pos).statistics.min,
                group.column(end).statistics.max,
            )
            for group in groups
        ]

    @cached_property
    def _groups_of_genes(self) -> dict[str, list[int]]:
        return self._groups_by("gene")

    @cached_property
    def _groups_of_gene_ids(self) -> dict[str, list[int]]:
        return self._groups_by("gene_id")

    def _groups_by(self, name: str) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for group in range(self._file.num_row_groups):
            column = self._file.read_row_group(group, columns=[f"genes.list.element.{name}"])["genes"].combine_chunks()
            for gene in column.flatten().field(name).drop_null().unique().to_pylist():
                places.setdefault(gene, []).append(group)
        return places


# -- The folder ---------------------------------------------------------------------------------------------------------


def _read_info(folder: Path) -> dict[str, Any]:
    try:
        info = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(
            "opening a variant store", "there is no store.json", "name the folder that ingest made", file=folder.name
        ) from error
    except (OSError, ValueError) as error:
        raise BadFile(
            "opening a variant store", "store.json cannot be read", "restore the release", file=folder.name
        ) from error
    if not isinstance(info, dict) or info.get("schema_version") != SCHEMA_VERSION:
        found = "it was made by another version of nhsgen"
    elif not {"assembly", "absence"} <= info.keys() or not isinstance(info.get("sha256"), dict):
        found = "store.json does not say what is in it"
    else:
        return info
    raise BadFile("opening a variant store", found, "ingest the variants again", file=folder.name)


@lru_cache(maxsize=256)
def _hash(file: Path, inode: int, size: int, changed_ns: int) -> str:
    """sha256 of a file, read once in a process for as long as its inode, size and time of change stay the same."""
    return durable.hash_of(file)


# -- The filter on rows -------------------------------------------------------------------------------------------------


def _used(filter: VariantFilter, columns: Sequence[str]) -> set[str]:
    """The columns that a filter looks at, or a key is made of."""
    used = {"chrom", "pos", "end"} if filter.regions else set()
    used |= {"chrom", "pos", "ref", "alt"} if filter.keys is not None or "key" in columns else set()
    used |= {"filter"} if filter.filters else set()
    used |= {"af"} if filter.max_af is not None or filter.min_af is not None else set()
    return used


_KEY = pl.concat_str("chrom", "pos", "ref", "alt", separator="-")


def _column(name: str) -> pl.Expr:
    if name == "key":
        return _KEY.alias("key")
    return pl.col("hits").list.first().struct.field(name) if name in EFFECT.names else pl.col(name)


def _select(frame: pl.DataFrame, filter: VariantFilter) -> pl.DataFrame:
    """The rows that match, and `hits`: their effects that match; those on a gene, when there are any."""
    hits = pl.col("genes")
    of_effect = _of_effect(filter)
    if of_effect is not None:
        hits = hits.list.filter(of_effect)
    on_genes = hits.list.filter(pl.element().struct.field("gene").is_not_null())
    found = frame.filter(_of_allele(filter)).with_columns(
        pl.when(on_genes.list.len() > 0).then(on_genes).otherwise(hits).alias("hits")
    )
    return found if of_effect is None else found.filter(pl.col("hits").list.len() > 0)


def _of_allele(filter: VariantFilter) -> pl.Expr:
    asked = pl.lit(True)
    if filter.regions:
        # pos and end are 1-based and closed, a region 0-based and half-open.
        asked &= pl.any_horizontal(
            (pl.col("chrom") == region.chrom) & (pl.col("pos") <= region.end) & (pl.col("end") > region.start)
            for region in filter.regions
        )
    if filter.keys is not None:
        asked &= _KEY.is_in(filter.keys)
    if filter.filters:
        values = pl.col("filter").fill_null(".").str.split(";")
        asked &= values.list.eval(pl.element().is_in(filter.filters)).list.any()
    # A frequency that nobody knows counts as 0: never seen in a reference population.
    if filter.max_af is not None:
        asked &= pl.col("af").fill_null(0.0) <= filter.max_af
    if filter.min_af is not None:
        asked &= pl.col("af").fill_null(0.0) >= filter.min_af
    return asked


def _of_effect(filter: VariantFilter) -> pl.Expr | None:
    """What must hold of one effect; None when nothing is asked of it."""
    effect = pl.element().struct
    asked = [
        effect.field(name).is_in(values)
        for name, values in (("impact", filter.impacts), ("consequence", filter.consequences))
        if values
    ]
    if filter.genes:
        asked.append(effect.field("gene").is_in(filter.genes) | effect.field("gene_id").is_in(filter.genes))
    return pl.all_horizontal(asked) if asked else None
