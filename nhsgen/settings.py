"""Settings are read once, here, and passed in.

A user may set them in the environment; everything has a default that works on two cores and 4 GiB.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from nhsgen.errors import BadInput

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Limits for one run of nhsgen.

    threads: how many cores a query or a scan may use.
    memory_mb: how much memory DuckDB may use before it spills to disk.
    query_seconds: after how long a query is interrupted.
    workers: who calculates with a site's genotypes: "threads", "processes", or the address of the site's own Dask scheduler.
    """

    threads: int = 2
    memory_mb: int = 1024
    query_seconds: float = 600.0
    workers: str = "threads"

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """From NHSGEN_THREADS, NHSGEN_MEMORY_MB, NHSGEN_QUERY_SECONDS and NHSGEN_WORKERS.

        >>> Settings.read({"NHSGEN_THREADS": "4"}).threads
        4
        """
        source = os.environ if environment is None else environment
        return cls(
            threads=int(_number(source, "NHSGEN_THREADS", os.cpu_count() or 2, 1)),
            memory_mb=int(_number(source, "NHSGEN_MEMORY_MB", cls.memory_mb, 1)),
            query_seconds=_number(source, "NHSGEN_QUERY_SECONDS", cls.query_seconds, 0.001),
            workers=source.get("NHSGEN_WORKERS", cls.workers),
        )


def _number(source: Mapping[str, str], name: str, default: float, smallest: float) -> float:
    try:
        value = float(source.get(name, default))
    except ValueError:
        value = math.nan
    if not smallest <= value < math.inf:
        raise BadInput(
            f"reading the setting {name}", f"it is not a number from {smallest:g}", "set it to one or leave it out"
        )
    return value
