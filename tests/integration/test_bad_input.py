"""Whatever somebody gets wrong at the command line: one sentence that says what to do, an exit code, and nothing half-written.

A row of CASES is a command line, the exit code of `nhsgen.errors`, and words its sentence must hold. `{w}` stands for a demo
federation, `{b}` for a folder of bad things that `_bad_things` makes; both are the same before and after.
"""

import gzip
import io
import json
import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
import typer
from small_extract import PEOPLE, SAMPLES, SETTINGS, staffed_site, write_extract

from nhsgen import extracts
from nhsgen.cli import app, main
from nhsgen.cli import ask as ask_commands
from nhsgen.cli import steward as steward_commands
from nhsgen.errors import BadInput, MissingExtra, NhsgenError, NotAllowed, NotFound, StorageFailed, Tampered
from nhsgen.workspace import Site

BAD, GONE, NOT_YOU, CHANGED, DISK, EXTRA = (
    kind.exit_code for kind in (BadInput, NotFound, NotAllowed, Tampered, StorageFailed, MissingExtra)
)
USAGE = -2  # typer's own words, exit code 2

CASES = [
    # The federation's folder.
    ("sites list -w {b}/nowhere", GONE, "opening a workspace|there is none|nhsgen workspace create"),
    ("sites list -w {b}/file", GONE, "opening a workspace|there is none"),
    ("sites list -w {b}/garbage", BAD, "its description cannot be read|workspace.json"),
    ("sites list -w {b}/of-folders", BAD, "its description cannot be read|workspace.json"),
    ("sites list -w {b}/of-tomorrow", BAD, "format 9|newer nhsgen"),
    ("sites list -w {b}/no-sites", GONE, "listing the sites|no such file or folder"),
    ("sites list -w {b}/no-log", CHANGED, "its log is missing|northgate"),
    ("staff list nowhere -w {w}", GONE, "'nowhere'|use one of: moorland, northgate, riverside"),
    ("staff list northgate -w {b}/nowhere", GONE, "opening a workspace"),
    ("audit verify -w {b}/garbage", BAD, "its description cannot be read"),
    ("audit verify -w {b}/cut-log", CHANGED, "verifying the audit log|line 2|compare it with a copy"),
    ("audit show ../northgate -w {w}", GONE, "there is none"),
    ("workspace create {w}", BAD, "there is one already|choose another folder"),
    ("workspace create {b}/file", GONE, "creating a workspace"),
    ("workspace create {b}/file/inner", GONE, "creating a workspace|no such file or folder"),
    # Who is in it.
    ("sites add 'Bad Name' --as asha -w {w}", BAD, "not a name for a site|lower-case letters"),
    ("sites add ../x --as asha -w {w}", BAD, "not a name for a site"),
    ("sites add northgate --as asha -w {w}", BAD, "there is one already|choose another name"),
    ("sites add westgate --as asha --policy lax -w {w}", BAD, "'lax'|none of that name|nhs"),
    ("sites add westgate --as '' -w {w}", BAD, "not a name"),
    ("sites add westgate -w {w}", USAGE, "--as"),
    ("staff enrol nowhere dev --role steward --as ben -w {w}", GONE, "'nowhere'|there is none"),
    ("staff enrol northgate dev --role king --as asha -w {w}", BAD, "'king' is not a role|submitter or steward"),
    ("staff enrol northgate dev --role steward --as zed -w {w}", NOT_YOU, "'zed' is not a steward|ask a steward"),
    ("staff enrol northgate ' ' --role steward --as asha -w {w}", BAD, "not a name"),
    ("staff enrol northgate BEN --role steward --as asha -w {w}", BAD, "reads the same"),
    ("people withdraw northgate --from {b}/nowhere --as asha -w {w}", GONE, "cannot be read|check its name"),
    ("people withdraw northgate --from {b}/folder --as asha -w {w}", GONE, "cannot be read|check its name"),
    ("people withdraw northgate --from {b}/empty --as asha -w {w}", BAD, "nobody is listed|one pseudonymous id a line"),
    ("people withdraw northgate --from {b}/bytes --as asha -w {w}", BAD, "not UTF-8"),
    ("people withdraw northgate --from {b}/two-a-line --as asha -w {w}", BAD, "more than one id|line 2"),
    ("people withdraw northgate --from {b}/empty --as zed -w {w}", NOT_YOU, "'zed' is not a steward"),
    # Contracts.
    ("contracts list --of hes", USAGE, "--of"),
    ("contracts show nosuch", GONE, "'nosuch'|hes_apc"),
    ("contracts show {b}/nosuch.yaml", GONE, "there is no such file|nosuch.yaml"),
    ("contracts show {b}/folder.yaml", GONE, "there is no such file|folder.yaml"),
    ("contracts show {b}/empty.yaml", BAD, "not an ODCS contract|empty.yaml"),
    ("contracts show {b}/bytes.yaml", BAD, "not UTF-8|bytes.yaml"),
    ("contracts show {b}/cut.yaml", BAD, "not YAML|cut.yaml, line 3"),
    ("contracts show {b}/stray-key.yaml", BAD, "not ODCS at wat|compare it with the ODCS 3.1 reference"),
    ("contracts show {b}/sql.yaml", BAD, "'sql'|executes no SQL|sql.yaml"),
    ("contracts show {b}/unknown-word.yaml", BAD, "'sexx' is not a word|sex_values"),
    ("contracts show {b}/unknown-column.yaml", BAD, "the column 'gender'|name one of its columns"),
    # An extract's life.
    ("extracts submit nowhere {b}/november --contract hes_apc --as asha -w {w}", GONE, "'nowhere'"),
    ("extracts submit northgate {b}/nowhere --contract hes_apc --as asha -w {w}", GONE, "no such folder"),
    ("extracts submit northgate {b}/file --contract hes_apc --as asha -w {w}", GONE, "no such folder"),
    ("extracts submit northgate {b}/folder --contract hes_apc --as asha -w {w}", BAD, "the folder is empty"),
    ("extracts submit northgate {b}/with-link --contract hes_apc --as asha -w {w}", BAD, "it is a link|aside.csv"),
    ("extracts submit northgate {b}/november --contract nosuch --as asha -w {w}", GONE, "'nosuch'|hes_apc"),
    ("extracts submit northgate {b}/november --contract {b}/cut.yaml --as asha -w {w}", BAD, "not YAML|line 3"),
    ("extracts submit northgate {b}/november --contract {b}/sql.yaml --as asha -w {w}", BAD, "executes no SQL"),
    ("extracts submit northgate {b}/november --contract hes_apc --as ben -w {w}", NOT_YOU, "'ben' is not a submitter"),
    ("extracts submit northgate {b}/november --as asha -w {w}", USAGE, "--contract"),
    *(
        (f"extracts {command} {extract} {options} -w {{w}}", GONE, f"'{extract}'|nhsgen extracts list")
        for command, options in {
            "check": "--as ben",
            "approve": "--as ben --because read",
            "refuse": "--as ben --because no",
            "release": "--as ben",
            "withdraw": "--as asha --because wrong",
            "show": "",
        }.items()
        for extract in ("northgate-9999", "nowhere-0001", "northgate", "../x-1")
    ),
    ("extracts check northgate-0001 --as ben -w {w}", NOT_YOU, "it is released|withdrawn"),
    ("extracts approve northgate-0001 --as ben --because read -w {w}", NOT_YOU, "it is released"),
    ("extracts approve northgate-0001 --as ben -w {w}", USAGE, "--because"),
    ("extracts refuse northgate-0001 --as ben --because no -w {w}", NOT_YOU, "it is released"),
    ("extracts release northgate-0001 --as zed -w {w}", NOT_YOU, "'zed' may not|a steward"),
    ("extracts withdraw northgate-0001 --as zed --because no -w {w}", NOT_YOU, "'zed' may not"),
    ("extracts withdraw northgate-0001 --as asha --because ' ' -w {w}", BAD, "no reason is given"),
    ("extracts list -w {b}/nowhere", GONE, "opening a workspace"),
    ("extracts show northgate-0001 -w {b}/garbage", BAD, "its description cannot be read"),
    # Variant files.
    ("variants ingest {b}/nowhere.vcf --out {b}/store", GONE, "nowhere.vcf|check the path"),
    ("variants ingest {b}/folder --out {b}/store", GONE, "no such file"),
    ("variants ingest {b}/empty --out {b}/store", BAD, "it is empty|sent again"),
    ("variants ingest {b}/bytes --out {b}/store", BAD, "not a VCF or BCF file"),
    ("variants ingest {b}/november/person.csv --out {b}/store", BAD, "not a VCF or BCF file|person.csv"),
    ("variants ingest {b}/cut.vcf --out {b}/store", BAD, "columns, the header says|cut.vcf, line 6"),
    ("variants ingest {b}/header-only-half.vcf --out {b}/store", BAD, "no #CHROM line"),
    ("variants ingest {b}/cut.vcf.gz --out {b}/store", BAD, "cut short|cut.vcf.gz"),
    ("variants ingest {b}/latin.vcf --out {b}/store", BAD, "not UTF-8|latin.vcf, line 7"),
    ("variants ingest {b}/allele.vcf --out {b}/store", BAD, "a genotype names an allele|allele.vcf, line 5"),
    ("variants ingest {b}/twice-a-sample.vcf --out {b}/store", BAD, "the name of another|line 4"),
    ("variants ingest {b}/nonsense.bcf --out {b}/store", BAD, "BCF header cannot be read"),
    ("variants ingest {b}/good.vcf {b}/good.vcf --out {b}/store", BAD, "listed twice|16:2100000"),
    ("variants ingest {b}/good.vcf {b}/others.vcf --out {b}/store", BAD, "not those of the first file|others.vcf"),
    ("variants ingest {b}/good.vcf --out {b}/store --assembly GRCh37", BAD, "those of GRCh38, not of GRCh37"),
    ("variants ingest {b}/good.vcf --out {b}/store --assembly hg99", USAGE, "hg99"),
    ("variants ingest {b}/good.vcf --out {b}/store --absence maybe", USAGE, "maybe"),
    ("variants ingest {b}/good.vcf --out {b}/folder", NOT_YOU, "already there|choose another place"),
    ("variants ingest {b}/good.vcf --out {b}/nowhere/store", GONE, "no such file or folder|make its folder first"),
    ("variants ingest {b}/good.vcf --out {b}/file/store", GONE, "no such file or folder"),
    *(
        (f"variants {command.format(store)}", code, words)
        for command in (
            "info {{b}}/{}",
            "query {{b}}/{}",
            "counts {{b}}/{}",
            "verify {{b}}/{}",
            "export {{b}}/{} --out {{b}}/out.vcf",
        )
        for store, code, words in (
            ("nowhere", GONE, "no store.json|ingest"),
            ("folder", GONE, "no store.json"),
            ("file", BAD, "store.json cannot be read"),
            ("store-cut", BAD, "store.json cannot be read"),
            ("store-hollow", BAD, "does not say what is in it|ingest the variants again"),
            ("store-older", BAD, "another version of nhsgen"),
            ("store-changed", CHANGED, "its bytes changed|00000.parquet"),
            ("store-gone", CHANGED, "a file is gone|samples.parquet"),
        )
    ),
    ("variants query {b}/store-good --region 16:x-y", BAD, "'16:x-y'|not a region|write it like 16:"),
    ("variants query {b}/store-good --region 16:9-1", BAD, "ends before it starts"),
    ("variants query {b}/store-good --gene 'PKD1 PKD2'", BAD, "'PKD1 PKD2' is not one gene"),
    ("variants query {b}/store-good --impact hihg", BAD, "'hihg'|did you mean HIGH?"),
    ("variants query {b}/store-good --consequence missens", BAD, "did you mean missense_variant?"),
    ("variants query {b}/store-good --max-af 3", BAD, "not a number from 0 to 1"),
    ("variants query {b}/store-good --max-af rare", USAGE, "rare"),
    ("variants query {b}/store-good --out {b}/nowhere/found.tsv", GONE, "no such folder|make it first"),
    ("variants query {b}/store-good --out {b}/file/found.tsv", GONE, "no such folder"),
    ("variants query {b}/store-good --out {b}/found.xlsx", BAD, "'.xlsx'|use .tsv, .parquet"),
    ("variants query {b}/store-good --out {b}/folder.tsv", BAD, "a folder is there"),
    # Questions in files.
    *(
        (f"study {command}", code, words)
        for command in ("show {b}/q/FILE", "run {b}/q/FILE -w {w}", "run {b}/q/FILE -w {w} --out {b}/answer.csv")
        for command, code, words in (
            (command.replace("FILE", "nowhere.toml"), GONE, "no such file|nowhere.toml|check the path"),
            (command.replace("FILE", "folder.toml"), BAD, "cannot be read|folder.toml"),
            (command.replace("FILE", "empty.toml"), BAD, "it has no 'method'|empty.toml"),
            (command.replace("FILE", "latin.toml"), BAD, "not UTF-8|latin.toml"),
            (command.replace("FILE", "cut.toml"), BAD, "not TOML|cut.toml"),
            (command.replace("FILE", "method.toml"), BAD, "'burdne' is unknown|did you mean 'burden'?|method.toml"),
            (command.replace("FILE", "group.toml"), BAD, "'sexx' is unknown|did you mean 'sex'?"),
            (command.replace("FILE", "setting.toml"), BAD, "'porpose' is unknown|did you mean 'purpose'?"),
            (command.replace("FILE", "purpose.toml"), BAD, "purpose|purpose.toml"),
            (command.replace("FILE", "expires.toml"), BAD, "not a date|expires.toml"),
            (command.replace("FILE", "word.toml"), BAD, "'hpoo'|did you mean hpo?|word.toml"),
            (command.replace("FILE", "term-name.toml"), BAD, "did you mean HP:0000107 (Renal cyst)|term-name.toml"),
            (command.replace("FILE", "code.toml"), BAD, "'61Q'|write it like Q61.2|code.toml"),
            (command.replace("FILE", "region.toml"), BAD, "'16:x-y'|write it like 16:|region.toml"),
            (command.replace("FILE", "gene.toml"), BAD, "is not one gene|gene.toml"),
            (command.replace("FILE", "impact.toml"), BAD, "did you mean HIGH?|impact.toml"),
            (command.replace("FILE", "frequency.toml"), BAD, "not a number from 0 to 1|frequency.toml"),
            (command.replace("FILE", "no-variants.toml"), BAD, "needs variants|no-variants.toml"),
        )
    ),
    ("study methods asociation", BAD, "'asociation' is unknown|did you mean 'association'"),
    ("study run {b}/q/term-slip.toml -w {w}", BAD, "no such term|did you mean|HP:0000107 (Renal cyst)"),
    ("study run {b}/q/expired.toml -w {w}", NOT_YOU, "it expired on 1 January 2001|approved again"),
    ("study run {b}/q/good.toml -w {b}/nowhere", GONE, "opening a workspace"),
    ("study run {b}/q/good.toml -w {b}/no-sites", GONE, "listing the sites"),
    ("study run {b}/q/good.toml -w {w} --out {b}/nowhere/answer.csv", GONE, "no such folder|make it first"),
    ("study run {b}/q/good.toml -w {w} --out {b}/file/answer.csv", GONE, "no such folder"),
    ("study run {b}/q/good.toml -w {w} --out {b}/answer.xlsx", BAD, "'.xlsx'|use .csv, .parquet, .json, .html"),
    ("study run {b}/q/good.toml -w {w} --out {b}/answer", BAD, "not a form we write"),
    ("study run {b}/q/good.toml -w {w} --out {b}/folder.csv", BAD, "a folder is there|name a file"),
    ("study run {b}/q/good.toml -w {w} --picture {b}/nowhere/answer.png", GONE, "no such folder"),
    ("study run {b}/q/good.toml -w {w} --picture {b}/answer.xyz", BAD, "'.xyz'|use .png, .svg, .pdf"),
    ("study run {b}/q/good.toml -w {w} --picture {b}/answer", BAD, "not a form we write"),
    # What newcomers and analysts run.
    ("demo --out {b}/november", BAD, "something is there already|--out"),
    ("demo --out {b}/file", BAD, "something is there already"),
    ("demo --out {b}/file/inner", DISK, "building the demo"),
    ("demo --seed -1", USAGE, "-1"),
    ("lab {b}/nowhere", GONE, "opening a workspace"),
    ("lab {b}/garbage", BAD, "its description cannot be read"),
    ("lab {w} --port {taken}", BAD, "listening|{taken}|choose another with --port"),
    ("lab {w} --port 99999", USAGE, "99999"),
    ("steward serve -w {b}/nowhere", GONE, "opening a workspace"),
    ("steward serve -w {w} --port {taken}", BAD, "listening|{taken}|choose another with --port"),
    ("steward serve -w {w} --port 0", USAGE, "0"),
    ("pipelines run -w {b}/nowhere --out {b}/answers", GONE, "no such file|question.toml"),
    ("pipelines run -w {w} --study {b}/q/nowhere.toml --out {b}/answers", GONE, "no such file|nowhere.toml"),
    ("pipelines run -w {w} --study {b}/q/impact.toml --out {b}/answers", BAD, "did you mean HIGH?|impact.toml"),
    ("pipelines run -w {w} --out {b}/file", DISK, "the folder for the answers|something else is there"),
    ("pipelines run -w {w} --out {b}/file/inner", GONE, "the folder for the answers|no such file or folder"),
]

