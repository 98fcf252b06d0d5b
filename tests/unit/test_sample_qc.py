"""Quality of calls, on a table of five variants and four people."""

import numpy as np
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics import counts, sample_qc
from nhsgen.statistics.sample_qc import OTHER, TRANSITION, TRANSVERSION, binned, changes, of_people, ti_tv

REF, ALT = ["A", "C", "G", "T", "AT"], ["G", "A", "A", "A", "A"]
COPIES = np.array(
    [
        [0, 1, 2, 3],
        [0, 0, 1, 0],  # a singleton
        [3, 3, 3, 3],
        [2, 2, 2, 2],
        [0, 1, 1, 3],
    ],
    dtype=np.uint8,
)
BLOCKS = [COPIES[:2], COPIES[2:]]
KNOWN = sample_qc.estimate(sample_qc.summarise(BLOCKS))


def test_variants() -> None:
    assert KNOWN.people == 4
    assert KNOWN.called.tolist() == [3, 4, 0, 4, 3]
    assert KNOWN.copies.tolist() == [3, 1, 0, 8, 2]
    assert KNOWN.call_rate.tolist() == [0.75, 1.0, 0.0, 1.0, 0.75]
    np.testing.assert_allclose(KNOWN.frequency, [0.5, 1 / 8, np.nan, 1.0, 1 / 3])
    assert KNOWN.reason.tolist() == ["", "", "nobody called", "monomorphic", ""]


def test_people() -> None:
    found = of_people(BLOCKS, KNOWN, changes(REF, ALT))
    assert found.called.tolist() == [4, 4, 4, 2]
    assert found.missing.tolist() == [1, 1, 1, 3]
    assert found.call_rate.tolist() == [0.8, 0.8, 0.8, 0.4]
    assert found.hom_ref.tolist() == [3, 1, 0, 1]
    assert found.het.tolist() == [0, 2, 2, 0]
    assert found.hom_alt.tolist() == [1, 1, 2, 1]
    assert found.het_hom.tolist() == [0.0, 2.0, 1.0, 0.0]
    assert found.singletons.tolist() == [0, 0, 1, 0]
    assert found.transitions.tolist() == [0, 1, 1, 0]
    assert found.transversions.tolist() == [1, 1, 2, 1]
    assert found.ti_tv.tolist() == [0.0, 1.0, 0.5, 0.0]
    # Homozygotes expected: 1 - 2p(1-p), p of everybody.
    expected = np.array([0.5, 1 - 14 / 64, 1.0, 1 - 4 / 9])
    np.testing.assert_allclose(found.expected_hom, [expected.sum()] * 3 + [expected[1] + 1.0])
    np.testing.assert_allclose(found.inbreeding, [1.0, *((2 - expected.sum()) / (4 - expected.sum()),) * 2, 1.0])
    assert found.reason.tolist() == [""] * 4


def test_pieces_of_the_genome_add_up() -> None:
    kinds = changes(REF, ALT)
    parts = []
    for block, kind in zip(BLOCKS, (kinds[:2], kinds[2:]), strict=True):
        parts.append(of_people([block], sample_qc.estimate(sample_qc.summarise([block])), kind))
    whole = of_people(BLOCKS, KNOWN, kinds)
    assert (parts[0] + parts[1]).het.tolist() == whole.het.tolist()
    np.testing.assert_allclose((parts[0] + parts[1]).inbreeding, whole.inbreeding)


def test_an_allele_is_a_singleton_only_when_no_site_has_it_again() -> None:
    kinds = changes(["A"], ["G"])
    here, there = np.array([[1, 0]], np.uint8), np.array([[0, 1, 0]], np.uint8)
    everywhere = sample_qc.estimate(sample_qc.summarise([here]) + sample_qc.summarise([there]))
    assert of_people([here], everywhere, kinds).singletons.tolist() == [0, 0]
    alone = sample_qc.estimate(sample_qc.summarise([here]) + sample_qc.summarise([there[:, :1]]))
    assert of_people([here], alone, kinds).singletons.tolist() == [1, 0]
    twice = sample_qc.estimate(sample_qc.summarise([here * np.uint8(2)]))
    assert of_people([here * np.uint8(2)], twice, kinds).singletons.tolist() == [1, 0]  # both copies are one person's


def test_nothing_called_and_nobody() -> None:
    nothing = np.full((1, 2), 3, np.uint8)
    known = sample_qc.estimate(sample_qc.summarise([nothing]))
    found = of_people([nothing], known, changes(["A"], ["G"]))
    assert found.reason.tolist() == ["nothing called"] * 2
    for measure in (found.het_hom, found.ti_tv, found.inbreeding):
        assert np.isnan(measure).all()
    assert found.call_rate.tolist() == [0.0, 0.0]
    assert len(of_people([nothing[:, :0]], known, changes(["A"], ["G"])).called) == 0
    none = sample_qc.estimate(sample_qc.summarise([]))
    assert len(none.called) == len(of_people([], none, changes([], [])).called) == 0


def test_kinds_of_change() -> None:
    kinds = changes(["A", "g", "A", "A", "AC", "A", "A"], ["G", "A", "T", "<DEL>", "GT", "N", "A"])
    assert kinds.tolist() == [TRANSITION, TRANSITION, TRANSVERSION, OTHER, OTHER, OTHER, OTHER]
    found = ti_tv(kinds)
    assert (found.transitions, found.transversions, found.ratio, found.reason) == (2, 1, 2.0, "")
    assert ti_tv(kinds[:2]).reason == "no transversions"
    assert np.isnan(ti_tv(kinds[:2]).ratio)


def test_what_leaves_is_people_on_a_fixed_scale() -> None:
    edges = [0.0, 0.5, 0.9, 1.0]
    sites = [binned("call rate", [0.4, 0.95], edges), binned("call rate", [0.99, np.nan, 1.0], edges)]
    cells = counts.estimate(sites[0] + sites[1], ["measure", "value"]).cells
    assert dict(cells) == {
        ("call rate", "0.25"): 1,
        ("call rate", "0.95"): 3,
        ("call rate", "not recorded"): 1,
    }


def test_genotypes_and_variants_that_do_not_belong_together() -> None:
    kinds = changes(REF, ALT)
    for blocks in ([COPIES[:4]], [COPIES, COPIES]):
        with pytest.raises(BadInput, match="not as many"):
            of_people(blocks, KNOWN, kinds)
    with pytest.raises(BadInput, match="not as many"):
        of_people([COPIES], KNOWN, kinds[:4])
    for bad in (COPIES + np.uint8(1), COPIES.astype(np.float64), COPIES[0]):
        with pytest.raises(BadInput, match="variants x people"):
            sample_qc.summarise([bad])  # type: ignore[list-item]
    with pytest.raises(BadInput, match="different people"):
        sample_qc.summarise([COPIES, COPIES[:, 1:]])
