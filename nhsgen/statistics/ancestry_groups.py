"""Ancestry groups: which reference group each person most resembles, and how surely, from where they lie among components.

An analyst uses it to choose a genetically similar cohort, or to report frequencies by group. The reference (1000 Genomes, say) is
public: a forest is grown on its components, and each site runs its own people, placed on the same loadings, down it. A person
is assigned where the forest is sure enough, as in aggV2 of the 100,000 Genomes Project; everybody else is "unassigned", and that
is not a mistake: groups are a convenience, ancestry is continuous.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from nhsgen.errors import BadInput
from nhsgen.statistics import counts
from nhsgen.statistics.sample_qc import Texts
from nhsgen.statistics.summary import Summary, label
from nhsgen.statistics.sums import Floats

__all__ = ["AGGV2", "UNASSIGNED", "Assigned", "Reference", "assign", "learn", "summarise"]

UNASSIGNED = "unassigned"

AGGV2 = 0.8
"""The probability from which aggV2 assigns a person to a group."""

_TREES = 400
_LEAST = 5


@dataclass(frozen=True, eq=False)
class Reference:
    """What was learned of the groups: their names, the forest, and of how many components."""

    groups: tuple[str, ...]
    forest: RandomForestClassifier
    components: int


@dataclass(frozen=True, eq=False)
class Assigned:
    """A row a person, at their own site; it never leaves.

    group: of the reference, or "unassigned". probability: people x groups; nan where there are no coordinates.
    reason: "" for somebody assigned, "between groups", "no coordinates".
    """

    group: Texts
    probability: Floats
    reason: Texts


def learn(pcs: Floats, groups: Sequence[str], *, seed: int = 0) -> Reference:
    """Grow the forest (Breiman, Machine Learning 2001); the same reference and seed give the same forest everywhere.

    pcs: people of the reference x components, from `pca.project`. groups: of each.
    BadInput when there are not two groups, of five people each at least.
    """
    names, sizes = np.unique(np.asarray(groups, dtype=np.str_), return_counts=True)
    if pcs.ndim != 2 or len(pcs) != len(groups) or not np.isfinite(pcs).all():
        found = "there is not a row of coordinates for each person"
        raise BadInput("learning reference groups", found, "give people x components, and a group for each of them")
    if len(names) < 2 or sizes.min() < _LEAST:
        found = f"there are not two groups of {_LEAST} people or more"
        raise BadInput("learning reference groups", found, "merge small groups or leave them out")
    forest = RandomForestClassifier(n_estimators=_TREES, random_state=seed, n_jobs=1)
    return Reference(tuple(map(str, names)), forest.fit(pcs, np.asarray(groups, dtype=np.str_)), pcs.shape[1])


def assign(pcs: Floats, reference: Reference, *, least: float = AGGV2) -> Assigned:
    """The group of each person whose probability is `least` or more.

    pcs: people x components, placed on the loadings that the reference was placed on.
    """
    if pcs.ndim != 2 or pcs.shape[1] != reference.components:
        found = f"there are not {reference.components} components a person"
        raise BadInput("assigning people to groups", found, "place them on the loadings of the reference")
    known = np.isfinite(pcs).all(axis=1)
    probability = np.full((len(pcs), len(reference.groups)), np.nan)
    if known.any():
        probability[known] = reference.forest.predict_proba(pcs[known])
    sure = np.nan_to_num(probability).max(axis=1, initial=0.0) >= least
    nearest = np.array(reference.groups)[np.nan_to_num(probability).argmax(axis=1)]
    reason = np.where(sure, "", np.where(known, "between groups", "no coordinates"))
    return Assigned(np.where(sure, nearest, UNASSIGNED), probability, reason)


def summarise(assigned: Assigned) -> Summary:
    """How many of a site's people are in each group; `counts.estimate(total, ["ancestry"])` reads the total.

    One person changes one number by one.
    """
    names, people = np.unique(assigned.group, return_counts=True)
    found = zip(names.tolist(), people.tolist(), strict=True)
    return Summary.from_rows(counts.MEASURES, {label([name]): [size, 0] for name, size in found})
