"""Which alleles go with each other, in all sites' people together? For the picture of a region, and to tell one signal from two.

The first round counts the alleles; the second sums, for each pair near each other (statistics/ld.py), over the people in whom both
are called. Alleles with too few copies are left out before anything is asked about them.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadStudy, NotFound
from nhsgen.estimates import Linkage, LinkedPair
from nhsgen.methods import METHODS
from nhsgen.statistics import Summary, ld
from nhsgen.statistics.sums import Sums
from nhsgen.studies.alleles import Alleles, Listed, listed, places
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["LINKAGE"]

MOST_PAIRS = 200_000


@dataclass(frozen=True)
class State:
    """Nothing known; then the alleles and the pairs of them; then what their sums said."""

    chosen: Listed | None = None
    pairs: npt.NDArray[np.int64] | None = None
    total: Sums | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    links = first_samples(data, data.people(study.cohort))
    alleles = Alleles(data, variants, links["number"].to_numpy(), links["person_id"])

    def ask(state: State) -> Summary | Sums:
        if state.chosen is None or state.pairs is None:
            return alleles.summary
        return ld.summarise(alleles.copies(state.chosen.keys), state.pairs)

    return Part(ask, assembly=str(data.variants().assembly))


def _step(study: Study, state: State, total: Summary | Sums) -> tuple[State, bool]:
    if isinstance(total, Sums):
        return replace(state, total=total), True
    every = listed(total)
    chosen = every.only(every.rarer >= METHODS["linkage"].least)
    lead = study.options["lead"]
    if lead and lead not in chosen.keys:
        raise NotFound(
            "looking for linkage with an allele",
            f"{lead} is not among the alleles asked about that have enough copies",
            "name another lead, as the table of a scan does, or ask for more variants or people",
        )
    chosen = _around(chosen, lead, study.options["kb"]) if lead else chosen
    pairs = ld.near(*places(chosen.keys), kb=study.options["kb"])
    if lead:
        pairs = pairs[(pairs == chosen.keys.index(lead)).any(axis=1)]
    if not len(pairs):
        raise NotFound("looking for linkage", "no two alleles with enough copies are so near each other",
                       "ask for other variants, a larger kb, or more people")  # fmt: skip
    if len(pairs) > MOST_PAIRS:
        raise BadStudy("looking for linkage", f"there are {len(pairs):,} pairs, more than {MOST_PAIRS:,}",
                       "name a lead, a smaller kb, or fewer variants")  # fmt: skip
    return State(chosen, pairs), False


def _around(alleles: Listed, lead: str, kb: int) -> Listed:
    """Those that may be in a pair with the lead."""
    chroms, pos = places(alleles.keys)
    at = alleles.keys.index(lead)
    same = np.array(chroms, dtype=np.str_) == chroms[at]
    return alleles.only(same & (np.abs(pos - pos[at]) <= 1000 * kb))


def _estimate(study: Study, state: State) -> Linkage:
    assert state.chosen is not None
    assert state.pairs is not None
    assert state.total is not None
    found, total = ld.estimate(state.total), state.total
    x, y = (np.maximum(0.0, total["n"] * total[f"{one}{one}"] - total[one] ** 2) for one in ("x", "y"))
    spread = np.sqrt(x * y) / np.maximum(1.0, total["n"])
    names, rarer = state.chosen.keys, state.chosen.rarer
    rows = [
        LinkedPair(names[one], names[other], int(found.people[i]), int(min(rarer[one], rarer[other])),
                   float(found.r[i]), float(spread[i]), str(found.reason[i]))
        for i, (one, other) in enumerate(_lead_first(state.pairs, names, study.options["lead"]))
    ]  # fmt: skip
    return Linkage(tuple(rows), state.chosen.people)


def _lead_first(pairs: npt.NDArray[np.int64], names: tuple[str, ...], lead: str) -> list[tuple[int, int]]:
    ordered = [(int(one), int(other)) for one, other in pairs]
    return [(other, one) if lead and names[other] == lead else (one, other) for one, other in ordered]


LINKAGE = Rounds(_prepare, lambda _: State(), _step, _estimate)
