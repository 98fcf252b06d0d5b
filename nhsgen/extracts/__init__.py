"""An extract's life, from what a hospital hands in to what may be asked.

lifecycle          MOVES: who may take an extract from one state to the next; each move is a call and a log entry
submission         what was handed in: copied, sealed, and read again before it counts
checking           what stewards decide on: both reports, and what may pass with a reason
validation         against its contracts; the typed, cleaned tables that were checked
deidentification   what in it still points to a person: detectors, identifiers, variant_headers, submitted_tables
links              whose sample is whose
publishing         make it a release: immutable, named by the hash of its manifest

    extract = submit(site, folder, [contract], "asha")
    report = check(site, extract.id, "asha", settings)
    approve(site, extract.id, "ben", "both reports read")
    approve(site, extract.id, "carys", "k is 11, no free text")
    release(site, extract.id, "ben", settings)
"""

from nhsgen.extracts.checking import CheckReport
from nhsgen.extracts.deidentification import DeidentificationReport, inspect
from nhsgen.extracts.lifecycle import (
    MOVES,
    Extract,
    State,
    approve,
    check,
    find,
    list_extracts,
    recheck,
    refuse,
    release,
    report,
    show,
    site_of,
    submit,
    withdraw,
)
from nhsgen.extracts.validation import ContractReport, validate

__all__ = [
    "MOVES",
    "CheckReport",
    "ContractReport",
    "DeidentificationReport",
    "Extract",
    "State",
    "approve",
    "check",
    "find",
    "inspect",
    "list_extracts",
    "recheck",
    "refuse",
    "release",
    "report",
    "show",
    "site_of",
    "submit",
    "validate",
    "withdraw",
]
