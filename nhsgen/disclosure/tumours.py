"""What may be shown of tumours: one a person, so that every number is of people.

What an attacker could try, and what was decided:

- Subtract the shown classes of a gene from its total. The classes share the gene's people out, so a class too small to show takes
  others with it where the total would give it away (`recoverable`).
- Subtract shown patterns from a gene's total or from all tumours. All these sums are taken to be known, asked or not, and further
  patterns go where a hidden one could be worked out from them.
- Ask for the patterns of one gene more or fewer and subtract. Rounding blurs a difference as it does between any two questions; every
  such question is a study of its own, which a steward approves and the site's log remembers. Patterns of all subsets of some genes
  would together tell more than each: who approves studies should not approve those.
- Read which rare patterns there are. A pattern that may not be shown is not listed, nor is it said how many such there are: for all
  a reader knows, it is nobody's.
- Work a count out from an odds ratio or a p. Those of a pair are of the rounded totals and the rounded number with both, where all
  four cells may be shown; and a pair that would give away a hidden pattern is not told.
- Move the steps of a burden, or the megabases, so that one tumour falls out of a step: both are fixed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product

from nhsgen.disclosure.cells import ALL, Asked, Group, Written, enough, figures, further, shown, whole_number
from nhsgen.disclosure.people import counts, known
from nhsgen.disclosure.policies import Policy
from nhsgen.disclosure.recoverable import Margin, protect
from nhsgen.estimates import Counts, Drivers, Patterns, TumourBurden
from nhsgen.fourfold import benjamini_hochberg, fisher, woolf
from nhsgen.results import Cell, Table, Value

__all__ = ["drivers", "patterns", "tumour_burden"]

NONE = "none"
STANDS_OUT = 0.05
MOST_PAIRS = 10


def drivers(estimate: Drivers, asked: Asked) -> Written:
    """A gene's total, then its classes; the genes with most tumours first, and those of one rounded number by name."""
    policy = asked.policy
    enough(estimate.people, None, policy)
    by_gene: dict[str, dict[str, int]] = {}
    for (gene, kind), people in sorted(estimate.cells.items()):
        by_gene.setdefault(gene, {})[kind] = people
    totals = {gene: sum(kinds.values()) for gene, kinds in by_gene.items()}
    told = [gene for gene, total in totals.items() if not policy.hides(total, estimate.people)]
    rows: list[tuple[Cell, ...]] = []
    for gene in sorted(told, key=lambda gene: (-policy.rounded(totals[gene]), gene)):
        parts = {ALL: totals[gene]} | _shown_parts(by_gene[gene], totals[gene], estimate.people, policy)
        rows += [(Value(gene), Value(kind), shown(people, policy)) for kind, people in parts.items()]
    notes = [
        _of(estimate.people, policy),
        f"'{ALL}' counts a gene's tumours; below it they are counted by the gravest mutation of the gene, where that may be shown.",
        *further(len(totals) - len(told), "gene", policy, "tumours"),
        *_partly(asked),
    ]
    return Table(("gene", "consequence", "tumours"), tuple(rows)), notes


def _shown_parts(parts: Mapping[str, int], total: int, people: int, policy: Policy) -> dict[str, int]:
    """Those of a gene's classes that may be shown beside its total, and are not nobody's."""
    parts = {kind: number for kind, number in parts.items() if number}
    numbers = list(parts.values())
    small = [i for i, number in enumerate(numbers) if policy.hides(number, people)]
    gone = protect(numbers, small, [Margin(tuple(range(len(numbers))), *known(total, policy))], policy)
    return {kind: number for i, (kind, number) in enumerate(parts.items()) if i not in gone}


def patterns(estimate: Patterns, asked: Asked) -> Written:
    """A pattern a row, the most frequent first; which pairs of genes stand out is said below."""
    policy = asked.policy
    enough(estimate.people, None, policy)
    cells = {pattern: people for pattern, people in sorted(estimate.cells.items()) if people}
    numbers = list(cells.values())
    unlisted = replace(policy, zeros_shown=False)  # what is not listed may be nobody's
    small = {i for i, people in enumerate(numbers) if policy.hides(people, estimate.people)}
    sums = list(_sums(cells, estimate.people == asked.population, unlisted))
    gone = protect(numbers, small, sums, unlisted)
    rows = [
        (Value("+".join(pattern) or NONE), shown(people, policy))
        for i, (pattern, people) in enumerate(cells.items())
        if i not in gone
    ]
    rows.sort(key=lambda row: -whole_number(row[1]))

    told: list[Pair] = []
    pairs, untold = _pairs(cells, estimate.people, policy)
    for pair in pairs:
        both = tuple(i for i, pattern in enumerate(cells) if set(pair.genes) <= set(pattern))
        beside = [*sums, *([Margin(both, *known(sum(numbers[i] for i in both), unlisted))] if both else [])]
        if beside == sums or protect(numbers, gone, beside, unlisted) == gone:
            told.append(pair)
            sums = beside
    notes = [_of(estimate.people, policy), "Patterns of too few tumours to show are not listed.", *_said(told)]
    if (untold := untold + len(pairs) - len(told)) and policy.zeros_shown:
        notes.append(f"{untold:,} further {'pair' if untold == 1 else 'pairs'} of genes: too few tumours to compare.")
    return Table(("pattern", "tumours"), tuple(rows)), [*notes, *_partly(asked)]


