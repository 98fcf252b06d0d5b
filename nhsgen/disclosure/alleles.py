"""What may be shown of alleles one by one: how common they are, and what goes with them."""

import math

from nhsgen.disclosure.cells import Asked, Written, enough, number
from nhsgen.disclosure.policies import Policy
from nhsgen.errors import NotSafe
from nhsgen.estimates import Association, Frequencies, FrequencyRow
from nhsgen.methods import METHODS
from nhsgen.results import Cell, NotRun, Suppressed, Table, Value, Zero

__all__ = ["association", "frequencies"]

FEWEST_FOR_LAMBDA = 200
"""Alleles below which the inflation of a scan says more of the region than of the scan."""

# -- Frequencies ------------------------------------------------------------------------------------------------------


def frequencies(estimate: Frequencies, asked: Asked) -> Written:
    """An allele a row, those that are hidden last; NotSafe when there are too many for so few people."""
    policy, kept_back = asked.policy, asked.kept_back
    # The limit is taken from the rounded cohort: being refused must not tell its exact size.
    cohort = 0 if policy.hides(estimate.people) else policy.rounded(estimate.people)
    if len(estimate.rows) * policy.people_per_variant > cohort:
        raise NotSafe(
            "releasing allele frequencies",
            f"{len(estimate.rows)} alleles are too many for this cohort: such a list can show who is in it",
            f"ask about fewer variants, at most one for every {policy.people_per_variant} people, or about more people",
        )
    withheld = {group[0] for group in kept_back}
    shown: list[tuple[Cell, ...]] = []
    hidden: list[tuple[Cell, ...]] = []
    rounded_away: list[int] = []  # decimals of each frequency that is shown as 0
    for row in estimate.rows:
        small = row.carriers < policy.af_carriers or policy.hides(row.carriers, row.people)
        nobody = row.carriers == 0 and policy.zeros_shown and row.variant not in withheld
        decimals = 0 if small else _decimals(row, policy)
        if nobody and not row.called:
            uncalled = NotRun("nobody's genotype is known there")
            shown.append((Value(row.variant), Value(row.gene), uncalled, uncalled))
        elif nobody:
            shown.append((Value(row.variant), Value(row.gene), Zero(), Zero()))
        elif not decimals:
            hidden.append((Value(row.variant), Value(row.gene), *[Suppressed(_too_rare(policy))] * 2))
        else:
            frequency = round(row.alternate / row.called, decimals)
            rounded_away += [] if frequency else [decimals]
            shown.append((Value(row.variant), Value(row.gene), Value(policy.rounded(row.carriers)), Value(frequency)))
    notes = [f"Frequencies have at most {policy.af_decimals} decimals, fewer where one more would say too much."]
    if rounded_away:
        notes.append(f"A frequency of 0 beside carriers means at most {0.5 / 10 ** min(rounded_away):g}.")
    partly = sorted(withheld & {row.variant for row in estimate.rows})
    if partly:
        notes.append(f"Without the sites that may not add small counts: {', '.join(partly)}.")
    return Table(("variant", "gene", "carriers", "allele frequency"), (*shown, *hidden)), notes


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
    """An allele a row, the strongest first. Frequencies are shown only where the list is short enough for so many people."""
    policy = asked.policy
    enough(estimate.people, estimate.cases, policy)
    fewest = max(METHODS["association"].least, 2 * policy.least)
    shown = sorted(
        (row for row in estimate.rows if row.copies >= fewest and not policy.hides(row.fewest)),
        key=lambda row: (bool(row.reason), -row.log10p if not row.reason else 0.0),
    )
    rare = len(estimate.rows) - len(shown)
    # The limit is taken from the rounded cohort: showing frequencies or not must not tell its exact size.
    short = len({row.variant for row in shown}) * policy.people_per_variant <= policy.rounded(estimate.people)
    rows: list[tuple[Cell, ...]] = []
    for row in shown:
        chrom, pos, other, effect = row.variant.split("-", 3)
        told: list[Cell] = [NotRun(row.reason)] * 4
        if not row.reason:
            told = [number(x, 3) for x in (row.beta, row.se, 10**-row.log10p, row.log10p)]
        frequency: Cell = Value(round(row.frequency, policy.af_decimals)) if short else Suppressed(_TOO_LONG)
        few_lack_it = policy.hides(row.people, estimate.people)
        people: Cell = (
            Suppressed(policy.rule) if few_lack_it and policy.round_to == 1 else Value(policy.rounded(row.people))
        )
        names = [Value(text) for text in (row.trait, row.variant, chrom)]
        alleles = [Value(effect), Value(other), Value(row.gene)]
        rows.append((*names, Value(int(pos)), *alleles, people, frequency, *told, Value(row.reason)))
    scan = len(shown) >= FEWEST_FOR_LAMBDA and math.isfinite(estimate.inflation)
    notes = [f"Genomic inflation (lambda) {estimate.inflation:.3f}."] if scan else []
    if estimate.cases is not None:
        notes.append(f"About {policy.rounded(estimate.cases):,} cases of {policy.rounded(estimate.people):,} people.")
    if rare:
        apart = "" if estimate.cases is None else f", or fewer than {policy.least} in cases or in controls,"
        notes.append(f"{rare:,} alleles with fewer than {fewest} copies of the rarer allele{apart} are not shown.")
    if not short:
        notes.append("Frequencies are not shown: so long a list of them can show who is in the cohort.")
    columns = ("trait", "variant", "chrom", "pos", "effect allele", "other allele", "gene", "people", "frequency", "beta", "se", "p",
               "log10p", "reason")  # fmt: skip
    return Table(columns, tuple(rows)), notes


_TOO_LONG = "so long a list of frequencies can show who is in the cohort"
