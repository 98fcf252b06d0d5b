"""The demo's extracts under the checks that every extract goes through."""

import pytest

from nhsgen import contracts
from nhsgen.demo.extracts import DemoExtract
from nhsgen.extracts.deidentification import inspect
from nhsgen.extracts.validation import validate
from nhsgen.settings import Settings


@pytest.mark.parametrize("site", ["riverside", "moorland"])
def test_a_steward_finds_nothing_to_object_to(demo_extracts: tuple[DemoExtract, ...], site: str) -> None:
    extract = next(one for one in demo_extracts if one.site == site)
    under = [contracts.read(contracts.shipped(name)) for name in extract.contracts]
    checked = validate(extract.folder, under, Settings())
    assert (checked.errors, checked.warnings) == ((), ())
    inspected = inspect(extract.folder, under, settings=Settings())
    assert "nothing stops a release; nothing else to look at" in str(inspected)
    assert "(k = 8, 8 wanted)" in str(inspected)
