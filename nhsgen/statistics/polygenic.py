"""Polygenic scores: one number a person from a published list of alleles and weights. For researchers who stratify or test risk.

    scoring = read("PGS000004_hmPOS_GRCh38.txt.gz")              as the PGS Catalog writes it; it is public
    matched = match(scoring, variants)                           which of its alleles the variants are, and why not the others
    people = score(matched, blocks, frequencies)                 one number a person; it stays at the site
    expected(matched, frequencies)                               the public scale on which people are counted (distributions.py)

Two things are fixed before any site is asked, so that federated equals pooled: the variants (a row must be the same allele at
every site) and the frequencies, pooled over sites, that stand in for genotypes that were not called.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from nhsgen.durable import storage
from nhsgen.errors import BadFile, BadInput, BadStudy
from nhsgen.genome import Assembly, chromosome
from nhsgen.statistics.distributions import Grid
from nhsgen.statistics.sums import Floats

__all__ = [
    "AMBIGUOUS",
    "Matched",
    "People",
    "Scoring",
    "Weights",
    "expected",
    "match",
    "read",
    "score",
]

Copies = npt.NDArray[np.uint8]
Function = TypeVar("Function", bound=Callable[..., object])

NOT_CALLED = 3

AMBIGUOUS = ("drop", "frequency", "keep")
"""What becomes of A/T and C/G alleles, which look alike from both strands: never used; used where both frequencies are known and
on one side of a half, by more than a tenth; or taken to be on the variants' strand, which harmonised files are."""

_NEAR_HALF = 0.1
_AUTOSOMES = [str(n) for n in range(1, 23)]
_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
_NOT_ADDITIVE = ("is_dominant", "is_recessive", "is_haplotype", "is_diplotype", "is_interaction")


# -- The list ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Scoring:
    """One scoring file. header: its "#key=value" lines. assembly: that positions are in, None when the file does not say.

    alleles: a row a line: chrom, pos (1-based), rsid, effect, other (null when not given), frequency (of the effect allele, or
    null), weight, and reason ("", or why the line cannot be used).
    """

    header: Mapping[str, str]
    assembly: Assembly | None
    alleles: pl.DataFrame


def read(path: Path) -> Scoring:
    """A PGS Catalog scoring file, plain or gzipped (format 2.0; Lambert et al., Nature Genetics 2021).

    Harmonised places (hm_chr, hm_pos) go before the author's own, with the assembly they are in. BadFile for another kind of file.
    """
    with storage(f"reading {path.name}", path):
        data = path.read_bytes()
    try:
        lines = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode().replace("\r\n", "\n").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadFile(
            "reading a scoring file", "it is cut short, or is no text", "fetch it again", file=path
        ) from error
    header = dict(line[1:].split("=", 1) for line in lines if line.startswith("#") and "=" in line and line[1] != "#")
    table = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    names = table[0] if table else []
    harmonised = {"hm_chr", "hm_pos"} <= set(names)
    place = ("hm_chr", "hm_pos") if harmonised else ("chr_name", "chr_position")
    if not {"effect_allele", "effect_weight"} <= set(names) or not ({*place} <= set(names) or "rsID" in names):
        found = "it lacks effect_allele, effect_weight, or both chr_name with chr_position and rsID"
        raise BadFile("reading a scoring file", found, "use one in the PGS Catalog's format 2.0", file=path)
    if len({len(row) for row in table}) > 1:
        raise BadFile("reading a scoring file", "its lines are not of one length", "fetch it again", file=path)
    cells = (
        dict(zip(names, map(list, zip(*table[1:], strict=True)), strict=True))
        if len(table) > 1
        else {n: [] for n in names}
    )
    frame = pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String)).with_columns(
        pl.all().str.strip_chars().replace({"": None, "NA": None, "None": None})
    )
    build = header.get("HmPOS_build" if harmonised else "genome_build", "").upper()
    assembly = {
        "GRCH37": Assembly.GRCh37,
        "HG19": Assembly.GRCh37,
        "GRCH38": Assembly.GRCh38,
        "HG38": Assembly.GRCh38,
    }.get(build)
    return Scoring(header, assembly, _alleles(frame, place))


