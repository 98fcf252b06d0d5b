"""One question, from start to safe answer; notebook, command line, pipeline and node all call the same `run`.

A `Study` is frozen: its hash is what a steward signs and what the receipt of its answer carries. Each site turns its people
into a `Summary` (a sum, never a row) behind its own wall in `answer`; `conclude` adds the sums, estimates, and hands the
estimate to the disclosure gate.
"""

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import polars as pl

from nhsgen import disclosure
from nhsgen.cohorts import GROUPS, Cohort, NotBound, everyone, groups, samples
from nhsgen.errors import BadFile, BadInput, BadStudy, NotAllowed, NotFound, NotSafe, Tampered
from nhsgen.progress import track
from nhsgen.results import Estimate, Receipt, Released
from nhsgen.sandbox import Sandbox, open_sandbox
from nhsgen.settings import Settings
from nhsgen.statistics import Summary, burden, carriers, counts, frequencies
from nhsgen.variants import VariantFilter, VariantStore
from nhsgen.workspace import Release, Site

__all__ = ["METHODS", "Method", "SiteAnswer", "Study", "answer", "conclude", "pooled_filter", "run", "summarise"]

SITE = "site"
VARIANT_GROUPS = ("gene", "impact", "consequence")
ALTERNATIVES = ("two-sided", "greater")
POOLED_LIMITS = frozenset(float(f"{digit}e-{place}") for digit in (1, 2, 5) for place in range(7)) - {2.0, 5.0}


