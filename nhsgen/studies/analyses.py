"""The methods that ask a site more than once, by name."""

from collections.abc import Mapping

from nhsgen.studies.association import ASSOCIATION
from nhsgen.studies.gene_tests import GENE_TESTS
from nhsgen.studies.hazards import HAZARDS
from nhsgen.studies.linkage import LINKAGE
from nhsgen.studies.relatedness import RELATEDNESS
from nhsgen.studies.rounds import Rounds
from nhsgen.studies.sample_quality import SAMPLE_QUALITY
from nhsgen.studies.scores import SCORES
from nhsgen.studies.structure import STRUCTURE
from nhsgen.studies.survival import SURVIVAL

__all__ = ["ROUNDS"]

ROUNDS: Mapping[str, Rounds] = {
    "association": ASSOCIATION,
    "gene_tests": GENE_TESTS,
    "polygenic": SCORES,
    "hazards": HAZARDS,
    "linkage": LINKAGE,
    "relatedness": RELATEDNESS,
    "sample_quality": SAMPLE_QUALITY,
    "structure": STRUCTURE,
    "survival": SURVIVAL,
}