def _alleles(frame: pl.DataFrame, place: tuple[str, str]) -> pl.DataFrame:
    def column(name: str) -> pl.Expr:
        return pl.col(name) if name in frame.columns else pl.lit(None, dtype=pl.String)

    other = pl.coalesce(column("other_allele"), column("hm_inferOtherAllele"))
    special = [column(name).str.to_lowercase() == "true" for name in _NOT_ADDITIVE] + [
        column("dosage_0_weight").is_not_null()
    ]
    alleles = frame.select(
        column(place[0]).map_elements(chromosome, return_dtype=pl.String).alias("chrom"),
        column(place[1]).cast(pl.Int64, strict=False).alias("pos"),
        column("rsID").alias("rsid"),
        column("effect_allele").str.to_uppercase().alias("effect"),
        pl.when(other.str.contains("/")).then(None).otherwise(other).str.to_uppercase().alias("other"),
        column("allelefrequency_effect").cast(pl.Float64, strict=False).alias("frequency"),
        column("effect_weight").cast(pl.Float64, strict=False).alias("weight"),
        pl.any_horizontal(*special).fill_null(False).alias("special"),
    )
    no_place = pl.any_horizontal(pl.col("chrom").is_null(), pl.col("pos").is_null()) & pl.col("rsid").is_null()
    again = pl.struct("chrom", "pos", "rsid", "effect", "other").is_first_distinct().not_()
    return alleles.with_columns(
        pl.when("special").then(pl.lit("not additive"))
        .when(pl.col("weight").is_null() | ~pl.col("weight").is_finite()).then(pl.lit("no weight"))
        .when(pl.col("effect").str.contains("^[ACGT]+$").fill_null(False).not_()).then(pl.lit("no allele of bases"))
        .when(no_place).then(pl.lit("no place"))
        .when(~pl.col("chrom").is_in(_AUTOSOMES).fill_null(True)).then(pl.lit("not on an autosome"))
        .when(again).then(pl.lit("listed before"))
        .otherwise(pl.lit("")).alias("reason")
    ).drop("special")  # fmt: skip


# -- Its alleles among ours ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Weights:
    """What a score is made of: a person's is constant + the sum of weights x copies of ALT; a weight a variant, 0 where unused."""

    weights: Floats
    constant: float


@dataclass(frozen=True, eq=False)
class Matched(Weights):
    """alleles: the scoring file's rows, with variant (the row that it is, or null), way ("same", "reversed": the effect allele is
    REF, "flipped": from the other strand, "flipped and reversed", "" when unused) and reason ("" when used).
    """

    alleles: pl.DataFrame

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of the file's rows were used, in which way, or why not."""
        said = pl.when(pl.col("reason") == "").then("way").otherwise("reason")
        return dict(sorted(Counter(self.alleles.select(said.alias("said"))["said"]).items()))


