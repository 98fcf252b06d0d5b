"""What the README shows, runs."""

import re
import tomllib
from pathlib import Path

import pytest

from nhsgen.studies import Study

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_lines_a_researcher_types(
    demo_workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(demo_workspace.parent)
    exec(compile("\n".join(blocks("python")), "README.md", "exec"), {})
    assert "Renal cyst" in capsys.readouterr().out


def test_the_question_in_a_file(demo_workspace: Path) -> None:
    first, second = blocks("toml")
    assert Study.from_dict(tomllib.loads(second)).options["covariates"] == ("sex", "birth_year")
    shown = Study.from_dict(tomllib.loads(first))
    asked = Study.read(demo_workspace / "question.toml")
    assert (shown.method, shown.cohort, shown.variants) == (asked.method, asked.cohort, asked.variants)


def test_the_first_screen_has_the_two_commands() -> None:
    first = "\n".join(README.splitlines()[:30])
    assert "pip install -e . && nhsgen demo" in first
    assert "pip install -e '.[dev]' && pytest" in first
