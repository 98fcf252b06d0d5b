"""The methods that ask a site more than once, by name."""

from collections.abc import Mapping

from nhsgen.studies.association import ASSOCIATION
from nhsgen.studies.rounds import Rounds
from nhsgen.studies.structure import STRUCTURE
from nhsgen.studies.survival import SURVIVAL

__all__ = ["ROUNDS"]

ROUNDS: Mapping[str, Rounds] = {"association": ASSOCIATION, "structure": STRUCTURE, "survival": SURVIVAL}