def match(
    scoring: Scoring, variants: pl.DataFrame, assembly: Assembly | None = None, *, ambiguous: str = "drop"
) -> Matched:
    """Which variant each allele of the list is, and from which strand.

    variants: chrom, pos (1-based), ref, alt, a row an allele; if known rsid, and frequency (of ALT, pooled over all sites).
    assembly: of the variants; BadInput when the list is in another. Rows without a place are looked up by rsid.
    ambiguous: see `AMBIGUOUS`.

    Where a record has several ALTs, copies that are not of one ALT count as REF, for an effect allele that is REF too.
    """
    if ambiguous not in AMBIGUOUS:
        raise BadStudy(
            "matching a scoring file",
            f"'{ambiguous}' is no choice for ambiguous alleles",
            f"use {', '.join(AMBIGUOUS)}",
        )
    if assembly and scoring.assembly and assembly != scoring.assembly:
        found = f"it is in {scoring.assembly} and the variants are in {assembly}"
        raise BadInput("matching a scoring file", found, "fetch the file harmonised to their assembly")
    listed = scoring.alleles.with_row_index("row")
    null = pl.lit(None, dtype=pl.String)
    ours = variants.with_row_index("variant").filter(pl.col("chrom").is_in(_AUTOSOMES)).select(
        pl.col("variant").cast(pl.Int64), "chrom", pl.col("pos").cast(pl.Int64), "ref", "alt",
        (pl.col("rsid") if "rsid" in variants.columns else null).alias("rsid"),
        (pl.col("frequency") if "frequency" in variants.columns else null).cast(pl.Float64).alias("ours"),
    )  # fmt: skip
    usable = listed.filter(pl.col("reason") == "")
    placed = pl.col("chrom").is_not_null() & pl.col("pos").is_not_null()
    both = pl.concat([
        usable.filter(placed).drop("rsid").join(ours.drop("rsid"), on=["chrom", "pos"]).drop("chrom", "pos"),
        usable.filter(~placed).drop("chrom", "pos").join(ours.drop("chrom", "pos"), on="rsid").drop("rsid"),
    ]).with_columns(_way())  # fmt: skip
    both = both.with_columns(_turned(ambiguous))
    verdict = both.with_columns(
        pl.when(pl.col("way") == "").then(pl.lit("other alleles")).when(pl.col("doubt")).then(pl.lit("strand ambiguous"))
        .otherwise(pl.lit("")).alias("verdict")
    ).sort("row", pl.col("verdict") != "", pl.col("way").str.len_chars(), "variant")  # fmt: skip
    best = verdict.group_by("row", maintain_order=True).agg(
        pl.col("variant", "way", "verdict").first(),
        ((pl.col("verdict") == "") & pl.col("other").is_null()).sum().alias("choices"),
    )
    several = (pl.col("choices") > 1).fill_null(False)
    alleles = listed.join(best, on="row", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("reason") != "").then("reason").when(several).then(pl.lit("several alleles there"))
        .otherwise(pl.col("verdict").fill_null("not among the variants")).alias("reason")
    )  # fmt: skip
    again = (pl.col("reason") == "") & pl.struct("variant", "reason").is_first_distinct().not_()
    used = pl.col("reason") == ""
    alleles = alleles.with_columns(pl.when(again).then(pl.lit("listed before")).otherwise("reason").alias("reason"))
    alleles = alleles.with_columns(
        pl.when(used).then("variant").alias("variant"), pl.when(used).then("way").otherwise(pl.lit("")).alias("way")
    ).drop("row", "verdict", "choices")
    return Matched(*_weights(alleles.filter(used), len(variants)), alleles)


def _weights(used: pl.DataFrame, variants: int) -> tuple[Floats, float]:
    """The score as constant + weights x copies of ALT: copies of REF are two less those of ALT."""
    signs = np.where(used["way"].str.contains("reversed").to_numpy(), -1.0, 1.0)
    weight = used["weight"].to_numpy()
    weights = np.zeros(variants)
    weights[used["variant"].to_numpy()] = signs * weight
    return weights, float(2.0 * weight[signs < 0].sum())


def _way() -> pl.Expr:
    effect, other, ref, alt = (pl.col(name) for name in ("effect", "other", "ref", "alt"))

    def fits(one: pl.Expr, two: pl.Expr, first: pl.Expr, second: pl.Expr) -> pl.Expr:
        return (one == first) & (two.is_null() | (two == second))

    def turned(allele: pl.Expr) -> pl.Expr:
        """On the other strand; a stretch of several bases is not turned: where it starts would change with it."""
        return allele.replace_strict(_COMPLEMENT, default=None, return_dtype=pl.String)

    return (
        pl.when(fits(effect, other, alt, ref)).then(pl.lit("same"))
        .when(fits(effect, other, ref, alt)).then(pl.lit("reversed"))
        .when(fits(effect, other, turned(alt), turned(ref))).then(pl.lit("flipped"))
        .when(fits(effect, other, turned(ref), turned(alt))).then(pl.lit("flipped and reversed"))
        .otherwise(pl.lit("")).alias("way")
    )  # fmt: skip


