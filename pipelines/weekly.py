"""Every Monday: is each site's release still what its contracts say; then the question, asked of those that are.

An analyst says: "ask it again every week, of every hospital, and tell me which one did not answer and why." A partition is one
release of one site: its n-th. The contract check blocks: a release that fails it does not become ready, and only what is ready
is asked. Where the federation is and which question is asked are read from NHSGEN_WORKSPACE, NHSGEN_STUDY and NHSGEN_ANSWERS.
"""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")

import dagster as dg

from nhsgen import plots, studies
from nhsgen.durable import storage
from nhsgen.errors import NotFound
from nhsgen.extracts import recheck
from nhsgen.settings import Settings
from nhsgen.studies import Study
from nhsgen.workspace import Release, Site, Workspace

__all__ = ["definitions", "run_now"]

assert plots.__all__  # importing it is what lets an answer draw itself

SITE, RELEASE = dg.DynamicPartitionsDefinition(name="site"), dg.DynamicPartitionsDefinition(name="release")
SITE_RELEASES = dg.MultiPartitionsDefinition({"site": SITE, "release": RELEASE})
CONTRACTS = "meets_its_contracts"


class Federation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the federation is, which question is asked of it, and where the answers go."""

    workspace: str
    study: str = ""
    answers: str = "answers"

    def open(self) -> Workspace:
        return Workspace.open(Path(self.workspace))

    def question(self) -> Study:
        return Study.read(Path(self.study) if self.study else Path(self.workspace) / "question.toml")

    def ready_file(self, site: str) -> Path:
        return Path(self.answers) / "ready" / site

    def partition(self, key: dg.MultiPartitionKey) -> tuple[Site, Release]:
        """The site and its n-th release; NotFound when it has not that many."""
        names = key.keys_by_dimension
        site = self.open().site(names["site"])
        releases = site.releases()
        if not 0 < int(names["release"]) <= len(releases):
            raise NotFound(
                f"finding release {names['release']} of {site.name}",
                f"it has {len(releases)}",
                "choose another partition",
            )
        return site, releases[int(names["release"]) - 1]


@dg.asset(partitions_def=SITE_RELEASES, check_specs=[dg.AssetCheckSpec(CONTRACTS, asset="release", blocking=True)])
def release(
    context: dg.AssetExecutionContext, federation: Federation
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """One release of one site: unchanged since it was sealed, and what its contracts say."""
    site, found = federation.partition(_key(context))
    federation.ready_file(site.name).unlink(missing_ok=True)
    found.verify()
    report = recheck(site, found, Settings.read())
    yield dg.MaterializeResult(metadata={"site": site.name, "release": found.id})
    yield dg.AssetCheckResult(
        check_name=CONTRACTS, passed=report.passed, metadata={"report": dg.MetadataValue.md(f"```\n{report}\n```")}
    )


@dg.asset(partitions_def=SITE_RELEASES, deps=[release])
def ready(context: dg.AssetExecutionContext, federation: Federation) -> dg.MaterializeResult[None]:
    """A mark that this release passed its check and may be asked."""
    site, found = federation.partition(_key(context))
    mark = federation.ready_file(site.name)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(found.id, encoding="utf-8")
    return dg.MaterializeResult(metadata={"release": found.id})


@dg.asset(deps=[ready])
def answer(federation: Federation) -> dg.MaterializeResult[None]:
    """The question, asked of every site whose current release is ready; saved as table, picture and receipt."""
    asked = [site for site in federation.open().sites.values() if _is_ready(federation, site)]
    if not asked:
        raise NotFound("asking the question", "no site is ready", "read the contract reports of the asset 'release'")
    result = studies.run(federation.question(), asked, asked_by="pipeline")
    out = Path(federation.answers) / result.receipt.study[:12]
    out.mkdir(parents=True, exist_ok=True)
    for suffix in (".csv", ".json", ".html", ".png"):
        result.save(out / f"answer{suffix}")
    return dg.MaterializeResult(metadata={
        "asked": ", ".join(site.name for site in asked), "folder": str(out), "answer": dg.MetadataValue.md(f"```\n{result}\n```"),
    })  # fmt: skip


check_releases = dg.define_asset_job("check_releases", [release, ready], partitions_def=SITE_RELEASES)
ask_question = dg.define_asset_job("ask_question", [answer])


@dg.schedule(job=check_releases, cron_schedule="0 6 * * 1", execution_timezone="Europe/London")
def every_monday_check(context: dg.ScheduleEvaluationContext, federation: Federation) -> Iterator[dg.RunRequest]:
    """06:00: check the current release of every site."""
    keys = _current(federation.open())
    _announce(context.instance, keys)
    for key in keys:
        yield dg.RunRequest(partition_key=key)


every_monday_ask = dg.ScheduleDefinition(
    name="every_monday_ask", job=ask_question, cron_schedule="0 7 * * 1", execution_timezone="Europe/London"
)


def run_now(workspace: Path, study: Path | None = None, answers: Path = Path("answers")) -> Iterator[str]:
    """The weekly work, now, in this process, without a server; yields what happened, a line a step."""
    federation = Federation(workspace=str(workspace), study=str(study or ""), answers=str(answers))
    federation.question()
    with storage("making the folder for the answers", answers):
        answers.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.ephemeral() as instance:
        keys = _current(federation.open())
        _announce(instance, keys)
        for key in keys:
            done = _materialize([release, ready], instance, federation, key)
            yield f"{key.keys_by_dimension['site']:<12} {'release meets its contracts' if done.success else f'not asked: {_why(done)}'}"
        asked = _materialize([release, ready, answer], instance, federation, None)
        metadata = asked.asset_materializations_for_node("answer")[0].metadata
        yield f"\n{str(metadata['answer'].value).strip('`').strip()}\n\nsaved in {metadata['folder'].value}"


def _materialize(
    assets: list[dg.AssetsDefinition],
    instance: dg.DagsterInstance,
    federation: Federation,
    key: dg.MultiPartitionKey | None,
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        assets,
        instance=instance,
        partition_key=key,
        selection=assets if key else [answer],
        resources={"federation": federation},
        raise_on_error=key is None,  # a site that cannot be asked is a line; a question that cannot is the end
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def _why(failed: dg.ExecuteInProcessResult) -> str:
    """The one sentence of what went wrong."""
    if any(not check.passed for check in failed.get_asset_check_evaluations()):
        return "its release does not meet its contracts"
    causes = [event.step_failure_data.error for event in failed.all_events if event.is_step_failure]
    messages = [error.cause.message if error.cause else error.message for error in causes if error is not None]
    return messages[0].strip().removeprefix("nhsgen.errors.") if messages else "the run stopped"


def _current(workspace: Workspace) -> list[dg.MultiPartitionKey]:
    """The newest release of each site that has one."""
    return [
        dg.MultiPartitionKey({"site": site.name, "release": str(len(site.releases()))})
        for site in workspace.sites.values()
        if site.releases()
    ]


def _announce(instance: dg.DagsterInstance, keys: list[dg.MultiPartitionKey]) -> None:
    instance.add_dynamic_partitions("site", sorted({key.keys_by_dimension["site"] for key in keys}))
    instance.add_dynamic_partitions("release", sorted({key.keys_by_dimension["release"] for key in keys}))


def _is_ready(federation: Federation, site: Site) -> bool:
    """Whether the newest release passed its check; what did not is not even opened."""
    mark, releases = federation.ready_file(site.name), site.releases()
    return bool(releases) and mark.exists() and mark.read_text(encoding="utf-8") == releases[-1].id


def _key(context: dg.AssetExecutionContext) -> dg.MultiPartitionKey:
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)
    return key


definitions = dg.Definitions(
    assets=[release, ready, answer],
    jobs=[check_releases, ask_question],
    schedules=[every_monday_check, every_monday_ask],
    resources={
        "federation": Federation(
            workspace=os.environ.get("NHSGEN_WORKSPACE", "nhsgen-demo"),
            study=os.environ.get("NHSGEN_STUDY", ""),
            answers=os.environ.get("NHSGEN_ANSWERS", "answers"),
        )
    },
)
