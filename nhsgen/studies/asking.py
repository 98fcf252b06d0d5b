"""Asking: one site's part, behind its wall; then all sites together, through the disclosure gate."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from operator import add

from nhsgen import disclosure
from nhsgen.cohorts import NotBound, everyone
from nhsgen.errors import BadStudy, NotFound, NotSafe, Tampered
from nhsgen.estimates import Estimate
from nhsgen.methods import METHODS
from nhsgen.progress import track
from nhsgen.results import Receipt, Released
from nhsgen.settings import Settings
from nhsgen.statistics import Summary, frequencies
from nhsgen.statistics.sums import NotConverged
from nhsgen.studies.analyses import ROUNDS
from nhsgen.studies.caveats import caveats
from nhsgen.studies.meta_analysis import APART, combine
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Rounds, ask_in_rounds
from nhsgen.studies.site import open_site
from nhsgen.studies.sums import SUMS
from nhsgen.variants import VariantFilter
from nhsgen.workspace import Site

__all__ = ["SiteAnswer", "answer", "conclude", "pooled_filter", "run", "summarise"]

POOLED_LIMITS = frozenset(float(f"{digit}e-{place}") for digit in (1, 2, 5) for place in range(7)) - {2.0, 5.0}


# -- One site's part --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SiteAnswer:
    """What leaves a site: a sum, or why there is none.

    withheld: labels the site dropped because its own rules do not let small counts be pooled.
    population: how many people of the site may be counted at all.
    assembly: of its variants, when the study is about variants.
    """

    site: str
    release: str
    policy: disclosure.Policy
    summary: Summary | None = None
    population: int = 0
    silent: str = ""
    withheld: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    assembly: str = ""


def answer(
    study: Study, site: Site, settings: Settings, *, asked_by: str, resolved: VariantFilter | None = None
) -> SiteAnswer:
    """What this site's current release has to say to `study`, under the site's own rules; its log remembers that it was asked.

    resolved: the study's variants with pooled frequencies already looked up (see `pooled_filter`).
    """
    study.check_expiry()
    reply = _reply(study, site, settings, resolved)
    if reply.summary is not None and not site.policy.pooled:
        summary, withheld = disclosure.withhold(reply.summary, site.policy)
        reply = replace(reply, summary=summary, withheld=withheld)
    site.log.append(
        "study answered", asked_by,
        study=study.hash, method=study.method, purpose=study.purpose, release=reply.release, silent=reply.silent,
    )  # fmt: skip
    return reply


def summarise(study: Study, site: Site, settings: Settings, resolved: VariantFilter | None = None) -> SiteAnswer:
    """The site's exact sum, for use inside its wall only: `answer` is what may leave it."""
    release = site.release()
    if release is None:
        return _silent(site, "it has no release")
    with open_site(site, release, settings) as opened:
        data = opened.of_tumours() if METHODS[study.method].tumours else opened
        summary = SUMS[study.method].summarise(study, data, resolved or study.variants or VariantFilter())
        genomic = METHODS[study.method].needs_variants or study.reference is not None
        population = len(data.sequenced(everyone()) if genomic else data.people(everyone()))
        notes = tuple(caveats(study, data))
        assembly = str(data.variants().assembly) if genomic else ""
    return SiteAnswer(site.name, release.id, site.policy, summary, population, notes=notes, assembly=assembly)


def _reply(study: Study, site: Site, settings: Settings, resolved: VariantFilter | None = None) -> SiteAnswer:
    """`summarise`, or why there is nothing to add up."""
    try:
        return summarise(study, site, settings, resolved)
    except NotBound as unbound:
        return _silent(site, f"its contract has no {unbound.word}")
    except Tampered as broken:
        return _silent(site, f"it refuses to answer: {broken.found}")


def _silent(site: Site, why: str) -> SiteAnswer:
    return SiteAnswer(site.name, "", site.policy, silent=why)


# -- All sites together -----------------------------------------------------------------------------------------------


def run(
    study: Study, sites: Iterable[Site], settings: Settings | None = None, *, asked_by: str = "researcher"
) -> Released:
    """Ask each of `sites`, add what they say, and release what may be shown. BadStudy when a site is asked twice."""
    settings, asked = settings or Settings.read(), list(sites)
    study.check_expiry()
    if len({site.name for site in asked}) < len(asked):
        raise BadStudy("asking the sites", "a site is named twice, and its people would count twice", "name it once")
    resolved = pooled_filter(study, asked, settings)
    if study.method in APART:
        return _run_apart(study, asked, settings, asked_by, resolved)
    if study.method in ROUNDS:
        return _run_in_rounds(study, asked, settings, asked_by, resolved)
    answers = [answer(study, site, settings, asked_by=asked_by, resolved=resolved) for site in track(asked, "asking")]
    return conclude(study, answers)


def _run_in_rounds(
    study: Study, sites: Sequence[Site], settings: Settings, asked_by: str, resolved: VariantFilter | None
) -> Released:
    answers, estimate = _in_rounds(study, ROUNDS[study.method], sites, settings, asked_by, resolved)
    return _released(study, answers, lambda: estimate)


def _run_apart(
    study: Study, sites: Sequence[Site], settings: Settings, asked_by: str, resolved: VariantFilter | None
) -> Released:
    """Each site answers alone, through the gate, under its own rules; what they released is combined. Nothing is pooled."""
    answers: list[SiteAnswer] = []
    released: dict[str, Released] = {}
    for site in track(sites, "asking"):
        try:
            reply, own = _alone(study, site, settings, asked_by, resolved)
            released |= {site.name: own} if own else {}
        except (NotConverged, NotFound, NotSafe) as nothing:
            reply = _silent(site, nothing.found)
        answers.append(replace(reply, policy=replace(reply.policy, pooled=False)))
    return _released(study, answers, lambda: combine(study, released))


