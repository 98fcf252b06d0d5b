"""What may be shown of quality: of alleles, of samples, of linkage between alleles, and of relatives among the people.

An attacker knows the rules, and what other questions answer. So whatever is worked out from genotype counts is worked out from the
rounded ones (`variant_quality`), and a share or an r2 that comes from exact sums has so few decimals that the counts behind it stay
as open as rounding would leave them (`_share`, `_r2`). Nobody is shown alone: people are counted on the steps of a public scale,
relatives as pairs and as distinct people, and either may be too few.
"""

import math

from nhsgen.disclosure import people
from nhsgen.disclosure.alleles import TOO_LONG, carriers_and_frequency, short_enough
from nhsgen.disclosure.cells import Asked, Written, count, enough, figures, further, number
from nhsgen.disclosure.policies import Policy
from nhsgen.disclosure.recoverable import Margin, protect
from nhsgen.errors import NotSafe
from nhsgen.estimates import FrequencyRow, Genotypes, Linkage, LinkedPair, Relatedness, SampleQuality, VariantQuality
from nhsgen.genome import Variant
from nhsgen.methods import METHODS
from nhsgen.results import Cell, NotRun, Suppressed, Table, Value

__all__ = ["linkage", "relatedness", "sample_quality", "variant_quality"]

FEWEST_TRANSVERSIONS = 100
"""Transitions to transversions are told of at least so many: one allele more or less, which may be one person's, is not seen."""

DEVIATING = (1e-12, 1e-6, 1e-4)
"""Hardy-Weinberg p below which alleles are counted."""


# -- Alleles ----------------------------------------------------------------------------------------------------------


def variant_quality(estimate: VariantQuality, asked: Asked) -> Written:
    """An allele a row, the least likely under Hardy-Weinberg first.

    p and heterozygosity come from the rounded genotype counts, and only where each of the genotypes is shown or nobody's: an exact p
    would give the exact counts back. The call rate's decimals leave open how many were not called. Frequencies, and the
    heterozygosity that follows from them, are shown only in lists short enough for so many people.
    """
    policy = asked.policy
    enough(estimate.people, None, policy)
    fewest = max(METHODS["variant_quality"].least, policy.least)
    shown = [row for row in estimate.rows if min(row.copies, row.alleles - row.copies) >= fewest]
    short = short_enough(len(shown), estimate.people, policy)
    rows = []
    for row in shown:
        told: list[Cell] = [Suppressed(TOO_LONG)] * 3
        if short:
            told = [_frequency(row, policy), *_heterozygosity(row, policy)]
        whole: Cell = count(row.people, estimate.people, policy)
        names = [Value(text) for text in (row.variant, row.gene, row.consequence)]
        rows.append((*names, whole, _call_rate(row, policy), *told, *_hardy_weinberg(row, policy)))
    rows.sort(key=lambda row: (not isinstance(row[-2], Value), row[-2].value if isinstance(row[-2], Value) else 0))
    tested = [float(row[-2].value) for row in rows if isinstance(row[-2], Value)]
    notes = [
        f"Hardy-Weinberg p and heterozygosity are those of rounded numbers of people; {len(tested):,} alleles have one."
    ]
    notes += [f"{sum(p < limit for p in tested):,} of them have p below {limit:g}." for limit in DEVIATING if tested]
    if tested:
        notes.append(
            "People of several ancestries together have too few heterozygotes; ask about one of them to judge an assay."
        )
    if estimate.transversions >= FEWEST_TRANSVERSIONS:
        notes.append(
            f"Transitions to transversions, of all alleles seen: {figures(estimate.transitions / estimate.transversions)}."
        )
    if asked.kept_back:
        notes.append("Of some alleles, sites that may not add small counts are left out.")
    if rare := len(estimate.rows) - len(shown):
        notes.append(f"{rare:,} alleles with fewer than {fewest} copies of the rarer allele are not shown.")
    columns = ("variant", "gene", "consequence", "people", "call rate", "allele frequency", "heterozygous", "expected heterozygous",
               "HWE p", "HWE mid-p")  # fmt: skip
    return Table(columns, tuple(rows)), notes


