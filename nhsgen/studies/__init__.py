"""One question, from start to safe answer; notebook, command line, pipeline and node all call the same `run`.

question.py   Study: frozen, hashed, readable
site.py       one site's current release, opened for one question
sums.py       SUMS: what a site sums for each method, and what the total says
analyses.py   ROUNDS: the methods that ask a site more than once (association, gene_tests, survival, structure ...)
meta_analysis.py  APART: the methods of which each site is asked all rounds by itself
rounds.py     how they ask: prepare a site once, then sum, step, sum again
reference.py  Reference: a public panel that people are placed beside (ancestry.py)
scoring.py    Score: the alleles and weights that a study by polygenic score is about
allele_tests.py  the tests of an association, in rounds; components.py  principal components, as its covariates or as a picture
survival.py, hazards.py   what follow_up.py follows: people over time, to death or to another event
design.py     who takes part at a site, and what is known of them, as numbers
caveats.py    what a reader must know of one site's part
asking.py     run: ask each site, add, estimate, pass the gate
"""

from nhsgen.methods import METHODS, Method, Option
from nhsgen.studies.analyses import ROUNDS
from nhsgen.studies.asking import SiteAnswer, answer, conclude, pooled_filter, run, summarise
from nhsgen.studies.meta_analysis import APART
from nhsgen.studies.question import Study
from nhsgen.studies.reference import Reference
from nhsgen.studies.scoring import Score
from nhsgen.studies.sums import SUMS, Sum

__all__ = [
    "APART",
    "METHODS",
    "ROUNDS",
    "SUMS",
    "Method",
    "Option",
    "Reference",
    "Score",
    "SiteAnswer",
    "Study",
    "Sum",
    "answer",
    "conclude",
    "pooled_filter",
    "run",
    "summarise",
]
