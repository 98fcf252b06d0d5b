"""The story `nhsgen demo` tells: three hospitals hand in extracts, stewards approve them, and one question finds its answer.

A newcomer says: "show me, on my own machine, in a minute, what this is for". So it does the main job for real, with the same
functions that a hospital would use, and leaves a federation behind to go on with.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nhsgen import contracts, extracts
from nhsgen import lab as desk
from nhsgen.demo.extracts import DemoExtract, write_extracts
from nhsgen.durable import building, publish, storage
from nhsgen.errors import BadInput
from nhsgen.progress import track
from nhsgen.results import Released, Suppressed, Value
from nhsgen.settings import Settings
from nhsgen.workspace import Site, Workspace

__all__ = ["QUESTION", "SEED", "STEWARDS", "SUBMITTER", "ask", "build", "tell"]

SEED = 20261123
SUBMITTER = "asha"
STEWARDS = ("ben", "carys")

QUESTION = """\
# Which genes carry damaging variants more often in people with cystic kidneys than in everybody else?
method = "burden"
purpose = "To find the genes behind cystic kidneys, so that families can be told why and what to expect."

[cases]
or = [{ hpo = { term = "HP:0000107" } }, { codes = { vocabulary = "ICD10", codes = ["Q61"] } }]

[variants]
impacts = ["HIGH"]
max_af = 0.001
"""


def tell(out: Path, seed: int = SEED) -> Released:
    """Build the demo at `out`, ask its question, print the answer, draw it; BadInput when something else is there."""
    print(f"Three invented hospitals, in {out}")
    for line in build(out, seed):
        print(line)
    print("\nOne question to all three\n")
    result = ask(out)
    print(result)
    print("\nThe same question to each hospital alone")
    for site in desk.open(out).sites:
        print(f"  {site:<12} {_alone(out, site, str(result.table.rows[0][0]))}")
    print(
        f"\nThe answer is in {out / 'answers'}: a table, a picture, and a receipt."
        f"\nNext: pip install -e '.[lab]' && nhsgen lab {out}, and run 01_a_first_question."
    )
    return result


def build(out: Path, seed: int = SEED) -> Iterator[str]:
    """Write the three extracts and take each through its life; yields a line on each step. Whole at the end, or not there."""
    with _whole(out) as folder:
        handed_in = write_extracts(folder / "handed-in", seed)
        yield f"{len(handed_in)} extracts written: tables, phenotypes, pedigrees and variant files; all of it invented"
        workspace = Workspace.create(folder, "nhsgen demo")
        for extract in track(handed_in, "taking extracts through approval"):
            yield from _through_approval(workspace, extract)
        (folder / "question.toml").write_text(QUESTION, encoding="utf-8")


def ask(out: Path) -> Released:
    """Ask the demo's question; the answer is saved as table, picture and receipt."""
    result = desk.open(out, asked_by="demo").run(out / "question.toml")
    answers = out / "answers"
    answers.mkdir(exist_ok=True)
    for suffix in (".csv", ".json", ".html", ".png"):
        result.save(answers / f"first-question{suffix}")
    return result


def _through_approval(workspace: Workspace, handed_in: DemoExtract) -> Iterator[str]:
    site = _site(workspace, handed_in)
    settings = Settings.read()
    extract = extracts.submit(
        site, handed_in.folder, [contracts.shipped(name) for name in handed_in.contracts], SUBMITTER
    )
    report = extracts.check(site, extract.id, SUBMITTER, settings)
    yield f"\n{site.name}\n{report.summary()}"
    for steward in STEWARDS:
        extracts.approve(site, extract.id, steward, "demo: both reports read")
    release = extracts.release(site, extract.id, STEWARDS[0], settings)
    yield f"  approved by {' and '.join(STEWARDS)}, released as {release.id[:12]}"


def _site(workspace: Workspace, handed_in: DemoExtract) -> Site:
    site = workspace.add_site(handed_in.site, policy=handed_in.policy, pooled=True, by=SUBMITTER)
    site.enrol(SUBMITTER, "submitter", SUBMITTER)
    for steward in STEWARDS:
        site.enrol(steward, "steward", SUBMITTER)
    return site


def _alone(out: Path, site: str, gene: str) -> str:
    """What one hospital could have said by itself about `gene`."""
    result = desk.open(out, asked_by="demo").at(site).run(out / "question.toml")
    rows = [dict(zip(result.table.columns, row, strict=True)) for row in result.table.rows if str(row[0]) == gene]
    p = rows[0]["p"] if rows else Suppressed(result.notes[0])
    return f"{gene}: p = {p}" if isinstance(p, Value) else f"{gene}: too few people to show"


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder to build in, which becomes `out` when all went well and goes away when not."""
    taken = BadInput(
        f"building the demo in {out}", "something is there already", "remove it, or choose another folder with --out"
    )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise taken
    with storage("building the demo", out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    with building(out.parent) as folder:
        yield folder
        if not publish(folder, out):
            raise taken
