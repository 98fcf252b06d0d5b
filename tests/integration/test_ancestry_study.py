"""A public panel tells peoples apart, wherever they are treated; who crafts a panel learns no more than who asks for carriers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from four_hospitals import SETTINGS
from two_peoples import KEYS, PEOPLE, Everybody, hospital

from nhsgen import studies
from nhsgen.cohorts import everyone
from nhsgen.errors import BadFile, BadInput, BadStudy, NotFound
from nhsgen.genome import Assembly
from nhsgen.results import Suppressed, Value
from nhsgen.studies import Reference, Study
from nhsgen.studies.asking import summarise
from nhsgen.variants import VariantStore
from nhsgen.workspace import Site, Workspace

PANEL = 200
"""So many of the people are public, and the panel; the others are treated at three hospitals."""


@pytest.fixture(scope="module")
def all_records() -> Everybody:
    return Everybody()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, all_records: Everybody) -> Mapping[str, Site]:
    workspace = Workspace.create(tmp_path_factory.mktemp("ancestry") / "federation", "ancestry")
    here = all_records.hospital[PANEL:]
    parts = {"public": np.arange(PANEL), "whole": np.arange(PANEL, PEOPLE)}
    parts |= {f"part-{number}": PANEL + np.flatnonzero(here == number) for number in range(3)}
    return {name: hospital(workspace, name, all_records, at) for name, at in parts.items()}


@pytest.fixture(scope="module")
def panel(sites: Mapping[str, Site], all_records: Everybody) -> Reference:
    release = sites["public"].release()
    assert release is not None
    assert release.variants is not None
    groups = {f"Sp{at:04}x": "second" if all_records.other[at] else "first" for at in range(PANEL)}
    return Reference.learn(VariantStore.open(release.variants), groups, name="the first 200", components=2)


def asked(panel: Reference, **options: Any) -> Study:
    return Study("ancestry", everyone(), reference=panel, by=("sex",), options=options)


def test_people_are_where_their_people_are(sites: Mapping[str, Site], panel: Reference, all_records: Everybody) -> None:
    total = summarise(asked(panel, least=0.5), sites["whole"], SETTINGS).summary
    assert total is not None
    found = {name: sum(row["people"] for label, row in total.rows() if label.startswith(name)) for name in panel.groups}
    truth = all_records.other[PANEL:]
    assert found["second"] == pytest.approx(truth.sum(), abs=6)
    assert sum(found.values()) == len(truth)
    surely = summarise(asked(panel, least=0.99), sites["whole"], SETTINGS).summary
    assert surely is not None
    assert any(label.startswith("unassigned") for label in surely.labels)


def test_hospitals_held_apart_say_what_one_says(sites: Mapping[str, Site], panel: Reference) -> None:
    study = asked(panel)
    apart = [sites[f"part-{number}"] for number in range(3)]
    one, three = studies.run(study, [sites["whole"]], SETTINGS), studies.run(study, apart, SETTINGS)
    assert one.table == three.table
    assert one.kind == "counts"
    assert {str(row[0]) for row in one.table.rows} >= {"first", "second"}


def test_a_panel_is_read_as_it_was_written(panel: Reference, tmp_path: Path) -> None:
    file = panel.write(tmp_path / "panel.json")
    assert Reference.read(file) == panel
    question = tmp_path / "question.toml"
    question.write_text(
        'method = "ancestry"\nreference = "panel.json"\nby = ["sex"]\n[cohort.everyone]\n', encoding="utf-8"
    )
    assert Study.read(question) == asked(panel)
    assert Study.read(question).hash == asked(panel).hash
    assert "Reference: the first 200: 200 people of first, second; 2 components of " in asked(panel).describe()


def test_a_site_on_another_assembly_or_without_these_alleles_is_silent(
    sites: Mapping[str, Site], panel: Reference
) -> None:
    elsewhere = replace(panel, assembly=Assembly.GRCh37)
    with pytest.raises(NotFound, match="variant files on GRCh37"):
        studies.run(asked(elsewhere), [sites["whole"]], SETTINGS)
    unlisted = tuple(f"7-{1000 + n}-A-G {line.split(' ', 1)[1]}" for n, line in enumerate(panel.alleles))
    with pytest.raises(NotFound, match="half of the panel's alleles"):
        studies.run(asked(replace(panel, alleles=unlisted)), [sites["whole"]], SETTINGS)


def test_a_rare_allele_does_not_decide_whether_a_site_answers(sites: Mapping[str, Site], panel: Reference) -> None:
    """Else a panel of one allele would tell whether anybody has it."""
    rare = replace(panel, alleles=panel.alleles[:1] + tuple(f"9-{n}-A-G 0.1 1 1" for n in (10, 20)))
    with pytest.raises(NotFound, match="half of the panel's alleles"):
        studies.run(asked(rare), [sites["whole"]], SETTINGS)


def test_a_small_group_is_hidden(sites: Mapping[str, Site], panel: Reference) -> None:
    released = studies.run(replace(asked(panel), by=()), [sites["part-2"]], SETTINGS)
    shown = [row[-1] for row in released.table.rows]
    assert all(isinstance(cell, Suppressed) or (isinstance(cell, Value) and cell.value % 5 == 0) for cell in shown)  # type: ignore[operator]


GOOD: dict[str, Any] = {
    "name": "toy",
    "assembly": "GRCh38",
    "alleles": ["1-100-A-G 0.25 1.5"],
    "people": ["north -0.5", "south 0.75"],
}
BAD: Mapping[str, tuple[dict[str, Any], str]] = {
    "no people": ({"people": []}, "it has 0 people"),
    "an allele twice": ({"alleles": ["1-100-A-G 0.25 1.5"] * 2}, "stands twice"),
    "no allele": ({"alleles": ["chr1 0.25 1.5"]}, "not written as it should be"),
    "no number": ({"people": ["north x", "south 1"]}, "not written as it should be"),
    "not as many": ({"people": ["north 1 2", "south 1 2"]}, "do not all have as many numbers"),
    "nobody has it": ({"alleles": ["1-100-A-G 0 1.5"]}, "a frequency is not between 0 and 1"),
    "infinite": ({"alleles": ["1-100-A-G 0.2 inf"]}, "do not all have as many numbers"),
    "another assembly": ({"assembly": "hg17"}, "its assembly is unknown"),
    "a text": ({"alleles": "1-100-A-G 0.25 1.5"}, "not a list"),
    "no name": ({"name": ""}, "its name is not one line"),
}


@pytest.mark.parametrize("wrong", BAD)
def test_what_is_wrong_with_a_panel_is_said(wrong: str, tmp_path: Path) -> None:
    change, said = BAD[wrong]
    file = tmp_path / "panel.json"
    file.write_text(json.dumps(GOOD | change), encoding="utf-8")
    with pytest.raises(BadStudy, match=said):
        Reference.read(file)


@pytest.mark.parametrize(("made", "kind"), [
    (lambda path: Reference.read(path / "none.json"), NotFound),
    (lambda path: Reference.read(_text(path, "{")), BadFile),
    (lambda path: Reference.from_dict({"name": "toy"}), BadStudy),
    (lambda _: Study("ancestry", everyone()), BadStudy),
    (lambda _: Study("counts", everyone(), reference=Reference.from_dict(GOOD)), BadStudy),
], ids=["no file", "no JSON", "parts missing", "no panel", "a panel too many"])  # fmt: skip
def test_a_mistake_is_one_sentence(made: Callable[[Path], object], kind: type[BadInput], tmp_path: Path) -> None:
    with pytest.raises(kind) as caught:
        made(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_too_few_samples_or_alleles_are_no_panel(sites: Mapping[str, Site]) -> None:
    release = sites["public"].release()
    assert release is not None
    assert release.variants is not None
    store = VariantStore.open(release.variants)
    with pytest.raises(NotFound, match="too few of these samples"):
        Reference.learn(store, {"nobody": "north"}, name="toy")
    groups = {f"Sp{at:04}x": "one" for at in range(PANEL)}
    with pytest.raises(NotFound, match="common, called and unlinked"):
        Reference.learn(store, groups, name="toy", components=20, most=len(KEYS[:30]))


def _text(path: Path, text: str) -> Path:
    (path / "panel.json").write_text(text, encoding="utf-8")
    return path / "panel.json"
