"""Polygenic scores: a hand-made scoring file with every kind of allele, people whose scores can be added up by hand."""

import gzip
from collections.abc import Callable
from math import isnan
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nhsgen.errors import BadFile, BadInput, BadStudy, NotFound
from nhsgen.genome import Assembly
from nhsgen.statistics import distributions, polygenic
from nhsgen.statistics.distributions import Grid

HEADER = """###PGS CATALOG SCORING FILE - see https://www.pgscatalog.org/downloads/#dl_ftp_scoring for additional information
#format_version=2.0
#pgs_id=PGS999999
#trait_reported=Height=made up
#genome_build=GRCh37
#HmPOS_build=GRCh38
"""

# rsID, the author's place, effect, other, weight, frequency of the effect allele, harmonised place; what becomes of it
LINES = [
    ("rs1", "1", "10", "A", "G", "0.5", "", "1", "100", "same"),
    ("rs2", "1", "20", "G", "A", "0.25", "", "1", "200", "reversed"),
    ("rs3", "1", "30", "T", "C", "1.0", "", "1", "300", "flipped"),
    ("rs4", "1", "40", "C", "T", "-1.0", "", "1", "400", "flipped and reversed"),
    ("rs5", "1", "50", "A", "T", "2.0", "0.1", "1", "500", "strand ambiguous"),
    ("rs6", "1", "60", "A", "C", "1.0", "", "1", "600", "other alleles"),
    ("rs7", "1", "70", "A", "C", "1.0", "", "1", "777", "not among the variants"),
    ("rs8", "1", "80", "AT", "A", "0.125", "", "1", "800", "same"),
    ("rs9", "1", "90", "A", "", "0.0625", "", "1", "900", "same"),
    ("rs10", "1", "95", "A", "", "1.0", "", "1", "950", "several alleles there"),
    ("rs11", "X", "99", "A", "G", "1.0", "", "X", "990", "not on an autosome"),
    ("rs12", "1", "11", "A", "G", "", "", "1", "110", "no weight"),
    ("rs13", "1", "12", "P", "N", "1.0", "", "1", "120", "no allele of bases"),
    ("rs14", "2", "13", "C", "A", "8.0", "", "", "", "same"),
    ("", "2", "14", "C", "A", "8.0", "", "", "", "no place"),
    ("rs1", "1", "10", "A", "G", "0.5", "", "1", "100", "listed before"),
    ("rs1b", "1", "10", "G", "A", "0.5", "", "1", "100", "listed before"),
]
COLUMNS = [
    "rsID",
    "chr_name",
    "chr_position",
    "effect_allele",
    "other_allele",
    "effect_weight",
    "allelefrequency_effect",
]
COLUMNS += ["hm_chr", "hm_pos"]

