"""The stores that all parity tests ask, each made once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from oracles import Subject

from nhsgen.variants import VariantStore, ingest


@pytest.fixture(scope="session")
def subject(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Subject]:
    """A public file by its name, and the store made of it."""
    made: dict[str, Subject] = {}

    def of(name: str) -> Subject:
        if name not in made:
            file, out = shared_data / "variants" / name, tmp_path_factory.mktemp("parity") / "store"
            # The names end in the assembly, before the suffixes.
            ingest([file], out, assembly=next(part for part in name.split(".") if part.startswith("GRCh")))
            made[name] = Subject(file, VariantStore.open(out))
        return made[name]

    return of
