"""From a folder of files to what a site answers: one whole life with the real checks, and what a release promises."""

from pathlib import Path

import polars as pl
import pytest
from small_extract import PEOPLE, SAMPLES, SETTINGS, released, staffed_site, write_extract

from nhsgen import contracts, extracts
from nhsgen.errors import BadContract, BadFile, Tampered
from nhsgen.extracts.publishing import publish
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore
from nhsgen.workspace import Release, Site, Workspace


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Release]:
    folder = tmp_path_factory.mktemp("life")
    site = staffed_site(folder)
    return site, released(site, folder)


def made(folder: Path, **different: object) -> Release:
    """The small extract, published without its life."""
    files, under = write_extract(folder, **different)  # type: ignore[arg-type]
    (folder / "releases").mkdir()
    return publish(files, [contracts.read(path) for path in under], folder / "releases", {"site": "a"}, SETTINGS)


# -- A whole life -----------------------------------------------------------------------------------------------------------


def test_a_release_is_what_the_site_answers_from(life: tuple[Site, Release]) -> None:
    site, release = life
    again = Workspace.open(site.path.parents[1]).site("northgate").release()
    assert again == release
    assert (release.site, release.manifest["extract"]) == ("northgate", "northgate-0001")
    assert release.manifest["people"] == {"people": 20, "samples": 6, "sequenced": 6}
    assert pl.read_parquet(release.tables["person"])["person_id"].to_list() == list(PEOPLE)
    assert [people.table for people in release.words.people] == ["person"]
    assert release.variants is not None
    store = VariantStore.open(release.variants)
    assert (store.samples, store.absence) == (tuple(SAMPLES), "reference")


def test_the_log_tells_who_did_what(life: tuple[Site, Release]) -> None:
    site, release = life
    told = [(entry.who, entry.kind) for entry in site.log.entries() if entry.kind.startswith("extract")]
    assert told == [
        ("asha", "extract submitted"),
        ("asha", "extract checked"),
        ("ben", "extract approved_once"),
        ("carys", "extract approved"),
        ("ben", "extract released"),
    ]
    assert site.log.entries()[-1].facts["release"] == release.id
    assert site.log.entries()[-1].facts["approved_by"] == ["ben", "carys"]


def test_the_manifest_names_no_time_and_nobody(life: tuple[Site, Release]) -> None:
    said = (life[1].path / "manifest.json").read_text()
    assert "2026-" not in said
    assert not any(person in said for person in PEOPLE)


def test_nothing_in_it_may_be_written(life: tuple[Site, Release]) -> None:
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (life[1].path, *life[1].path.rglob("*"))}
    assert modes == {(True, 0o555), (False, 0o444)}


def test_asking_again_changes_nothing(life: tuple[Site, Release]) -> None:
    site, release = life
    before = site.log.head()
    assert extracts.release(site, "northgate-0001", "dev", SETTINGS) == release
    assert site.log.head() == before


def test_withdrawals_reach_the_next_question_and_say_how_many_are_unknown(
    life: tuple[Site, Release], tmp_path: Path
) -> None:
    site, _ = life
    (tmp_path / "withdrawn.txt").write_text("p03\nstranger\n")
    assert str(site.withdraw_people(tmp_path / "withdrawn.txt", "ben")) == "2 (1 of them not in the current release)"
    assert site.withdrawn() == {"p03", "stranger"}


def test_a_withdrawn_release_gives_way_to_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = staffed_site(tmp_path)
    for release in ("1" * 64, "2" * 64):
        site.log.append("extract released", "ben", extract=f"northgate-{release[:4]}", release=release)
    monkeypatch.setattr(Release, "open", lambda path: Release(path.name, path, {"files": {}}))
    assert [release.id[0] for release in site.releases()] == ["1", "2"]
    site.log.append("extract withdrawn", "ben", extract="northgate-2222")
    newest = site.release()
    assert newest is not None
    assert newest.id[0] == "1"
    site.log.append("extract withdrawn", "ben", extract="northgate-1111")
    assert site.release() is None


# -- Promises ---------------------------------------------------------------------------------------------------------------


