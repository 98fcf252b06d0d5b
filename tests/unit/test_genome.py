"""Where 0-based meets 1-based, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nhsgen.errors import BadFile, BadInput
from nhsgen.genome import CHROMOSOMES, Assembly, Region, Variant, chromosome, detect_assembly, ploidy


@given(st.sampled_from(CHROMOSOMES), st.integers(0, 2 * 10**8), st.integers(1, 10**6))
def test_what_is_written_is_read_back(chrom: str, start: int, length: int) -> None:
    region = Region(chrom, start, start + length)
    assert Region.parse(str(region)) == region
    assert Region.parse(f"chr{region}") == region


@given(st.sampled_from(CHROMOSOMES), st.integers(1, 10**8), st.text("ACGT", min_size=1), st.text("ACGT", min_size=1))
def test_a_variant_is_its_key(chrom: str, pos: int, ref: str, alt: str) -> None:
    variant = Variant(chrom, pos, ref, alt)
    assert Variant.parse(variant.key) == variant
    assert Variant.parse(f"chr{variant.key.lower().replace('mt', 'MT')}") == variant


@pytest.mark.parametrize("text", ["", "16:", "16:9-3", "16:0", "16:1-2-3", "a b:1"])
def test_what_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="reading the region"):
        Region.parse(text)


@pytest.mark.parametrize("text", ["", "16-5", "16-x-A-C", "16-5-A-Q", "16-5--C"])
def test_what_is_no_variant_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="reading the variant"):
        Variant.parse(text)


@pytest.mark.parametrize(
    ("name", "ours"), [("chr1", "1"), ("chrM", "MT"), ("MT", "MT"), ("x", "X"), ("HLA-A", "HLA-A")]
)
def test_chromosomes_have_one_name(name: str, ours: str) -> None:
    assert chromosome(name) == ours


def test_an_assembly_is_known_by_its_lengths() -> None:
    assert detect_assembly({"22": 51_304_566}) is Assembly.GRCh37
    assert detect_assembly({"chr22": 50_818_468, "chrM": 16_569}) is Assembly.GRCh38
    assert detect_assembly({"chrM": 16_569, "22": 5}) is None
    with pytest.raises(BadFile, match="some belong to GRCh37 and some to GRCh38"):
        detect_assembly({"22": 51_304_566, "chr1": 248_956_422})


@pytest.mark.parametrize(
    ("chrom", "pos", "sex", "copies"),
    [
        ("1", 5, "male", 2), ("X", 60_000_000, "female", 2), ("X", 60_000_000, "male", 1), ("X", 60_000_000, None, 2),
        ("X", 10_000, "male", 1), ("X", 10_001, "male", 2), ("X", 2_781_479, "male", 2), ("X", 2_781_480, "male", 1),
        ("Y", 9_000_000, "male", 1), ("Y", 9_000_000, "female", 0), ("MT", 5, "female", 1),
    ],
)  # fmt: skip
def test_how_many_copies_somebody_has(chrom: str, pos: int, sex: str | None, copies: int) -> None:
    assert ploidy(chrom, pos, sex, Assembly.GRCh38) == copies
