"""The table of methods, as stewards and researchers read it."""

import pytest

from nhsgen.cli import main
from nhsgen.methods import METHODS


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    return capsys


def test_all_methods_are_listed_with_what_they_ask(said: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["study", "methods"])
    lines = said.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(METHODS)
    assert all(line.endswith("?") for line in lines)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_needs_what_is_sent_and_all_its_settings(
    name: str, said: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["study", "methods", name])
    told = " ".join(said.readouterr().out.split())
    assert "Needs: " in told
    for word in (*METHODS[name].sends, *METHODS[name].groups):
        assert word in told
    for option, setting in METHODS[name].options.items():
        assert f"{option} = " in told
        assert " ".join(setting.says.split()) in told


def test_a_method_nobody_knows_is_refused_with_the_nearest(said: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["study", "methods", "survivl"])
    assert "did you mean 'survival'" in said.readouterr().err
