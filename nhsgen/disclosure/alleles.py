"""What may be shown of alleles one by one: how common they are, and what goes with them."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from nhsgen.disclosure import people
from nhsgen.disclosure.cells import BACKGROUND, Asked, Written, enough, figures, number, too_few
from nhsgen.disclosure.policies import Policy
from nhsgen.errors import NotSafe
from nhsgen.estimates import Association, AssociationRow, Frequencies, FrequenciesByGroup, FrequencyRow, Signals
from nhsgen.methods import METHODS
from nhsgen.results import Cell, NotRun, Suppressed, Table, Value, Zero

__all__ = ["TOO_LONG", "association", "carriers_and_frequency", "frequencies", "frequencies_by_group", "short_enough"]

FEWEST_FOR_LAMBDA = 200
"""Alleles below which the inflation of a scan says more of the region than of the scan."""

TOO_LONG = "so long a list of frequencies can show who is in the cohort"

# -- Frequencies ------------------------------------------------------------------------------------------------------


def frequencies(estimate: Frequencies, asked: Asked) -> Written:
    """An allele a row, those that are hidden last; NotSafe when there are too many for so few people."""
    policy = asked.policy
    # The limit is taken from the rounded cohort: being refused must not tell its exact size.
    if not short_enough(len(estimate.rows), estimate.people, policy):
        raise _too_long(len(estimate.rows), "this cohort", policy)
    withheld = {group[0] for group in asked.kept_back}
    rows = [(*_names(row), *carriers_and_frequency(row, policy, row.variant in withheld)) for row in estimate.rows]
    rows.sort(key=lambda row: isinstance(row[-1], Suppressed))
    notes = _about(estimate.rows, rows, withheld & {row.variant for row in estimate.rows}, policy)
    return Table(("variant", "gene", "consequence", "carriers", "allele frequency"), tuple(rows)), notes


def frequencies_by_group(estimate: FrequenciesByGroup, asked: Asked) -> Written:
    """An allele and group a row, each group judged as a cohort of its own; no total beside them.

    Who also asks about everybody, or by fewer columns, knows the totals: no hidden group may be left over from them, neither its
    people nor its carriers (`people.grouped`). A list too long for a group is hidden there; NotSafe when it is for every group.
    """
    policy, kept_back = asked.policy, asked.kept_back
    by, everybody, variants = estimate.by, sum(estimate.people.values()), {row.variant: row for row in estimate.rows}
    silenced = {group[1:] for group in kept_back if group[0] == BACKGROUND}
    sizes = dict(zip(*people.grouped(by, estimate.people, everybody, None, policy, silenced), strict=True))
    asked_of = {
        group: 0 if isinstance(cell, Suppressed) else estimate.people.get(group, 0) for group, cell in sizes.items()
    }
    short = {group for group, size in asked_of.items() if short_enough(len(variants), size, policy)}
    if variants and not short:
        raise _too_long(len(variants), "each of these groups", policy)
    found = {(row.variant, row.group): row for row in estimate.rows}
    rows: list[tuple[Cell, ...]] = []
    for variant, any_row in variants.items():
        here = {group: found[variant, group] for group in estimate.people if (variant, group) in found}
        withheld = silenced | {group[_GROUP:] for group in kept_back if group[0] == variant}
        carriers = people.grouped(
            by, {group: row.carriers for group, row in here.items()}, everybody, None, policy, withheld,
            {group: row.people for group, row in here.items()},
        )  # fmt: skip
        open_to_see = {group for group, cell in zip(*carriers, strict=True) if not isinstance(cell, Suppressed)}
        for group, size in sizes.items():
            told: tuple[Cell, Cell] = (Suppressed(TOO_LONG), Suppressed(TOO_LONG))
            if isinstance(size, Suppressed):
                told = size, size
            elif group not in open_to_see:
                told = Suppressed(_too_rare(policy)), Suppressed(_too_rare(policy))
            elif group in short or not asked_of[group]:
                told = (
                    carriers_and_frequency(here[group], policy, group in withheld)
                    if group in here
                    else (_UNKNOWN, _UNKNOWN)
                )
            rows.append((*_names(any_row), *map(Value, group), size, *told))
        rows += [(*_names(any_row), *row) for row in people.silent(by, 3, asked.receipt)]
    some = {group[0] for group in kept_back if group[0] != BACKGROUND} | {", ".join(group) for group in silenced}
    notes = _about(estimate.rows, rows, some, policy)
    if len(short) < sum(size > 0 for size in asked_of.values()):
        notes.append("Groups with too few people for so long a list are hidden: ask about fewer variants to see them.")
    return Table(("variant", "gene", "consequence", *by, "people", "carriers", "allele frequency"), tuple(rows)), notes


_GROUP = 4  # where a group begins in a label: after an allele's name, gene, consequence and copies
_UNKNOWN = NotRun("nobody's genotype is known there")


def short_enough(variants: int, size: int, policy: Policy) -> bool:
    return variants * policy.people_per_variant <= (0 if policy.hides(size) else policy.rounded(size))


def _too_long(variants: int, who: str, policy: Policy) -> NotSafe:
    return NotSafe(
        "releasing allele frequencies",
        f"{variants} alleles are too many for {who}: such a list can show who is in it",
        f"ask about fewer variants, at most one for every {policy.people_per_variant} people, or about more people",
    )


def _names(row: FrequencyRow) -> tuple[Cell, ...]:
    return Value(row.variant), Value(row.gene), Value(row.consequence)


def carriers_and_frequency(row: FrequencyRow, policy: Policy, partly: bool) -> tuple[Cell, Cell]:
    """Carriers and frequency. partly: a site kept its carriers back, so that nobody here need not be nobody."""
    if row.carriers == 0 and policy.zeros_shown and not partly:
        return (Zero(), Zero()) if row.called else (_UNKNOWN, _UNKNOWN)
    small = row.carriers < policy.af_carriers or policy.hides(row.carriers, row.people)
    decimals = 0 if small else _decimals(row, policy)
    if not decimals:
        return Suppressed(_too_rare(policy)), Suppressed(_too_rare(policy))
    return Value(policy.rounded(row.carriers)), Value(round(row.alternate / row.called, decimals))


def _about(
    estimated: Sequence[FrequencyRow], rows: Sequence[tuple[Cell, ...]], withheld: Collection[str], policy: Policy
) -> list[str]:
    notes = [f"Frequencies have at most {policy.af_decimals} decimals, fewer where one more would say too much."]
    if any(row[-1] == Value(0.0) for row in rows):
        told = [
            _decimals(row, policy) for row in estimated if carriers_and_frequency(row, policy, False)[1] == Value(0.0)
        ]
        notes.append(f"A frequency of 0 beside carriers means at most {0.5 / 10 ** min(told):g}.")
    partly = sorted(withheld)
    if partly:
        notes.append(f"Without the sites that may not add small counts: {', '.join(partly)}.")
    return notes


def _decimals(row: FrequencyRow, policy: Policy) -> int:
    """As many as leave the numbers of alleles and of carriers as open as rounding does; 0 when even one says too much.

    A person has one or two copies, so an interval of alleles is also one of carriers.
    """
    least, most = policy.meaning(policy.rounded(row.carriers))
    for decimals in range(policy.af_decimals, 0, -1):
        frequency, half = round(row.alternate / row.called, decimals), 0.5 / 10**decimals
        low, high = math.ceil((frequency - half) * row.called), math.floor((frequency + half) * row.called)
        low += round(low / row.called, decimals) != frequency  # exactly between two decimals, it may belong to either
        high -= round(high / row.called, decimals) != frequency
        if high - low + 1 >= policy.round_to and low / 2 <= max(least, policy.least) and high >= most:
            return decimals
    return 0


def _too_rare(policy: Policy) -> str:
    return f"fewer than {max(policy.af_carriers, policy.least)} carriers, or all but few carry it, or too few people were asked"


# -- Association ------------------------------------------------------------------------------------------------------


def association(estimate: Association, asked: Asked) -> Written:
    """An allele a row, the strongest first. Frequencies are shown only where the list is short enough for so many people.

    Each of several diseases is judged as if it had been asked about alone, which it could be: one with too few cases, or too few
    others, has no row, and whether there are few or none reads the same. Whichever test is asked for, an effect has three figures
    and stands on enough copies in cases and in controls, so that tests asked for one after the other tell no small number.
    """
    policy, diseases = asked.policy, estimate.diseases
    few = {name for name, cases in diseases.items() if too_few((cases, estimate.people - cases), policy)}
    enough(0 if few and len(few) == len(diseases) else estimate.people, estimate.cases, policy)
    fewest = max(METHODS["association"].least, 2 * policy.least)
    asked_of = [row for row in estimate.rows if row.trait not in few]
    shown = sorted(
        (row for row in asked_of if row.copies >= fewest and not policy.hides(row.fewest)),
        key=lambda row: (bool(row.reason), -row.log10p if not row.reason else 0.0),
    )
    rare = len(asked_of) - len(shown)
    signals = None if estimate.signals is None else _signals(shown, estimate.signals)
    # The limit is taken from the rounded cohort: showing frequencies or not must not tell its exact size.
    short = len({row.variant for row in shown}) * policy.people_per_variant <= policy.rounded(estimate.people)
    rows: list[tuple[Cell, ...]] = []
    for row in shown:
        chrom, pos, other, effect = row.variant.split("-", 3)
        # Why there is no answer may be that nobody of a kind is there.
        reason = row.reason if not row.reason or policy.zeros_shown else "the test has no answer"
        told: list[Cell] = [NotRun(reason)] * 4
        if not row.reason:
            told = [number(x, 3) for x in (row.beta, row.se, 10**-row.log10p, row.log10p)]
        frequency: Cell = Value(round(row.frequency, policy.af_decimals)) if short else Suppressed(TOO_LONG)
        few_lack_it = policy.hides(row.people, estimate.people)
        people: Cell = (
            Suppressed(policy.rule) if few_lack_it and policy.round_to == 1 else Value(policy.rounded(row.people))
        )
        names = [Value(text) for text in (row.trait, row.variant, chrom)]
        alleles = [Value(effect), Value(other), Value(row.gene)]
        signal = () if signals is None else (Value(signals.get((row.trait, row.variant), "")),)
        rows.append((*names, Value(int(pos)), *alleles, people, frequency, *told, Value(reason), *signal))
    notes = _inflation(estimate, Counter(row.trait for row in shown))
    if estimate.cases is not None:
        notes.append(f"About {policy.rounded(estimate.cases):,} cases of {policy.rounded(estimate.people):,} people.")
    for name, cases in diseases.items():
        about = f"about {policy.rounded(cases):,} cases of {policy.rounded(estimate.people):,} people."
        notes.append(f"{name}: {f'not shown, because {policy.rule}.' if name in few else about}")
    if signals is not None:
        leads = len({(trait, lead) for (trait, _), lead in signals.items()})
        notes.append(f"Signals, each named by its strongest allele: {leads}.")
    if rare:
        apart = (
            ""
            if estimate.cases is None and not diseases
            else f", or fewer than {policy.least} in cases or in controls,"
        )
        notes.append(f"{rare:,} alleles with fewer than {fewest} copies of the rarer allele{apart} are not shown.")
    if not short:
        notes.append("Frequencies are not shown: so long a list of them can show who is in the cohort.")
    columns = ("trait", "variant", "chrom", "pos", "effect allele", "other allele", "gene", "people", "frequency", "beta", "se", "p",
               "log10p", "reason", *(() if signals is None else ("signal",)))  # fmt: skip
    return Table(columns, tuple(rows)), notes


def _inflation(estimate: Association, shown: Mapping[str, int]) -> list[str]:
    told = {
        trait: f"{inflation:.3f}"
        for trait, inflation in estimate.inflation.items()
        if shown.get(trait, 0) >= FEWEST_FOR_LAMBDA and math.isfinite(inflation)
    }
    if len(estimate.inflation) == 1:
        return [f"Genomic inflation (lambda) {number}." for number in told.values()]
    return [f"Genomic inflation (lambda) of {trait}: {number}." for trait, number in told.items()]


def _signals(shown: Sequence[AssociationRow], signals: Signals) -> dict[tuple[str, str], str]:
    """By trait and allele the lead of its signal: the strongest takes those linked to it, then the strongest left does (as `ld.clump`).

    From what is shown, and from the p that is shown: a hidden allele leads nothing and is not named, and a limit moved step by step
    tells of no p more than its three figures.
    """
    p = {(row.trait, row.variant): figures(10**-row.log10p, 3) for row in shown if not row.reason}
    found: dict[tuple[str, str], str] = {}
    for (trait, lead), chance in p.items():
        if chance <= signals.lead_p and (trait, lead) not in found:
            found[trait, lead] = lead
            for other in signals.linked.get(lead, ()):
                if p.get((trait, other), 1.0) <= signals.member_p:
                    found.setdefault((trait, other), lead)
    return found
