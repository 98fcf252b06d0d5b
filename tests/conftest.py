"""What every test may lean on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
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