CUT = "[cohort\n"
COUNTS = 'method = "counts"\n'
CARRIERS = 'method = "carriers"\n'
KIDNEY = '[cohort]\nhpo = { term = "HP:0000107" }\n'
QUESTIONS = {
    "good": COUNTS + KIDNEY,
    "empty": "",
    "cut": COUNTS + CUT,
    "method": 'method = "burdne"\n' + KIDNEY,
    "group": COUNTS + 'by = ["sexx"]\n' + KIDNEY,
    "setting": COUNTS + 'porpose = "x"\n' + KIDNEY,
    "purpose": COUNTS + "purpose = 3\n" + KIDNEY,
    "expires": COUNTS + "expires = 5\n" + KIDNEY,
    "expired": COUNTS + "expires = 2001-01-01\n" + KIDNEY,
    "word": COUNTS + '[cohort]\nhpoo = { term = "HP:0000107" }\n',
    "term-name": COUNTS + '[cohort]\nhpo = { term = "Renal cyst" }\n',
    "term-slip": COUNTS + '[cohort]\nhpo = { term = "HP:0000170" }\n',
    "code": COUNTS + '[cohort]\ncodes = { vocabulary = "ICD10", codes = ["61Q"] }\n',
    "region": CARRIERS + KIDNEY + '[variants]\nregions = ["16:x-y"]\n',
    "gene": CARRIERS + KIDNEY + '[variants]\ngenes = ["PKD1 PKD2"]\n',
    "impact": CARRIERS + KIDNEY + '[variants]\nimpacts = ["hihg"]\n',
    "frequency": CARRIERS + KIDNEY + "[variants]\nmax_af = 2\n",
    "no-variants": CARRIERS + KIDNEY,
}


