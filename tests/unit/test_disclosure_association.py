"""The gate on several diseases in one scan, and on signals: what is shown of them, and what never is."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.errors import NotSafe
from nhsgen.estimates import Association, AssociationRow, Signals
from nhsgen.results import Receipt, Released
from nhsgen.statistics import ld

NHS, POLICIES = PRESETS["nhs"], list(PRESETS.values())
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")


def release(estimate: Association, policy: Policy = NHS) -> Released:
    return gate(estimate, policy=policy, title="What?", question={}, receipt=RECEIPT, sites=3)


def allele(number: int, trait: str = "epilepsy", **parts: Any) -> AssociationRow:
    whole: dict[str, Any] = {
        "people": 503,
        "copies": 101,
        "frequency": 0.1,
        "beta": 0.5,
        "se": 0.1,
        "log10p": 6.1741,
        "fewest": 40,
    }
    return AssociationRow(trait, f"16-{number}-A-C", "UMOD", **whole | parts)


def scan(*rows: AssociationRow, linked: dict[int, tuple[int, ...]] | None = None, **diseases: int) -> Association:
    """linked: by the numbers of the alleles."""
    keys = {f"16-{one}-A-C": tuple(f"16-{other}-A-C" for other in others) for one, others in (linked or {}).items()}
    inflation = {row.trait: 1.0 for row in rows}
    return Association(rows, 503, None, inflation, diseases, None if linked is None else Signals(keys, 1e-4, 0.01))


def signals(released: Released) -> dict[tuple[str, str], str]:
    texts = [[str(cell) for cell in released.table.column(name)] for name in ("trait", "variant", "signal")]
    return {
        (trait, variant.split("-")[1]): signal and signal.split("-")[1]
        for trait, variant, signal in zip(*texts, strict=True)
    }


# -- Several diseases -------------------------------------------------------------------------------------------------


def test_several_diseases_read_like_this() -> None:
    rows = [allele(1), allele(2, log10p=9.0), allele(1, "asthma", log10p=7.0)]
    released = release(scan(*rows, asthma=98, epilepsy=52))
    named = [(str(row[0]), str(row[1])) for row in released.table.rows]
    assert named == [("epilepsy", "16-2-A-C"), ("asthma", "16-1-A-C"), ("epilepsy", "16-1-A-C")]
    assert released.notes[1:] == ("asthma: about 100 cases of 505 people.", "epilepsy: about 50 cases of 505 people.")


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_disease_of_too_few_has_no_row_and_the_others_stay(policy: Policy) -> None:
    rows = [allele(1), allele(2, reason="no cases, or no controls"), allele(1, "asthma")]
    told = set()
    for few in (0, 1, policy.least - 1, 503 - policy.least + 1, 502, 503):
        released = release(scan(*rows, asthma=98, epilepsy=few), policy)
        assert {str(row[0]) for row in released.table.rows} == {"asthma"}
        assert f"epilepsy: not shown, because {policy.rule}." in released.notes
        told.add(released.to_json())
    assert len(told) == 1  # whichever number it is
    for enough in (policy.least, 503 - policy.least):
        assert len(release(scan(*rows, asthma=98, epilepsy=enough), policy).table.rows) == 3


def test_when_all_diseases_are_of_too_few_nothing_is_said() -> None:
    with pytest.raises(NotSafe):
        release(scan(allele(1), allele(1, "asthma"), asthma=7, epilepsy=0))


def test_an_allele_that_few_of_a_disease_carry_is_hidden_for_it_alone() -> None:
    released = release(scan(allele(1, fewest=7), allele(1, "asthma"), asthma=98, epilepsy=52))
    assert [str(row[0]) for row in released.table.rows] == ["asthma"]
    assert any(note.startswith("1 alleles") and "or fewer than 8 in cases" in note for note in released.notes)


def test_each_trait_has_its_own_inflation() -> None:
    rows = [allele(n, trait) for trait in ("asthma", "epilepsy") for n in range(200 if trait == "asthma" else 199)]
    estimate = replace(scan(*rows, asthma=98, epilepsy=52), inflation={"asthma": 1.02, "epilepsy": 1.1})
    said = [note for note in release(estimate).notes if "lambda" in note]
    assert said == ["Genomic inflation (lambda) of asthma: 1.020."]


# -- Signals ----------------------------------------------------------------------------------------------------------


def test_the_strongest_takes_what_is_linked_to_it_and_the_strongest_left_the_rest() -> None:
    rows = [
        allele(1, log10p=9.0),
        allele(2, log10p=6.0),
        allele(3, log10p=5.0),
        allele(4, log10p=3.0),
        allele(5, log10p=1.9),
    ]
    found = release(scan(*rows, linked={1: (2,), 2: (1, 3), 3: (2, 4, 5), 4: (3,), 5: (3,)}, epilepsy=52))
    assert signals(found) == {
        ("epilepsy", "1"): "1", ("epilepsy", "2"): "1", ("epilepsy", "3"): "3", ("epilepsy", "4"): "3", ("epilepsy", "5"): "",
    }  # fmt: skip
    assert "Signals, each named by its strongest allele: 2." in found.notes


def test_each_trait_has_signals_of_its_own() -> None:
    rows = [allele(1), allele(2, log10p=9.0), allele(1, "asthma", log10p=9.0), allele(2, "asthma", log10p=3.0)]
    found = release(scan(*rows, linked={1: (2,), 2: (1,)}, asthma=98, epilepsy=52))
    assert signals(found) == {
        ("epilepsy", "1"): "2", ("epilepsy", "2"): "2", ("asthma", "1"): "1", ("asthma", "2"): "1",
    }  # fmt: skip
    assert "Signals, each named by its strongest allele: 2." in found.notes


def test_a_hidden_allele_leads_nothing_and_is_not_named() -> None:
    """Neither one of few people nor one of a hidden disease: what is shown is what would be, were it not there."""
    rest = [allele(2, log10p=6.0), allele(3, log10p=5.0)]
    linked = {1: (2, 3), 2: (1,), 3: (1,)}
    without = release(scan(*rest, linked={}, epilepsy=52))
    for hidden in (allele(1, log10p=20.0, copies=19), allele(1, log10p=20.0, fewest=7)):
        found = release(scan(hidden, *rest, linked=linked, epilepsy=52))
        assert found.table == without.table
        assert "16-1-" not in found.to_json()
    assert signals(without) == {("epilepsy", "2"): "2", ("epilepsy", "3"): "3"}


def test_a_limit_tells_no_more_of_a_p_than_is_shown() -> None:
    """Both are shown as 0.0001."""
    for log10p in (3.9999, 4.0001):
        found = release(scan(allele(1, log10p=log10p), linked={}, epilepsy=52))
        assert signals(found) == {("epilepsy", "1"): "1"}


def test_what_has_no_p_is_in_no_signal() -> None:
    rows = [allele(1, log10p=9.0), allele(2, log10p=math.nan), allele(3, log10p=math.nan, reason="monomorphic")]
    found = release(scan(*rows, linked={1: (2, 3), 2: (1,), 3: (1,)}, epilepsy=52))
    assert signals(found) == {("epilepsy", "1"): "1", ("epilepsy", "2"): "", ("epilepsy", "3"): ""}
    json.loads(found.to_json(), parse_constant=pytest.fail)


@given(st.integers(0, 2**32 - 1))
def test_signals_are_those_of_clumping(seed: int) -> None:
    chance = np.random.default_rng(seed)
    height = chance.permutation(np.linspace(0.5, 9.0, 30))
    pairs = np.array([(one, two) for two in range(30) for one in range(two) if chance.random() < 0.15]).reshape(-1, 2)
    linked: dict[int, tuple[int, ...]] = {}
    for one, two in pairs.tolist():
        linked[one], linked[two] = (*linked.get(one, ()), two), (*linked.get(two, ()), one)
    rows = [allele(n, log10p=float(height[n])) for n in range(30)]
    found = signals(release(scan(*rows, linked=linked, epilepsy=52)))
    expected = ld.clump(10**-height, pairs, np.ones(len(pairs))).index
    assert found == {("epilepsy", str(n)): "" if lead < 0 else str(lead) for n, lead in enumerate(expected.tolist())}
