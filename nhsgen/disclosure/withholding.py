"""What a site keeps back before adding, when its rules do not let small counts be pooled."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self, TypeVar

from nhsgen.disclosure.policies import Policy

__all__ = ["withhold"]

# Which measures count people who have something, and the measure of all people they are among, where there is one (SAFETY: n and
# N - n). What is not here counts alleles, or people as such.
WHOLE: Mapping[str, str | None] = {
    "people": "of",
    "carriers": "people",
    "het": "paired",
    "hom_alt": "paired",
    "hemizygous": "single",
    "case_carriers": "cases",
    "control_carriers": "controls",
    "families": "all_families",
    "mutated": "people",
    "first": "families",
    "all_families": None,
    "cases": None,
    "controls": None,
}


class Sum(Protocol):
    """As much of a summary as is needed here."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def measures(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> Any: ...
    def without(self, labels: Iterable[str], /) -> Self: ...


AnySum = TypeVar("AnySum", bound=Sum)


def withhold(summary: AnySum, policy: Policy) -> tuple[AnySum, tuple[str, ...]]:
    """The summary with every row kept back that counts too few people, or all but too few; and the labels of those rows.

    Nobody at all is not kept back: adding it says nothing more.
    """
    columns = [(i, WHOLE[name]) for i, name in enumerate(summary.measures) if name in WHOLE]
    kept_back = []
    for label, row in zip(summary.labels, summary.values.tolist(), strict=True):
        counted = dict(zip(summary.measures, row, strict=True))
        if any(row[i] and policy.hides(row[i], counted.get(whole or "") or None) for i, whole in columns):
            kept_back.append(label)
    return summary.without(kept_back), tuple(kept_back)
