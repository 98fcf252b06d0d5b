"""A question about a panel is a question about its genes, by whatever name a file knows them, and says which version was meant."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from variant_files import CSQ, csq, record, vcf, write

from nhsgen import ontology
from nhsgen.codes import HPO
from nhsgen.errors import BadCode, BadFile, BadInput, NotFound
from nhsgen.genome import Assembly, Region
from nhsgen.variants import VariantFilter, VariantStore, ingest, variants
from nhsgen.variants.genes import Gene, GeneTable
from nhsgen.variants.panel_files import panel
from nhsgen.variants.panels import ChosenGenes, Panel, PanelGene, hpo_panel

NPHP1, INVS, GLIS2 = (
    PanelGene("NPHP1", "ENSG00000144061", "green", "BIALLELIC", "HGNC:7905"),
    PanelGene("INVS", "ENSG00000119509", "amber", None, "HGNC:17870"),
    PanelGene("GLIS2", "ENSG00000126603", "red", None, None),
)
CILIOPATHIES = Panel("Renal ciliopathies", "3.2", "PanelApp", (NPHP1, INVS, GLIS2))


def gene(symbol: str, gene_id: str | None, level: object, **parts: Any) -> dict[str, Any]:
    """One gene as PanelApp's API gives it."""
    ids = {
        "GRch37": {"82": {"location": "1:1-2", "ensembl_id": parts.pop("id37", gene_id)}},
        "GRch38": {"90": {"location": "1:1-2", "ensembl_id": gene_id}},
    }
    data = {
        "alias": ["NOT_A_NAME"],
        "hgnc_id": parts.pop("hgnc_id", None),
        "gene_symbol": symbol,
        "ensembl_genes": ids if gene_id else {},
    }
    return {
        "gene_data": data | parts.pop("data", {}), "entity_type": "gene", "entity_name": symbol, "confidence_level": level,
        "mode_of_inheritance": parts.pop("moi", ""), **parts,
    }  # fmt: skip


API: dict[str, Any] = {
    "id": 283, "hash_id": None, "name": "Renal ciliopathies", "status": "public", "version": "3.2",
    "version_created": "2026-05-01T14:28:12Z", "signed_off": "2026-05-06",
    "genes": [
        gene("NPHP1", "ENSG00000144061", "3", moi="BIALLELIC", hgnc_id="HGNC:7905"),
        gene("INVS", "ENSG00000119509", "2", hgnc_id="HGNC:17870"),
        gene("GLIS2", "ENSG00000126603", "1"),
    ],
    "strs": [{"entity_name": "AR_CAG", "entity_type": "str", "confidence_level": "3", "gene_data": {"gene_symbol": "AR"}}],
    "regions": [{"entity_name": "ISCA-37478-Gain", "entity_type": "region", "confidence_level": "3", "gene_data": None}],
}  # fmt: skip

HEADINGS = (
    "Entity Name", "Entity type", "Gene Symbol", "Sources(; separated)", "Level4", "Level3", "Level2", "Model_Of_Inheritance",
    "Phenotypes", "Omim", "Orphanet", "HPO", "Publications", "Description", "Flagged", "GEL_Status", "UserRatings_Green_amber_red",
    "version", "ready", "Mode of pathogenicity", "EnsemblId(GRch37)", "EnsemblId(GRch38)", "HGNC", "Position Chromosome",
)  # fmt: skip


def tsv(*rows: dict[str, str], headings: tuple[str, ...] = HEADINGS) -> str:
    """PanelApp's download; what a row does not say is the panel's own, or empty."""
    common = {"Entity type": "gene", "Level4": "Renal ciliopathies", "version": "3.2"}
    cells = [[(common | row).get(heading, "") for heading in headings] for row in rows]
    return "\n".join("\t".join(line) for line in (headings, *cells)) + "\n"


def row(symbol: str, level: str, gene_id: str = "", **parts: str) -> dict[str, str]:
    ids = {"EnsemblId(GRch37)": gene_id, "EnsemblId(GRch38)": gene_id}
    return {"Entity Name": symbol, "Gene Symbol": symbol, "GEL_Status": level, **ids, **parts}


