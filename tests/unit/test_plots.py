"""Pictures show what is released, say what is suppressed, and never draw it as zero."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from scipy.special import betainc, erfc, erfcinv

from nhsgen import plots
from nhsgen.errors import BadInput
from nhsgen.plots import scan
from nhsgen.plots.canvas import left_out, number, numbers
from nhsgen.results import Cell, NotRun, Receipt, Released, Suppressed, Table, Value, Zero

RECEIPT = Receipt("ab" * 32, "nhs", (("leeds", "cd" * 32),), (), "2026-11-23T06:00:00+00:00")
FEW = Suppressed("fewer than 8 people")

GWAS = ("trait", "variant", "chrom", "pos", "gene", "log10p", "reason")
FREQUENCIES = ("variant", "gene", "consequence", "carriers", "allele frequency")
BURDEN = ("gene", "odds ratio", "95 % low", "95 % high", "p")
GENE_TESTS = ("trait", "gene", "variants", "carriers", "burden p", "SKAT p", "SKAT-O p", "ACAT-O p")
META = ("site", "estimate", "low", "high", "weight")
POLYGENIC = ("group", "people", "mean", "sd", "median", "from", "to", "people there")
HAZARDS = ("term", "hazard ratio", "low", "high", "p")
SURVIVAL = ("group", "time", "at risk", "survival", "low", "high")
STRUCTURE = ("ancestry", "pc1", "pc2", "people")
BY_SITE = ("variant", "site", "people", "allele frequency")
DRIVERS = ("pattern", "tumours")
DRIVER_GENES = ("gene", "consequence", "tumours", "share")
SEGREGATION = ("mother", "father", "child", "families")
FAMILIES = ("gene", "inheritance", "tier", "families")


def released(kind: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], **question: Any) -> Released:
    """A result whose plain numbers and texts are values, and None is suppressed."""

    def cell(content: Any) -> Cell:
        return FEW if content is None else content if isinstance(content, Cell) else Value(content)

    table = Table(tuple(columns), tuple(tuple(map(cell, row)) for row in rows))
    return Released(kind, f"Invented {kind}", table, (), question, RECEIPT)


def gwas(rows: int = 4000, trait: str = "eGFR") -> Released:
    """Chance, and one strong signal with its neighbours on chromosome 16."""
    rng = np.random.default_rng(rows)
    lengths = np.array(
        [248, 242, 198, 190, 181, 170, 159, 145, 138, 133, 135, 133, 114, 107, 102, 90, 83, 80, 58, 64, 46, 50]
    )
    chrom = np.sort(rng.choice(22, rows, p=lengths / lengths.sum()))
    pos = (rng.random(rows) * lengths[chrom] * 1e6).astype(int) + 1
    height = -np.log10(rng.random(rows))
    made: list[list[Any]] = [
        [trait, f"{c + 1}-{p}-A-G", str(c + 1), int(p), f"GENE{c}", float(h), ""]
        for c, p, h in zip(chrom, pos, height, strict=True)
    ]
    made += [
        [trait, f"16-{2_100_000 + 700 * i}-C-T", "16", 2_100_000 + 700 * i, "PKD1", 14.0 - abs(i - 20) / 2, ""]
        for i in range(40)
    ]
    made += [
        [trait, "9-5-A-C", "9", 5, "", NotRun("monomorphic"), "monomorphic"],
        [trait, "9-6-A-C", "9", 6, "", None, ""],
    ]
    return released("gwas", GWAS, made)


BURDEN_ROWS = [
    ["PKD1", 6.1, 3.9, 9.6, 2e-16], ["PKD2", 3.4, 1.9, 6.2, 1e-5], ["TTN", 1.02, 0.9, 1.2, 0.7], ["BRCA2", 0.6, 0.3, 1.3, 0.2],
    ["APOB", 1.5, 1.02, 2.2, 0.04], ["LDLR", NotRun("nobody"), NotRun("nobody"), NotRun("nobody"), NotRun("nobody")], ["RYR1", *[None] * 4],
]  # fmt: skip
SURVIVAL_ROWS = [
    *(["with", 3 * t, 400 - 25 * t, float(0.97**t), float(0.96**t), float(0.98**t)] for t in range(13)),
    *(["without", 3 * t, 900 - 30 * t, float(0.99**t), float(0.985**t), float(0.995**t)] for t in range(21)),
    ["unknown", 0, None, None, None, None],
]
FREQUENCY_ROWS = [
    ["16-2090000-C-T", "PKD1", "stop_gained", 25, 0.0025], ["16-2093000-C-T", "PKD1", "missense_variant", 60, 0.006],
    ["16-2101000-A-G", "PKD1", "missense_variant", 15, 0.0015], ["16-2110000-A-G", "PKD1", "frameshift_variant", Zero(), Zero()],
    ["16-2097000-G-GA", "PKD1", "frameshift_variant", None, None],
]  # fmt: skip
SITE_ROWS = [
    [v, s, 1000 * (i + 1), None if (i, j) == (1, 1) else 0.01 * (i + 1) * (j + 1)]
    for j, v in enumerate(("16-2090000-C-T", "4-88000000-A-G"))
    for i, s in enumerate(("leeds", "london", "newcastle"))
]
PLACES = pl.DataFrame({"site": ["leeds", "london"], "longitude": [-1.55, -0.12], "latitude": [53.8, 51.5]})
DRIVER_ROWS = [
    ["TP53+KRAS", 60], ["TP53", 85], ["none", 40], ["KRAS+APC+TP53", 30], ["EGFR", 25], ["BRAF", 10], ["EGFR+TP53", None],
]  # fmt: skip
DRIVER_GENE_ROWS = [
    ["TP53", "missense_variant", 120, 0.4], ["TP53", "stop_gained", 60, 0.2], ["KRAS", "missense_variant", 90, 0.3],
    ["APC", "stop_gained", 30, 0.1], ["EGFR", "missense_variant", 30, 0.1], ["EGFR", "inframe_deletion", None, None],
]  # fmt: skip
SEGREGATION_ROWS = [
    ["0/0", "0/0", "0/1", 35], ["0/1", "0/1", "1/1", 20], ["0/1", "0/0", "0/1", 15], ["0/0", "0/1", "0/1", None],
]  # fmt: skip
FAMILY_ROWS = [
    ["PKD1", "dominant, new", "tier 1", 25], ["PKD1", "dominant, new", "tier 2", 10], ["CFTR", "recessive", "tier 1", 15],
    ["DMD", "X-linked", "tier 2", None],
]  # fmt: skip
STRUCTURE_ROWS = [
    [name, x + dx / 50, y + dy / 50, round(900 / (1 + dx * dx + dy * dy)) // 5 * 5 if abs(dx * dy) < 4 else None]
    for name, x, y in (("European", 0.0, 0.0), ("African", 0.3, 0.05), ("South Asian", 0.08, 0.2), ("East Asian", 0.1, 0.34))
    for dx in range(-2, 3) for dy in range(-2, 3)
]  # fmt: skip
GENE_TEST_ROWS = [
    ["eGFR", "PKD1", 40, 120, 1e-12, 3e-9, 2e-12, 4e-12], ["eGFR", "UMOD", 22, 60, 0.004, 1e-6, 2e-6, 3e-6],
    ["eGFR", "TTN", 300, 900, 0.6, 0.4, 0.5, 0.5], ["eGFR", "APOB", 3, 15, NotRun("monomorphic"), 0.2, NotRun("monomorphic"), 0.3],
    ["eGFR", "RYR1", 1, None, None, None, None, None],
]  # fmt: skip
META_ROWS = [
    ["leeds", 0.21, 0.05, 0.37, 40.0], ["london", 0.12, 0.02, 0.22, 90.0], ["york", None, None, None, None],
    ["all sites", 0.15, 0.07, 0.23, 130.0],
]  # fmt: skip
POLYGENIC_ROWS = [
    ["cases", 120, 0.3, 1.1, 0.2, -6.0, -0.5, 30], ["cases", 120, 0.3, 1.1, 0.2, -0.5, 0.5, 50], ["cases", 120, 0.3, 1.1, 0.2, 0.5, 6.0, 40],
    ["controls", 900, 0.0, 1.0, 0.0, -6.0, 0.0, 450], ["controls", 900, 0.0, 1.0, 0.0, 0.0, 6.0, 450], ["others", 10, *[None] * 6],
]  # fmt: skip
HAZARD_ROWS = [
    ["carriers", 1.8, 1.3, 2.5, 0.0004], ["sex: female", 0.85, 0.7, 1.04, 0.11], ["birth year", NotRun("collinear"), *[NotRun("collinear")] * 3],
]  # fmt: skip

DRAWN: dict[str, Callable[[], Figure]] = {
    "counts": lambda: released("counts", ("site", "people"), [["leeds", 40], ["york", None]]).plot(),
    "burden": lambda: released("burden", BURDEN, BURDEN_ROWS).plot(),
    "volcano": lambda: plots.volcano(released("burden", BURDEN, BURDEN_ROWS)),
    "manhattan": lambda: gwas().plot(),
    "mirrored": lambda: plots.mirrored(gwas(), gwas(3000, "creatinine")),
    "qq": lambda: plots.qq(gwas()),
    "regional": lambda: plots.regional(gwas(), "16:2,090,000-2,140,000", linkage(), genes()),
    "gene_tests": lambda: released("gene_tests", GENE_TESTS, GENE_TEST_ROWS).plot(),
    "meta": lambda: released("meta", META, META_ROWS).plot(),
    "meta, several": lambda: released(
        "meta", ("variant", *META), [[f"16-{n}-A-C", "all sites", n, n - 1, n + 1, None] for n in range(50)]
    ).plot(),
    "polygenic": lambda: released("polygenic", POLYGENIC, POLYGENIC_ROWS).plot(),
    "polygenic, by group": lambda: released(
        "polygenic", POLYGENIC, [[f"{row[0]} {n}", *row[1:]] for n in range(4) for row in POLYGENIC_ROWS]
    ).plot(),
    "hazards": lambda: released("hazards", HAZARDS, HAZARD_ROWS).plot(),
    "survival": lambda: released("survival", SURVIVAL, SURVIVAL_ROWS, options={"months": 3}).plot(),
    "structure": lambda: released("structure", STRUCTURE, STRUCTURE_ROWS).plot(),
    "frequencies": lambda: released("frequencies", FREQUENCIES, FREQUENCY_ROWS).plot(),
    "lollipop": lambda: plots.lollipop(released("frequencies", FREQUENCIES, FREQUENCY_ROWS)),
    "frequencies_by_group": lambda: released("frequencies_by_group", BY_SITE, SITE_ROWS).plot(),
    "frequency_map": lambda: plots.frequency_map(released("frequencies_by_group", BY_SITE, SITE_ROWS), PLACES),
    "drivers": lambda: released("drivers", DRIVERS, DRIVER_ROWS).plot(),
    "oncoprint": lambda: plots.oncoprint(
        released("drivers", DRIVERS, DRIVER_ROWS), released("driver_genes", DRIVER_GENES, DRIVER_GENE_ROWS)
    ),
    "driver_genes": lambda: released("driver_genes", DRIVER_GENES, DRIVER_GENE_ROWS).plot(),
    "segregation": lambda: released("segregation", SEGREGATION, SEGREGATION_ROWS).plot(),
    "families": lambda: released("families", FAMILIES, FAMILY_ROWS).plot(),
}

NOBODY: dict[str, Sequence[str]] = {
    "gwas": GWAS, "gene_tests": GENE_TESTS, "burden": BURDEN, "meta": META, "polygenic": POLYGENIC, "survival": SURVIVAL,
    "hazards": HAZARDS, "structure": STRUCTURE,
    "frequencies": FREQUENCIES, "drivers": DRIVERS, "driver_genes": DRIVER_GENES, "segregation": SEGREGATION, "families": FAMILIES,
    "frequencies_by_group": BY_SITE,
}  # fmt: skip


def linkage() -> Released:
    lead = "16-2114000-C-T"
    others = [[lead, f"16-{2_100_000 + 700 * i}-C-T", max(0.0, 1 - abs(i - 20) / 15)] for i in range(5, 40) if i != 20]
    return released("ld", ("variant", "other", "r2"), [*others, ["16-2100000-C-T", lead, None]])


def genes() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "chrom": ["chr16", "16", "16", "4"],
            "gene": ["PKD1", "TSC2", "RAB26", "PKD2"],
            "start": [2_088_708, 2_097_466, 2_140_803, 1],
            "end": [2_135_898, 2_138_713, 2_154_165, 2_120_000],
            "strand": ["-", "+", "+", "+"],
        }
    )


def words(figure: Figure) -> set[str]:
    return {text.get_text().strip() for axes in figure.axes for text in axes.texts} | {str(figure.get_supxlabel())}


def legend(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_is_drawn_whole_and_titled(name: str) -> None:
    figure = DRAWN[name]()
    figure.set_dpi(40)
    figure.draw_without_rendering()
    title = figure.get_suptitle() or figure.axes[0].get_title(loc="left")
    assert title.replace("\n", " ").strip().startswith("Invented")
    assert all(axes.get_xlabel() or axes.get_ylabel() or not axes.axison for axes in figure.axes[:1])


@pytest.mark.parametrize("kind", NOBODY)
def test_a_result_about_nobody_draws_an_empty_picture(kind: str) -> None:
    released(kind, NOBODY[kind], []).plot().draw_without_rendering()


@pytest.mark.parametrize("kind", NOBODY)
def test_a_table_without_its_columns_is_refused(kind: str) -> None:
    with pytest.raises(BadInput, match="no column"):
        released(kind, ("something",), [[1]]).plot()


def test_a_cell_that_is_not_a_number_is_nan_and_counted_with_its_reason() -> None:
    cells = [Value(2), Value(0.5), Zero(), FEW, NotRun("why"), Value("text"), Value(float("nan"))]
    column = numbers(released("any", ("x",), [[cell] for cell in cells]), "x")
    np.testing.assert_array_equal(column, [2, 0.5, 0, *[np.nan] * 4])
    np.testing.assert_array_equal(column, [number(cell) for cell in cells])
    assert left_out(cells, "row") == "Not drawn: 1 row suppressed, 1 row not run, 2 rows without a number."


# -- Scans ------------------------------------------------------------------------------------------------------------


def test_a_manhattan_picture_names_its_peak_and_counts_what_has_no_p() -> None:
    figure = gwas().plot()
    (axes,) = figure.axes
    assert "PKD1" in words(figure)
    assert figure.get_supxlabel() == "Not drawn: 1 variant not run, 1 variant suppressed."
    assert [tick.get_text() for tick in axes.get_xticklabels()][:3] == ["1", "2", "3"]
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 14


def test_several_traits_have_a_panel_each() -> None:
    both = released("gwas", GWAS, [["a", "1-5-A-C", "1", 5, "", 1.0, ""], ["b", "1-5-A-C", "1", 5, "", 2.0, ""]])
    assert [axes.get_title(loc="left") for axes in both.plot().axes] == ["a", "b"]
    with pytest.raises(BadInput, match="there are 2"):
        plots.qq(both)
    assert len(plots.qq(both, "b").axes) == 1


def test_thinning_leaves_a_point_on_every_spot_that_had_one() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random(20_000) * 100, rng.exponential(size=20_000)
    highest = float(y.max())

    def spots(chosen: Any) -> set[tuple[int, int]]:
        return set(
            zip((x[chosen] * 18).astype(int).tolist(), (y[chosen] * (700 / highest)).astype(int).tolist(), strict=True)
        )

    kept = scan._one_a_spot(x, y, 100.0, highest)
    assert spots(kept) == spots(slice(None))
    assert len(kept) == len(spots(kept))


def test_the_mirrored_scan_hangs_below() -> None:
    above, below = plots.mirrored(gwas(), gwas(3000, "creatinine"), traits=(None, "creatinine")).axes
    assert [axes.get_ylabel().split(":")[0] for axes in (above, below)] == ["eGFR", "creatinine"]
    assert above.get_ylim() == below.get_ylim()[::-1]
    assert above.get_xlim() == below.get_xlim()


def test_lambda_is_one_by_chance_and_its_square_when_z_is_stretched() -> None:
    p = (np.arange(10_001) + 0.5) / 10_001
    assert scan.inflation(-np.log10(p)) == pytest.approx(1, abs=1e-9)
    assert scan.inflation(-np.log10(erfc(1.1 * erfcinv(p)))) == pytest.approx(1.21, abs=1e-9)


def test_a_qq_picture_keeps_the_strongest_and_holds_chance_in_its_band() -> None:
    n = 5000
    rows = [["t", f"1-{i + 1}-A-C", "1", i + 1, "", float(-np.log10((i + 0.5) / n)), ""] for i in range(n)]
    figure = plots.qq(released("gwas", GWAS, rows))
    (axes,) = figure.axes
    points = axes.lines[1].get_xydata()
    np.testing.assert_allclose(points[:, 0], points[:, 1])
    assert len(points) < 3000
    assert any(text.startswith("$\\lambda$ = 1.000") for text in words(figure))
    rank = np.array([1, 50, n])
    low, high = scan._band(rank, n)
    np.testing.assert_allclose(betainc(rank, n - rank + 1, 10.0**-high), 0.025)
    np.testing.assert_allclose(betainc(rank, n - rank + 1, 10.0**-low), 0.975)


def test_a_region_shades_points_by_linkage_and_lays_genes_in_lines() -> None:
    figure = plots.regional(gwas(), "16:2,090,000-2,140,000", linkage(), genes())
    points, below = figure.axes
    assert legend(points) == ["0.8 to 1.0", "0.6 to 0.8", "0.4 to 0.6", "0.2 to 0.4", "0.0 to 0.2"]
    assert {text.get_text() for text in below.texts} == {"← PKD1", "TSC2 →"}
    assert "16-2114000-C-T" in words(figure)
    grey, *shaded = points.lines[:6]
    assert len(grey.get_xdata()) == 7  # no linkage released: five of the signal, one of chance, the strongest itself
    assert sum(len(line.get_xdata()) for line in shaded) == 34
    assert len(plots.regional(gwas(), "16:2,090,000-2,140,000").axes) == 1
    with pytest.raises(BadInput, match="no variant there"):
        plots.regional(gwas(), "21:1-2")


# -- Genes ------------------------------------------------------------------------------------------------------------


def test_gene_tests_have_a_bar_a_gene_and_name_the_strongest_first() -> None:
    figure = released("gene_tests", GENE_TESTS, GENE_TEST_ROWS).plot()
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["PKD1", "UMOD", "APOB", "TTN"]
    assert axes.patches[0].get_width() == pytest.approx(-np.log10(4e-12))
    assert legend(axes) == ["burden", "SKAT", "SKAT-O", "0.05 / 5 genes"]
    assert figure.get_supxlabel() == "Not drawn: 1 gene suppressed."


def test_a_volcano_names_the_strongest_and_counts_the_rest() -> None:
    figure = plots.volcano(released("burden", BURDEN, BURDEN_ROWS))
    assert {"PKD1", "PKD2", "APOB"} <= words(figure)
    assert "TTN" not in words(figure)
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines[:2]) == 5
    assert figure.get_supxlabel() == "Not drawn: 2 genes without an odds ratio to show."


def test_a_forest_has_a_square_a_site_and_a_diamond_for_all() -> None:
    figure = released("meta", META, META_ROWS).plot()
    (axes,) = figure.axes
    assert len([patch for patch in axes.patches if isinstance(patch, Polygon)]) == 1
    sizes = [line.get_markersize() for line in axes.lines if line.get_marker() == "s"]
    assert sizes[0] < sizes[1]
    assert {"suppressed", "0.21 (0.05 to 0.37)   31%", "0.15 (0.07 to 0.23)"} <= words(figure)


def test_hazards_are_ratios_on_a_logarithmic_axis() -> None:
    figure = released("hazards", HAZARDS, HAZARD_ROWS).plot()
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert {"not run", "1.8 (1.3 to 2.5)   p = 0.0004"} <= words(figure)


def test_a_lollipop_draws_a_suppressed_variant_below_the_line() -> None:
    figure = plots.lollipop(released("frequencies", FREQUENCIES, FREQUENCY_ROWS))
    (axes,) = figure.axes
    (crosses,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert list(crosses.get_xdata()) == [2_097_000]
    assert max(crosses.get_ydata()) < 0
    assert set(legend(axes)) == {"stop gained", "missense variant", "frameshift variant"}
    two = released("frequencies", FREQUENCIES, [*FREQUENCY_ROWS, ["4-88000000-A-G", "PKD2", "stop_gained", 9, 0.001]])
    with pytest.raises(BadInput, match="there are 2"):
        plots.lollipop(two)
    assert plots.lollipop(two, "PKD2").axes[0].get_xlabel().startswith("place on chromosome 4")


# -- People and families ----------------------------------------------------------------------------------------------


def test_kaplan_meier_has_a_curve_a_group_and_those_at_risk_below() -> None:
    figure = released("survival", SURVIVAL, SURVIVAL_ROWS, options={"months": 3}).plot()
    axes, below = figure.axes
    assert legend(axes) == ["with", "without", "unknown (suppressed)"]
    assert [tick.get_text() for tick in below.get_yticklabels()] == ["with", "without", "unknown"]
    assert axes.get_xlabel() == "months"
    assert {"400", "900", "×"} <= words(figure)
    assert figure.get_supxlabel() == "× suppressed: fewer than 8 people."
    with_curve = next(line for line in axes.lines if line.get_label() == "with")
    np.testing.assert_allclose(with_curve.get_ydata(), 0.97 ** np.arange(13))


def test_a_curve_stops_where_it_is_suppressed_and_starts_at_one() -> None:
    rows = [["g", 5, 50, 0.9, 0.8, 0.95], ["g", 10, 30, 0.8, 0.7, 0.9], ["g", 15, None, None, None, None]]
    axes = released("survival", SURVIVAL, rows).plot().axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0, 1], [5, 0.9], [10, 0.8]]
    assert axes.lines[1].get_xydata().tolist() == [[10, 0.8]]


def test_a_structure_draws_squares_by_size_and_crosses_for_the_suppressed() -> None:
    axes = released("structure", STRUCTURE, STRUCTURE_ROWS).plot().axes[0]
    bubbles = [each for each in axes.collections if isinstance(each, PathCollection) and len(each.get_offsets())]
    assert len(bubbles) == sum(row[3] is not None for row in STRUCTURE_ROWS)
    assert len(axes.lines[0].get_xdata()) == sum(row[3] is None for row in STRUCTURE_ROWS)
    assert legend(axes)[:4] == ["European", "African", "South Asian", "East Asian"]


def test_frequencies_by_site_have_a_panel_a_site_or_a_map_a_variant() -> None:
    result = released("frequencies_by_group", BY_SITE, SITE_ROWS)
    panels = result.plot().axes
    assert [axes.get_title(loc="left") for axes in panels] == ["leeds", "london", "newcastle"]
    assert [text.get_text() for text in panels[1].texts] == ["suppressed"]
    drawn = plots.frequency_map(result, PLACES)
    assert [axes.get_title(loc="left") for axes in drawn.axes[:2]] == ["16-2090000-C-T", "4-88000000-A-G"]
    assert [len(axes.collections) for axes in drawn.axes[:2]] == [2, 1]
    assert (
        drawn.get_supxlabel()
        .replace("\n", " ")
        .endswith("Without a place: newcastle. × suppressed: fewer than 8 people.")
    )
    with pytest.raises(BadInput, match="no column latitude"):
        plots.frequency_map(result, PLACES.drop("latitude"))
    with pytest.raises(BadInput, match="no site"):
        plots.frequency_map(result, PLACES.filter(pl.col("site") == "nowhere"))


def test_an_oncoprint_has_a_column_a_pattern_and_no_bar_for_a_suppressed_one() -> None:
    patterns = released("drivers", DRIVERS, DRIVER_ROWS)
    above, _, middle, right = patterns.plot().axes
    assert [tick.get_text() for tick in middle.get_yticklabels()] == ["TP53", "KRAS", "APC", "EGFR", "BRAF"]
    assert [patch.get_height() for patch in above.patches] == [85, 60, 40, 30, 25, 10]
    assert [patch.get_width() for patch in right.patches] == [175, 90, 30, 25, 10]
    squares = [patch for patch in middle.patches if isinstance(patch, Rectangle)]
    assert len(squares) == 5 * 7
    assert sum(bool(square.get_hatch()) for square in squares) == 2
    _, corner, _, right = plots.oncoprint(patterns, released("driver_genes", DRIVER_GENES, DRIVER_GENE_ROWS)).axes
    assert legend(corner) == ["missense variant", "stop gained", "inframe deletion"]
    assert {text.get_text() for text in right.texts} == {" + inframe deletion suppressed", " not in the table"}


def test_pedigrees_have_a_family_a_pattern() -> None:
    figure = released("segregation", SEGREGATION, SEGREGATION_ROWS).plot()
    assert [axes.get_title() for axes in figure.axes] == [
        "35 families",
        "20 families",
        "15 families",
        "families: suppressed",
    ]
    square, circle, child = figure.axes[1].patches
    assert square.get_facecolor() == circle.get_facecolor() == (1, 1, 1, 1)
    assert child.get_facecolor() == (0, 0, 0, 1)
    assert [len([line for line in axes.lines if line.get_marker() == "o"]) for axes in figure.axes] == [0, 2, 1, 1]
    unaffected = released("segregation", (*SEGREGATION, "child affected"), [["0/1", "0/0", "0/1", 15, "no"]]).plot()
    assert unaffected.axes[0].patches[2].get_facecolor() == (1, 1, 1, 1)


def test_families_are_stacked_by_tier_and_the_suppressed_ones_named() -> None:
    figure = released("families", FAMILIES, FAMILY_ROWS).plot()
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "PKD1, dominant, new",
        "CFTR, recessive",
        "DMD, X-linked",
    ]
    assert legend(axes) == ["tier 1", "tier 2"]
    assert "suppressed" in words(figure)
