"""What may be shown of ancestry: the people in a square of a grid, nobody's own place."""

from nhsgen.disclosure.cells import Asked, Written, enough, further
from nhsgen.estimates import Structure
from nhsgen.results import Cell, Table, Value

__all__ = ["structure"]


def structure(estimate: Structure, asked: Asked) -> Written:
    """People by ancestry and square of the grid: nobody's own place is shown. NotSafe when they are too few for eigenvalues."""
    policy = asked.policy
    enough(sum(estimate.cells.values()), None, policy)
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for (ancestry, one, two), people in sorted(estimate.cells.items()):
        if policy.hides(people) or not people:
            hidden += 1
        else:
            rows.append((Value(ancestry), Value(one), Value(two), Value(policy.rounded(people))))
    shares = ", ".join(f"{value:.3g}" for value in estimate.eigenvalues)
    notes = [
        f"{estimate.alleles:,} alleles; eigenvalues {shares}.",
        "A square stands for the people in it; nobody's own place is shown.",
    ]
    notes += further(hidden, "square", policy)
    return Table(("ancestry", "pc1", "pc2", "people"), tuple(rows)), notes