@dataclass(frozen=True)
class Study:
    """One frozen question.

    method: a name in `METHODS`.
    cohort: who it is about; for a burden test, the cases.
    controls: for a burden test, whom the cases are compared with; everybody else when not said.
    variants: which variants count; needed by every method but "counts".
    by: what the answer is split by: groups of people (`cohorts.GROUPS`), "site", and for carriers "gene", "impact", "consequence".
    alternative: for a burden test, "two-sided" or "greater".
    purpose: why it is asked, in a sentence the public register can print.
    expires: the last day on which it may be run.
    """

    method: str
    cohort: Cohort
    controls: Cohort | None = None
    variants: VariantFilter | None = None
    by: tuple[str, ...] = ()
    alternative: str = "two-sided"
    purpose: str = ""
    expires: date | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", tuple(self.by))
        method = METHODS.get(self.method)
        if method is None:
            raise _bad("method", self.method, METHODS)
        for name in self.by:
            if name not in method.groups:
                raise _bad("group", name, method.groups)
        if len(set(self.by)) < len(self.by):
            raise BadStudy("reading a study", "a group it is split by comes twice", "say each group once")
        if not isinstance(self.purpose, str) or not self.purpose.isprintable():
            raise BadStudy("reading a study", "its purpose is not one line of text", "say it in a sentence")
        if type(self.expires) not in {date, type(None)}:
            raise BadStudy("reading a study", "the day it expires on is not a date", "write it like 2026-12-31")
        if self.alternative not in ALTERNATIVES:
            raise _bad("alternative", self.alternative, ALTERNATIVES)
        if method.needs_variants != (self.variants is not None):
            wants = "needs variants" if method.needs_variants else "takes no variants"
            raise BadStudy(f"reading a study by {self.method}", f"it {wants}", "add or remove its [variants] part")
        if self.controls is not None and self.method != "burden":
            raise BadStudy(f"reading a study by {self.method}", "it has controls", "leave out its [controls] part")
        if self.alternative != ALTERNATIVES[0] and self.method != "burden":
            raise BadStudy(
                f"reading a study by {self.method}", "it has an alternative", "leave it out: nothing is tested"
            )
        if self.method == "burden" and self.controls is None:
            object.__setattr__(self, "controls", ~self.cohort)

    def to_dict(self) -> dict[str, Any]:
        """What is hashed, signed and sent: plain, complete, in one order."""
        whole: dict[str, Any] = {"method": self.method, self._who: self.cohort.to_dict()}
        if self.controls is not None:
            whole["controls"] = self.controls.to_dict()
            whole["alternative"] = self.alternative
        if self.variants is not None:
            whole["variants"] = self.variants.to_dict()
        if self.by:
            whole["by"] = list(self.by)
        if self.purpose:
            whole["purpose"] = self.purpose
        if self.expires is not None:
            whole["expires"] = self.expires.isoformat()
        return whole

    @classmethod
    def from_dict(cls, whole: Mapping[str, Any]) -> "Study":
        """The inverse of `to_dict`; BadStudy on any setting that is unknown or missing."""
        who = "cases" if whole.get("method") == "burden" else "cohort"
        known = {"method", who, "controls", "alternative", "variants", "by", "purpose", "expires"}
        for name in whole:
            if name not in known:
                raise _bad("setting", name, known)
        for name in ("method", who):
            if name not in whole:
                raise BadStudy("reading a study", f"it has no '{name}'", f"add {name} to it")
        by = whole.get("by", ())
        try:
            return cls(
                method=whole["method"],
                cohort=Cohort.from_dict(whole[who]),
                controls=Cohort.from_dict(whole["controls"]) if "controls" in whole else None,
                variants=VariantFilter.from_dict(whole["variants"]) if "variants" in whole else None,
                by=(by,) if isinstance(by, str) else tuple(by),
                alternative=whole.get("alternative", "two-sided"),
                purpose=whole.get("purpose", ""),
                expires=_date(whole.get("expires")),
            )
        except (TypeError, AttributeError, ValueError) as error:
            raise BadStudy(
                "reading a study", "a setting is not of the kind it should be", "see the README's example"
            ) from error

    @classmethod
    def read(cls, path: str | Path) -> "Study":
        """From a TOML file; whatever is wrong with it, the file is named."""
        source = Path(path)
        tried = f"reading the study {source.name}"
        try:
            return cls.from_dict(tomllib.loads(source.read_text(encoding="utf-8")))
        except OSError as error:
            missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            found = "there is no such file" if missing else f"it cannot be read ({error.strerror})"
            raise (NotFound if missing else BadFile)(tried, found, "check the path", file=source) from error
        except UnicodeDecodeError as error:
            raise BadStudy(tried, "it is not UTF-8 text", "save it as UTF-8", file=source) from error
        except tomllib.TOMLDecodeError as error:
            raise BadStudy(tried, f"it is not TOML: {error}", "mend that line", file=source) from error
        except BadInput as error:
            raise type(error)(error.tried, error.found, error.do_next, file=error.file or source) from error

    @property
    def hash(self) -> str:
        """sha256 of the canonical JSON of `to_dict`: 64 hexadecimal digits. What a steward approves."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def describe(self) -> str:
        """The question in plain English."""
        split = f" Split by {', '.join(self.by)}." if self.by else ""
        return "\n".join([f"{METHODS[self.method].asks}?{split}", *self.details])

    @property
    def details(self) -> tuple[str, ...]:
        """Who, which variants, why and until when: a sentence each."""
        lines = [f"{self._who.capitalize()}: {self.cohort.describe()}."]
        if self.controls is not None:
            both = "" if self.controls == ~self.cohort else " Who is a case is no control."
            lines.append(f"Controls: {self.controls.describe()}.{both}")
        if self.variants is not None:
            lines.append(f"Variants: {self.variants.describe()}.")
        if self.purpose:
            lines.append(f"Purpose: {self.purpose.rstrip('.')}.")
        if self.expires is not None:
            lines.append(f"May be run until {self.expires:%-d %B %Y}.")
        return tuple(lines)

    @property
    def _who(self) -> str:
        return "cases" if self.method == "burden" else "cohort"


@dataclass(frozen=True)
class SiteData:
    """One site's current release, opened for one question, with the people who may be counted in it."""

    site: str
    release: Release
    sandbox: Sandbox
    store: VariantStore | None
    unbound: set[str] = field(default_factory=set)

    def people(self, cohort: Cohort) -> pl.Series:
        """Ids of the cohort's people: consenting, not withdrawn."""
        query = cohort.compile(self.release.words)
        self.unbound.update(query.unbound)
        return self.sandbox.query(query.sql, query.params).to_series()

    def groups(self, people: pl.Series, by: Sequence[str]) -> pl.DataFrame:
        """One row a person: person_id and the groups asked for, "site" among them when asked."""
        asked = [name for name in by if name in GROUPS]
        frame = pl.DataFrame({"person_id": people})
        if asked:
            query = groups(asked, self.release.words)
            frame = frame.join(self.sandbox.query(query.sql, query.params), on="person_id", how="left")
        return frame.with_columns(pl.lit(self.site).alias(SITE))

    def variants(self) -> VariantStore:
        if self.store is None:
            raise NotBound("variant files")
        return self.store

    def samples(self, people: pl.Series) -> pl.DataFrame:
        """The samples of these people that were sequenced: columns person_id, sample."""
        query = samples(self.release.words)
        links = self.sandbox.query(query.sql, query.params)
        return links.filter(pl.col("sample").is_in(self.variants().samples)).join(
            pl.DataFrame({"person_id": people}), on="person_id", how="semi"
        )

    def sequenced(self, cohort: Cohort) -> pl.Series:
        """Ids of those of the cohort's people who have a sample: who has none can be neither carrier nor not."""
        return self.samples(self.people(cohort))["person_id"].unique()

    def carriers(self, people: pl.Series, variants: VariantFilter) -> pl.DataFrame:
        """One row per person and matching allele they carry: person_id, gene, impact, consequence."""
        links = self.samples(people)
        found = self.variants().carriers(variants, links["sample"].to_list())
        return found.join(links, on="sample").select("person_id", *VARIANT_GROUPS)


