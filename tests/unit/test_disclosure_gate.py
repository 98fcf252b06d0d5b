"""The gate and its rules: what a table looks like once it may be seen."""

import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nhsgen
from nhsgen.disclosure import PRESETS, Policy, gate, strictest, withhold
from nhsgen.errors import BadInput, NotSafe
from nhsgen.estimates import Burden, BurdenRow, Carriers, Counts
from nhsgen.results import NotRun, Receipt, Released, Suppressed, Value, Zero
from nhsgen.statistics import BACKGROUND, Summary, burden, carriers, counts, label

NHS = PRESETS["nhs"]
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")


def release(estimate: Counts | Carriers | Burden, policy: Policy = NHS, **more: object) -> Released:
    given: dict[str, object] = {"title": "How many?", "question": {}, "receipt": RECEIPT, "sites": 3} | more
    return gate(estimate, policy=policy, **given)  # type: ignore[arg-type]


SITES = Counts(
    ("site", "sex"),
    {
        ("Leeds", "female"): 104,
        ("Leeds", "male"): 88,
        ("York", "female"): 3,
        ("York", "male"): 50,
        ("Hull", "female"): 41,
    },
)


def test_a_table_reads_like_this() -> None:
    assert str(release(SITES)) == (
        "How many?\n"
        "\n"
        "site   sex         people\n"
        "-----  ------  ----------\n"
        "Hull   female          40\n"
        "Hull   male             0\n"
        "Leeds  female         105\n"
        "Leeds  male            90\n"
        "York   female  suppressed\n"
        "York   male            50\n"
        "all    all            285\n"
        "\n"
        "* Groups of fewer than 8 people are not shown; other counts are rounded to the nearest 5.\n"
        "* A 0 is a true zero: there is nobody in that group.\n"
        "* 'all' adds up the rounded counts that are shown."
    )


def test_where_zeros_may_not_be_said_nobody_looks_like_a_few() -> None:
    nobody = replace_cell(SITES, ("York", "female"), 0)
    for policy in (PRESETS["acro"], PRESETS["hdr"]):
        few, none = release(SITES, policy), release(nobody, policy)
        assert not any(isinstance(cell, Zero) for row in few.table.rows for cell in row)
        assert few.notes == none.notes
    assert release(Counts(("sex",), {("male",): 90}), PRESETS["hdr"]) == release(
        Counts(("sex",), {("male",): 90, ("female",): 3}), PRESETS["hdr"]
    )
    shown_for = {str(release(Counts((), {(): n}), PRESETS["acro"]).table.rows[0][0]) for n in range(10)}
    assert shown_for == {"suppressed"}


def replace_cell(table: Counts, group: tuple[str, ...], people: int) -> Counts:
    return replace(table, cells={**table.cells, group: people})


def test_every_reason_to_suppress_reads_the_same() -> None:
    """Of two groups, the small one cannot be hidden alone: their rounded sum less the other leaves too few counts."""
    released = release(Counts(("sex",), {("female",): 98, ("male",): 1}))
    cells = released.table.column("people")
    assert all(isinstance(cell, Suppressed) for cell in cells)
    assert len(set(cells)) == 1
    assert len(released.table.rows) == 2  # nothing shown, nothing to add up


def test_a_number_that_is_known_outside_is_known_to_the_audit() -> None:
    everybody = Counts(("sex",), {("female",): 97, ("male",): 2, ("not recorded",): 100})
    free, known = release(everybody, population=5000), release(everybody, population=199)
    hidden = [sum(isinstance(cell, Suppressed) for cell in r.table.column("people")) for r in (free, known)]
    assert hidden[1] >= hidden[0] >= 1


def test_carriers_over_genes_are_not_added_up() -> None:
    """One person can carry in two genes, so the genes have no sum, and hiding one gene hides no other."""
    released = release(Carriers(("gene",), {("PKD1",): 30, ("PKD2",): 3}, people=402))
    assert [str(cell) for cell in released.table.column("carriers")] == ["30", "suppressed"]
    assert released.table.column("of") == (Value(400), Value(400))
    assert all(isinstance(c, Suppressed) for c in release(Carriers((), {(): 3}, people=6)).table.rows[0])


def test_a_site_that_did_not_answer_is_not_a_zero() -> None:
    receipt = replace(RECEIPT, silent=(("Hull", "it has no release"),))
    rows = release(SITES, receipt=receipt).table.rows
    assert rows[-1] == (Value("Hull"), Value("all"), NotRun("it has no release"))
    assert release(Counts(("sex",), {("male",): 90}), receipt=receipt).table.rows == ((Value("male"), Value(90)),)


def test_what_sites_kept_back_is_neither_zero_nor_silently_missing() -> None:
    released = release(
        Counts(("sex",), {("female",): 90, ("male",): 88}),
        withheld={label(["unknown"]): 2, label(["male"]): 1, BACKGROUND: 1},
    )
    assert [str(cell) for cell in released.table.column("people")] == ["90", "90", "suppressed", "180"]
    assert "Too low, because some sites may not add small counts: male." in released.notes


def test_a_cohort_kept_back_everywhere_is_not_a_zero() -> None:
    released = release(Carriers(("gene",), {}, people=0), withheld={BACKGROUND: 1, "PKD1": 1})
    assert [str(cell) for cell in released.table.rows[0]] == ["PKD1", "suppressed", "suppressed"]
    assert "Sites with too few people to say anything are not in these numbers." in released.notes
    empty = BurdenRow("PKD1", 0, 0, 0, 0, 1, 1, 1, 1, 1)
    for burden_rows in ((), (empty,)):
        released = release(Burden(burden_rows, 0, 0), withheld={"PKD1": 1})
        assert released.table.rows == ()
        assert released.notes[-1] == "1 further gene: too few people to show."