class Said(NamedTuple):
    code: int
    err: str
    out: str


def said(*arguments: str | Path) -> Said:
    """What `nhsgen` says to these arguments, run in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as leave:
            code = int(leave.code or 0)
    return Said(code, err.getvalue(), out.getvalue())


def require_one_sentence(err: str, words: str) -> None:
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("nhsgen: "), err
    assert lines[0].endswith((".", "?")), err
    assert " failed: " in lines[0], err
    assert "Traceback" not in err
    assert not any(person in err for person in (*PEOPLE, *SAMPLES)), "a person's id is in a message"
    for word in words.split("|"):
        assert word in err, f"{word!r} is not in: {err}"


def tree(*folders: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder below, its size, and when a file was last written to."""
    there = {str(path): path.lstat() for folder in folders for path in folder.rglob("*")}
    return {
        name: (status.st_size, 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns)
        for name, status in there.items()
    }


# -- Places ---------------------------------------------------------------------------------------------------------------


def _bad_things(place: Path, federation: Path) -> None:
    """Everything CASES names below `{b}`."""
    files, (contract,) = write_extract(place)
    vcf, odcs = (files / "cohort.vcf").read_text(), contract.read_text()
    for name in ("folder", "folder.yaml", "folder.tsv", "folder.csv", "q", "q/folder.toml"):
        (place / name).mkdir()
    kept = {
        "file": "x",
        "empty": "",
        "two-a-line": "a1\nb2 c3\n",
        "empty.yaml": "",
        "cut.yaml": "kind: DataContract\nschema: [\n",
        "stray-key.yaml": odcs.replace("status: active", "status: active\nwat: 3"),
        "sql.yaml": odcs.replace(
            "    customProperties:\n", "    quality:\n      - {type: sql, query: 'SELECT 1', mustBe: 0}\n    customProperties:\n", 1
        ),
        "unknown-word.yaml": odcs.replace("sex: sex}", "sexx: sex}"),
        "unknown-column.yaml": odcs.replace("sex: sex}", "sex: gender}"),
        "good.vcf": vcf,
        "cut.vcf": vcf[:-12],
        "header-only-half.vcf": vcf[:100],
        "others.vcf": vcf.replace("s5", "q5"),
        "allele.vcf": vcf.replace("0/1", "0/9"),
        "twice-a-sample.vcf": vcf.replace("s1", "s0"),
        **{f"q/{name}.toml": text for name, text in QUESTIONS.items()},
    }  # fmt: skip
    for name, text in kept.items():
        (place / name).write_text(text)
    nonsense = bytes(range(256)) * 20
    for name, data in {
        "bytes": nonsense,
        "bytes.yaml": nonsense,
        "nonsense.bcf": b"BCF\2\2" + bytes(50),
        "latin.vcf": vcf.encode() + b"chr16\t2100020\tcaf\xe9\tA\tC\n",
        "cut.vcf.gz": gzip.compress(vcf.encode())[:-30],
        "q/latin.toml": "purpose = 'café'".encode("latin-1"),
    }.items():
        (place / name).write_bytes(data)
    shutil.copytree(files, place / "with-link")
    (place / "with-link" / "aside.csv").symlink_to(place / "file")
    _bad_federations(place, federation)
    _bad_stores(place, federation)