def _alone(
    study: Study, site: Site, settings: Settings, asked_by: str, resolved: VariantFilter | None
) -> tuple[SiteAnswer, Released | None]:
    (reply,), estimate = _in_rounds(study, APART[study.method], [site], settings, asked_by, resolved)
    return reply, None if reply.silent else _released(study, [reply], lambda: estimate)


def _in_rounds(
    study: Study,
    rounds: Rounds,
    sites: Sequence[Site],
    settings: Settings,
    asked_by: str,
    resolved: VariantFilter | None,
) -> tuple[list[SiteAnswer], Estimate | None]:
    """Who spoke and who did not, and what the rounds came to."""
    asked = ask_in_rounds(study, rounds, sites, settings, resolved, asked_by)
    answers = [
        SiteAnswer(
            site.name,
            asked.releases.get(site.name, ""),
            site.policy,
            silent=asked.silent.get(site.name, ""),
            notes=asked.notes[site.name] if site.name in asked.parts else (),
            assembly=asked.parts[site.name].assembly if site.name in asked.parts else "",
        )
        for site in sites
    ]
    return answers, asked.estimate


def conclude(
    study: Study, answers: Sequence[SiteAnswer], total: Summary | None = None, estimate: Estimate | None = None
) -> Released:
    """Add the sites' sums (or take `total`, added elsewhere under masks), estimate, and pass the gate.

    estimate: what a study in rounds came to, asked elsewhere.
    """

    def estimated() -> Estimate:
        if estimate is not None:
            return estimate
        sums = [reply.summary for reply in answers if reply.summary is not None]
        return SUMS[study.method].estimate(study, total if total is not None else reduce(add, sums))

    return _released(study, answers, estimated)


def _released(study: Study, answers: Sequence[SiteAnswer], estimated: Callable[[], Estimate | None]) -> Released:
    """Say who spoke and who did not, and let the gate judge the estimate; nothing is estimated when nobody spoke."""
    spoke = [reply for reply in answers if not reply.silent]
    silent = tuple((reply.site, reply.silent) for reply in answers if reply.silent)
    if not spoke:
        raise NotFound(
            "asking the sites",
            "; ".join(f"{site}: {why}" for site, why in silent),
            "ask for other words, or other sites",
        )
    assemblies = sorted({reply.assembly for reply in spoke})
    placed = study.method in {"frequencies", "variant_quality", *ROUNDS, *APART}
    by_place = study.variants is not None and (study.variants.of_places or placed)
    if by_place and len(assemblies) > 1:
        raise BadStudy(
            "asking the sites",
            f"their variants are placed on {' and '.join(assemblies)}, where one place is two",
            "ask the sites of each assembly apart, or ask by gene and consequence",
        )
    policy = disclosure.strictest([reply.policy for reply in spoke])
    estimate = estimated()
    assert estimate is not None  # somebody spoke
    return disclosure.gate(
        estimate,
        policy=policy,
        title=METHODS[study.method].asks + "?",
        question=study.to_dict(),
        receipt=Receipt(
            study=study.hash,
            policy=policy.name,
            answered=tuple((reply.site, reply.release) for reply in spoke),
            silent=silent,
            asked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
        population=sum(reply.population for reply in spoke),
        sites=len(spoke),
        withheld=Counter(label for reply in spoke for label in reply.withheld),
        notes=(
            *study.details,
            *(note for reply in spoke for note in reply.notes),
            *(f"{site} did not answer: {why}." for site, why in silent),
        ),
    )


def pooled_filter(study: Study, sites: Iterable[Site], settings: Settings) -> VariantFilter | None:
    """Round 0 of a study whose frequency limit is on all sites together: the alleles that meet it, by key.

    A limit on each site's own frequency would make the answer depend on how people are split over sites. Nor may a limit be
    moved until it tells a count: it is one of `POOLED_LIMITS`, and an allele called so rarely that the limit is fewer copies than
    may be shown is left out; NotSafe when that is so of every allele.
    """
    wanted = study.variants
    if wanted is None or not wanted.needs_pooled_af:
        return wanted
    limits = [limit for limit in (wanted.min_af, wanted.max_af) if limit]
    if not set(limits) <= POOLED_LIMITS:
        raise BadStudy(
            "limiting the frequency in all people asked",
            "by moving such a limit step by step one could count copies",
            "use 1, 2 or 5 in a tenth, a hundredth and so on: 0.05, 0.002",
        )
    everybody = Study("frequencies", everyone(), variants=wanted.without_af())
    replies = [_reply(everybody, site, settings) for site in sites]
    sums = [reply.summary for reply in replies if reply.summary is not None]
    rows = frequencies.estimate(reduce(add, sums, Summary.zero(frequencies.MEASURES))).rows
    least = max((reply.policy.least for reply in replies), default=0)
    known = {row.variant: row.alternate / row.called for row in rows if row.called * min(limits, default=1) >= least}
    if rows and not known:
        raise NotSafe(
            "limiting the frequency in all people asked",
            "the limit is fewer copies than may be shown",
            "use a higher limit, or the frequency in reference populations (af = 'annotation')",
        )
    return wanted.resolved(known)
