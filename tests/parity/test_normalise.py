"""The normal form of an allele: whatever way it is written, the same; and the same as bcftools norm."""

import gzip
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pysam.bcftools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nhsgen.errors import BadFile, NhsgenError, NotFound
from nhsgen.variants.normalise import Reference, left_align, normalised, trim

Allele = tuple[int, str, str]

# Two letters make repeats of every length.
CONTIGS = st.text("AC", min_size=2, max_size=60) | st.text("ACGT", min_size=2, max_size=60)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Allele]:
    """A contig and an allele of it: some of its bases, and others in their place."""
    contig = draw(CONTIGS)
    start = draw(st.integers(0, len(contig) - 1))
    ref = contig[start : draw(st.integers(start + 1, min(len(contig), start + 12)))]
    alt = draw(st.text("ACGT", min_size=1, max_size=12).filter(lambda text: text != ref))
    return contig, (start + 1, ref, alt)


def changed(contig: str, allele: Allele) -> str:
    """The sequence of somebody who has the allele."""
    pos, ref, alt = allele
    assert contig[pos - 1 : pos - 1 + len(ref)] == ref
    return contig[: pos - 1] + alt + contig[pos - 1 + len(ref) :]


def of(contig: str) -> Callable[[int, int], str]:
    return lambda start, end: contig[start:end]


@given(written())
def test_the_sequence_stays_the_same(case: tuple[str, Allele]) -> None:
    contig, allele = case
    for other in (trim(*allele), left_align(*allele, of(contig))):
        assert changed(contig, other) == changed(contig, allele)
        assert other[1]
        assert other[2]


@given(written())
def test_what_is_normal_stays_as_it_is(case: tuple[str, Allele]) -> None:
    contig, allele = case
    short, normal = trim(*allele), left_align(*allele, of(contig))
    assert trim(*short) == short
    assert left_align(*normal, of(contig)) == normal
    assert left_align(*short, of(contig)) == normal
    # Nothing to spare at the end, unless the contig begins here; nothing to spare at the start.
    pos, ref, alt = normal
    assert ref[-1] != alt[-1] or pos == 1
    assert min(len(ref), len(alt)) == 1 or ref[0] != alt[0]


@given(CONTIGS, st.data())
def test_every_way_to_write_a_loss_or_gain_has_one_normal_form(contig: str, data: st.DataObject) -> None:
    """All losses of so many bases, and all gains of the same bases, that leave the same sequence: one normal form."""
    size = data.draw(st.integers(1, len(contig) - 1))
    forms: dict[str, set[Allele]] = {}
    for start in range(1, len(contig) - size + 1):
        loss = (start, contig[start - 1 : start + size], contig[start - 1])
        forms.setdefault(changed(contig, loss), set()).add(left_align(*loss, of(contig)))
    bases = data.draw(st.text("AC", min_size=1, max_size=5))
    for start in range(1, len(contig) + 1):
        for turn in range(len(bases)):
            gain = (start, contig[start - 1], contig[start - 1] + bases[turn:] + bases[:turn])
            forms.setdefault(changed(contig, gain), set()).add(left_align(*gain, of(contig)))
    assert {len(found) for found in forms.values()} == {1}


@pytest.mark.parametrize("alt", ["<DEL>", "*", "A[2:321681[", "]2:321681]A", ".A", "A.", "<CN0>"])
def test_what_is_not_written_in_letters_stays_as_it_is(alt: str) -> None:
    assert trim(7, "AA", alt) == left_align(7, "AA", alt, of("CAAAAAAAAAA")) == (7, "AA", alt)
    assert normalised("1", [7], ["AA"], [alt])[1:] == (["AA"], [alt])


def test_an_allele_that_is_the_reference_stays_as_it_is() -> None:
    assert left_align(2, "A", "A", of("CAAA")) == (2, "A", "A")


# -- bcftools ---------------------------------------------------------------------------------------------------------


