"""What analysts schedule: every week, check each site's release against its contracts, then ask the question.

    weekly.py   the assets, the blocking check and the schedule; Dagster is only here

`nhsgen pipelines run` runs it now, in this process, without a server; `dagster dev -m pipelines` gives the pages and the schedule.
"""

from pipelines.weekly import definitions, run_now

__all__ = ["definitions", "run_now"]