@dataclass(frozen=True)
class Method:
    """How one kind of question is answered: what each site sums, and what the total says."""

    asks: str
    needs_variants: bool
    groups: tuple[str, ...]
    summarise: Callable[[Study, SiteData, VariantFilter], Summary]
    estimate: Callable[[Study, Summary], Estimate]


def _summarise_counts(study: Study, data: SiteData, _: VariantFilter) -> Summary:
    everybody = None if study.cohort == everyone() else data.groups(data.people(everyone()), study.by)
    return counts.summarise(data.groups(data.people(study.cohort), study.by), study.by, everybody)


def _summarise_carriers(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    people = data.sequenced(study.cohort)
    found = data.carriers(people, variants).join(data.groups(people, study.by), on="person_id")
    return carriers.summarise(found, len(people), study.by)


def _summarise_frequencies(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    return _allele_counts(data, data.people(study.cohort), variants)


def _summarise_burden(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    assert study.controls is not None  # a burden study always has them
    cases, controls = data.sequenced(study.cohort), data.sequenced(study.controls)
    found = data.carriers(pl.concat([cases, controls]), variants)
    # Who is both is a case. To refuse instead would tell whether anybody is both, and two narrow cohorts make that one person.
    return burden.summarise(found, set(cases), set(controls) - set(cases), data.variants().genes(variants))


def _allele_counts(data: SiteData, people: pl.Series, variants: VariantFilter) -> Summary:
    """Each chosen allele, in one sample of each of `people`: a person's second sample holds the same alleles again."""
    store, links = data.variants(), data.samples(people).sort("sample").unique("person_id", keep="first")
    recorded = Counter(data.groups(links["person_id"], ["sex"])["sex"])
    by_sex = {sex: recorded[sex] for sex in ("female", "male")}
    return frequencies.summarise(
        store.counts(variants, links["sample"].to_list()),
        by_sex | {"unknown": len(links) - sum(by_sex.values())},
        assembly=store.assembly,
        absence=store.absence,
    )


METHODS: Mapping[str, Method] = {
    "counts": Method(
        "How many people are there in each group", False, (*GROUPS, SITE),
        _summarise_counts, lambda study, total: counts.estimate(total, study.by),
    ),
    "carriers": Method(
        "How many of the cohort's people carry such a variant", True, (*VARIANT_GROUPS, *GROUPS, SITE),
        _summarise_carriers, lambda study, total: carriers.estimate(total, study.by),
    ),
    "frequencies": Method(
        "How common is each such allele in the cohort", True, (),
        _summarise_frequencies, lambda _, total: frequencies.estimate(total),
    ),
    "burden": Method(
        "In which genes do cases carry such variants more often than controls", True, (),
        _summarise_burden, lambda study, total: burden.estimate(total, study.alternative),
    ),
}  # fmt: skip


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
    _check_expiry(study)
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
    with _open(site, release, settings) as data:
        summary = METHODS[study.method].summarise(study, data, resolved or study.variants or VariantFilter())
        genomic = METHODS[study.method].needs_variants
        population = len(data.sequenced(everyone()) if genomic else data.people(everyone()))
        notes = tuple(
            f"{site.name} has no {word}: people known only by them are not counted there."
            for word in sorted(data.unbound)
        )
        if study.method in {"carriers", "burden"} and data.variants().absence == "unknown":
            notes += (
                f"{site.name} lists only what was found: an allele nobody looked for counts as not carried there.",
            )
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


@contextmanager
def _open(site: Site, release: Release, settings: Settings) -> Iterator[SiteData]:
    withdrawn = pl.DataFrame({"person_id": sorted(site.withdrawn())}, schema={"person_id": pl.String})
    store = None if release.variants is None else VariantStore.open(release.variants)
    with open_sandbox(release.tables, settings, {"withdrawn": withdrawn}) as sandbox:
        yield SiteData(site.name, release, sandbox, store)


# -- All sites together -----------------------------------------------------------------------------------------------


def run(
    study: Study, sites: Iterable[Site], settings: Settings | None = None, *, asked_by: str = "researcher"
) -> Released:
    """Ask each of `sites`, add what they say, and release what may be shown. BadStudy when a site is asked twice."""
    settings, asked = settings or Settings.read(), list(sites)
    _check_expiry(study)
    if len({site.name for site in asked}) < len(asked):
        raise BadStudy("asking the sites", "a site is named twice, and its people would count twice", "name it once")
    resolved = pooled_filter(study, asked, settings)
    answers = [answer(study, site, settings, asked_by=asked_by, resolved=resolved) for site in track(asked, "asking")]
    return conclude(study, answers)


def conclude(study: Study, answers: Sequence[SiteAnswer], total: Summary | None = None) -> Released:
    """Add the sites' sums (or take `total`, added elsewhere under masks), estimate, and pass the gate."""
    spoke = [reply for reply in answers if not reply.silent]
    silent = tuple((reply.site, reply.silent) for reply in answers if reply.silent)
    if not spoke:
        raise NotFound(
            "asking the sites",
            "; ".join(f"{site}: {why}" for site, why in silent),
            "ask for other words, or other sites",
        )
    assemblies = sorted({reply.assembly for reply in spoke})
    by_place = study.variants is not None and (study.variants.of_places or study.method == "frequencies")
    if by_place and len(assemblies) > 1:
        raise BadStudy(
            "asking the sites",
            f"their variants are placed on {' and '.join(assemblies)}, where one place is two",
            "ask the sites of each assembly apart, or ask by gene and consequence",
        )
    if total is None:
        total = reduce(add, [reply.summary for reply in spoke if reply.summary is not None])
    policy = disclosure.strictest([reply.policy for reply in spoke])
    return disclosure.gate(
        METHODS[study.method].estimate(study, total),
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


def _check_expiry(study: Study) -> None:
    if study.expires is not None and datetime.now(UTC).date() > study.expires:
        raise NotAllowed("running the study", f"it expired on {study.expires:%-d %B %Y}", "have it approved again")


def _bad(what: str, name: object, known: Iterable[str]) -> BadStudy:
    choices = sorted(known)
    near = get_close_matches(str(name), choices, n=1)
    return BadStudy(
        "reading a study",
        f"the {what} '{name}' is unknown",
        f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(choices)}",
    )


def _date(value: Any) -> Any:
    """A text that is an ISO date as a date; anything else as it is, for `Study` to judge."""
    return date.fromisoformat(value) if isinstance(value, str) else value
