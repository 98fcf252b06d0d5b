"""What a store does not keep is still to be had from the file it was made of."""

from pathlib import Path

import pytest
from variant_files import record, vcf, write

from nhsgen.errors import BadInput, NotFound
from nhsgen.variants import VariantStore, ingest, variants
from nhsgen.variants.source import source_records

LINES = [record(f"{chrom} {pos} A C,G", "0|1 1/2") for chrom in ("22", "X") for pos in range(1, 9_000, 2)]


@pytest.mark.parametrize("name", ["a.vcf.gz", "a.vcf", "a.plain.vcf.gz", "a.bcf"])
def test_the_phase_of_a_call(name: str, tmp_path: Path) -> None:
    file = write(tmp_path / name, vcf(*LINES))
    ingest([file], tmp_path / "store")
    asked = variants(keys=["X-8001-A-G", "22-5-A-C", "22-6-A-C"])
    found = list(source_records(VariantStore.open(tmp_path / "store"), asked, file))
    assert [(each.chrom, each.pos) for each in found] == [("22", 5), ("X", 8001)]
    assert [call.phased for call in found[0].samples.values()] == [True, False]


def test_a_file_that_was_out_of_order(tmp_path: Path) -> None:
    file = write(tmp_path / "a.vcf.gz", vcf(*reversed(LINES)))
    ingest([file], tmp_path / "store")
    found = source_records(VariantStore.open(tmp_path / "store"), variants(keys=["22-5-A-C"]), file)
    assert [each.pos for each in found] == [5]


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.vcf.gz", vcf(*LINES))
    ingest([file], tmp_path / "store")
    store = VariantStore.open(tmp_path / "store")
    with pytest.raises(BadInput, match="not made of it"):
        list(source_records(store, variants(), write(tmp_path / "b.vcf.gz", vcf(LINES[0]))))
    with pytest.raises(NotFound):
        list(source_records(store, variants(), tmp_path / "c.vcf.gz"))
