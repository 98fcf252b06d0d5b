"""The map stays true: what the front door says exists, exists; what the rules of the house say holds."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import nhsgen
from nhsgen import cli, errors
from nhsgen.extracts import MOVES, State

HOUSE = Path(nhsgen.__file__).parent
ROOT = HOUSE.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = sorted(module.name for module in pkgutil.walk_packages([str(HOUSE)], "nhsgen."))
SOURCES = sorted(HOUSE.rglob("*.py"))


def commands() -> list[tuple[str, Any]]:
    def below(name: str, command: Any) -> list[tuple[str, Any]]:
        if hasattr(command, "commands"):
            return [found for child, inner in command.commands.items() for found in below(f"{name} {child}", inner)]
        return [(name, command)]

    return below("nhsgen", typer.main.get_command(cli.app))


def test_every_room_is_on_the_map() -> None:
    rooms = {path.stem for path in HOUSE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    rooms -= {"__init__", "__main__", "__pycache__"}
    named = set(re.findall(r"^    (?:roof|floor \d|ground|      +) +(\w+) {2,}", str(nhsgen.__doc__), re.MULTILINE))
    assert named == rooms


@pytest.mark.parametrize("name", ["nhsgen", *MODULES])
def test_every_door_is_complete(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is for"
    if name.endswith(".__main__"):
        return
    door = module.__all__
    assert len(door) == len(set(door))
    for entry in door:
        assert hasattr(module, entry), f"{name}.__all__ promises {entry}"


def test_the_front_door_opens_every_name_lazily() -> None:
    assert set(nhsgen._HOME) == set(nhsgen.__all__)
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, nhsgen; print([m for m in ('polars', 'duckdb', 'pysam', 'numpy') if m in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "command"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_has_help_with_an_example_and_stands_in_the_readme(name: str, command: Any) -> None:
    assert command.help, f"{name} has no help"
    assert f"Example: {name}" in command.help, f"{name} shows no example"
    assert name in README, f"{name} is not in the README"


def test_every_state_of_an_extract_appears_in_the_moves() -> None:
    assert {state for move in MOVES for state in move} == {None, *State}


def test_every_error_has_an_exit_code_and_stands_in_the_tree() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]
    families = [kind for kind in kinds if kind.__base__ is errors.NhsgenError]
    assert len({kind.exit_code for kind in families} | {errors.NhsgenError.exit_code}) == len(families) + 1
    for kind in kinds:
        assert re.search(rf"\b{kind.__name__}\b", str(errors.__doc__)), f"{kind.__name__} is not in the tree"


def calls(name: str) -> set[str]:
    return {
        source.relative_to(HOUSE).as_posix()
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
        and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) == name
    }  # fmt: skip


def test_only_disclosure_makes_a_released() -> None:
    assert {source.split("/")[0] for source in calls("Released")} == {"disclosure"}


def test_no_file_is_a_drawer_for_everything() -> None:
    banned = {"utils", "core", "common", "models", "types", "helpers", "misc"}
    assert not [source for source in SOURCES if source.stem in banned]


def test_no_file_is_longer_than_a_person_can_hold() -> None:
    assert not [s.name for s in SOURCES if len(s.read_text(encoding="utf-8").splitlines()) > 500]


def test_nothing_in_the_repo_carries_an_address_that_must_not_be_there() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert "uv.lock" not in tracked
    lock = ROOT / "requirements.lock"
    assert lock.exists()
    assert "://" not in lock.read_text(encoding="utf-8")


def test_the_readme_says_what_each_safety_file_promises() -> None:
    for name in ("sandbox.py", "disclosure/", "audit.py", "extracts/lifecycle.py", "extracts/publishing.py", "extracts/deidentification.py",
                 "federation/secure_sum.py", "workspace.py"):  # fmt: skip
        assert name in README, f"{name} makes a promise that the README does not tell"