def random_genome(seed: int) -> dict[str, str]:
    """Contigs of short repeats, of homopolymers and of no pattern; one is longer than what is read at a time."""
    rng = np.random.default_rng(seed)
    repeats = "".join(
        "".join(rng.choice(list("ACGT"), rng.integers(1, 5))) * int(rng.integers(1, 12)) for _ in range(900)
    )
    letters = np.array(list("AC"))[rng.integers(0, 2, 2_000)]
    return {"chr1": repeats, "2": "".join(letters), "chrX": "".join(rng.choice(list("ACGT"), 150_000)), "MT": "GATTACA"}


def random_alleles(genome: dict[str, str], number: int, seed: int) -> list[tuple[str, Allele]]:
    """Losses, gains and exchanges, with more bases than they need on either side."""
    rng = np.random.default_rng(seed)
    found = []
    for name, contig in genome.items():
        for _ in range(number):
            start = int(rng.integers(0, len(contig)))
            ref = contig[start : start + int(rng.integers(1, 15))]
            kind = rng.integers(0, 4)
            a, b = sorted(int(x) for x in rng.integers(0, len(ref) + 1, 2))
            if kind == 0:
                alt = ref[:a] + ref[b:]
            elif kind == 1:
                alt = ref[:b] + ref[a:b] * int(rng.integers(1, 4)) + ref[b:]
            elif kind == 2:
                alt = ref[:a] + "".join(rng.choice(list("ACGT"), rng.integers(1, 6))) + ref[b:]
            else:
                ref, alt = ref[0], str(rng.choice([base for base in "ACGT" if base != ref[0]]))
            if alt and alt != ref:
                found.append((name, (start + 1, ref, alt)))
    return sorted(found, key=lambda allele: (list(genome).index(allele[0]), allele[1]))


def write_fasta(path: Path, genome: dict[str, str], width: int = 60) -> Path:
    text = "".join(
        f">{name} made up\n" + "".join(f"{seq[at : at + width]}\n" for at in range(0, len(seq), width))
        for name, seq in genome.items()
    )
    if path.suffix == ".gz":
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(text.encode())
    else:
        path.write_text(text)
    return path


def write_sites(path: Path, genome: dict[str, str], alleles: list[tuple[str, Allele]]) -> Path:
    lines = ["##fileformat=VCFv4.2", *(f"##contig=<ID={name},length={len(seq)}>" for name, seq in genome.items())]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    lines += [f"{name}\t{pos}\ta{row}\t{ref}\t{alt}\t.\t.\t." for row, (name, (pos, ref, alt)) in enumerate(alleles)]
    path.write_text("\n".join(lines) + "\n")
    return path


def said(text: str) -> dict[str, tuple[str, Allele]]:
    """What bcftools wrote, by ID."""
    records = (line.split("\t")[:5] for line in text.splitlines() if not line.startswith("#"))
    return {name: (chrom, (int(pos), ref, alt)) for chrom, pos, name, ref, alt in records}


def ours(alleles: list[tuple[str, Allele]], reference: Reference) -> dict[str, tuple[str, Allele]]:
    answer = {}
    for chrom in dict.fromkeys(name for name, _ in alleles):
        rows = [row for row, (name, _) in enumerate(alleles) if name == chrom]
        pos, refs, alts = zip(*(alleles[row][1] for row in rows), strict=True)
        found = normalised(chrom, np.array(pos), refs, alts, reference)
        for row, *allele in zip(rows, found[0].tolist(), *found[1:], strict=True):
            answer[f"a{row}"] = (chrom, tuple(allele))
    return answer


@pytest.fixture(scope="module", params=["plain.fa", "blocks.fa.gz"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str]]:
    """A genome, plain and in blocks, and thousands of alleles of it."""
    folder, genome = tmp_path_factory.mktemp("genome"), random_genome(seed=7)
    sites = write_sites(folder / "sites.vcf", genome, random_alleles(genome, 1_500, seed=11))
    return write_fasta(folder / request.param, genome), sites, genome


def alleles_of(sites: Path) -> list[tuple[str, Allele]]:
    return list(said(sites.read_text()).values())


