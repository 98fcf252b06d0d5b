"""What every test may lean on."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from dask_processes import Cluster
    from oracles import Subject

    from nhsgen.demo.extracts import DemoExtract

# A busy machine is not a bug: no deadlines; and what CI tries today it tries tomorrow.
hypothesis.settings.register_profile("nhsgen", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("nhsgen")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real public files that nobody here wrote; tests that need them are skipped where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the real public files (../shared/data) are not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def demo_extracts(tmp_path_factory: pytest.TempPathFactory) -> "tuple[DemoExtract, ...]":
    """The three extracts of the demo, written once; nobody changes them."""
    from nhsgen.demo.extracts import write_extracts  # noqa: PLC0415  (the demo stands on the whole house; few tests need it)

    return write_extracts(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo federation as `nhsgen demo` leaves it, built once; nobody changes it."""
    from nhsgen import demo  # noqa: PLC0415  (as above)

    out = tmp_path_factory.mktemp("story") / "nhsgen-demo"
    list(demo.build(out))
    return out


@pytest.fixture(scope="session")
def subject(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> "Callable[[str], Subject]":
    """A public variant file by its name, and the store made of it, once: what all parity tests ask."""
    from oracles import Subject  # noqa: PLC0415  (beside the parity tests)

    from nhsgen.variants import VariantStore, ingest  # noqa: PLC0415  (as above)

    made: dict[str, Subject] = {}

    def of(name: str) -> Subject:
        if name not in made:
            file, out = shared_data / "variants" / name, tmp_path_factory.mktemp("parity") / "store"
            # The names end in the assembly, before the suffixes.
            ingest([file], out, assembly=next(part for part in name.split(".") if part.startswith("GRCh")))
            made[name] = Subject(file, VariantStore.open(out))
        return made[name]

    return of


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Cluster]":
    """A Dask cluster of two worker processes, which no test may break."""
    from dask_processes import scheduler, worker  # noqa: PLC0415  (beside the tests of clusters)

    pytest.importorskip("distributed", reason="Dask is not installed here: pip install 'nhsgen[cluster]'")
    with scheduler(tmp_path_factory.mktemp("dask")) as (running, _), worker(running), worker(running):
        yield running


@pytest.fixture(scope="session")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Cluster]":
    """A scheduler to which a test adds workers that it breaks; a chunk may break two."""
    from dask_processes import scheduler  # noqa: PLC0415  (as above)

    pytest.importorskip("distributed", reason="Dask is not installed here: pip install 'nhsgen[cluster]'")
    once = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with scheduler(tmp_path_factory.mktemp("dask"), **once) as (running, _):
        yield running