def _frequency(row: Genotypes, policy: Policy) -> Cell:
    carriers = row.het + row.hom_alt + row.hemizygous
    as_row = FrequencyRow(row.variant, row.gene, row.copies, row.alleles, carriers, row.hom_alt, row.people)
    return carriers_and_frequency(as_row, policy, False)[1]


def _call_rate(row: Genotypes, policy: Policy) -> Cell:
    if Variant.parse(row.variant).chrom in {"Y", "MT"}:
        return NotRun("not everybody has it twice or, by their sex, once")
    return _share(row.paired + row.single, row.people, policy)


def _share(part: int, whole: int, policy: Policy) -> Cell:
    """part / whole with at most two decimals, and so few that `whole - part` may be as many numbers as a hidden count, some of which
    are none or enough to be shown."""
    wide = max(policy.open_counts, policy.round_to)
    for decimals in (2, 1):
        share, half = round(part / whole, decimals), 0.5 / 10**decimals
        low, high = max(0, math.ceil((share - half) * whole)), min(whole, math.floor((share + half) * whole))
        left = whole - high, whole - low
        if high - low + 1 >= wide and (left[0] == 0 or left[1] >= policy.least):
            return Value(share)
    return Suppressed(policy.rule)


def _rounded(row: Genotypes, policy: Policy) -> tuple[int, ...] | None:
    """Rounded numbers of people by genotype: het, both homozygotes, and of who has one allele, with it and without; None where one of
    them may not be shown."""
    counts = (row.het, row.hom_alt, row.paired - row.het - row.hom_alt, row.hemizygous, row.single - row.hemizygous)
    if any(number and policy.hides(number) for number in counts) or (not policy.zeros_shown and not all(counts[:3])):
        return None
    return tuple(policy.rounded(number) for number in counts)


def _heterozygosity(row: Genotypes, policy: Policy) -> tuple[Cell, Cell]:
    """Found in who has two alleles, and expected from the frequency of all."""
    rounded = _rounded(row, policy)
    if rounded is None:
        return Suppressed(policy.rule), Suppressed(policy.rule)
    het, one, two, single, other = rounded
    if not het + one + two:
        return NotRun("nobody has two alleles there"), NotRun("nobody has two alleles there")
    p = (het + 2 * one + single) / (2 * (het + one + two) + single + other)
    return number(het / (het + one + two), 2), number(2 * p * (1 - p), 2)


def _hardy_weinberg(row: Genotypes, policy: Policy) -> tuple[Cell, Cell]:
    from nhsgen import hardy  # noqa: PLC0415  (its compiler takes half a second to load, and only this table needs it)

    rounded = _rounded(row, policy)
    if rounded is None:
        return Suppressed(policy.rule), Suppressed(policy.rule)
    if not row.paired:
        return NotRun("nobody has two alleles there"), NotRun("nobody has two alleles there")
    p, mid = (float(hardy.exact_x(*([n] for n in rounded), mid=mid)[0]) for mid in (False, True))
    return number(p, 2), number(mid, 2)


# -- Samples ----------------------------------------------------------------------------------------------------------


def sample_quality(estimate: SampleQuality, asked: Asked) -> Written:
    """People by measure and step. All steps of a measure add up to about everybody, which must not give a hidden one away."""
    policy = asked.policy
    enough(estimate.people, None, policy)
    cells = list(estimate.cells.items())
    numbers = [n for _, n in cells]
    steps = {
        measure: tuple(i for i, (cell, _) in enumerate(cells) if cell[0] == measure) for measure, *_ in estimate.cells
    }
    margins = [Margin(at, *people.known(sum(numbers[i] for i in at), policy)) for at in steps.values()]
    gone = protect(numbers, {i for i, n in enumerate(numbers) if policy.hides(n, estimate.people)}, margins, policy)
    rows = [
        (Value(measure), Value(low), Value(high), Suppressed(policy.rule) if i in gone else Value(policy.rounded(n)))
        for i, ((measure, low, high), n) in enumerate(cells)
        if n and not (i in gone and not policy.zeros_shown)
    ]
    notes = [
        f"Of about {policy.rounded(estimate.people):,} people, at {estimate.alleles:,} alleles of the autosomes.",
        "The outermost steps hold who lies beyond them. Only a site can see who its own people on a step are.",
    ]
    return Table(("measure", "from", "to", "people"), tuple(rows)), notes


