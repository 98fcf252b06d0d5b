"""Whatever the genotypes, the store counts and names the people that a plain slow reader counts and names."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from variant_files import record, slow_carriers, slow_counts, vcf, write

from nhsgen.variants import VariantFilter, VariantStore, ingest, variants

ALTS = ("C", "G", "T", "AT", "<DEL>", "*")


@st.composite
def variant_files(draw: st.DrawFn) -> tuple[str, list[bool]]:
    """A sorted VCF of a few people, with several ALTs, half-calls, haploid and missing calls; and a choice of people."""
    people = draw(st.integers(1, 70))
    pos, lines = 0, []
    for _ in range(draw(st.integers(1, 5))):
        pos += draw(st.integers(1, 3))
        alts = draw(st.lists(st.sampled_from(ALTS), min_size=1, max_size=3, unique=True))
        alleles = st.sampled_from([".", "0", *map(str, range(1, len(alts) + 1))])
        # Most people have a common genotype, or rows would never be sparse.
        common = draw(st.sampled_from(["0/0", "0|0", "0", "./.", "1/1"]))
        calls = [common] * people
        rare = st.tuples(alleles, st.sampled_from("/|"), alleles).map("".join) | alleles
        for who, call in draw(st.dictionaries(st.integers(0, people - 1), rare, max_size=people)).items():
            calls[who] = call
        lines.append(record(f"22 {pos} A {','.join(alts)}", " ".join(calls)))
    return vcf(*lines), draw(st.lists(st.booleans(), min_size=people, max_size=people))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(variant_files(), st.sampled_from(["vcf", "bcf"]))
def test_store_equals_slow_reader(case: tuple[str, list[bool]], kind: str) -> None:
    text, chosen = case
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder, f"a.{kind}"), text)
        ingest([file], Path(folder, "store"))
        store = VariantStore.open(Path(folder, "store"))
        counted = {row["key"]: row for row in store.counts(samples=np.array(chosen)).to_dicts()}
        expected = slow_counts(file, chosen)
        assert {key: {name: counted[key][name] for name in row} for key, row in expected.items()} == expected
        assert len(counted) == len(expected)
        carriers = store.carriers(samples=np.array(chosen)).select("key", "sample", "copies").rows()
        assert len(carriers) == len(set(carriers))
        assert set(carriers) == slow_carriers(file, chosen)
        assert store.verify()["alleles"] == len(expected)
        for (alleles, words, _), (listed, states) in zip(store.packed(), store.genotypes(), strict=True):
            bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little").reshape(len(alleles), -1, 2)
            assert alleles["key"].equals(listed["key"])
            assert ((bits @ [1, 2])[:, : len(chosen)] == states & 3).all()


GENES = st.lists(st.sampled_from(["PKD1", "pkd2", "C9orf72", "ENSG1"]), max_size=3)
FILTERS = st.builds(
    lambda genes, impacts, consequences, regions, filters, keys, low, high, af: VariantFilter(
        genes=tuple(genes), impacts=tuple(impacts), consequences=tuple(consequences), filters=tuple(filters),
        keys=keys and tuple(keys), min_af=low, max_af=high, af=af,
    ).in_region(*regions),
    GENES,
    st.lists(st.sampled_from(["high", "LOW", "moderate"]), max_size=2),
    st.lists(st.sampled_from(["stop_gained", "missense", "frameshift_variant"]), max_size=2),
    st.lists(st.sampled_from(["16:1-9", "chr4", "X:5"]), max_size=2),
    st.lists(st.sampled_from(["PASS", ".", "q10"]), max_size=2),
    st.none() | st.lists(st.sampled_from(["1-5-A-C", "X-9-G-T"]), max_size=2),
    st.none() | st.floats(0, 0.4),
    st.none() | st.floats(0.4, 1),
    st.sampled_from(["annotation", "pooled"]),
)  # fmt: skip


@given(FILTERS)
def test_a_filter_survives_being_written_down(filter: VariantFilter) -> None:
    again = VariantFilter.from_dict(filter.to_dict())
    assert again == filter
    assert hash(again) == hash(filter)
    assert again.to_dict() == filter.to_dict()
    assert filter.describe()


@given(st.lists(st.sampled_from(["PKD1", "PKD2", "BRCA1"]), max_size=5))
def test_the_order_of_asking_does_not_matter(genes: list[str]) -> None:
    assert variants().in_genes(*genes) == variants().in_genes(*reversed(genes))