def _sums(cells: Mapping[Group, int], exactly: bool, policy: Policy) -> Iterator[Margin]:
    """What a reader knows of sums of patterns: how many tumours there are (exactly, where they are all there could be), and how many
    have each gene mutated."""
    everybody = tuple(range(len(cells)))
    genes = {gene for pattern in cells for gene in pattern}
    groups = {tuple(i for i, pattern in enumerate(cells) if gene in pattern) for gene in genes} | {everybody}
    numbers = list(cells.values())
    for group in sorted(groups):
        together = sum(numbers[i] for i in group)
        low, high = (together, together) if exactly and group == everybody else known(together, policy)
        yield Margin(group, low, high)


@dataclass(frozen=True)
class Pair:
    """Two genes that stand out; all that is here follows from rounded counts: of all tumours, of those with each gene, with both."""

    genes: tuple[str, str]
    odds_ratio: tuple[float, float, float]
    p: float
    q: float

    def __str__(self) -> str:
        ratio, low, high = map(figures, self.odds_ratio)
        how = "together" if ratio > 1 else "instead of each other"
        return (
            f"{' and '.join(self.genes)} are mutated {how}: odds ratio {ratio:g} (95 % {low:g} to {high:g}), "
            f"p {figures(self.p):g}, q {figures(self.q):g}."
        )


def _pairs(cells: Mapping[Group, int], people: int, policy: Policy) -> tuple[list[Pair], int]:
    """The pairs that stand out most, and how many may not be compared; those count as tests that found nothing."""
    genes = sorted({gene for pattern in cells for gene in pattern})
    tested: dict[tuple[str, str], tuple[int, int, int, int]] = {}
    untold = 0
    for one, two in combinations(genes, 2):
        has = dict.fromkeys(product((True, False), repeat=2), 0)
        for pattern, number in cells.items():
            has[one in pattern, two in pattern] += number
        both, first, second, _ = has.values()
        if any(policy.hides(number, people) for number in (both + first, both + second, *has.values())):
            untold += 1
            continue
        everybody, of_one, of_two, of_both = map(policy.rounded, (people, both + first, both + second, both))
        rest = max(everybody - of_one, of_two - of_both, 1)
        tested[one, two] = (min(of_both, of_one, of_two), of_one, max(of_two - of_both, 0), rest)
    p = {pair: fisher(*table) for pair, table in tested.items()}
    q = benjamini_hochberg([*p.values(), *[1.0] * untold])
    pairs = [Pair(pair, woolf(*tested[pair]), p[pair], each) for pair, each in zip(p, q, strict=False)]
    strong = sorted((pair for pair in pairs if pair.q < STANDS_OUT), key=lambda pair: (pair.p, pair.genes))
    return strong[:MOST_PAIRS], untold


def _said(pairs: Iterable[Pair]) -> Iterator[str]:
    said = [str(pair) for pair in pairs]
    yield from said or ["No two of these genes are known to be mutated together or instead of each other."]
    if said:
        yield (
            "Pairs are compared by Fisher's exact test of rounded counts. Where some tumours have many more mutations than others, "
            "genes seem to go together that do not."
        )


def tumour_burden(estimate: TumourBurden, asked: Asked) -> Written:
    """Tumours by step, in the order of the steps; the rules for people by group."""
    table, notes = counts(Counts(estimate.by, estimate.cells), asked)
    rows = sorted(table.rows, key=lambda row: _where(str(row[0])))
    what = "Substitutions and short indels that change a protein count; one tumour a person."
    return Table((*estimate.by, "tumours"), tuple(rows)), [what, *notes]


def _where(step: str) -> float:
    """Steps by where they begin ("10 to 20"); the total, and sites that did not answer, last."""
    begin = step.split(" ", 1)[0]
    return float(begin) if begin.isdecimal() else float("inf")


def _of(people: int, policy: Policy) -> str:
    return f"Of about {policy.rounded(people):,} tumours, one a person."


def _partly(asked: Asked) -> list[str]:
    return ["Too low where some sites may not add small counts."] if asked.kept_back else []
