"""OHDSI's GiBleed people under its own contract: an OMOP site answers as its public tutorials do.

An analyst says: how many people took celecoxib, how many diclofenac, how many bled; I know the numbers, does this know them?
"""

import shutil
from pathlib import Path

import pytest
from public_federations import estimate, through_approval

import nhsgen as ng
from nhsgen import contracts
from nhsgen.cohorts import Cohort
from nhsgen.estimates import Counts
from nhsgen.results import Value
from nhsgen.studies import Study
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
