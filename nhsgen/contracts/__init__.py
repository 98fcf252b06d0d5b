"""Data contracts: what an extract must look like, and what its columns mean (ODCS 3.1, one file per table family).

contract.py    Contract, Table, Column, VariantFiles: what the house needs of a contract
words.py       Words: which columns mean sex, a code, a phenotype, a measurement ...
odcs.py        from a file's bytes to the ODCS model; refuses what it does not understand or would have to execute
binding.py     the custom property "words" -> Words
reading.py     `read` a file, `shipped` ones by short name, `merge_words` of several
submitted.py   a submitted file, read as the contract describes it: cleaned cells of the declared types
rules.py       the contract's rules, executed by datacontract-cli

`nhsgen.extracts.validation` puts the last two together into a report on a whole extract.
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
