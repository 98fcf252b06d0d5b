"""Groups of the reference, and the people who belong to one of them, to none, or nowhere."""

import numpy as np
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics import counts
from nhsgen.statistics.ancestry_groups import AGGV2, Reference, assign, learn, summarise

CENTRES = {"AFR": (0.0, 4.0), "EAS": (4.0, 0.0), "EUR": (-4.0, 0.0)}


DRAW = np.random.default_rng(5)
REFERENCE = (
    np.concatenate([DRAW.normal(centre, 0.3, (30, 2)) for centre in CENTRES.values()]),
    [name for name in CENTRES for _ in range(30)],
)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return learn(*REFERENCE)


def test_people_in_a_group_between_groups_and_nowhere(reference: Reference) -> None:
    pcs = np.array([(0.1, 4.1), (3.9, 0.2), (-4.1, -0.1), (0.0, 0.1), (np.nan, 4.0)])
    found = assign(pcs, reference)
    assert found.group.tolist() == ["AFR", "EAS", "EUR", "unassigned", "unassigned"]
    assert found.reason.tolist() == ["", "", "", "between groups", "no coordinates"]
    assert (found.probability[:3].max(axis=1) >= AGGV2).all()
    np.testing.assert_allclose(found.probability[:4].sum(axis=1), 1.0)
    assert np.isnan(found.probability[4]).all()
    assert assign(pcs, reference, least=0.0).group.tolist()[:3] == ["AFR", "EAS", "EUR"]


def test_sites_add_up_and_the_same_reference_grows_the_same_forest(reference: Reference) -> None:
    rng = np.random.default_rng(6)
    pcs = rng.uniform(-5, 5, (40, 2))
    whole = assign(pcs, reference)
    parts = [assign(part, reference) for part in (pcs[:5], pcs[5:], pcs[:0])]
    assert summarise(parts[0]) + summarise(parts[1]) + summarise(parts[2]) == summarise(whole)
    assert sum(counts.estimate(summarise(whole), ["ancestry"]).cells.values()) == 40
    again = learn(*REFERENCE)
    np.testing.assert_array_equal(assign(pcs, again).probability, whole.probability)


def test_a_reference_that_cannot_be_learned(reference: Reference) -> None:
    pcs = np.zeros((12, 2))
    for groups, found in (
        (["EUR"] * 12, "two groups"),
        (["EUR"] * 9 + ["AFR"] * 3, "two groups"),
        (["EUR"] * 3, "a row"),
    ):
        with pytest.raises(BadInput, match=found):
            learn(pcs, groups)
    with pytest.raises(BadInput, match="a row"):
        learn(np.full((12, 2), np.nan), ["EUR", "AFR"] * 6)
    with pytest.raises(BadInput, match="2 components"):
        assign(np.zeros((3, 4)), reference)