def _bad_federations(place: Path, federation: Path) -> None:
    for name, said_of_itself in {
        "garbage": "{garbage",
        "of-tomorrow": '{"format": 9, "name": "x"}',
        "no-sites": '{"format": 1, "name": "x"}',
        "no-log": '{"format": 1, "name": "x"}',
        "cut-log": '{"format": 1, "name": "x"}',
    }.items():
        (place / name).mkdir()
        (place / name / "workspace.json").write_text(said_of_itself)
    (place / "of-folders" / "workspace.json").mkdir(parents=True)
    (place / "no-log" / "sites" / "northgate").mkdir(parents=True)
    (place / "cut-log" / "sites" / "northgate").mkdir(parents=True)
    lines = (federation / "sites/northgate/audit.jsonl").read_text().splitlines(keepends=True)
    (place / "cut-log/sites/northgate/audit.jsonl").write_text("".join([lines[0], *lines[2:]]))


def _bad_stores(place: Path, federation: Path) -> None:
    released = next((federation / "sites/northgate/releases").iterdir()) / "variants"
    for kind in ("good", "cut", "hollow", "older", "changed", "gone"):
        shutil.copytree(released, place / f"store-{kind}", copy_function=shutil.copyfile)
        (place / f"store-{kind}").chmod(0o755)
    info = json.loads((released / "store.json").read_text())
    (place / "store-cut/store.json").write_text("{")
    (place / "store-hollow/store.json").write_text(json.dumps({"schema_version": info["schema_version"]}))
    (place / "store-older/store.json").write_text(json.dumps(info | {"schema_version": 0}))
    (place / "store-changed/variants/00000.parquet").write_bytes(b"PAR1")
    (place / "store-gone/samples.parquet").unlink()


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, demo_workspace: Path) -> Path:
    place = tmp_path_factory.mktemp("bad") / "things"
    _bad_things(place, demo_workspace)
    return place


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture(scope="module")
def before(bad: Path, demo_workspace: Path) -> dict[str, tuple[int, int]]:
    return tree(bad, demo_workspace)