VARIANTS = pl.DataFrame(
    [
        ("1", 100, "G", "A", "rs1", 0.3),
        ("1", 200, "G", "A", "rs2", 0.3),
        ("1", 300, "G", "A", "rs3", 0.3),
        ("1", 400, "G", "A", "rs4", 0.3),
        ("1", 500, "T", "A", "rs5", 0.9),
        ("1", 600, "G", "A", "rs6", 0.3),
        ("1", 800, "A", "AT", "rs8", 0.3),
        ("1", 900, "C", "A", "rs9", 0.3),
        ("1", 950, "A", "C", "rs10", 0.3),
        ("1", 950, "A", "G", "rs10", 0.3),
        ("2", 130, "A", "C", "rs14", 0.3),
        ("X", 990, "G", "A", "rs11", 0.3),
    ],
    schema=["chrom", "pos", "ref", "alt", "rsid", "frequency"],
    orient="row",
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(lines: list[tuple[str, ...]], columns: list[str] = COLUMNS, header: str = HEADER) -> Path:
        path = tmp_path / "PGS999999_hmPOS_GRCh38.txt.gz"
        text = header + "\n".join("\t".join(line[: len(columns)]) for line in [tuple(columns), *lines]) + "\n"
        path.write_bytes(gzip.compress(text.encode()))
        return path

    return written


def matched_all(write: Write, ambiguous: str = "drop") -> polygenic.Matched:
    return polygenic.match(polygenic.read(write(LINES)), VARIANTS, Assembly.GRCh38, ambiguous=ambiguous)


def test_the_header_and_the_harmonised_place(write: Write) -> None:
    scoring = polygenic.read(write(LINES))
    assert scoring.header["pgs_id"] == "PGS999999"
    assert scoring.header["trait_reported"] == "Height=made up"
    assert scoring.assembly is Assembly.GRCh38
    assert scoring.alleles.row(0) == ("1", 100, "rs1", "A", "G", None, 0.5, "")


def test_without_harmonised_places_the_author_s_own_count(write: Write) -> None:
    scoring = polygenic.read(write(LINES[:1], COLUMNS[:7]))
    assert (scoring.assembly, scoring.alleles["pos"].to_list()) == (Assembly.GRCh37, [10])
    with pytest.raises(BadInput, match="it is in GRCh37 and the variants are in GRCh38"):
        polygenic.match(scoring, VARIANTS, Assembly.GRCh38)


def test_every_line_is_used_in_its_way_or_has_a_reason(write: Write) -> None:
    alleles = matched_all(write).alleles
    said = [reason or way for way, reason in alleles.select("way", "reason").iter_rows()]
    assert said == [line[-1] for line in LINES]
    assert alleles.filter(pl.col("reason") != "")["variant"].null_count() == len(said) - 7
    assert matched_all(write).counts["listed before"] == 2


def test_weights_are_of_copies_of_alt(write: Write) -> None:
    matched = matched_all(write)
    assert matched.weights.tolist() == [0.5, -0.25, 1.0, 1.0, 0.0, 0.0, 0.125, 0.0625, 0.0, 0.0, 8.0, 0.0]
    assert matched.constant == 2 * 0.25 - 2 * 1.0


@pytest.mark.parametrize(
    ("ambiguous", "theirs", "ours", "weight"),
    [
        ("keep", "", 0.1, 2.0),
        ("frequency", "0.1", 0.1, 2.0),  # both rare: the same strand
        ("frequency", "0.1", 0.9, -2.0),  # A is rare there and common here: their A is our T
        ("frequency", "0.45", 0.1, 0.0),
        ("frequency", "0.1", 0.55, 0.0),
        ("frequency", "", 0.1, 0.0),
        ("drop", "0.1", 0.1, 0.0),
    ],
)
def test_alleles_that_look_alike_from_both_strands(
    write: Write, ambiguous: str, theirs: str, ours: float, weight: float
) -> None:
    scoring = polygenic.read(write([("rs5", "1", "50", "A", "T", "2.0", theirs, "1", "500")]))
    forwards = pl.DataFrame({"chrom": ["1"], "pos": [500], "ref": ["T"], "alt": ["A"], "frequency": [ours]})
    backwards = forwards.with_columns(ref=pl.lit("A"), alt=pl.lit("T"), frequency=1 - pl.col("frequency"))
    assert polygenic.match(scoring, forwards, ambiguous=ambiguous).weights.tolist() == [weight]
    assert polygenic.match(scoring, backwards, ambiguous=ambiguous).weights.tolist() == [-weight]


def test_lines_that_are_not_additive_are_not_used(write: Write) -> None:
    columns = [*COLUMNS, "is_dominant", "dosage_0_weight"]
    lines = [(*LINES[0][:9], "True", ""), (*LINES[1][:9], "False", "0.1"), (*LINES[2][:9], "False", "")]
    assert polygenic.read(write(lines, columns)).alleles["reason"].to_list() == ["not additive", "not additive", ""]


def test_a_list_of_no_alleles_and_no_variants(write: Write) -> None:
    empty = polygenic.match(polygenic.read(write([])), VARIANTS)
    assert (empty.weights.any(), empty.constant, dict(empty.counts)) == (False, 0.0, {})
    nowhere = polygenic.match(polygenic.read(write(LINES[:1])), VARIANTS.head(0))
    assert dict(nowhere.counts) == {"not among the variants": 1}


def test_files_of_another_kind_are_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="it lacks effect_allele"):
        polygenic.read(write([], ["rsID", "beta"]))
    with pytest.raises(BadFile, match="not of one length"):
        polygenic.read(write([("rs1", "1")]))
    cut = write(LINES)
    cut.write_bytes(cut.read_bytes()[:40])
    with pytest.raises(BadFile, match="cut short"):
        polygenic.read(cut)
    with pytest.raises(NotFound):
        polygenic.read(tmp_path / "nowhere.txt")
    with pytest.raises(BadStudy, match="ambiguous alleles"):
        polygenic.match(polygenic.read(write(LINES)), VARIANTS, ambiguous="guess")


