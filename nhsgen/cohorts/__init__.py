"""Who: an expression in the words of a clinician, which becomes SQL only at a site.

    kidney = hpo("HP:0000107") | icd10("Q61")
    adults = kidney & (age(at="2026-01-01") >= 18)
    controls = everyone().exclude(kidney).exclude(icd10("N18"))

expression.py    Cohort: `&`, `|`, `~`, describe, to_dict and from_dict, compile
phenotypes.py    hpo
events.py        icd10, opcs4, snomed, omop; `after`, `before`, `between` dates
measurements.py  measurement, observation
persons.py       sex, born, age, ancestry, family_role, affected, unaffected
codelists.py     codelist: codes from a file
grouping.py      groups: by what people can be split; samples, tumour_samples: which are theirs
binding.py       what a contract binds, as SQL: everyone, consent, withdrawal, facts; NotBound
sql.py           pieces of SQL that carry their parameters
ranges.py, english.py   limits of numbers; how lists and dates are said

`Cohort.compile(words)` gives a `Query` for the sandbox, which must hold a table `withdrawn(person_id VARCHAR)`. Within one
site `compile`, `groups` and `samples` give `person_id` in one and the same type.
"""

from nhsgen.cohorts.binding import NotBound
from nhsgen.cohorts.codelists import codelist
from nhsgen.cohorts.events import Happening, icd10, omop, opcs4, snomed
from nhsgen.cohorts.expression import Cohort, everyone
from nhsgen.cohorts.grouping import GROUPS, groups, samples, tumour_samples
from nhsgen.cohorts.measurements import measurement, observation
from nhsgen.cohorts.persons import affected, age, ancestry, born, family_role, sex, unaffected
from nhsgen.cohorts.phenotypes import hpo
from nhsgen.cohorts.sql import Query

__all__ = [
    "GROUPS",
    "Cohort",
    "Happening",
    "NotBound",
    "Query",
    "affected",
    "age",
    "ancestry",
    "born",
    "codelist",
    "everyone",
    "family_role",
    "groups",
    "hpo",
    "icd10",
    "measurement",
    "observation",
    "omop",
    "opcs4",
    "samples",
    "sex",
    "snomed",
    "tumour_samples",
    "unaffected",
]
