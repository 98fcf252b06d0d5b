"""What may be shown of families: how many there are of a kind, never which."""

from nhsgen.disclosure.cells import Asked, Written, further
from nhsgen.estimates import Families
from nhsgen.results import Cell, Table, Value

__all__ = ["families"]


def families(estimate: Families, asked: Asked) -> Written:
    """Families by gene, inheritance and tier; a group too small to show only counts among the rest."""
    policy = asked.policy
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for (gene, tier, inheritance), number in sorted(estimate.cells.items(), key=lambda cell: (cell[0][1], cell[0])):
        if policy.hides(number, estimate.families) or not number:
            hidden += 1
        else:
            rows.append((Value(gene), Value(inheritance), Value(f"tier {tier}"), Value(policy.rounded(number))))
    looked = policy.rounded(estimate.families) if not policy.hides(estimate.families) else 0
    notes = [f"Of about {looked:,} families." if looked else "Too few families to say how many."]
    notes += further(hidden, "group", policy, "families")
    if asked.kept_back:
        notes.append("Without the groups that some sites may not add, because they are small there.")
    return Table(("gene", "inheritance", "tier", "families"), tuple(rows)), notes
