"""Tumours: how many mutations, in which driver genes, and which of them together. For cancer researchers; somatic variants only.

`burden` says for each person how many mutations change a protein, by megabase; it stays at the site, and its spread leaves through
`polygenic.summarise`. `drivers` and `patterns` count distinct people, and add up: how many have a gene mutated, by what it does to
the protein, and how many have exactly this set of genes mutated, which is all that an oncoprint draws.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import nan

import polars as pl

from nhsgen.errors import BadInput, BadStudy
from nhsgen.fourfold import benjamini_hochberg, fisher, woolf
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts

__all__ = [
    "CLASSES",
    "CODING_MEGABASES",
    "LONGEST_INDEL",
    "MEASURES",
    "NON_SYNONYMOUS",
    "Drivers",
    "Pair",
    "Patterns",
    "burden",
    "drivers",
    "estimate_drivers",
    "estimate_patterns",
    "patterns",
]

MEASURES = ("mutated", "people")

CODING_MEGABASES = 32.61
"""Of coding sequence, by which Genomics England divides (re-docs.genomicsengland.co.uk, cancer analysis)."""

LONGEST_INDEL = 49
"""In bases: a longer one is a structural variant."""

CLASSES: Mapping[str, frozenset[str]] = {
    "truncating": frozenset({"frameshift_variant", "stop_gained", "start_lost", "stop_lost"}),
    "splice": frozenset({"splice_acceptor_variant", "splice_donor_variant"}),
    "inframe": frozenset({"inframe_deletion", "inframe_insertion", "protein_altering_variant"}),
    "missense": frozenset({"missense_variant"}),
}
"""What a mutation does to a protein, gravest first, by Sequence Ontology terms as VEP writes them; other terms do nothing."""

NON_SYNONYMOUS = CLASSES["truncating"] | CLASSES["inframe"] | CLASSES["missense"]
"""Terms that count towards the burden: inside coding sequence, and changing it."""

_MOST_GENES = 30


def burden(
    variants: pl.DataFrame,
    people: Collection[object],
    *,
    megabases: float = CODING_MEGABASES,
    longest: int = LONGEST_INDEL,
) -> pl.DataFrame:
    """Non-synonymous somatic substitutions and short indels by megabase of coding sequence, as Genomics England has it.

    Panels that count synonymous ones too (Chalmers et al., Genome Medicine 2017) give higher numbers.

    variants: person_id, chrom, pos, ref, alt, consequence (one term, or several joined by "&"), a row a mutation and transcript:
        one that is in several rows counts once. Take those that passed the caller's filters.
    people: everybody whose tumour was sequenced; who has no mutation has a burden of 0, others' mutations are ignored.
    Returns person_id, mutations, per_megabase in the order of `people`; it stays inside the site.
    """
    if megabases <= 0:
        raise BadStudy("working out a tumour's burden", "the sequence has no length", "give its megabases")
    _check(variants, {"person_id", "chrom", "pos", "ref", "alt", "consequence"})
    ref, alt = pl.col("ref").str.len_chars().cast(pl.Int64), pl.col("alt").str.len_chars().cast(pl.Int64)
    counted = variants.filter(
        _any_of(NON_SYNONYMOUS),
        (ref - alt).abs() <= longest,
        pl.col("alt").str.contains("^[ACGT]+$"),
    )
    found = Counter(counted.unique(["person_id", "chrom", "pos", "ref", "alt"])["person_id"].to_list())
    mutations = [found[person] for person in dict.fromkeys(people)]
    return pl.DataFrame(
        {
            "person_id": pl.Series(list(dict.fromkeys(people)), dtype=variants.schema["person_id"]),
            "mutations": pl.Series(mutations, dtype=pl.Int64),
            "per_megabase": pl.Series([n / megabases for n in mutations], dtype=pl.Float64),
        }
    )


# -- Genes -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drivers:
    """cells: distinct people by gene and class, among `people`; the class "any" counts each person of a gene once."""

    cells: Mapping[tuple[str, str], int]
    people: int


def drivers(variants: pl.DataFrame, people: Collection[object], genes: Sequence[str]) -> Summary:
    """One site's people by gene and class of `CLASSES`, and by gene and "any". One person changes a row by at most 1.

    variants: person_id, gene, consequence. people: everybody whose tumour was sequenced; others' mutations are ignored.

    >>> frame = pl.DataFrame({"person_id": [1, 1], "gene": ["TP53"] * 2, "consequence": ["stop_gained", "missense_variant"]})
    >>> estimate_drivers(drivers(frame, [1, 2], ["TP53"])).cells
    {('TP53', 'any'): 1, ('TP53', 'missense'): 1, ('TP53', 'truncating'): 1}
    """
    everybody = set(people)
    found = {(gene, kind, person) for person, gene, kind in _mutations(variants, everybody, genes)}
    found |= {(gene, "any", person) for gene, _, person in found}
    counts = Counter(label([gene, kind]) for gene, kind, _ in found)
    rows = {name: [number, len(everybody)] for name, number in counts.items()}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, len(everybody)]})


def estimate_drivers(total: Summary) -> Drivers:
    cells = {(gene, kind): row["mutated"] for name, row in total.rows() for gene, kind in [parts(name)]}
    return Drivers(cells, total.row(BACKGROUND)["people"])


# -- Genes together ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two genes, and the people with both, one, the other and neither; the odds ratio (above 1: mutated together; below: instead of
    each other) with its 95 % interval, Fisher's p and q. They are nan, 1 and 1 where reason is not ""."""

    genes: tuple[str, str]
    both: int
    first: int
    second: int
    neither: int
    odds_ratio: float
    low: float
    high: float
    p: float
    q: float
    reason: str = ""


