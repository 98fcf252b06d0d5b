"""Studies that ask each site more than once: every round is a sum over the sites, and what it says is what the next one asks.

A site prepares once (who takes part, what is known of them, which alleles) and then answers every round from that; nothing but
sums leaves it. The last state is turned into an estimate, which passes the disclosure gate like any other.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Any

from nhsgen.cohorts import NotBound
from nhsgen.errors import Tampered
from nhsgen.estimates import Estimate
from nhsgen.progress import track
from nhsgen.settings import Settings
from nhsgen.statistics.sums import solve
from nhsgen.studies.caveats import caveats
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData, open_site
from nhsgen.variants import VariantFilter
from nhsgen.workspace import Site

__all__ = ["Both", "Part", "Prepared", "Rounds", "ask_in_rounds", "prepared", "remember"]

State = Any  # of each method its own
Ask = Callable[[State], Any]


@dataclass(frozen=True)
class Both:
    """Two sums of one round."""

    one: Any
    two: Any

    def __add__(self, other: "Both") -> "Both":
        return Both(self.one + other.one, self.two + other.two)


@dataclass(frozen=True)
class Part:
    """What a site is, once it is prepared: `ask` gives its sums at a state."""

    ask: Ask
    assembly: str = ""


@dataclass(frozen=True)
class Rounds:
    """prepare: at a site.

    step: from a state and the total over sites to the next state, and whether that is the last.
    """

    prepare: Callable[[Study, SiteData, VariantFilter], Part]
    start: Callable[[Study], State]
    step: Callable[[Study, State, Any], tuple[State, bool]]
    estimate: Callable[[Study, State], Estimate]
    most: int = 60


@dataclass(frozen=True)
class Prepared:
    """A site that can be asked: its part, the release that speaks, and what a reader must know of it."""

    part: Part
    release: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """estimate: None when nobody spoke. parts, releases, notes: by site, of those who did; silent: why the others did not."""

    estimate: Estimate | None
    parts: Mapping[str, Part]
    releases: Mapping[str, str]
    notes: Mapping[str, tuple[str, ...]]
    silent: Mapping[str, str]


def ask_in_rounds(
    study: Study,
    rounds: Rounds,
    sites: Iterable[Site],
    settings: Settings,
    resolved: VariantFilter | None,
    asked_by: str,
) -> Asked:
    """Prepare every site, then ask all of them until the method has its answer; their logs remember that they were asked.

    A site that keeps small counts back answers alone only: the gate then applies its thresholds to its own numbers.
    """
    asked = list(sites)
    parts: dict[str, Part] = {}
    releases: dict[str, str] = {}
    notes: dict[str, tuple[str, ...]] = {}
    silent: dict[str, str] = {}
    with ExitStack() as open_sites:
        for site in track(asked, "preparing"):
            found = prepared(study, rounds, site, settings, resolved, open_sites, alone=len(asked) == 1)
            if isinstance(found, str):
                silent[site.name] = found
            else:
                parts[site.name], releases[site.name], notes[site.name] = found.part, found.release, found.notes
        for site in asked:
            remember(site, study, asked_by, releases.get(site.name, ""), silent.get(site.name, ""))
        if not parts:
            return Asked(None, parts, releases, notes, silent)

        def total(state: State) -> Any:
            # In one order, so that the same question has the same last digit.
            return reduce(add, [parts[name].ask(state) for name in sorted(parts)])

        step = partial(rounds.step, study)
        settled = solve(total, step, rounds.start(study), most_rounds=rounds.most)
        return Asked(rounds.estimate(study, settled), parts, releases, notes, silent)


def prepared(
    study: Study,
    rounds: Rounds,
    site: Site,
    settings: Settings,
    resolved: VariantFilter | None,
    open_sites: ExitStack,
    *,
    alone: bool,
) -> Prepared | str:
    """The site, ready to be asked for as long as `open_sites` is open; or in words why it has nothing to say."""
    release = site.release()
    if release is None:
        return "it has no release"
    if not site.policy.pooled and not alone:
        return "its rules do not let small counts be pooled, and this method adds what cannot be rounded"
    try:
        data = open_sites.enter_context(open_site(site, release, settings))
        part = rounds.prepare(study, data, resolved or study.variants or VariantFilter())
        return Prepared(part, release.id, tuple(caveats(study, data)))
    except NotBound as unbound:
        return f"its contract has no {unbound.word}"
    except Tampered as broken:
        return f"it refuses to answer: {broken.found}"


def remember(site: Site, study: Study, asked_by: str, release: str, silent: str) -> None:
    """That the site was asked, and what became of it, in its log."""
    site.log.append(
        "study answered", asked_by,
        study=study.hash, method=study.method, purpose=study.purpose, release=release, silent=silent,
    )  # fmt: skip