def test_the_same_extract_gives_the_same_release(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    assert one.id == other.id
    under = [contracts.read(tmp_path / "one" / "small.odcs.yaml")]
    again = publish(tmp_path / "one" / "november", under, tmp_path / "one" / "releases", {"site": "a"}, SETTINGS)
    assert again == one
    assert [path.name for path in one.path.parent.iterdir()] == [one.id]


def test_every_changed_byte_is_found_and_named(tmp_path: Path) -> None:
    release = made(tmp_path)
    for name in (*release.files, "manifest.json"):
        file = release.path / name
        whole = file.read_bytes()
        file.chmod(0o644)
        for place in (0, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            for check in (lambda: Release.open(release.path).verify_once(), release.verify):
                with pytest.raises(Tampered, match=Path(name).name):
                    check()
        for other in (b"", whole + b"\n"):
            file.write_bytes(other)
            with pytest.raises(Tampered, match=Path(name).name):
                Release.open(release.path)
        file.write_bytes(whole)
        release.verify()


def test_missing_and_added_files_are_found(tmp_path: Path) -> None:
    release = made(tmp_path)
    (release.path / "tables").chmod(0o755)
    (release.path / "tables" / "more.parquet").write_bytes(b"PAR1")
    with pytest.raises(Tampered, match="not part of the release"):
        release.verify()
    (release.path / "tables" / "person.parquet").unlink()
    with pytest.raises(Tampered, match="it is gone"):
        Release.open(release.path)


def test_a_file_is_hashed_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = made(tmp_path)
    release.verify_once()
    read: list[Path] = []
    monkeypatch.setattr("nhsgen.durable.hash_of", lambda path: read.append(path) or "")
    release.verify_once()
    assert read == []


def test_the_bytes_do_not_depend_on_how_many_cores_there_are(tmp_path: Path) -> None:
    files, under = write_extract(tmp_path)
    more = "".join(f"q{number * 7919 % 1_000_003},{('female', 'male')[number % 2]}\n" for number in range(900_000))
    (files / "person.csv").write_text((files / "person.csv").read_text() + more)
    (tmp_path / "releases").mkdir()
    contract = [contracts.read(under[0])]
    ids = {
        publish(files, contract, tmp_path / "releases", {"site": "a"}, Settings(threads=threads)).id
        for threads in (1, 2)
    }
    assert len(ids) == 1


# -- Samples and people -----------------------------------------------------------------------------------------------------

LINKS = tuple(SAMPLES.items())


@pytest.mark.parametrize(
    ("samples", "links", "says"),
    [
        ([*SAMPLES, "x1", "x2"], LINKS, "2 samples of the variant files are in no table that links samples to people"),
        (list(SAMPLES), LINKS[:-1], "1 samples of the variant files are in no table"),
        (list(SAMPLES), (*LINKS[:-1], ("s5", "")), "1 samples of the variant files are linked to nobody"),
        (list(SAMPLES), (*LINKS[:-1], ("s5", "q9")), "1 samples of the variant files are linked to people no table"),
        (list(SAMPLES), (*LINKS, ("s5", "p00")), "1 samples of the variant files are linked to several people"),
    ],
)
def test_a_sample_that_is_nobody_s_is_not_released(
    tmp_path: Path, samples: list[str], links: tuple[tuple[str, str], ...], says: str
) -> None:
    with pytest.raises(BadFile, match=says) as refused:
        made(tmp_path, samples=samples, links=links)
    assert not any(name in str(refused.value) for name in ("x1", "s5", "q9", "p00"))
    assert list((tmp_path / "releases").iterdir()) == []


def test_the_check_says_so_before_anybody_approves(tmp_path: Path) -> None:
    site = staffed_site(tmp_path)
    files, under = write_extract(tmp_path, samples=[*SAMPLES, "x1"])
    extract = extracts.submit(site, files, under, "asha").id
    report = extracts.check(site, extract, "asha", SETTINGS)
    assert [finding.says for finding in report.contract.errors] == [
        "1 samples of the variant files are in no table that links samples to people"
    ]
    assert extracts.find(site, extract).state is extracts.State.BROKEN


def test_people_without_variants_are_counted(tmp_path: Path) -> None:
    release = made(tmp_path, samples=["s0", "s1"])
    assert release.manifest["people"] == {"people": 20, "samples": 6, "sequenced": 2}


def test_an_extract_may_have_no_variants(tmp_path: Path) -> None:
    files, under = write_extract(tmp_path)
    (files / "cohort.vcf").unlink()
    (tmp_path / "releases").mkdir()
    release = publish(files, [contracts.read(under[0])], tmp_path / "releases", {"site": "a"}, SETTINGS)
    assert (release.variants, release.manifest["people"]["sequenced"]) == (None, 0)


def test_variant_files_that_cannot_share_a_store_are_refused(tmp_path: Path) -> None:
    files, under = write_extract(tmp_path)
    (files / "other.bcf").write_bytes((files / "cohort.vcf").read_bytes())
    text = under[0].read_text()
    other = (
        text[text.index("  - name: variants") :].replace("*.vcf", "*.bcf").replace("name: variants", "name: unknown")
    )
    under[0].write_text(text + other.replace("absence, value: reference", "absence, value: unknown"))
    (tmp_path / "releases").mkdir()
    with pytest.raises(BadContract, match="differ in assembly, annotation or absence"):
        publish(files, [contracts.read(under[0])], tmp_path / "releases", {"site": "a"}, SETTINGS)
