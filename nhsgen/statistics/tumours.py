"""Tumours: how many mutations, in which driver genes, and which of them together. For cancer researchers; somatic variants only.

`burden` says for each person how many mutations change a protein, by megabase; it stays at the site, and how many people there
are in each of `STEPS` leaves it. `drivers` and `patterns` count distinct people, and add up: how many have a gene mutated, by what
its gravest mutation does to the protein, and how many have exactly this set of genes mutated, which is all that an oncoprint draws.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import polars as pl

from nhsgen.errors import BadInput, BadStudy
from nhsgen.estimates import Drivers, Patterns
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts

__all__ = [
    "CLASSES",
    "CODING_MEGABASES",
    "LONGEST_INDEL",
    "MEASURES",
    "MOST_GENES",
    "NON_SYNONYMOUS",
    "burden",
    "drivers",
    "estimate_drivers",
    "estimate_patterns",
    "patterns",
    "step",
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

MOST_GENES = 10
"""Of which patterns are made. The more there are, the rarer a pattern, and the longer the gate's audit of what can be worked out."""

STEPS = (0, 1, 2, 5, 10, 20, 50, 100)
"""Where steps of mutations by megabase begin. Fixed: by moving one a little, one could count the tumours between."""


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


def step(per_megabase: str) -> pl.Expr:
    """In which of STEPS a burden is, in words.

    >>> pl.DataFrame({"x": [0.0, 1.99, 12.5, 300.0]}).select(step("x"))["x"].to_list()
    ['0 to 1', '1 to 2', '10 to 20', '100 and more']
    """
    names = [f"{low} to {high}" for low, high in pairwise(STEPS)]
    said = pl.lit(f"{STEPS[-1]} and more")
    for high, name in reversed(list(zip(STEPS[1:], names, strict=True))):
        said = pl.when(pl.col(per_megabase) < high).then(pl.lit(name)).otherwise(said)
    return said.alias(per_megabase)


# -- Genes -----------------------------------------------------------------------------------------------------------------


def drivers(variants: pl.DataFrame, people: Collection[object], genes: Sequence[str]) -> Summary:
    """One site's people by gene and class of `CLASSES`: each once for a gene, by their gravest mutation in it.

    variants: person_id, gene, consequence. people: everybody whose tumour was sequenced; others' mutations are ignored.

    >>> frame = pl.DataFrame({"person_id": [1, 1], "gene": ["TP53"] * 2, "consequence": ["stop_gained", "missense_variant"]})
    >>> estimate_drivers(drivers(frame, [1, 2], ["TP53"])).cells
    {('TP53', 'inframe'): 0, ('TP53', 'missense'): 0, ('TP53', 'splice'): 0, ('TP53', 'truncating'): 1}
    """
    everybody, gravest = set(people), dict[tuple[object, str], str]()
    for person, gene, kind in _mutations(variants, everybody, genes):
        gravest[person, gene] = min(kind, gravest.get((person, gene), kind), key=list(CLASSES).index)
    counts = Counter((gene, kind) for (_, gene), kind in gravest.items())
    rows = {label([gene, kind]): [counts[gene, kind], len(everybody)] for gene in genes for kind in CLASSES}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, len(everybody)]})


def estimate_drivers(total: Summary) -> Drivers:
    cells = {(gene, kind): row["mutated"] for name, row in total.rows() for gene, kind in [parts(name)]}
    return Drivers(cells, total.row(BACKGROUND)["people"])


# -- Genes together ----------------------------------------------------------------------------------------------------------


def patterns(variants: pl.DataFrame, people: Collection[object], genes: Sequence[str]) -> Summary:
    """One site's people by exactly which of `genes` are mutated: each person is in one row, and changes it by 1.

    variants, people: as for `drivers`. genes: few, and fixed before anybody looks: the more there are, the rarer a pattern.

    >>> frame = pl.DataFrame({"person_id": [1, 1], "gene": ["TP53", "KRAS"], "consequence": ["missense_variant"] * 2})
    >>> estimate_patterns(patterns(frame, [1, 2], ["KRAS", "TP53"])).cells
    {(): 1, ('KRAS', 'TP53'): 1}
    """
    if not 1 <= len(set(genes)) <= MOST_GENES:
        found = f"there are {len(set(genes))} genes"
        raise BadStudy("looking for genes mutated together", found, f"choose 1 to {MOST_GENES}")
    everybody = set(people)
    mutated: dict[object, set[str]] = {person: set() for person in everybody}
    for person, gene, _ in _mutations(variants, everybody, genes):
        mutated[person].add(gene)
    counts = Counter(label(sorted(theirs)) for theirs in mutated.values())
    rows = {name: [number, len(everybody)] for name, number in counts.items()}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, len(everybody)]})


def estimate_patterns(total: Summary) -> Patterns:
    """The patterns of all sites, most people first."""
    found = [(parts(name), row["mutated"]) for name, row in total.rows() if row["mutated"]]
    cells = dict(sorted(found, key=lambda cell: (-cell[1], cell[0])))
    return Patterns(cells, total.row(BACKGROUND)["people"])


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
