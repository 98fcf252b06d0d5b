"""How much: every analysis is a sum. `summarise` at a site, `+` over sites, `estimate` on the total.

summary      the table of sums itself
counts       people by group
carriers     people who carry, by gene, consequence or group
frequencies  alleles in a cohort, when sites list different variants
burden       cases against controls, gene by gene
hardy        Hardy-Weinberg equilibrium: exact p and mid-p, autosomes and X
methods      what each of them sends, as a table
"""

from nhsgen.statistics import burden, carriers, counts, frequencies
from nhsgen.statistics.methods import METHODS, Method
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts

__all__ = [
    "BACKGROUND",
    "METHODS",
    "Method",
    "Summary",
    "burden",
    "carriers",
    "counts",
    "frequencies",
    "label",
    "parts",
]