def test_thousands_of_alleles_are_as_pysams_bcftools_norm_writes_them(case) -> None:
    fasta, sites, _ = case
    alleles = alleles_of(sites)
    with Reference.open(fasta) as reference:
        assert not fasta.with_name(f"{fasta.name}.fai").exists()
        found = ours(alleles, reference)
    assert len(found) > 5_000
    assert found == said(pysam.bcftools.norm("-f", str(fasta), str(sites)))
    # bcftools has left an index beside the file; with it, the answer is the same.
    assert fasta.with_name(f"{fasta.name}.fai").exists()
    with Reference.open(fasta) as reference:
        assert ours(alleles, reference) == found
    moved = sum(found[f"a{row}"] != allele for row, allele in enumerate(alleles))
    assert moved > 1_000


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="bcftools is not on this machine")
def test_thousands_of_alleles_are_as_another_bcftools_norm_writes_them(case) -> None:
    fasta, sites, _ = case
    written = subprocess.run(["bcftools", "norm", "-f", fasta, sites], capture_output=True, text=True, check=True)
    with Reference.open(fasta) as reference:
        assert ours(alleles_of(sites), reference) == said(written.stdout)


def test_without_a_reference_alleles_are_trimmed_and_stay_where_they_are(case) -> None:
    _, sites, _ = case
    alleles = [allele for name, allele in alleles_of(sites) if name == "chr1"]
    pos, refs, alts = zip(*alleles, strict=True)
    found = normalised("1", np.array(pos), refs, alts)
    assert list(zip(found[0].tolist(), *found[1:], strict=True)) == [trim(*allele) for allele in alleles]


# -- The reference ----------------------------------------------------------------------------------------------------


def test_any_stretch_of_a_reference(case) -> None:
    fasta, _, genome = case
    with Reference.open(fasta) as reference:
        assert reference.lengths == {name.removeprefix("chr"): len(seq) for name, seq in genome.items()}
        for start, end in ((0, 7), (65_530, 65_541), (1, 150_000), (149_990, 150_000), (60, 60), (149_999, 200_000)):
            assert reference.fetch("X", start, end) == genome["chrX"][start:end]
        assert reference.fetch("chrM", -5, 4) == "GATT"
        pos = np.array([150_000, 1, 65_536, 65_537, 2])
        assert reference.bases("chrX", pos).tobytes().decode() == "".join(genome["chrX"][p - 1] for p in pos)
        with pytest.raises(NotFound, match="no contig '3'"):
            reference.fetch("chr3", 0, 1)


@pytest.mark.parametrize(
    ("pos", "ref", "alt"),
    [(3, "A", "G"), (3, "TA", "T"), (3, "T", "TA"), (9, "A", "C"), (7, "AC", "A"), (0, "N", "A"), (3, "A", "<DEL>")],
)
def test_a_ref_that_is_not_the_references_is_refused(pos: int, ref: str, alt: str, tmp_path: Path) -> None:
    with Reference.open(write_fasta(tmp_path / "r.fa", {"chr7": "GATTACA"})) as reference:
        if (pos, ref) == (3, "T"):
            assert normalised("7", [pos], [ref], [alt], reference)[0].tolist() == [3]
            return
        with pytest.raises(BadFile, match=f"REF at 7:{pos} is") as error:
            normalised("7", [1, pos, 3], ["G", ref, "T"], ["A", alt, "C"], reference)
    assert error.value.file == "r.fa"


def test_a_letter_for_several_bases_agrees_and_telomeres_have_none(tmp_path: Path) -> None:
    with Reference.open(write_fasta(tmp_path / "r.fa", {"7": "gaNTrca"})) as reference:
        pos, refs, alts = normalised(
            "7", [0, 2, 3, 5, 2, 8], ["N", "N", "T", "A", "AG", "N"], [".A", "<DEL>", "C", "G", "A", "A."], reference
        )
    assert (pos.tolist(), refs[4], alts[4]) == ([0, 2, 3, 5, 2, 8], "AG", "A")