TSV = tsv(
    row("NPHP1", "3", "ENSG00000144061", Model_Of_Inheritance="BIALLELIC", HGNC="HGNC:7905", Phenotypes='"a;b"'),
    row("INVS", "2", "ENSG00000119509", HGNC="HGNC:17870"),
    row("AR_CAG", "3", **{"Entity type": "str", "Gene Symbol": "AR", "Position Chromosome": "X"}),
    row("ISCA-37478-Gain", "3", **{"Entity type": "region", "Gene Symbol": ""}),
    row("GLIS2", "0", "ENSG00000126603"),
)


def read(folder: Path, text: str, name: str = "renal.txt") -> Panel:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return panel(path)


# -- Reading ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [json.dumps(API), json.dumps(API, indent=2), "\ufeff" + json.dumps(API), TSV, TSV.replace("\n", "\r\n")]
)
def test_json_and_tsv_of_one_panel_are_one_panel(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert (found.name, found.version, found.source) == ("Renal ciliopathies", "3.2", "PanelApp")
    assert found.genes == CILIOPATHIES.genes
    assert found.left_out == ("AR_CAG", "ISCA-37478-Gain")
    assert found.green.symbols == ("NPHP1",)
    assert found.at_least("amber").symbols == ("INVS", "NPHP1")
    assert found.at_least("red").symbols == found.symbols == ("GLIS2", "INVS", "NPHP1")


def test_a_panel_says_what_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, json.dumps(API))
    assert (found.id, found.signed_off) == ("283", "2026-05-06")
    assert found.describe() == (
        "Renal ciliopathies 3.2 (PanelApp), signed off on 2026-05-06: 1 green gene, 1 amber gene and 1 red gene; "
        "left out: 2 entries not of a gene"
    )


def test_headings_of_other_years_are_understood(tmp_path: Path) -> None:
    underscored = TSV.replace("Entity Name", "Entity_Name").replace("Gene Symbol", "Gene_Symbol")
    assert read(tmp_path, underscored).genes == CILIOPATHIES.genes
    early = ("Gene_Symbol", "Sources(; separated)", "Level4", "Model_Of_Inheritance", "GEL_Status", "version")
    old = tsv(row("NPHP1", "4", Gene_Symbol="NPHP1"), headings=early)
    assert read(tmp_path, old).genes == (PanelGene("NPHP1", None, "green"),)


def test_a_gene_keeps_every_name_that_its_panel_gives_it(tmp_path: Path) -> None:
    renamed = gene("OLD", "ENSG2", 3, id37="ENSG1", data={"hgnc_symbol": "NEW"}, entity_name="OLDER")
    assert read(tmp_path, json.dumps(API | {"genes": [renamed]})).genes[0].names == (
        "OLD",
        "ENSG2",
        "ENSG1",
        "OLDER",
        "NEW",
    )
    # PanelApp's downloads of old versions have the two ids in each other's column.
    swapped = tsv(row("OLD", "3") | {"EnsemblId(GRch37)": "ENSG2", "EnsemblId(GRch38)": "ENSG1;LRG_7"})
    assert set(read(tmp_path, swapped).genes[0].names) == {"OLD", "ENSG1", "ENSG2"}


def test_a_gene_listed_twice_keeps_its_best_confidence_and_all_names(tmp_path: Path) -> None:
    twice = [gene("NPHP1", "ENSG1", "1"), gene("NPHP1", "ENSG2", "3")]
    assert read(tmp_path, json.dumps(API | {"genes": twice})).genes == (
        PanelGene("NPHP1", "ENSG2", "green", also=("ENSG1",)),
    )


def test_a_list_is_one_gene_a_line(tmp_path: Path) -> None:
    found = read(tmp_path, "Gene symbol\n# our own\n\nnphp1\nENSG00000119509.3\nC9ORF72\nnphp1\n", "our-genes.txt")
    assert (found.name, found.version, found.source) == ("our-genes", "", "list")
    assert [(gene.symbol, gene.gene_id) for gene in found.genes] == [
        ("C9orf72", None), ("ENSG00000119509", "ENSG00000119509"), ("NPHP1", None),
    ]  # fmt: skip
    assert found.green.symbols == found.symbols
    assert found.describe() == "our-genes (list): 3 genes"