# -- Every command --------------------------------------------------------------------------------------------------------


def _commands(command: Any, *path: str) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path)
    for name, one in (inner or {}).items():
        yield from _commands(one, *path, name)


COMMANDS = tuple(_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_case(command: str) -> None:
    assert any(line.startswith(f"{command} ") for line, *_ in CASES)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_with_an_example(command: str) -> None:
    told = said(*command.split(), "--help")
    assert told.code == 0
    examples = [line.strip() for line in told.out.splitlines() if line.startswith(f"  Example: nhsgen {command}")]
    assert len(examples) == 1
    _, _, *words = shlex.split(examples[0])  # on one line: what is copied is all of it
    inner = typer.main.get_command(app)
    for _ in command.split():
        inner = inner.commands[words.pop(0)]
    assert inner.make_context(command, words), "its own parser takes it"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's own
@pytest.mark.parametrize(("line", "code", "words"), CASES)
def test_a_mistake_is_one_sentence_and_changes_nothing(
    line: str,
    code: int,
    words: str,
    bad: Path,
    demo_workspace: Path,
    taken: int,
    elsewhere: Path,
    before: dict[str, tuple[int, int]],
) -> None:
    filled = line.format(b=bad, w=demo_workspace, taken=taken)
    told = said(*shlex.split(filled))
    assert told.code == (2 if code == USAGE else code), told
    if code == USAGE:
        assert words in told.err
        assert "Traceback" not in told.err
    else:
        require_one_sentence(told.err, words.format(taken=taken))
    assert tree(bad, demo_workspace) == before
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("name", ["NHSGEN_THREADS", "NHSGEN_MEMORY_MB", "NHSGEN_QUERY_SECONDS"])
@pytest.mark.parametrize("value", ["many", "nan", "inf", "0", "-1", ""])
def test_a_setting_that_is_no_number(
    name: str, value: str, bad: Path, demo_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    told = said("study", "run", bad / "q/good.toml", "-w", demo_workspace)
    assert told.code == BAD
    require_one_sentence(told.err, f"{name}|set it to one or leave it out")


@pytest.mark.parametrize(
    ("line", "extra"), [("lab {w}", "lab"), ("pipelines run -w {w}", "pipelines"), ("steward serve -w {w}", "steward")]
)
def test_a_part_that_is_not_installed(
    line: str, extra: str, demo_workspace: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commands in (ask_commands, steward_commands):
        monkeypatch.setattr(commands, "find_spec", lambda name: None)
    told = said(*line.format(w=demo_workspace).split())
    assert told.code == EXTRA
    require_one_sentence(told.err, f"pip install 'nhsgen[{extra}]'")
    assert not list(elsewhere.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's own
def test_the_weekly_question_that_nobody_can_answer(bad: Path, demo_workspace: Path, tmp_path: Path) -> None:
    """Each site was looked at and said to be ready; then the question's own mistake is said as `study run` says it."""
    told = said("pipelines", "run", "-w", demo_workspace, "--study", bad / "q/term-slip.toml", "--out", tmp_path / "a")
    assert told.code == BAD
    require_one_sentence(told.err, "no such term|HP:0000107 (Renal cyst)")
    assert told.out.count("release meets its contracts") == 3
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"ready"}


def test_a_refused_move_is_no_entry(tmp_path: Path) -> None:
    """The log tells what was done; whoever may not do something did nothing."""
    site, (files, contracts) = staffed_site(tmp_path), write_extract(tmp_path)
    extract = extracts.submit(site, files, contracts, "asha").id
    head = site.log.head()
    told = said("extracts", "approve", extract, "--as", "ben", "--because", "read", "-w", tmp_path / "federation")
    assert (told.code, site.log.head()) == (NOT_YOU, head)
    require_one_sentence(told.err, "it is submitted")


# -- Bad extracts: a report that stops them, never a traceback --------------------------------------------------------------


def _parquet(files: Path, contract: Path) -> Path:
    pl.read_csv(files / "person.csv").write_parquet(files / "person.parquet")
    (files / "person.csv").unlink()
    contract.write_text(contract.read_text().replace("person.csv", "person.parquet"))
    return files / "person.parquet"


def _cut_parquet(files: Path, contract: Path) -> None:
    table = _parquet(files, contract)
    table.write_bytes(table.read_bytes()[:-40])


def _rotten_parquet(files: Path, contract: Path) -> None:
    table = _parquet(files, contract)
    data = table.read_bytes()
    table.write_bytes(data[:60] + bytes(30) + data[90:])


def _csv_called_parquet(files: Path, contract: Path) -> None:
    contract.write_text(contract.read_text().replace("person.csv", "person.parquet"))
    (files / "person.csv").rename(files / "person.parquet")


def _parquet_called_csv(files: Path, contract: Path) -> None:
    _parquet(files, contract).rename(files / "person.csv")
    contract.write_text(contract.read_text().replace("person.parquet", "person.csv"))


def _replaced(name: str, old: str, new: str):
    def change(files: Path, contract: Path) -> None:
        file = contract if name == "contract" else files / name
        text = file.read_text()
        file.write_text(new if not old else text.replace(old, new))

    return change


def _cut_vcf(files: Path, contract: Path) -> None:
    (files / "cohort.vcf").write_bytes((files / "cohort.vcf").read_bytes()[:-12])


def _table_is_folder(files: Path, contract: Path) -> None:
    (files / "person.csv").unlink()
    (files / "person.csv").mkdir()


EXTRACTS = {
    "truncated Parquet": (_cut_parquet, "person.parquet: it is cut short"),
    "damaged Parquet": (_rotten_parquet, "person.parquet: it cannot be read: part of it is damaged"),
    "CSV called .parquet": (_csv_called_parquet, "its name says Parquet, but it begins like plain text"),
    "Parquet called .csv": (_parquet_called_csv, "its name says plain text, but it begins like Parquet"),
    "somebody twice": (_replaced("person.csv", "p03,male\n", "p03,male\np03,male\n"), "1 repeated value; first rows 4, 5"),
    "empty table": (_replaced("person.csv", "", ""), "person.csv: it is empty"),
    "no such table": (lambda files, _: (files / "person.csv").unlink(), "person.csv: it is not in the extract"),
    "folder for a table": (_table_is_folder, "person.csv: it is not in the extract"),
    "bytes for a table": (
        lambda files, _: (files / "person.csv").write_bytes(bytes(range(256))),
        "person.csv: it cannot be read as UTF-8 text",
    ),
    "wrong contract": (_replaced("contract", "sex, logicalType: string", "sex, logicalType: integer"), "'sex'"),
    "table nobody named": (lambda files, _: (files / "more.csv").write_text("a\n1\n"), "more.csv: no contract names"),
    "samples nobody linked": (_replaced("cohort.vcf", "s5", "q5"), "are in no table that links samples to people"),
    "truncated VCF": (_cut_vcf, "cohort.vcf: line 6: it has"),
    "VCF without a header": (_replaced("cohort.vcf", "#CHROM", "CHROM"), "cohort.vcf: line 4: the header has no #CHROM"),
    "VCF of another assembly": (_replaced("contract", "GRCh38", "GRCh37"), "its contigs are those of GRCh38"),
    "empty VCF": (_replaced("cohort.vcf", "", ""), "cohort.vcf: it is empty"),
}  # fmt: skip


@pytest.mark.parametrize("what", EXTRACTS)
def test_a_bad_extract_is_reported_and_goes_no_further(what: str, tmp_path: Path) -> None:
    change, words = EXTRACTS[what]
    site, (files, (contract,)) = staffed_site(tmp_path), write_extract(tmp_path)
    change(files, contract)
    federation = ("-w", tmp_path / "federation")
    assert said("extracts", "submit", "northgate", files, "--contract", contract, "--as", "asha", *federation).code == 0
    checked = said("extracts", "check", "northgate-0001", "--as", "asha", *federation)
    assert (checked.code, checked.err) == (BAD, "")
    assert words in checked.out
    assert "northgate-0001 may not be approved." in checked.out
    assert not any(f" {person}" in checked.out or f"'{person}'" in checked.out for person in (*PEOPLE, *SAMPLES))
    there = tree(site.path)
    for move, who in (("approve", "ben"), ("release", "ben")):
        because = ("--because", "read") if move == "approve" else ()
        told = said("extracts", move, "northgate-0001", "--as", who, *because, *federation)
        assert told.code == NOT_YOU
        require_one_sentence(told.err, "it is broken")
    assert tree(site.path) == there


# -- The disk fills, the terminal goes away, somebody has enough -------------------------------------------------------------


_RUN = "from nhsgen.cli import main; main()"
_LIMITED = """\
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
largest = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
"""


def limited(largest: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`nhsgen` in a process of its own that may write no file of more than `largest` bytes."""
    return subprocess.run(
        [sys.executable, "-c", _LIMITED + _RUN, str(largest), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"NHSGEN_THREADS": "1"},
    )


def _approved(folder: Path) -> Site:
    site, (files, contracts) = staffed_site(folder), write_extract(folder)
    extract = extracts.submit(site, files, contracts, "asha").id
    extracts.check(site, extract, "asha", SETTINGS)
    for steward in ("ben", "carys"):
        extracts.approve(site, extract, steward, "read")
    return site


@pytest.mark.parametrize("largest", [600, 4_000])
def test_the_disk_fills_while_variants_are_read(largest: int, bad: Path, tmp_path: Path) -> None:
    told = limited(largest, "variants", "ingest", bad / "good.vcf", "--out", tmp_path / "store")
    assert told.returncode == DISK, told.stderr
    require_one_sentence(told.stderr, "may not grow that large")
    assert not list(tmp_path.iterdir())


def test_the_disk_fills_while_an_extract_is_handed_in(tmp_path: Path) -> None:
    site, (files, (contract,)) = staffed_site(tmp_path), write_extract(tmp_path)
    (files / "large.csv").write_text("a\n" * 40_000)
    there = tree(site.path)
    told = limited(
        20_000, "extracts", "submit", "northgate", files, "--contract", contract, "--as", "asha", "-w", site.path.parents[1]
    )  # fmt: skip
    assert told.returncode == DISK, told.stderr
    require_one_sentence(told.stderr, "may not grow that large")
    assert tree(site.path) == there


@pytest.mark.parametrize("largest", [100, 700, 2_500])
def test_the_disk_fills_while_an_extract_is_released(largest: int, tmp_path: Path) -> None:
    site = _approved(tmp_path)
    there = tree(site.path)
    told = limited(largest, "extracts", "release", "northgate-0001", "--as", "ben", "-w", site.path.parents[1])
    assert told.returncode == DISK, told.stderr
    require_one_sentence(told.stderr, "")
    assert tree(site.path) == there
    assert said("extracts", "release", "northgate-0001", "--as", "ben", "-w", site.path.parents[1]).code == 0


@pytest.mark.parametrize("largest", [3_000, 60_000])
def test_the_disk_fills_while_the_demo_is_built(largest: int, tmp_path: Path) -> None:
    told = limited(largest, "demo", "--out", tmp_path / "nhsgen-demo")
    assert told.returncode == DISK, told.stderr
    require_one_sentence(told.stderr, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("answer", ["--out answer.json", "--picture answer.png"])
def test_the_disk_fills_while_an_answer_is_saved(answer: str, bad: Path, demo_workspace: Path, tmp_path: Path) -> None:
    """The answer was printed; the file is not there, rather than half of it."""
    federation = tmp_path / "federation"
    shutil.copytree(demo_workspace, federation)
    option, name = answer.split()
    largest = max(path.stat().st_size for path in federation.glob("sites/*/audit.jsonl")) + 600
    (tmp_path / "out").mkdir()
    question = bad / "q/good.toml" if option == "--picture" else _long(tmp_path)
    told = limited(largest, "study", "run", question, "-w", federation, option, tmp_path / "out" / name)
    assert told.returncode == DISK, told.stderr
    require_one_sentence(told.stderr, f"{name}|may not grow that large")
    assert "How many people" in told.stdout
    assert not list((tmp_path / "out").iterdir())


def _long(folder: Path) -> Path:
    """A question with a long answer."""
    question = folder / "long.toml"
    question.write_text(COUNTS + 'by = ["site", "sex", "birth_decade", "ancestry"]\n' + KIDNEY)
    return question


def test_the_disk_fills_while_found_variants_are_saved(bad: Path, tmp_path: Path) -> None:
    told = limited(500, "variants", "query", bad / "store-good", "--out", tmp_path / "found.tsv")
    assert told.returncode == DISK, told.stderr
    require_one_sentence(told.stderr, "found.tsv|may not grow that large")
    assert not list(tmp_path.iterdir())


def test_who_stops_the_demo_finds_nothing_of_it(tmp_path: Path) -> None:
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    run = [sys.executable, "-uc", listening + _RUN, "demo", "--out", str(tmp_path / "nhsgen-demo")]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline()
        assert demo.stdout.readline()  # the extracts are written: it is in the middle of its work
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (130, "")
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    run = [sys.executable, "-uc", _RUN, "contracts", "list"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout is not None
        assert listing.stdout.readline().startswith("cineca_uk1")
        listing.stdout.close()
        assert listing.stderr is not None
        assert listing.stderr.read() == ""


def test_every_exit_code_of_the_error_tree_is_the_one_its_docstring_says() -> None:
    kinds = {kind.__name__: kind.exit_code for kind in NhsgenError.__subclasses__()}
    assert kinds.pop("BadInput") == 2
    assert sorted(kinds.values()) == [3, 4, 5, 6, 7, 8]
