"""What every test may lean on."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real public files that nobody here wrote; tests that need them are skipped where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the real public files (../shared/data) are not on this machine")
    return SHARED
