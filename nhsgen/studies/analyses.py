"""The methods that ask a site more than once, by name."""

from collections.abc import Mapping

from nhsgen.studies.association import ASSOCIATION
from nhsgen.studies.gene_tests import GENE_TESTS
from nhsgen.studies.rounds import Rounds
from nhsgen.studies.structure import STRUCTURE
from nhsgen.studies.survival import SURVIVAL

__all__ = ["ROUNDS"]

ROUNDS: Mapping[str, Rounds] = {
    "association": ASSOCIATION,
    "gene_tests": GENE_TESTS,
    "structure": STRUCTURE,
    "survival": SURVIVAL,
}
