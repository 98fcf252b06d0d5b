"""One question, from start to safe answer; notebook, command line, pipeline and node all call the same `run`.

question.py   Study: frozen, hashed, readable; METHODS: what may be asked
site.py       one site's current release, opened for one question
sums.py       SUMS: what a site sums for each method, and what the total says
asking.py     run: ask each site, add, estimate, pass the gate
"""

from nhsgen.studies.asking import SiteAnswer, answer, conclude, pooled_filter, run, summarise
from nhsgen.studies.question import METHODS, Method, Study
from nhsgen.studies.sums import SUMS, Sum

__all__ = [
    "METHODS",
    "SUMS",
    "Method",
    "SiteAnswer",
    "Study",
    "Sum",
    "answer",
    "conclude",
    "pooled_filter",
    "run",
    "summarise",
]
