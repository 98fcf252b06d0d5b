"""What may be shown of families: how many there are of a kind, never which.

A threshold is on families: a family shares its genotypes, so one family is as much as one person can change. Of every count the
families that have it and those that do not must be enough, where "those that do not" are known to a reader.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

from nhsgen.disclosure import people
from nhsgen.disclosure.cells import Asked, Written, among, count, figures, further, whole_number
from nhsgen.disclosure.policies import Policy
from nhsgen.estimates import Cosegregation, Counts, Families, Segregation, TrioQuality
from nhsgen.results import Cell, Suppressed, Table, Value

__all__ = ["cosegregation", "families", "segregation", "trio_quality"]


def families(estimate: Families, asked: Asked) -> Written:
    """Families by gene, inheritance and tier; a group too small to show only counts among the rest.

    How many of a row's families have its gene among their first is a part of that row: it is shown when it and what it leaves of the
    row are enough. Asked again with another `first`, the difference of two such parts is known as well as rounding lets it be.
    """
    policy = asked.policy
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for (gene, tier, inheritance), number in sorted(estimate.cells.items(), key=lambda cell: (cell[0][1], cell[0])):
        if policy.hides(number, estimate.families) or not number:
            hidden += 1
            continue
        named = (Value(gene), Value(inheritance), Value(f"tier {tier}"), Value(policy.rounded(number)))
        first = estimate.first.get((gene, tier, inheritance), 0)
        rows.append((*named, count(first, number, policy)) if estimate.among else named)
    notes = [_looked_at(estimate.families, policy)]
    notes += further(hidden, "group", policy, "families")
    columns: tuple[str, ...] = ("gene", "inheritance", "tier", "families")
    if estimate.among:
        columns = (*columns, "among the first")
        notes.append(
            f"'among the first': the families of which the gene is {among(estimate.among)}, by its tier and by how well the ill "
            "children's HPO terms fit it."
        )
    return Table(columns, tuple(rows)), [*notes, *_partly(asked)]


def segregation(estimate: Segregation, asked: Asked) -> Written:
    """Families by pattern of genotypes, the most frequent first; a pattern too few show only counts among the rest.

    Of a common variant every family shows a pattern, and what is hidden would be what is left of all families: when too few are left,
    the rarest pattern shown of that variant is hidden too.
    """
    policy = asked.policy
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for _, cells in groupby(sorted(estimate.cells.items()), lambda cell: cell[0][0]):
        patterns = sorted(cells, key=lambda cell: (-cell[1], cell[0]))
        shown = [(pattern, n) for pattern, n in patterns if n and not policy.hides(n, estimate.families)]
        while len(shown) < len(patterns) and 0 < estimate.families - sum(n for _, n in shown) < policy.least and shown:
            shown.pop()
        hidden += len(patterns) - len(shown)
        rows += [(*map(Value, pattern), Value(policy.rounded(n))) for pattern, n in shown]
    rows.sort(
        key=lambda row: (-whole_number(row[-1]), *map(str, row[:-1]))
    )  # else the order would tell more than the rounded numbers
    notes = [
        _looked_at(estimate.families, policy),
        "A family counts once in each pattern; '.' is not called, or not sequenced.",
        *further(hidden, "pattern", policy, "families"),
    ]
    return Table((*estimate.by, "families"), tuple(rows)), [*notes, *_partly(asked)]


def cosegregation(estimate: Cosegregation, asked: Asked) -> Written:
    """Families in which a gene's allele goes with the illness, of those in which somebody ill carries one there; a row a gene and model.

    "of" is the same for a gene's models, so they would tell each other's rest: a number is shown when the families with it and the rest
    of "of" are enough. What is new in a child is dominant too, so "de novo" also needs enough families that are dominant and not new.
    """
    policy = asked.policy
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for (gene, model), (number, carrying) in sorted(estimate.cells.items()):
        if policy.hides(carrying, estimate.families) or not carrying:
            hidden += 1
            continue
        wider = [estimate.cells.get((gene, other), (0, 0))[0] for other in _INCLUDE_NEW] if model == "de novo" else []
        told = any(policy.hides(number, whole) for whole in wider if whole >= number)
        cell = Suppressed(policy.rule) if told else count(number, carrying, policy)
        rows.append((Value(gene), Value(model), cell, Value(policy.rounded(carrying))))
    notes = [
        _looked_at(estimate.families, policy),
        "'of': the families in which somebody ill carries such an allele where that model can be, and one more person was called.",
        *further(hidden, "row", policy, "families"),
    ]
    return Table(("gene", "model", "families", "of"), tuple(rows)), [*notes, *_partly(asked)]


_INCLUDE_NEW = ("dominant", "X-linked dominant", "Y-linked", "mitochondrial")


def trio_quality(estimate: TrioQuality, asked: Asked) -> Written:
    """Trios in fixed bins, as counts of people are shown; and the rate of errors in all of them, when they are enough."""
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for what, cells in estimate.cells.items():
        here = {name[1:] for name in asked.kept_back if name[:1] == (what,)}
        told, said = people.counts(_by_bin(cells), replace(asked, kept_back=here))
        numbers = {str(group): cell for group, cell in told.rows}
        rows += [(Value(what), Value(name), numbers[name]) for name in cells if name in numbers]
        notes += [note for note in said if note not in notes and "adds up" not in note]
    if asked.policy.hides(estimate.trios) or not estimate.checked:
        return Table(("what", "number", "trios"), tuple(rows)), [
            "Too few trios to say how many errors there are.",
            *notes,
        ]
    rate, each = estimate.errors / estimate.checked, estimate.checked / estimate.trios
    summed = (
        f"About {asked.policy.rounded(estimate.trios):,} trios, which have {figures(each):,.0f} alleles each; "
        f"{figures(100 * rate):g} % of these break Mendel's law."
    )
    return Table(("what", "number", "trios"), tuple(rows)), [summed, *notes]


def _by_bin(cells: Mapping[str, int]) -> Counts:
    return Counts(("number",), {(name,): trios for name, trios in cells.items()})


def _looked_at(number: int, policy: Policy) -> str:
    if policy.hides(number) or not number:
        return "Too few families to say how many."
    return f"Of about {policy.rounded(number):,} families."


def _partly(asked: Asked) -> list[str]:
    return ["Without the groups that some sites may not add, because they are small there."] if asked.kept_back else []
