"""How alleles pass down families: the patterns of genotypes in trios, and the families in which a gene goes with the illness.

Rows here are about single families and stay inside the wall. What leaves are `summarise_patterns` and `summarise_models`: how many
distinct families show each pattern, and in how many an allele segregates under each model; both add up over sites.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.estimates import Cosegregation, Segregation
from nhsgen.statistics.pedigrees import ILL, MODELS, WELL, Pedigree, Penetrance, candidates, segregation
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts
from nhsgen.statistics.trios import MT, NOT_CALLED, X, Y

__all__ = [
    "MEASURES",
    "estimate_models",
    "estimate_patterns",
    "genotype",
    "models",
    "patterns",
    "summarise_models",
    "summarise_patterns",
]

Copies = npt.NDArray[np.uint8]

MEASURES = ("families", "all_families")
STATES = {WELL: "no", ILL: "yes"}
_PATTERN = ("mother", "father", "child", "child affected")


def genotype(copies: int, place: int, male: bool) -> str:
    """As VCF writes it: one allele on a man's X and Y and in mitochondria; "-" where there is none, as on a woman's Y.

    >>> genotype(1, 0, True), genotype(2, X, True), genotype(0, MT, False), genotype(3, X, False), genotype(0, Y, False)
    ('0/1', '1', '0', './.', '-')
    """
    if place == Y and not male:
        return "-"
    if place in (Y, MT) or (place == X and male):
        return ("0", "1", "1", ".")[copies]
    return ("0/0", "0/1", "1/1", "./.")[copies]


def patterns(copies: Copies, place: Copies, pedigree: Pedigree, samples: list[str], of: pl.Series) -> pl.DataFrame:
    """family, of, mother, father, child, child affected: what each trio shows at the alleles that one of them has, each pattern once.

    copies, place, samples: as for `pedigrees.segregation`. of: what each allele is counted under, a gene or itself; null: not at all.
    A parent who was not sequenced is not called. child affected: "yes", "no" or "not known".
    """
    column = np.append(pedigree.columns(samples), -1)
    male = pedigree.sex == 1
    chosen = of.is_not_null().to_numpy()
    rows: set[tuple[str | None, ...]] = set()
    for child in np.flatnonzero((pedigree.mother >= 0) | (pedigree.father >= 0)):
        mother, father = int(pedigree.mother[child]), int(pedigree.father[child])
        if column[child] < 0 or column[[mother, father]].max() < 0:
            continue
        trio = np.array(
            [
                copies[:, column[who]] & 3 if column[who] >= 0 else np.full(len(copies), NOT_CALLED)
                for who in (mother, father, child)
            ]
        )
        state = STATES.get(int(pedigree.affected[child]), "not known")
        for row in np.flatnonzero(np.isin(trio, (1, 2)).any(axis=0) & chosen):
            at, (m, f, c) = int(place[row]), map(int, trio[:, row])
            shown = genotype(m, at, False), genotype(f, at, True), genotype(c, at, bool(male[child]))
            rows.add((pedigree.family[child], of[int(row)], *shown, state))
    schema = dict.fromkeys(("family", "of", *_PATTERN), pl.String)
    return pl.DataFrame(sorted(rows), schema=schema, orient="row")


def summarise_patterns(found: pl.DataFrame, families: int) -> Summary:
    """One site's families by pattern, a family once in each. One person changes each row by at most 1."""
    counted = found.group_by("of", *_PATTERN).agg(pl.col("family").n_unique().cast(pl.Int64))
    rows = {label(pattern): [number, families] for *pattern, number in counted.iter_rows()}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, families]})


def estimate_patterns(total: Summary, of: str) -> Segregation:
    cells = {parts(name): row["families"] for name, row in total.rows()}
    return Segregation((of, *_PATTERN), cells, total.row(BACKGROUND)["all_families"])


def models(
    copies: Copies,
    place: Copies,
    pedigree: Pedigree,
    samples: list[str],
    genes: pl.Series,
    penetrance: Penetrance = "complete",
) -> pl.DataFrame:
    """family, gene, model, segregates: of each family with two or more people called, one of them ill with an allele in the gene.

    A gene has a row for each model that there can be where its alleles lie; it segregates when one of them does, or a pair.
    """
    column, names = pedigree.columns(samples), pedigree.families
    number = {family: i for i, family in enumerate(names)}
    carried = np.zeros((len(copies), len(names)), dtype=np.bool_)
    told = np.zeros(carried.shape, dtype=np.int64)
    for who in np.flatnonzero((column >= 0) & np.isin(pedigree.affected, (ILL, WELL))):
        theirs, family = copies[:, column[who]] & 3, number[pedigree.family[who]]
        told[:, family] += theirs != NOT_CALLED
        if pedigree.affected[who] == ILL:
            carried[:, family] |= np.isin(theirs, (1, 2))
    carried &= (told > 1) & genes.is_not_null().to_numpy()[:, None]
    rows: dict[tuple[str, str, str], bool] = {}
    for model, where in MODELS.items():
        right = segregation(copies, place, pedigree, samples, model, penetrance) == 0
        here = carried & np.isin(place, where)[:, None]
        for row, family in zip(*np.nonzero(here), strict=True):
            one = names[family], genes[int(row)], model
            alone = model != "compound heterozygous" and bool(right[row, family])
            rows[one] = rows.get(one, False) or alone
    pairs = candidates(copies, place, pedigree, samples, genes, penetrance).filter(pl.col("partner").is_not_null())
    for family, gene, model in pairs.select("family", "gene", "inheritance").iter_rows():
        if (family, gene, model) in rows:
            rows[family, gene, model] = True
    schema = {"family": pl.String, "gene": pl.String, "model": pl.String, "segregates": pl.Boolean}
    return pl.DataFrame([(*one, yes) for one, yes in sorted(rows.items())], schema=schema, orient="row")


def summarise_models(found: pl.DataFrame, families: int) -> Summary:
    """One site's families by gene and model: in which it segregates, among those with somebody ill who carries there."""
    counted = found.group_by("gene", "model").agg(
        pl.col("family").filter("segregates").n_unique().cast(pl.Int64).alias("segregating"),
        pl.col("family").n_unique().cast(pl.Int64),
    )
    rows = {label(group): [number, carrying] for *group, number, carrying in counted.iter_rows()}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, families]})


def estimate_models(total: Summary) -> Cosegregation:
    cells = {parts(name): (row["families"], row["all_families"]) for name, row in total.rows()}
    return Cosegregation(cells, total.row(BACKGROUND)["all_families"])
