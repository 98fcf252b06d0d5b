"""An attacker with paper and patience: write down every table that fits what is shown, and see what the hidden cells can be.

Written apart from the gate's own audit, and without it.
"""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.estimates import Counts
from nhsgen.results import Receipt, Released, Suppressed, Value, Zero

RECEIPT = Receipt("0" * 64, "nhs", (), (), "2026-11-23T09:00:00+00:00")
POLICIES = st.sampled_from(
    [PRESETS["nhs"], PRESETS["gel"], PRESETS["opensafely-midpoint6"], Policy("hidden zeros", 7, 5, zeros_shown=False)]
)
SMALLEST_SHOWN = {"nhs": 8, "gel": 5, "opensafely-midpoint6": 7, "hidden zeros": 8}
OPEN = {"nhs": 5, "gel": 4, "opensafely-midpoint6": 6, "hidden zeros": 5}
MOST = 30  # no attacker needs to think of more people in a cell of these tables


def shown(n: int, policy: Policy) -> int | None:
    """What the rules print for a count; None is suppressed."""
    if n == 0:
        return 0 if policy.zeros_shown else None
    if n < SMALLEST_SHOWN[policy.name]:
        return None
    match policy.name:
        case "gel":
            return n
        case "opensafely-midpoint6":
            return 6 * ((n - 1) // 6) + 3
        case _:
            return 5 * round(n / 5)


def release(table: Counts, policy: Policy) -> Released:
    return gate(table, policy=policy, title="?", question={}, receipt=RECEIPT, sites=1)


def what_hidden_cells_can_be(counts: np.ndarray, released: Released, policy: Policy) -> dict[tuple[int, ...], set[int]]:
    """By every table that fits the cells shown, the rules, and the row, column and grand totals as the rules print them."""
    printed = {tuple(str(cell) for cell in row[:-1]): row[-1] for row in released.table.rows}
    places = list(np.ndindex(counts.shape))
    choices = []
    for place in places:
        cell = printed.get(tuple(map(str, place)))
        true = int(counts[place])
        if isinstance(cell, Value | Zero):
            value = cell.value if isinstance(cell, Value) else 0
            choices.append([n for n in range(MOST + 5) if shown(n, policy) == value])
        elif shown(true, policy) is None:
            choices.append([n for n in range(MOST) if shown(n, policy) is None])
        else:
            choices.append(list(range(1 if policy.zeros_shown else 0, MOST)))
    tables = np.stack([axis.ravel() for axis in np.meshgrid(*choices, indexing="ij")], axis=1).reshape(
        -1, *counts.shape
    )
    printed_as = np.array([-1 if (p := shown(n, policy)) is None else p for n in range(6 * (MOST + 5))])
    fits = np.ones(len(tables), dtype=bool)
    axes = range(counts.ndim)
    for dropped in (
        subset for size in range(1, counts.ndim + 1) for subset in product(axes, repeat=size) if len({*subset}) == size
    ):
        theirs = printed_as[tables.sum(axis=tuple(a + 1 for a in dropped))]
        ours = printed_as[counts.sum(axis=dropped)]
        fits &= (theirs == ours).reshape(len(tables), -1).all(axis=1)
    left = tables[fits]
    return {
        place: set(left[(slice(None), *place)].tolist())
        for place in places
        if not isinstance(printed.get(tuple(map(str, place))), Value | Zero)
    }


SHAPES = st.sampled_from([(2,), (3,), (4,), (2, 2)])


@given(POLICIES, SHAPES, st.data())
@settings(max_examples=70, deadline=None)
def test_no_hidden_cell_can_be_worked_out(policy: Policy, shape: tuple[int, ...], data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.integers(0, 18), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    counts = np.array(cells).reshape(shape)
    by = tuple("xy"[: len(shape)])
    released = release(Counts(by, {tuple(map(str, place)): int(counts[place]) for place in np.ndindex(shape)}), policy)
    hidden = what_hidden_cells_can_be(counts, released, policy)
    if any(counts[place] for place in np.ndindex(shape) if place not in hidden):  # else nothing is left to hide
        assert all(len(open_to) >= OPEN[policy.name] for open_to in hidden.values())


@given(
    POLICIES,
    st.dictionaries(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), st.integers(0, 60), min_size=1),
)
@settings(max_examples=50, deadline=None)
def test_what_is_shown_is_rounded_and_adds_up(policy: Policy, cells: dict[tuple[str, str], int]) -> None:
    rows = release(
        Counts(("letter", "place"), {(letter, place): n for (letter, place), n in cells.items()}), policy
    ).table.rows
    groups = [row for row in rows if row[0] != Value("all")]
    numbers = [row[-1].value for row in groups if isinstance(row[-1], Value)]
    for *group, cell in groups:
        true = cells.get((str(group[0]), str(group[1])), 0)
        if isinstance(cell, Value):
            assert cell.value == shown(true, policy)
        else:
            assert isinstance(cell, Suppressed) or (true == 0 and policy.zeros_shown)
    assert [row[-1] for row in rows if row[0] == Value("all")] in ([], [Value(sum(numbers))])  # type: ignore[arg-type]