def test_released_carries_question_notes_and_receipt() -> None:
    released = release(SITES, question={"method": "counts"}, notes=("York has no dates.",))
    assert released.notes[-1] == "York has no dates."
    assert released.question == {"method": "counts"}
    assert (released.kind, released.receipt) == ("counts", RECEIPT)


def test_notes_are_plain_sentences() -> None:
    for policy in PRESETS.values():
        for estimate in (SITES, Carriers(("gene",), {("A",): 0, ("B",): 40, ("C",): 40}, people=40)):
            for note in release(estimate, policy).notes:
                assert re.fullmatch(r"[A-Z0-9'].*\.", note)
                assert "\x1f" not in note


# -- What a site keeps back ---------------------------------------------------------------------------------------------


def test_a_site_keeps_back_its_small_groups() -> None:
    summary = Summary.from_rows(
        counts.MEASURES, {"female": [3, 90], "male": [40, 90], "most": [88, 90], "other": [0, 9]}
    )
    kept, labels = withhold(summary, NHS)
    assert labels == ("female", "most")
    assert kept.to_dict()["rows"] == {"male": [40, 90], "other": [0, 9]}


def test_a_site_keeps_back_all_but_a_few_as_well() -> None:
    summary = Summary.from_rows(carriers.MEASURES, {"PKD1": [397, 400], "PKD2": [30, 400], BACKGROUND: [0, 400]})
    kept, labels = withhold(summary, NHS)
    assert labels == ("PKD1",)
    assert carriers.estimate(kept, ["gene"]).cells == {("PKD2",): 30}


def test_a_site_with_few_cases_keeps_everything_back() -> None:
    rows = {name: [0, 5, 20, 500, 5, 500] for name in (BACKGROUND, "PKD1")}
    kept, labels = withhold(Summary.from_rows(burden.MEASURES, rows), NHS)
    assert (kept, labels) == (Summary.zero(burden.MEASURES), (BACKGROUND, "PKD1"))


# -- Policies -----------------------------------------------------------------------------------------------------------


def test_the_presets_are_those_of_the_sources() -> None:
    rules = {name: (p.suppress_at_most, p.round_to, p.zeros_shown) for name, p in PRESETS.items()}
    assert rules == {
        "nhs": (7, 5, True),
        "opensafely": (7, 5, True),
        "opensafely-midpoint6": (6, 6, True),
        "gel": (4, 1, True),
        "acro": (9, 5, False),
        "allofus": (20, 1, True),
        "hdr": (9, 10, False),
    }
    assert all(policy.source for policy in PRESETS.values())
    assert not any(policy.pooled for policy in PRESETS.values())  # pooling is a choice a site records


def test_the_strictest_is_strict_in_every_field() -> None:
    strict = strictest([replace(NHS, pooled=True), PRESETS["allofus"], replace(PRESETS["hdr"], pooled=True)])
    assert (strict.suppress_at_most, strict.round_to, strict.zeros_shown, strict.pooled) == (20, 10, False, True)
    assert strictest([replace(NHS, pooled=True)] * 3).pooled
    assert not strictest([NHS, PRESETS["hdr"]]).pooled
    assert strictest([NHS, PRESETS["opensafely-midpoint6"]]).midpoint
    assert strictest([NHS, NHS]) is NHS
    with pytest.raises(BadInput):
        strictest([])
    with pytest.raises(BadInput):
        Policy("nonsense", -1, 5)


@pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)
def test_rounding_and_meaning_are_inverse(policy: Policy) -> None:
    for n in range(1, 200):
        low, high = policy.meaning(policy.rounded(n))
        assert low <= n <= high
        assert {policy.rounded(m) for m in range(max(low, 1), high + 1)} == {policy.rounded(n)}
        assert high - low + 1 == policy.round_to or low == 0


# -- The house ----------------------------------------------------------------------------------------------------------


def test_a_released_is_made_here_alone() -> None:
    sources = Path(nhsgen.__file__).parent.rglob("*.py")
    makers = {
        path.parent.name for path in sources if re.search(r"(?<![\w.])Released\(", path.read_text(encoding="utf-8"))
    }
    assert makers <= {"disclosure"}


def test_the_optimiser_is_loaded_only_when_something_is_hidden() -> None:
    script = (
        "import sys, nhsgen.disclosure, nhsgen.statistics; print([m for m in sys.modules if m.startswith('scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)
def test_a_large_table_is_quick(policy: Policy) -> None:
    draw = np.random.default_rng(3)
    cells: dict[tuple[str, ...], int] = {
        (f"decade {i}", f"ancestry {j}"): int(draw.integers(0, 60)) for i in range(10) for j in range(5)
    }
    began = time.perf_counter()
    release(Counts(("birth_decade", "ancestry"), cells), policy)
    assert time.perf_counter() - began < 4  # 0.01 to 0.6 s on a quiet machine


def test_genes_are_checked_apart_and_a_table_too_large_to_check_is_refused() -> None:
    cells: dict[tuple[str, ...], int] = {
        (f"G{i}", site): 3 + i % 40 for i in range(300) for site in ("Hull", "Leeds", "York")
    }
    began = time.perf_counter()
    assert len(release(Carriers(("gene", "site"), cells, people=5000)).table.rows) == 900
    assert time.perf_counter() - began < 6
    with pytest.raises(NotSafe, match="split by fewer columns"):
        release(Counts(("gender", "site"), cells))


def test_many_genes_are_quick() -> None:
    rows = tuple(BurdenRow(f"G{i}", i % 30, 73, i % 41, 1567, 1, 1, 1, 1, 1) for i in range(200))
    began = time.perf_counter()
    release(Burden(rows, 73, 1567))
    assert time.perf_counter() - began < 2  # 0.01 s