# -- Linkage ----------------------------------------------------------------------------------------------------------


def linkage(estimate: Linkage, asked: Asked) -> Written:
    """A pair of alleles a row.

    Tables of r2 can show who is in a cohort, and even what they carry, as frequencies can (Wang et al., CCS 2009): NotSafe for more
    than one pair for so many people. Nor may an r2 tell how many people carry both: see `_r2`.
    """
    policy = asked.policy
    enough(estimate.people, None, policy)
    if not short_enough(len(estimate.rows), estimate.people, policy):
        raise NotSafe(
            "releasing linkage between alleles",
            f"{len(estimate.rows):,} pairs are too many for these people: such a table can show who is among them",
            f"name leads, a smaller kb or a region: at most one pair for every {policy.people_per_variant} people",
        )
    fewest = max(METHODS["linkage"].least, policy.least)
    shown = [row for row in estimate.rows if row.rarer >= fewest]
    rows = tuple(
        (Value(row.variant), Value(row.other), _r2(row, policy), _called(row, estimate.people, policy)) for row in shown
    )
    notes = [
        "r2 is that of numbers of copies (as of genotypes without phase), with fewer decimals where one more would say too much."
    ]
    notes += further(len(estimate.rows) - len(shown), "pair", policy, "copies")
    return Table(("variant", "other", "r2", "people"), rows), notes


def _called(row: LinkedPair, everybody: int, policy: Policy) -> Cell:
    """Rounding already keeps open how many were not called; without it, few of them are hidden."""
    if not row.people or (policy.round_to == 1 and policy.hides(row.people, everybody)):
        return Suppressed(policy.rule)
    return count(row.people, None, policy)


def _r2(row: LinkedPair, policy: Policy) -> Cell:
    """r2 with at most two decimals, and so few that the sum of products of copies, in which one person is one at least, may still be
    as many numbers as a hidden count."""
    if row.reason:
        return NotRun(row.reason)
    for decimals in (2, 1):
        r2, half = round(row.r**2, decimals), 0.5 / 10**decimals
        low, high = math.sqrt(max(0.0, r2 - half)), math.sqrt(min(1.0, r2 + half))
        if (high - low) * row.spread >= max(policy.open_counts, policy.round_to):
            return Value(r2)
    return Suppressed("so exact an r2 would tell how many people carry both alleles")


# -- Relatives --------------------------------------------------------------------------------------------------------


def relatedness(estimate: Relatedness, asked: Asked) -> Written:
    """Pairs by degree; both the pairs and the distinct people in them must be enough, and not all but few of the people.

    Pairs are no people: three of a family make three pairs. So each is judged by its own number, and where one is hidden both are.
    """
    policy = asked.policy
    enough(estimate.people, None, policy)
    rows: list[tuple[Cell, ...]] = []
    for group, pairs in estimate.pairs.items():
        told: tuple[Cell, Cell] = (Suppressed(policy.rule), Suppressed(policy.rule))
        if group[0] in estimate.uncertain:
            told = NotRun(_CHANCE), NotRun(_CHANCE)
        elif not policy.hides(pairs) and not policy.hides(estimate.in_pairs[group], estimate.people):
            told = count(pairs, None, policy), count(estimate.in_pairs[group], estimate.people, policy)
        elif not policy.zeros_shown:
            continue
        rows.append((*map(Value, group), *told))
    rows += people.silent(estimate.by, 2, asked.receipt)
    notes = [
        f"Of about {policy.rounded(estimate.people):,} people, compared at {estimate.alleles:,} places by KING-robust kinship.",
        "Pairs within a site; relatives at two sites cannot be seen, because genotypes do not leave a site.",
        "Somebody with relatives of two degrees is among the people of both.",
    ]
    return Table((*estimate.by, "pairs", "people"), tuple(rows)), notes


_CHANCE = "at so few places strangers can look as closely related"
