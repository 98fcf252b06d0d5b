"""htslib, on our terms."""

from collections.abc import Iterator
from contextlib import contextmanager

import pysam

__all__ = ["quiet_htslib"]


@contextmanager
def quiet_htslib() -> Iterator[None]:
    """htslib speaks to the terminal, not to us; what matters of it we find ourselves."""
    before = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(before)