def without(part: str) -> str:
    return json.dumps({name: value for name, value in API.items() if name != part})


BROKEN = {
    "half a JSON": (json.dumps(API, indent=1)[:-40], r"it is not JSON there.*line \d+"),
    "a page of panels": (json.dumps({"count": 1, "results": [API]}), "a page of a list, not one panel"),
    "a list of panels": (json.dumps([API]), "no list 'genes'"),
    "JSON without a version": (without("version"), "does not say its version"),
    "JSON without a name": (without("name"), "does not say its name"),
    "JSON without genes": (without("genes"), "no list 'genes'"),
    "no gene at all": (json.dumps(API | {"genes": []}), "it has no genes"),
    "a gene without data": (json.dumps(API | {"genes": [API["genes"][0], {"entity_name": "Jane"}]}), "entry 2 of its genes has no 'gene_data'"),
    "a gene that is no object": (json.dumps(API | {"genes": ["Jane"]}), "entry 1 of its genes has no 'gene_data'"),
    "no confidence": (json.dumps(API | {"genes": [gene("NPHP1", None, None)]}), "entry 1 of its genes has no confidence from 0 to 4"),
    "no symbol": (json.dumps(API | {"genes": [gene("Jane Doe", None, 3)]}), "entry 1 of its genes has no gene symbol"),
    "TSV without a status": (TSV.replace("GEL_Status", "Stars"), r"no column 'GEL_Status'.*renal\.txt, line 1"),
    "another table": ("name\tborn\nJane\t1980\n", "no column 'Gene Symbol'.*line 1"),
    "TSV with a strange status": (TSV.replace("\t2\t", "\tJane\t"), r"the gene has no confidence.*renal\.txt, line 3"),
    "TSV with a gap": (tsv(row("NPHP1", "3"), row("", "3")), "no gene symbol.*line 3"),
    "TSV of two versions": (tsv(row("NPHP1", "3"), row("INVS", "3", version="3.3")), "another panel or version begins there.*line 3"),
    "TSV without a version": (tsv(row("NPHP1", "3", version="")), "does not say its version.*line 2"),
    "TSV of headings": (tsv(), "it has no genes"),
    "TSV of repeats alone": (tsv(row("AR_CAG", "3", **{"Entity type": "str"})), "it has no genes"),
    "an empty file": ("", "it has no genes"),
    "a list of two a line": ("NPHP1\nJane Doe\n", "the line has no gene symbol.*line 2"),
    "a CSV": ("NPHP1,Jane\n", "the line has no gene symbol.*line 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_a_file_is_said_and_not_repeated(tmp_path: Path, case: str) -> None:
    text, said = BROKEN[case]
    with pytest.raises(BadFile, match=said) as raised:
        read(tmp_path, text)
    assert "renal.txt" in str(raised.value)
    assert "Jane" not in str(raised.value)


def test_a_file_that_is_not_there_or_not_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        panel(tmp_path / "none.json")
    (tmp_path / "packed.tsv").write_bytes(gzip.compress(TSV.encode()))
    with pytest.raises(BadFile, match="not UTF-8 text"):
        panel(tmp_path / "packed.tsv")


# -- HPO ----------------------------------------------------------------------------------------------------------------


def test_hpo_gives_the_genes_of_a_term_and_of_all_narrower_ones() -> None:
    cysts, polycystic = hpo_panel("HP:0000107"), hpo_panel("HP:0000113")
    assert {"PKD1", "PKD2", "PKHD1"} <= set(polycystic.symbols) < set(cysts.symbols)
    assert cysts.source == f"HPO {ontology.version()}"
    assert cysts.version == ontology.version()
    assert variants().in_panel(polycystic).describe() == (
        f"alleles in {len(polycystic.genes)} genes of HP:0000113 Polycystic kidney dysplasia (HPO {ontology.version()})"
    )


def test_hpo_says_when_there_is_no_such_term_or_no_gene() -> None:
    with pytest.raises(BadCode, match=r"did you mean .*HP:0000107 \(Renal cyst\)"):
        hpo_panel("renal cyst")
    with pytest.raises(BadCode, match="obsolete"):
        hpo_panel("HP:0000057")
    lonely = next(text for text in sorted(ontology.descendants(HPO("HP:0000118"))) if not ontology.genes(HPO(text)))
    with pytest.raises(NotFound, match="HPO links no gene to it"):
        hpo_panel(lonely)


def test_hpo_agrees_with_the_file_that_it_is_made_of(shared_data: Path) -> None:
    """The file is ten months older than the ontology we carry: a few links differ, the others are the same."""
    terms = ontology.descendants(HPO("HP:0000107"))
    path = shared_data / "reference" / "hpo_2025-01-16" / "genes_to_phenotype.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.split("\t") for line in file]
    told = {cells[1] for cells in rows if cells[2] in terms}
    ours = set(hpo_panel("HP:0000107").symbols)
    assert len(told & ours) / len(told | ours) > 0.9


# -- In a question ------------------------------------------------------------------------------------------------------


def test_a_question_says_which_panel_version_and_confidence_it_means() -> None:
    damaging = variants(impact="high", max_af=0.001)
    assert damaging.in_panel(CILIOPATHIES).describe() == (
        "alleles with HIGH impact on 1 gene of Renal ciliopathies 3.2 (PanelApp, green) "
        "and a reference population frequency of at most 0.001"
    )
    assert damaging.in_panel(CILIOPATHIES, "amber").in_genes("PKD1").describe().startswith(
        "alleles with HIGH impact on PKD1 or 2 genes of Renal ciliopathies 3.2 (PanelApp, green and amber)"
    )  # fmt: skip
    assert (
        "3 genes of Renal ciliopathies 3.2 (PanelApp, green, amber and red)"
        in damaging.in_panel(CILIOPATHIES, "red").describe()
    )


def test_a_hundred_genes_are_said_in_one_line() -> None:
    many = Panel("Renal", "1.0", "PanelApp", tuple(PanelGene(f"G{n}", f"ENSG{n}", "green") for n in range(100)))
    asked = variants(impact="high").in_panel(many)
    assert asked.describe() == "alleles with HIGH impact on 100 genes of Renal 1.0 (PanelApp, green)"
    assert len(asked.genes) == 200
    assert len(asked.asked_genes) == 100


def test_another_version_or_confidence_is_another_question() -> None:
    newer = Panel("Renal ciliopathies", "3.3", "PanelApp", CILIOPATHIES.genes)
    asked = [variants().in_panel(CILIOPATHIES), variants().in_panel(newer), variants().in_panel(newer, "amber")]
    assert len({json.dumps(each.to_dict()) for each in asked}) == len(set(asked)) == 3
    assert asked[0].genes == asked[1].genes


def test_a_panel_without_such_genes_asks_for_nothing_rather_than_for_everything() -> None:
    amber = Panel("Amber only", "0.1", "PanelApp", (INVS,))
    with pytest.raises(
        NotFound, match=r"choosing the green genes of Amber only 0\.1 \(PanelApp\) failed.*it has 1 amber gene"
    ):
        variants().in_panel(amber)
    with pytest.raises(BadInput, match="say green, amber, red"):
        variants().in_panel(amber, "Jane")  # type: ignore[arg-type]


def test_a_question_is_written_down_with_each_gene_on_one_line() -> None:
    asked = variants(impact="high").in_panel(CILIOPATHIES, "amber").in_genes("PKD1")
    assert asked.to_dict() == {
        "genes": ["PKD1"],
        "impacts": ["HIGH"],
        "panels": [
            {
                "panel": "Renal ciliopathies", "version": "3.2", "source": "PanelApp", "confidence": "amber",
                "genes": ["INVS ENSG00000119509", "NPHP1 ENSG00000144061"],
                "ratings": ["INVS amber", "NPHP1 green BIALLELIC"],
            }
        ],
    }  # fmt: skip


def test_a_question_from_before_there_were_ratings_is_the_same_question() -> None:
    plain = {"panels": [{"panel": "A", "version": "1", "source": "PanelApp", "confidence": "green", "genes": ["PKD1"]}]}
    assert VariantFilter.from_dict(plain).to_dict() == plain
    assert variants().in_panel(Panel("Mine", "", "list", (PanelGene("PKD1"),))).to_dict()["panels"][0].keys() == {
        "panel", "version", "source", "confidence", "genes",
    }  # fmt: skip


def test_another_mode_of_inheritance_is_another_question() -> None:
    one, other = (
        variants().in_panel(Panel("Renal", "1.0", "PanelApp", (replace(NPHP1, inheritance=mode),)))
        for mode in ("BIALLELIC", "MONOALLELIC")
    )
    assert one.to_dict() != other.to_dict()
    assert VariantFilter(panels=(*one.panels, *other.panels)) == VariantFilter(panels=(*other.panels, *one.panels))


RATED = {"panel": "A", "version": "1", "source": "PanelApp", "confidence": "green", "genes": ["A"]}
HAND_WRITTEN: dict[str, tuple[Any, str]] = {
    "a name": ("Renal ciliopathies", "not a list of panels"),
    "a list of names": (["Renal ciliopathies"], "has not the parts"),
    "a part too many": ([{"panel": "A", "version": "1", "source": "list", "confidence": "", "genes": ["A"], "more": 1}], "has not the parts"),
    "no genes": ([{"panel": "A", "version": "1", "source": "list", "confidence": "", "genes": []}], "no genes"),
    "a nameless gene": ([{"panel": "A", "version": "1", "source": "list", "confidence": "", "genes": [" "]}], "no genes"),
    "genes as one text": ([{"panel": "A", "version": "1", "source": "list", "confidence": "", "genes": "PKD1"}], "not a list of texts"),
    "two lines": ([{"panel": "A\nB", "version": "1", "source": "list", "confidence": "", "genes": ["A"]}], "one short line"),
    "a strange confidence": ([{"panel": "A", "version": "1", "source": "list", "confidence": "blue", "genes": ["A"]}], "green, amber or red"),
    "ratings as one text": ([RATED | {"ratings": "A"}], "not a list of texts"),
    "a rating of no gene": ([RATED | {"ratings": ["B green"]}], "none of its genes"),
    "a gene rated twice": ([RATED | {"ratings": ["A green", "A red"]}], "rated twice"),
    "a strange rating": ([RATED | {"ratings": ["A blue"]}], "green, amber or red"),
    "an empty rating": ([RATED | {"ratings": [" "]}], "gene"),
    "a number for a version": ([{"panel": "A", "version": 1, "source": "list", "confidence": "", "genes": ["A"]}], "one short line"),
}  # fmt: skip


@pytest.mark.parametrize("case", HAND_WRITTEN)
def test_a_panel_written_by_hand_is_checked(case: str) -> None:
    panels, said = HAND_WRITTEN[case]
    with pytest.raises(BadInput, match=said):
        VariantFilter.from_dict({"panels": panels})


SYMBOLS = st.text("ABCDXYZ0123456789-", min_size=1, max_size=6)
IDS = st.none() | st.integers(1, 99).map(lambda number: f"ENSG{number:011}")
PANELS = st.builds(
    Panel,
    name=st.sampled_from(["Renal", "Größe", "Skeletal (rare)"]),
    version=st.sampled_from(["", "1.0", "2.17"]),
    source=st.sampled_from(["PanelApp", "list", "HPO 1.0"]),
    genes=st.lists(
        st.builds(
            PanelGene,
            symbol=SYMBOLS,
            gene_id=IDS,
            confidence=st.just("green"),
            inheritance=st.sampled_from([None, "BOTH  of them"]),
        ),
        min_size=1,
        max_size=6,
    ).map(tuple),
)


@given(st.lists(PANELS, max_size=3), st.lists(SYMBOLS, max_size=3))
def test_a_question_about_panels_survives_being_written_down(panels: list[Panel], genes: list[str]) -> None:
    asked = variants(impact="high").in_genes(*genes)
    for each in panels:
        asked = asked.in_panel(each)
    again = VariantFilter.from_dict(json.loads(json.dumps(asked.to_dict())))
    assert again == asked
    assert hash(again) == hash(asked)
    assert again.to_dict() == asked.to_dict()
    assert again.describe() == asked.describe()
    backwards = variants(impact="high")
    for each in reversed(panels):
        backwards = backwards.in_panel(each)
    assert backwards.in_genes(*genes) == asked
    # Each name is of one gene, and all names are asked for.
    names = [name for group in asked.asked_genes for name in group]
    assert len(names) == len(set(names))
    assert set(names) == set(asked.genes)


# -- By coordinates -----------------------------------------------------------------------------------------------------

TABLE = GeneTable(
    "our.gtf", Assembly.GRCh38,
    (
        Gene("NPHP1", "ENSG00000144061", "HGNC:7905", (Region("2", 100, 200),)),
        Gene("INVS-NEW", "ENSG00000999999", "HGNC:17870", (Region("9", 300, 400),)),
    ),
)  # fmt: skip


def test_a_gene_is_placed_by_its_id_its_hgnc_id_or_its_symbol() -> None:
    assert CILIOPATHIES.at_least("amber").regions(TABLE, padding=50) == (Region("2", 50, 250), Region("9", 250, 450))


def test_a_gene_that_the_table_has_not_is_named() -> None:
    with pytest.raises(
        NotFound, match=r"the gene table has none called GLIS2 \(our\.gtf\); use a newer table for GRCh38"
    ):
        CILIOPATHIES.regions(TABLE)
    with pytest.raises(BadInput, match="no gene was named"):
        Panel("Red only", "0.1", "PanelApp", (GLIS2,)).green.regions(TABLE)


def test_a_list_of_symbols_learns_its_ids_and_newer_symbols() -> None:
    symbols = Panel(
        "ours", "", "list", (PanelGene("NPHP1"), PanelGene("GLIS2"), PanelGene("INVS", hgnc_id="HGNC:17870"))
    )
    assert [gene.names for gene in symbols.identified(TABLE).genes] == [
        ("GLIS2",), ("INVS", "ENSG00000999999", "INVS-NEW"), ("NPHP1", "ENSG00000144061"),
    ]  # fmt: skip


# -- In a store ---------------------------------------------------------------------------------------------------------


def test_a_store_finds_a_renamed_gene_by_its_id_and_an_unnumbered_one_by_its_symbol(tmp_path: Path) -> None:
    def effect(symbol: str, gene_id: str) -> str:
        return f"CSQ={csq('G', 'stop_gained', 'HIGH', symbol, Gene=gene_id)}"

    text = vcf(
        record("1 10 A G", "0/1 0/0", info=effect("NPHP1-OLD", "ENSG00000144061")),
        record("1 20 A G", "0/0 0/1", info=effect("INVS", "27130")),
        record("1 30 A G", "0/1 0/1", info=effect("PKD1", "ENSG00000008710")),
        info=[CSQ],
    )
    ingest([write(tmp_path / "a.vcf", text)], tmp_path / "store")
    store = VariantStore.open(tmp_path / "store")
    assert store.query(variants().in_panel(CILIOPATHIES), ["key"])["key"].to_list() == ["1-10-A-G"]
    carried = store.carriers(variants(impact="high").in_panel(CILIOPATHIES, "amber"))
    assert carried.select("gene", "sample").rows() == [("NPHP1-OLD", "S1"), ("INVS", "S2")]


def test_chosen_genes_are_sorted_and_once() -> None:
    one = ChosenGenes("A", "1", "list", "", (("B",), ("A", "ENSG1"), ("B",)))
    assert one.genes == (("A", "ENSG1"), ("B",))
