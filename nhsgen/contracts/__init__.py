"""Data contracts: what an extract must look like, and what its columns mean (ODCS 3.1, one file per table family).

contract.py   Contract, Table, Column, VariantFiles: what the house needs of a contract
words.py      Words: which columns mean sex, a code, a phenotype, a measurement ...
reading.py    `read` a file, `shipped` ones by short name, `merge_words` of several; refuses what it does not understand

A contract is executed in `nhsgen.extracts.validation`.
"""

from nhsgen.contracts.contract import Column, Contract, Table, VariantFiles
from nhsgen.contracts.reading import merge_words, names, read, shipped
from nhsgen.contracts.words import (
    Always,
    Event,
    Family,
    Measurement,
    Observation,
    People,
    Phenotype,
    Sample,
    Words,
)

__all__ = [
    "Always",
    "Column",
    "Contract",
    "Event",
    "Family",
    "Measurement",
    "Observation",
    "People",
    "Phenotype",
    "Sample",
    "Table",
    "VariantFiles",
    "Words",
    "merge_words",
    "names",
    "read",
    "shipped",
]
