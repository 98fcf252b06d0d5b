"""The weekly work: every release is checked, what passes is asked, what does not is named."""

import shutil
from pathlib import Path

import pytest

from nhsgen.errors import NotSafe

dg = pytest.importorskip("dagster", reason="Dagster is the 'pipelines' extra")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def workspace(demo_workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_workspace, tmp_path / "demo"))


def test_it_checks_every_site_and_saves_the_answer(workspace: Path, tmp_path: Path) -> None:
    from pipelines import run_now  # noqa: PLC0415  (an optional extra)

    said = list(run_now(workspace, None, tmp_path / "answers"))
    assert [line.split()[0] for line in said[:3]] == ["moorland", "northgate", "riverside"]
    assert all("meets its contracts" in line for line in said[:3])
    assert "PKD1" in said[-1]
    (folder,) = (path for path in (tmp_path / "answers").iterdir() if path.name != "ready")
    assert {path.name for path in folder.iterdir()} == {"answer.csv", "answer.html", "answer.json", "answer.png"}


def test_a_release_that_changed_is_not_asked(workspace: Path, tmp_path: Path) -> None:
    from pipelines import run_now  # noqa: PLC0415

    release = next((workspace / "sites" / "riverside" / "releases").iterdir())
    table = release / "tables" / "phenotype.parquet"
    table.chmod(0o644)
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)
    said = []
    with pytest.raises(NotSafe, match="2 sites answered"):  # and two cannot pool small counts
        said.extend(run_now(workspace, None, tmp_path / "answers"))


def test_the_definitions_load_with_a_weekly_schedule_and_a_blocking_check() -> None:
    from pipelines import definitions  # noqa: PLC0415

    dg.Definitions.validate_loadable(definitions)
    schedules = {schedule.name: schedule.cron_schedule for schedule in definitions.schedules}
    assert schedules == {"every_monday_ask": "0 7 * * 1", "every_monday_check": "0 6 * * 1"}
    (check,) = next(asset for asset in definitions.assets if asset.key == dg.AssetKey("release")).check_specs
    assert check.blocking


def test_every_monday_asks_for_the_newest_release_of_each_site(demo_workspace: Path) -> None:
    from pipelines.weekly import Federation, every_monday_check  # noqa: PLC0415

    federation = Federation(workspace=str(demo_workspace))
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance=instance, resources={"federation": federation}) as context,
    ):
        requests = list(every_monday_check(context))
        assert [request.partition_key.keys_by_dimension for request in requests] == [
            {"site": site, "release": "1"} for site in ("moorland", "northgate", "riverside")
        ]
        assert sorted(instance.get_dynamic_partitions("site")) == ["moorland", "northgate", "riverside"]