@dataclass(frozen=True)
class Patterns:
    """cells: distinct people by the exact set of genes mutated, most people first; the empty set is nobody's gene. genes: how many
    people have each mutated. pairs: which go together, by p. kept_back: people, of all `people`, whose pattern is not shown; genes
    and pairs are about the others."""

    cells: Mapping[tuple[str, ...], int]
    genes: Mapping[str, int]
    pairs: tuple[Pair, ...]
    people: int
    kept_back: int


def patterns(variants: pl.DataFrame, people: Collection[object], genes: Sequence[str]) -> Summary:
    """One site's people by exactly which of `genes` are mutated: each person is in one row, and changes it by 1.

    variants, people: as for `drivers`. genes: few, and fixed before anybody looks: the more there are, the rarer a pattern.

    >>> frame = pl.DataFrame({"person_id": [1, 1], "gene": ["TP53", "KRAS"], "consequence": ["missense_variant"] * 2})
    >>> estimate_patterns(patterns(frame, [1, 2], ["KRAS", "TP53"]), ["KRAS", "TP53"]).cells
    {(): 1, ('KRAS', 'TP53'): 1}
    """
    if not 1 <= len(set(genes)) <= _MOST_GENES:
        found = f"there are {len(set(genes))} genes"
        raise BadStudy("looking for genes mutated together", found, f"choose 1 to {_MOST_GENES}")
    everybody = set(people)
    mutated: dict[object, set[str]] = {person: set() for person in everybody}
    for person, gene, _ in _mutations(variants, everybody, genes):
        mutated[person].add(gene)
    counts = Counter(label(sorted(theirs)) for theirs in mutated.values())
    rows = {name: [number, len(everybody)] for name, number in counts.items()}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, len(everybody)]})


def estimate_patterns(total: Summary, genes: Sequence[str]) -> Patterns:
    """The patterns of all sites, and each pair of genes by Fisher's exact test (Canisius et al., Genome Biology 2016, on why such
    tests must not be read as selection where the number of mutations differs between people)."""
    found = [(parts(name), row["mutated"]) for name, row in total.rows() if row["mutated"]]
    cells = dict(sorted(found, key=lambda cell: (-cell[1], cell[0])))
    alone = {gene: sum(n for pattern, n in found if gene in pattern) for gene in sorted(set(genes))}
    people, shown = total.row(BACKGROUND)["people"], sum(n for _, n in found)
    pairs = [_pair(one, two, cells, alone, shown) for one, two in combinations(alone, 2)]
    tested = [pair for pair in pairs if not pair.reason]
    by_q = dict(zip((pair.genes for pair in tested), benjamini_hochberg([pair.p for pair in tested]), strict=True))
    with_q = [replace(pair, q=by_q.get(pair.genes, 1.0)) for pair in pairs]
    return Patterns(cells, alone, tuple(sorted(with_q, key=lambda pair: (pair.p, pair.genes))), people, people - shown)


def _pair(one: str, two: str, cells: Mapping[tuple[str, ...], int], alone: Mapping[str, int], people: int) -> Pair:
    both = sum(n for pattern, n in cells.items() if one in pattern and two in pattern)
    first, second = alone[one] - both, alone[two] - both
    counts = (both, first, second, people - both - first - second)
    idle = [gene for gene in (one, two) if alone[gene] in {0, people}]
    if idle:
        reason = f"{idle[0]} is mutated in {'nobody' if alone[idle[0]] == 0 else 'everybody'}"
        return Pair((one, two), *counts, nan, nan, nan, 1.0, 1.0, reason)
    table = (both, alone[one], second, people - alone[one])
    return Pair((one, two), *counts, *woolf(*table), fisher(*table), 1.0)


# -- Rows ------------------------------------------------------------------------------------------------------------------------


def _mutations(
    variants: pl.DataFrame, people: Collection[object], genes: Sequence[str]
) -> list[tuple[object, str, str]]:
    """person, gene and the gravest class of each row that has one."""
    _check(variants, {"person_id", "gene", "consequence"})
    kind = pl.lit(None, dtype=pl.String)
    for name, terms in reversed(list(CLASSES.items())):
        kind = pl.when(_any_of(terms)).then(pl.lit(name)).otherwise(kind)
    rows = variants.filter(pl.col("gene").is_in(list(genes))).select("person_id", "gene", kind.alias("kind"))
    return [row for row in rows.drop_nulls("kind").unique().iter_rows() if row[0] in people]


def _any_of(terms: Collection[str]) -> pl.Expr:
    return pl.col("consequence").str.split("&").list.set_intersection(sorted(terms)).list.len() > 0


def _check(variants: pl.DataFrame, columns: set[str]) -> None:
    missing = sorted(columns - set(variants.columns))
    if missing:
        raise BadInput("reading somatic variants", f"they have no {', '.join(missing)}", "name these columns so")
