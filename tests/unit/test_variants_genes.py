"""Genes are found where the user's own file puts them, whatever dialect it is written in."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nhsgen.errors import BadFile, BadInput, NhsgenError, NotFound
from nhsgen.genome import Assembly, Region
from nhsgen.variants import variants
from nhsgen.variants.genes import Gene, GeneTable, gene_table, unversioned


def lines(*rows: str) -> str:
    """Rows written with blanks between the first eight columns; the ninth may hold blanks."""
    return "".join("\t".join(row.split(" ", 8)) + "\n" if row[0] != "#" else f"{row}\n" for row in rows)


GENCODE_GTF = lines(
    "##description: evidence-based annotation of the human genome (GRCh38), version 44 (Ensembl 110)",
    '##provider: GENCODE',
    'chr16 HAVANA gene 2088708 2135898 . - . gene_id "ENSG00000008710.20"; gene_name "PKD1"; level 2; hgnc_id "HGNC:9008";',
    'chr16 HAVANA transcript 2088708 2135898 . - . gene_id "ENSG00000008710.20"; transcript_id "ENST00000262304.9"; gene_name "PKD1";',
    'chrX HAVANA gene 276322 303353 . + . gene_id "ENSG00000182378.15"; gene_name "PLCXD1"; hgnc_id "HGNC:23148";',
    'chrY HAVANA gene 276322 303353 . + . gene_id "ENSG00000182378.15_PAR_Y"; gene_name "PLCXD1"; hgnc_id "HGNC:23148";',
)  # fmt: skip
GENCODE_GFF3 = lines(
    "##gff-version 3",
    "##sequence-region chr16 1 90338345",
    "chr16 HAVANA gene 2088708 2135898 . - . ID=ENSG00000008710.20;gene_id=ENSG00000008710.20;gene_name=PKD1;hgnc_id=HGNC:9008",
    "###",
)  # fmt: skip
ENSEMBL_GTF = lines(
    "#!genome-build GRCh38.p14",
    '16 ensembl_havana gene 2088708 2135898 . - . gene_id "ENSG00000008710"; gene_version "20"; gene_name "PKD1"; gene_source "ensembl_havana";',
    '16 havana gene 100 200 . - . gene_id "ENSG00000999999"; gene_version "1"; gene_source "havana";',
)  # fmt: skip
ENSEMBL_GFF3 = lines(
    "##gff-version 3",
    "16 GRCh38 chromosome 1 90338345 . . . ID=chromosome:16;Alias=CM000678.2,chr16,NC_000016.10",
    "16 ensembl_havana gene 2088708 2135898 . - . ID=gene:ENSG00000008710;Name=PKD1;biotype=protein_coding;"
    "description=polycystin 1%2C transient [Source:HGNC Symbol%3BAcc:HGNC:9008];gene_id=ENSG00000008710;version=20",
    "16 havana ncRNA_gene 500 600 . - . ID=gene:ENSG00000222222;Name=RNU6;gene_id=ENSG00000222222",
)
REFSEQ_GTF = lines(
    '#!genome-build GRCh38.p14',
    'NC_000016.10 BestRefSeq gene 2088708 2135898 . - . gene_id "PKD1"; db_xref "GeneID:5310"; db_xref "HGNC:HGNC:9008"; gene "PKD1";',
)  # fmt: skip
REFSEQ_GFF3 = lines(
    "##sequence-region NC_000016.10 1 90338345",
    "NC_000016.10 BestRefSeq gene 2088708 2135898 . - . ID=gene-PKD1;Dbxref=GeneID:5310,HGNC:HGNC:9008,MIM:601313;Name=PKD1;gene=PKD1",
    "NC_000016.10 Curated pseudogene 700 800 . - . ID=gene-PKD1P1;Dbxref=GeneID:339044;Name=PKD1P1;gene=PKD1P1",
)  # fmt: skip
BIOMART = (
    "#Chromosome/scaffold name\tGene Start (bp)\tGene End (bp)\tHGNC symbol\tGene ID\n"
    "16\t2088708\t2135898\tPKD1\tENSG00000008710\nCHR_HSCHR16_1\t5\t9\tPKD1\tENSG00000777777\n"
)
DIALECTS = {
    "GENCODE's GTF": (GENCODE_GTF, "ENSG00000008710", "HGNC:9008"),
    "GENCODE's GFF3": (GENCODE_GFF3, "ENSG00000008710", "HGNC:9008"),
    "Ensembl's GTF": (ENSEMBL_GTF, "ENSG00000008710", None),
    "Ensembl's GFF3": (ENSEMBL_GFF3, "ENSG00000008710", None),
    "RefSeq's GTF": (REFSEQ_GTF, "5310", "HGNC:9008"),
    "RefSeq's GFF3": (REFSEQ_GFF3, "5310", "HGNC:9008"),
    "a BioMart table": (BIOMART, "ENSG00000008710", None),
}
PKD1 = Region("16", 2_088_707, 2_135_898)


def read(folder: Path, text: str, assembly: str = "GRCh38", name: str = "genes.gtf") -> GeneTable:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return gene_table(path, assembly)


@pytest.mark.parametrize("name", ["genes.gtf", "genes.gtf.gz", "odd-name"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_puts_a_gene_at_the_same_place(tmp_path: Path, dialect: str, name: str) -> None:
    text, gene_id, hgnc_id = DIALECTS[dialect]
    table = read(tmp_path, text, name=name)
    assert table.assembly is Assembly.GRCh38
    gene = next(gene for gene in table.find("pkd1") if gene.regions == (PKD1,))
    assert (gene.symbol, gene.gene_id, gene.hgnc_id) == ("PKD1", gene_id, hgnc_id)
    assert table.regions("PKD1") == table.regions(gene_id) == (PKD1,)


def test_an_id_is_known_with_its_version_and_without(tmp_path: Path) -> None:
    table = read(tmp_path, GENCODE_GTF)
    for name in ("ENSG00000008710", "ENSG00000008710.20", "ENSG00000008710.1", "HGNC:9008", "pkd1"):
        assert name in table
        assert table.regions(name) == (PKD1,)


def test_a_gene_of_the_pseudo_autosomal_region_lies_on_x_and_y(tmp_path: Path) -> None:
    assert [str(region) for region in read(tmp_path, GENCODE_GTF).regions("PLCXD1")] == [
        "X:276322-303353",
        "Y:276322-303353",
    ]


def test_a_gene_without_a_symbol_goes_by_its_id(tmp_path: Path) -> None:
    assert read(tmp_path, ENSEMBL_GTF).find("ENSG00000999999")[0].symbol == "ENSG00000999999"


def test_genes_of_other_kinds_are_read_from_gff3(tmp_path: Path) -> None:
    assert "RNU6" in read(tmp_path, ENSEMBL_GFF3)
    assert "PKD1P1" in read(tmp_path, REFSEQ_GFF3)


def test_a_patch_is_looked_at_only_where_there_is_no_chromosome(tmp_path: Path) -> None:
    table = read(tmp_path, BIOMART)
    assert table.regions("PKD1") == (PKD1,)
    assert table.regions("ENSG00000777777") == (Region("CHR_HSCHR16_1", 4, 9),)


def test_padding_goes_into_a_filter(tmp_path: Path) -> None:
    near = variants(impact="high").in_region(*read(tmp_path, GENCODE_GTF).regions(["PKD1"], padding=20_000))
    assert near.describe() == "alleles in 16:2068708-2155898 with HIGH impact"


def test_an_unknown_gene_is_refused_with_the_closest_name(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"looking up the gene PKDI failed: .*\(genes\.gtf\); did you mean PKD1\?"):
        read(tmp_path, GENCODE_GTF).regions(["PKD1", "PKDI"])
    with pytest.raises(NotFound, match="check its symbol"):
        read(tmp_path, GENCODE_GTF).find("ZZZZZZ")


def test_no_gene_is_not_the_whole_genome(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no gene was named"):
        read(tmp_path, GENCODE_GTF).regions([])


@pytest.mark.parametrize("padding", [-1, True, 2.5])
def test_padding_is_a_number_of_bases(tmp_path: Path, padding: int) -> None:
    with pytest.raises(BadInput, match="not a number of bases"):
        read(tmp_path, GENCODE_GTF).regions("PKD1", padding=padding)


LIFTED = GENCODE_GTF.replace(
    "version 44 (Ensembl 110)", "version 44 (Ensembl 110), mapped to GRCh37 with gencode-backmap"
)
WRONG_ASSEMBLY = {
    "by GENCODE's header": (GENCODE_GTF, "GRCh37"),
    "by the length of a chromosome": (GENCODE_GFF3, "GRCh37"),
    "by Ensembl's header": (ENSEMBL_GTF, "GRCh37"),
    "by RefSeq's accession": (REFSEQ_GFF3.replace("90338345", "1000"), "GRCh37"),
    "by GENCODE's header of a file that was lifted": (LIFTED, "GRCh38"),
}


@pytest.mark.parametrize("case", WRONG_ASSEMBLY)
def test_a_file_of_the_other_assembly_is_refused(tmp_path: Path, case: str) -> None:
    text, assembly = WRONG_ASSEMBLY[case]
    with pytest.raises(BadFile, match=f"not (on|of) {assembly}"):
        read(tmp_path, text, assembly)


def test_a_lifted_file_is_of_the_assembly_it_was_lifted_to(tmp_path: Path) -> None:
    assert read(tmp_path, LIFTED, "GRCh37").regions("PKD1") == (PKD1,)
    mitochondria = lines('NC_012920.1 RefSeq gene 1 9 . + . gene_id "ND1"; db_xref "GeneID:4535"; gene "ND1";')
    assert read(tmp_path, mitochondria, "GRCh37").regions("ND1") == (Region("MT", 0, 9),)


GENE = 'chr1 x gene 5 9 . + . gene_id "ENSG00000000001"; gene_name "A";'
BROKEN = {
    "no gene": ("chr1 x exon 5 9 . + . gene_id=A\n".replace(" ", "\t"), "it has no genes"),
    "nothing": ("", "it has no genes"),
    "too few columns": (lines("#x", GENE) + "chr1\tx\tgene\n", r"nine columns.*genes\.gtf, line 3"),
    "ends before it starts": (lines(GENE.replace("5 9", "9 5")), "line 1"),
    "starts at zero": (lines(GENE.replace("5 9", "0 5")), "1 <= start"),
    "not a number": (lines(GENE.replace("5 9", "five 9")), "line 1"),
    "no name": (lines(GENE, "chr1 x gene 5 9 . + . level 2;"), r"the gene has no name.*line 2"),
    "another table": ("a\tb\n1\t2\n", "nine columns"),
    "BioMart without ids": (BIOMART.replace("Gene ID", "Gene type"), r"no column 'gene stable id'.*line 1"),
    "BioMart cut short": (BIOMART + "16\t5\n", "the 5 columns of the first.*line 4"),
    "BioMart with a gap": (BIOMART + "16\t5\t9\t\t\n", "the gene has no name.*line 4"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path: Path, case: str) -> None:
    text, said = BROKEN[case]
    with pytest.raises(BadFile, match=said) as raised:
        read(tmp_path, text)
    assert "genes.gtf" in str(raised.value)
    assert "ENSG" not in str(raised.value)


def test_a_file_cut_short_or_not_text_or_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "genes.gtf.gz"
    path.write_bytes(gzip.compress(GENCODE_GTF.encode() * 200)[:-30])
    with pytest.raises(BadFile, match="cut short or damaged"):
        gene_table(path, "GRCh38")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFile, match="it is not text"):
        gene_table(path, "GRCh38")
    with pytest.raises(NotFound, match="no such file"):
        gene_table(tmp_path / "none.gtf", "GRCh38")
    with pytest.raises(BadInput, match="the assembly 'hg19' is unknown; say GRCh37 or GRCh38"):
        gene_table(path, "hg19")


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=6), st.integers(0, 15))
def test_regions_cover_exactly_the_genes_and_their_padding(places: list[tuple[int, int]], padding: int) -> None:
    genes = tuple(
        Gene(f"G{n}", None, None, (Region("1", start, start + size),)) for n, (start, size) in enumerate(places)
    )
    found = GeneTable("toy", Assembly.GRCh38, genes).regions([gene.symbol for gene in genes], padding)
    meant = {base for start, size in places for base in range(max(0, start - padding), start + size + padding)}
    assert [base for region in found for base in range(region.start, region.end)] == sorted(meant)


@given(st.text("ENSGR0123456789._PAY", max_size=20))
def test_taking_the_version_off_twice_changes_nothing(text: str) -> None:
    assert unversioned(unversioned(text)) == unversioned(text)


def test_the_genes_of_the_reference_files_are_found(shared_data: Path) -> None:
    for assembly, place in (("GRCh38", "16:2088710-2135898"), ("GRCh37", "16:2138711-2185899")):
        table = gene_table(shared_data / "reference" / f"ensembl_genes_{assembly}.txt.gz", assembly)
        assert len(table.genes) > 30_000
        assert [str(region) for region in table.regions("PKD1")] == [place]
        with pytest.raises(NhsgenError, match="did you mean"):
            table.find("PKHD11")