def test_a_fasta_on_one_line_or_with_windows_ends_of_lines(tmp_path: Path) -> None:
    for number, text in enumerate((">7\nGATTACA", ">7 x\r\nGAT\r\nTAC\r\nA\r\n>8\r\nGG\r\n", ">7\nGATTACA\n\n>8\nG\n")):
        fasta = tmp_path / f"{number}.fa"
        fasta.write_bytes(text.encode())
        with Reference.open(fasta) as reference:
            assert reference.fetch("7", 0, 100) == "GATTACA"
        assert sorted(path.name for path in tmp_path.glob("*.fai")) == []


@pytest.mark.parametrize(
    ("index", "found"),
    [
        (b"7\t7\t3\t7\t8\n8\t4\t14\t4\t5\n", None),
        (b"7\t7\t3\t7\t8\n8\t4\t15\t4\t5\n", "contig '8' is not where"),
        (b"8\t7\t3\t7\t8\n", "contig '8' is not where"),
        (b"7\t6\t3\t7\t8\n", "contig '7' is not where"),
        (b"7\t700\t3\t7\t8\n", "contig '7' is not where"),
        (b"7\t7\t3\t0\t0\n", "contig '7' is not where"),
        (b"7\t7\t3\t7\n", "no line of samtools faidx"),
        (b"7\t7\t3\t7\t99999999999999999999\n", "no line of samtools faidx"),
        (b"\xff\x00\n", "no line of samtools faidx"),
        (b"7\t7\t3\t7\t8\nchr7\t4\t14\t4\t5\n", "contig 'chr7' is not where"),
        (b"7\t7\t3\t7\t8\n7\t7\t3\t7\t8\n", "contig '7' is there twice"),
        (b"", "no contig"),
    ],
)
def test_an_index_is_believed_only_where_the_fasta_bears_it_out(
    index: bytes, found: str | None, tmp_path: Path
) -> None:
    fasta = write_fasta(tmp_path / "r.fa", {})
    fasta.write_bytes(b">7\nGATTACA\n>8\nCCCC\n")
    fasta.with_name("r.fa.fai").write_bytes(index)
    if found is None:
        with Reference.open(fasta) as reference:
            assert (reference.fetch("7", 0, 9), reference.fetch("8", 0, 9)) == ("GATTACA", "CCCC")
    else:
        with pytest.raises(BadFile, match=found):
            Reference.open(fasta)


def test_lines_that_the_index_gets_wrong_are_found_when_they_are_read(tmp_path: Path) -> None:
    """The contig ends where the index says, but one of its lines is longer than it says and one shorter."""
    fasta = tmp_path / "r.fa"
    fasta.write_bytes(b">7\nGATT\nACACA\nTTT\nA\n")
    fasta.with_name("r.fa.fai").write_bytes(b"7\t14\t3\t4\t5\n")
    with pytest.raises(BadFile, match="is not"), Reference.open(fasta) as reference:
        reference.fetch("7", 0, 4)


def test_files_that_are_no_reference(tmp_path: Path) -> None:
    whole = write_fasta(tmp_path / "whole.fa.gz", {"7": random_genome(seed=3)["chrX"]}).read_bytes()
    broken = bytearray(whole)
    broken[3_000] ^= 0xFF
    # With an index there is nothing to read at first, and the damage is met later.
    (tmp_path / "indexed.fa.gz.fai").write_bytes(b"7\t150000\t11\t60\t61\n")
    cases = {
        "empty.fa": (b"", "it is empty"),
        "gzip.fa.gz": (gzip.compress(b">7\nGATTACA\n"), "not those of bgzip"),
        "cut.fa.gz": (whole[:4_000], "not those of bgzip, or it is cut short"),
        "page.fa": (b"<html>No reference today</html>\n", "can be indexed|no contig"),
        "ragged.fa": (b">7\nGATTACA\nGA\nGATTACA\n", "can be indexed"),
        "broken.fa.gz": (bytes(broken), "can be indexed"),
        "indexed.fa.gz": (bytes(broken), "compression is broken"),
    }
    for name, (content, found) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(NhsgenError, match=found) as error, Reference.open(path) as reference:
            reference.fetch("7", 0, 200_000)
        assert error.value.file == name
    with pytest.raises(NotFound, match="no such file"):
        Reference.open(tmp_path / "nowhere.fa")
