"""What each method sends out of a site, as a table that documents, stewards and the gate can read."""

from collections.abc import Mapping
from dataclasses import dataclass

from nhsgen.statistics import burden, carriers, counts, frequencies

__all__ = ["METHODS", "Method"]


@dataclass(frozen=True)
class Method:
    """sends: the measures of its summary. rounds: how often a site is asked. row: what a label stands for.

    most: by how much one person can change the numbers of one row, the measure of what a row can say about anybody.
    """

    sends: tuple[str, ...]
    rounds: int
    row: str
    most: int


METHODS: Mapping[str, Method] = {
    "counts": Method(counts.MEASURES, 1, "a group of people", 1),
    "carriers": Method(carriers.MEASURES, 1, "a gene, a consequence or a group of people", 1),
    "frequencies": Method(frequencies.MEASURES, 1, "an allele", 2),
    "burden": Method(burden.MEASURES, 1, "a gene", 1),
}
