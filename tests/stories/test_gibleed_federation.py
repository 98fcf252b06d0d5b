"""OHDSI's GiBleed people under its own contract: an OMOP site answers as its public tutorials do.

An analyst says: how many people took celecoxib, how many diclofenac, how many bled; I know the numbers, does this know them? And
how soon after the drug do they bleed, at which age, and men sooner than women?
"""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from public_federations import SETTINGS, estimate, through_approval

import nhsgen as ng
from nhsgen import contracts
from nhsgen.cohorts import Cohort
from nhsgen.estimates import Counts, Hazards, Survival
from nhsgen.results import Value
from nhsgen.statistics import cox
from nhsgen.statistics.sums import solve
from nhsgen.statistics.survival import DAYS_A_MONTH
from nhsgen.studies import ROUNDS, Study
from nhsgen.studies.rounds import ask_in_rounds
from nhsgen.workspace import Workspace

CELECOXIB, DICLOFENAC, BLEED = ng.omop("1118084"), ng.omop("1124300"), ng.omop("192671")


@pytest.fixture(scope="module")
def workspace(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("gibleed")
    shutil.copytree(shared_data / "phenotypes/omop_gibleed_cdm5.3", folder / "handed-in")
    made = Workspace.create(folder / "ws", "gibleed")
    lift = {"k_anonymity:person": "synthetic people: nobody can be found"}
    through_approval(made.add_site("boston", by="ann"), folder / "handed-in", [contracts.shipped("omop_gibleed")], lift)
    return made


@pytest.mark.parametrize(
    ("cohort", "people"),
    [(CELECOXIB, 1844), (DICLOFENAC, 850), (CELECOXIB | DICLOFENAC, 2694), (BLEED, 479), (ng.everyone(), 2694)],
    ids=["celecoxib", "diclofenac", "either", "bleed", "everyone"],
)
def test_people_are_as_many_as_eunomia_reports(workspace: Workspace, cohort: Cohort, people: int) -> None:
    exact = estimate(Study("counts", cohort), workspace)
    assert isinstance(exact, Counts)
    assert exact.cells == {(): people}


def test_bleeds_after_the_drug_split_by_sex(workspace: Workspace) -> None:
    """A bleed after the first celecoxib: an index event, and a released table."""
    result = ng.open(workspace.path).count(BLEED.after(CELECOXIB), by="sex")
    shown = result.to_polars().filter(sex="all")["people"].item()
    assert 0 < shown <= 480
    assert all(isinstance(cell, Value) and int(cell.value) % 5 == 0 for cell in result.table.column("people"))


# -- Over time: nobody in these data dies, and people are lost on the last day of which their tables say anything -----------

DATED = {
    "CONDITION_ERA": "CONDITION_ERA_START_DATE",
    "DRUG_ERA": "DRUG_ERA_START_DATE",
    "PROCEDURE_OCCURRENCE": "PROCEDURE_DATE",
}


@pytest.fixture(scope="module")
def people(shared_data: Path) -> pl.DataFrame:
    """Of everybody: sex, born, the first celecoxib and bleed, and the first and last day of anything."""
    tables = shared_data / "phenotypes/omop_gibleed_cdm5.3"
    frames = {
        name: pl.read_csv(tables / f"{name}.csv.gz", infer_schema_length=None).with_columns(
            pl.col(column).cast(pl.String).str.slice(0, 10).str.to_date("%Y-%m-%d").alias("day")
        )
        for name, column in DATED.items()
    }
    person = pl.read_csv(tables / "PERSON.csv.gz").select(
        "PERSON_ID", sex=pl.when(pl.col("GENDER_CONCEPT_ID") == 8532).then(pl.lit("female")).otherwise(pl.lit("male")),
        born=pl.date(pl.col("YEAR_OF_BIRTH"), 7, 1),
    )  # fmt: skip
    every = pl.concat([frame.select("PERSON_ID", "day") for frame in frames.values()])
    found = {
        "took": frames["DRUG_ERA"].filter(pl.col("DRUG_CONCEPT_ID") == 1118084),
        "bled": frames["CONDITION_ERA"].filter(pl.col("CONDITION_CONCEPT_ID") == 192671),
        "first": every,
    }
    for name, frame in found.items():
        person = person.join(
            frame.group_by("PERSON_ID").agg(pl.col("day").min().alias(name)), on="PERSON_ID", how="left"
        )
    return person.join(every.group_by("PERSON_ID").agg(last=pl.col("day").max()), on="PERSON_ID", how="left")


def exactly(study: Study, workspace: Workspace) -> object:
    return ask_in_rounds(study, ROUNDS[study.method], workspace.sites.values(), SETTINGS, None, "rita").estimate


def test_bleeds_after_celecoxib_are_those_of_the_raw_tables(workspace: Workspace, people: pl.DataFrame) -> None:
    found = exactly(
        Study("survival", CELECOXIB, since=CELECOXIB, until=BLEED, by=("sex",), options={"months": 6, "years": 5}),
        workspace,
    )
    assert isinstance(found, Survival)
    for group in found.groups:
        here = people.filter(pl.col("sex") == group.group, pl.col("took").is_not_null())
        here = here.filter(~(pl.col("bled") <= pl.col("took")).fill_null(False))
        days = here.select((pl.coalesce("bled", "last") - pl.col("took")).dt.total_days())["bled"].to_numpy()
        bled = here["bled"].is_not_null().to_numpy()
        for step, month in enumerate(found.starts):
            start, end = month * DAYS_A_MONTH, (month + 6) * DAYS_A_MONTH
            assert group.at_risk[step] == (days >= start).sum()
            assert group.deaths[step] == (bled & (days >= start) & (days < end)).sum()
    assert sum(sum(group.deaths) for group in found.groups) > 100


def test_by_age_men_and_women_are_compared_as_in_the_raw_tables(workspace: Workspace, people: pl.DataFrame) -> None:
    found = exactly(Study("hazards", ng.everyone(), since="birth", until=BLEED, by=("sex",)), workspace)
    assert isinstance(found, Hazards)
    days = [(people[name] - people["born"]).dt.total_days().to_numpy() for name in ("first", "last", "bled")]
    enter, last, bled = (np.asarray(column, dtype=np.float64) for column in days)
    leave, ended = np.where(np.isnan(bled), last, bled), (~np.isnan(bled)).astype(np.float64)
    level = found.rows[0].term.split(" against ")[0]
    kept = leave > enter
    x = (people["sex"] == level).to_numpy().astype(np.float64)[:, None]
    prepared = cox.prepare(leave[kept], ended[kept], x[kept], entry=enter[kept])
    (effect,) = solve(lambda state: cox.summarise(prepared, state.ask), cox.step, cox.start(("sex",))).answer().effects
    assert (found.people, found.ended) == (kept.sum(), ended[kept].sum())
    assert [found.rows[0].ratio, found.rows[0].low, found.rows[0].high] == pytest.approx(
        [effect.ratio, effect.low, effect.high]
    )
    released = ng.open(workspace.path).hazards(ng.everyone(), since="birth", until=BLEED, by="sex")
    assert released.to_polars()["hazard ratio"].item() == pytest.approx(effect.ratio, rel=5e-3)
    assert any(note.startswith("Of about 2,6") for note in released.notes)