def test_scores_by_hand_and_missing_genotypes_are_what_is_expected(write: Write) -> None:
    matched = matched_all(write)
    copies = np.zeros((12, 4), dtype=np.uint8)
    copies[:, 1] = 1
    copies[:, 2] = 3
    copies[0, 3] = 3
    frequencies = np.full(12, 0.25)
    people = polygenic.score(matched, [copies[:5], copies[5:]], frequencies)
    # constant -1.5; all ones adds 0.5 - 0.25 + 1 + 1 + 0.125 + 0.0625 + 8
    assert people.scores[:2].tolist() == [-1.5, 8.9375]
    assert isnan(people.scores[2])
    assert people.scores[3] == -1.5 + 0.5 * 2 * 0.25
    assert people.called.tolist() == [7, 7, 0, 6]
    assert people.reasons == ("", "", "nothing called", "")
    assert people.variants == 7


def test_blocks_that_are_not_the_variants_are_refused(write: Write) -> None:
    matched = matched_all(write)
    frequencies = np.full(12, 0.25)
    block = np.zeros((12, 2), dtype=np.uint8)
    for blocks in (
        [block[:3]],
        [block, block],
        [block.astype(np.int8)],
        [block + np.uint8(4)],
        [block[:5], block[5:, :1]],
    ):
        with pytest.raises(BadInput, match="scoring people"):
            polygenic.score(matched, blocks, frequencies)
    with pytest.raises(BadInput, match="a frequency for each variant"):
        polygenic.score(matched, [block], frequencies[:3])


def test_a_variant_called_nowhere_adds_nothing(write: Write) -> None:
    matched = polygenic.match(polygenic.read(write(LINES[:1])), VARIANTS.head(1))
    assert polygenic.score(matched, [np.array([[3, 2]], np.uint8)], [np.nan]).scores[1] == 1.0


# -- What leaves ---------------------------------------------------------------------------------------------------------------

GRID = Grid(-4.0, 4.0, 8)


def test_mean_deviation_median_and_steps_by_group() -> None:
    sums = distributions.summarise([0.5, 1.5, np.nan, -3.5, 2.0], list("aaaba"), ["a", "b", "c"], GRID)
    a, b, c = distributions.estimate(sums, ["a", "b", "c"], GRID).groups
    assert (a.people, a.steps) == (3, (0, 0, 0, 0, 1, 1, 1, 0))
    assert a.mean == pytest.approx(4 / 3, rel=1e-14)
    assert a.sd == pytest.approx(np.std([0.5, 1.5, 2.0], ddof=1), rel=1e-12)
    assert a.median == 1.5
    assert (b.people, b.mean, b.reason) == (1, -3.5, "one person")
    assert isnan(b.sd)
    assert (c.people, c.reason) == (0, "nobody")
    assert isnan(c.mean)


def test_nobody_changes_a_sum_by_more_than_one() -> None:
    for value in (-1e300, -4.0, 0.0, 3.999, 4.0, np.inf):
        sums = distributions.summarise([value], ["a"], ["a"], GRID)
        assert np.abs(sums.vector()).max() <= 1.0
        assert sums["steps"].sum() == 1.0


def test_the_chance_that_a_case_is_higher() -> None:
    names = ["case", "control"]
    values, groups = [0.5, 0.6, 2.5, 3.5], ["control", "case", "control", "case"]
    found = distributions.estimate(distributions.summarise(values, groups, names, GRID), names, GRID)
    assert found.auc("case", "control") == (0.5 + 1 + 1) / 4  # one pair shares a step
    nobody = distributions.estimate(distributions.summarise([], [], names, GRID), names, GRID)
    assert isnan(nobody.auc("case", "control"))


def test_the_expected_scale_holds_everybody(write: Write) -> None:
    matched = matched_all(write)
    draw = np.random.default_rng(1)
    frequencies = draw.uniform(0.05, 0.5, 12)
    copies = draw.binomial(2, frequencies[:, None], (12, 4000)).astype(np.uint8)
    scores = polygenic.score(matched, [copies], frequencies).scores
    grid = polygenic.expected(matched, frequencies)
    assert grid.low < scores.min() < scores.max() < grid.high
    assert (grid.low + grid.high) / 2 == pytest.approx(scores.mean(), abs=0.15)
    assert (grid.high - grid.low) / 12 == pytest.approx(scores.std(), rel=0.05)
    nothing = polygenic.expected(polygenic.match(polygenic.read(write([])), VARIANTS), frequencies)
    assert (nothing.low, nothing.high) == (-1.0, 1.0)


def test_a_scale_or_group_that_is_none_is_refused() -> None:
    for low, high, bins in ((1.0, 1.0, 4), (0.0, np.inf, 4), (0.0, 1.0, 0)):
        with pytest.raises(BadStudy, match="fixing a scale"):
            Grid(low, high, bins)
    with pytest.raises(BadInput, match="summing up by group"):
        distributions.summarise([1.0], ["x"], ["a"], GRID)