def _turned(ambiguous: str) -> list[pl.Expr]:
    """way and doubt: whether an A/T or C/G allele is left out, and, from its frequency, whether it is read from the other strand."""
    looks_alike = (pl.col("ref") + pl.col("alt")).is_in(["AT", "TA", "CG", "GC"])
    way, nothing = pl.col("way"), pl.lit(False)
    if ambiguous != "frequency":
        return [way, (looks_alike if ambiguous == "drop" else nothing).alias("doubt")]
    theirs = pl.col("frequency")
    ours = pl.when(way == "reversed").then(1.0 - pl.col("ours")).otherwise("ours")
    known = ((theirs - 0.5).abs() > _NEAR_HALF) & ((ours - 0.5).abs() > _NEAR_HALF)
    other_strand = looks_alike & known.fill_null(False) & ((theirs > 0.5) != (ours > 0.5))
    turned = pl.when(way == "same").then(pl.lit("flipped and reversed")).otherwise(pl.lit("flipped"))
    return [
        pl.when(other_strand).then(turned).otherwise(way).alias("way"),
        (looks_alike & ~known.fill_null(False)).alias("doubt"),
    ]


# -- People: inside the wall ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class People:
    """scores: float64, one a person, nan where reasons (a tuple, "" for a score) says why. called: variants called, of `variants`."""

    scores: Floats
    called: npt.NDArray[np.int64]
    variants: int
    reasons: tuple[str, ...]


def score(matched: Weights, blocks: Iterable[Copies], frequencies: npt.ArrayLike) -> People:
    """Each person's score: the sum of weight x copies of the effect allele, over the list's alleles that were matched.

    blocks: variants x people, uint8: 0, 1, 2 copies of ALT, 3 where nothing was called; all variants of `match`, in its order.
    frequencies: of ALT, pooled over all sites, a number a variant: what is not called counts as twice that. Where it is nan (called
        nowhere) the variant adds nothing.
    """
    known = np.asarray(frequencies, dtype=np.float64)
    weights = matched.weights
    if known.shape != weights.shape:
        raise BadInput(
            "scoring people", "there is not a frequency for each variant", "give those of all variants matched"
        )
    expected = np.nan_to_num(2.0 * known) * weights
    scores, called, at = np.empty(0), np.empty(0, dtype=np.int64), 0
    for block in blocks:
        if block.ndim != 2 or block.dtype != np.uint8 or block.max(initial=0) > NOT_CALLED:
            raise BadInput("scoring people", "a block is not variants x people of 0, 1, 2 or 3", "give copies as uint8")
        if at == 0:
            scores, called = np.full(block.shape[1], matched.constant), np.zeros(block.shape[1], dtype=np.int64)
        end = at + len(block)
        if end > len(weights) or block.shape[1] != len(scores):
            raise BadInput("scoring people", "the blocks are of other variants or people", "give the variants matched")
        _add(np.ascontiguousarray(block), weights[at:end], expected[at:end], scores, called)
        at = end
    if at != len(weights):
        raise BadInput("scoring people", "there are fewer variants than were matched", "give all of them")
    reasons = tuple("" if n else "nothing called" for n in called.tolist())
    return People(np.where(called > 0, scores, np.nan), called, int((weights != 0).sum()), reasons)


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


@_compiled
def _add(block: Copies, weights: Floats, expected: Floats, scores: Floats, called: npt.NDArray[np.int64]) -> None:
    for row in range(block.shape[0]):
        weight, when_missing = weights[row], expected[row]
        if weight == 0.0:
            continue
        for person in range(block.shape[1]):
            copies = block[row, person]
            missing = copies == 3
            scores[person] += when_missing if missing else weight * copies
            called[person] += 0 if missing else 1


# -- What is public --------------------------------------------------------------------------------------------------------


def expected(matched: Weights, frequencies: npt.ArrayLike, deviations: float = 6.0, bins: int = 40) -> Grid:
    """The scale of a score by its alleles' pooled frequencies p: mean 2pw and variance 2p(1-p)w^2, summed as if alleles were
    independent; `deviations` standard deviations to each side leave room for those that are not."""
    p = np.nan_to_num(np.asarray(frequencies, dtype=np.float64))
    mean = matched.constant + float(2.0 * p @ matched.weights)
    width = deviations * float(np.sqrt(2.0 * (p * (1.0 - p)) @ matched.weights**2))
    return Grid(mean - (width or 1.0), mean + (width or 1.0), bins)
