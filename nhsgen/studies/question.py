"""The question: frozen, hashed, readable by a steward.

A `Study` says who, which variants, by which method, why and until when. Its hash is what a steward signs and what the receipt
of its answer carries.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from nhsgen.cohorts import Cohort, Happening
from nhsgen.cohorts.events import read_happening
from nhsgen.cohorts.measurements import Measurement
from nhsgen.errors import BadFile, BadInput, BadStudy, NotAllowed, NotFound
from nhsgen.methods import BIRTH, DEATH, ENTRIES, FIRST_RECORD, METHODS, Method, unknown
from nhsgen.studies.reference import Reference
from nhsgen.studies.scoring import Score
from nhsgen.variants import VariantFilter

__all__ = ["Study"]

ALTERNATIVES = ("two-sided", "greater")
BORN = "birth, taken as 1 July of the year of birth: an age may be wrong by half a year"
MOST_DISEASES = 50


@dataclass(frozen=True)
class Study:
    """One frozen question.

    method: a name in `METHODS`.
    cohort: who it is about; for a burden test, the cases.
    controls: whom the cases are compared with; everybody else when not said.
    traits: measurements to explain, instead of cases and controls.
    diseases: several diseases to explain at once, by name: of each, the cohort's people who have it and all its others.
    since: the event from which time is counted, or "birth".
    until: the event to which it is counted; death when not said.
    entry: from when people are followed: an event, or a word of `ENTRIES`; their first record when not said.
    variants: which variants count; for survival, whose carriers are compared with everybody else.
    score: the polygenic score it is about. reference: the public panel it places people beside.
    by: what the answer is split by: groups of people (`cohorts.GROUPS`), "site", and for carriers "gene", "impact", "consequence".
    options: the method's own settings (`methods.METHODS`); complete, whether said or not.
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
    traits: tuple[Measurement, ...] = ()
    since: Happening | Literal["birth"] | None = None
    diseases: Mapping[str, Cohort] = field(default_factory=dict, hash=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    purpose: str = ""
    expires: date | None = None
    until: Happening | Literal["death"] | None = None
    entry: Happening | str | None = None
    score: Score | None = None
    reference: Reference | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", tuple(self.by))
        object.__setattr__(self, "traits", tuple(self.traits))
        object.__setattr__(self, "diseases", dict(sorted(self.diseases.items())))
        method = METHODS.get(self.method)
        if method is None:
            raise unknown("method", self.method, METHODS)
        for part, unsaid in (("until", DEATH), ("entry", FIRST_RECORD)):
            if isinstance(said := getattr(self, part), str) and said == unsaid:
                object.__setattr__(self, part, None)
        for name in self.by:
            if name not in method.groups:
                raise unknown("group", name, method.groups)
        for name in self.options:
            if name not in method.options:
                raise unknown("option", name, method.options)
        chosen = {
            name: option.check(name, self.options.get(name, option.default)) for name, option in method.options.items()
        }
        object.__setattr__(self, "options", chosen)
        self._take_preset(method)
        self._check_parts(method)
        if len(set(self.by)) < len(self.by):
            raise BadStudy("reading a study", "a group it is split by comes twice", "say each group once")
        if not isinstance(self.purpose, str) or not self.purpose.isprintable():
            raise BadStudy("reading a study", "its purpose is not one line of text", "say it in a sentence")
        if type(self.expires) not in {date, type(None)}:
            raise BadStudy("reading a study", "the day it expires on is not a date", "write it like 2026-12-31")
        if self.alternative not in ALTERNATIVES:
            raise unknown("alternative", self.alternative, ALTERNATIVES)
        if self._who == "cases" and self.controls is None:
            object.__setattr__(self, "controls", ~self.cohort)

    def _take_preset(self, method: Method) -> None:
        """Write its preset out, so that whoever approves the question reads what it means."""
        said, preset = self.options, method.presets.get(str(self.options.get("preset")), {})
        for name, value in said.items():
            if name in preset and value not in (preset[name], method.options[name].default):
                found = f"its preset sets {name} to {preset[name]}, not {value}"
                raise BadStudy("reading a study", found, "leave out one of them")
        object.__setattr__(self, "alternative", preset.get("alternative", self.alternative))
        object.__setattr__(self, "options", {name: preset.get(name, value) for name, value in said.items()})

    def _check_parts(self, method: Method) -> None:
        """That it has the parts which its method needs, and no others."""
        tried = f"reading a study by {self.method}"
        if method.needs_variants is not None and method.needs_variants != (self.variants is not None):
            wants = "needs variants" if method.needs_variants else "takes no variants"
            raise BadStudy(tried, f"it {wants}", "add or remove its [variants] part")
        if self.controls is not None and not method.compares:
            raise BadStudy(tried, "it has controls", "leave out its [controls] part")
        if self.alternative != ALTERNATIVES[0] and self.method != "burden":
            raise BadStudy(tried, "it has an alternative", "leave it out: it is for burden alone")
        if self.traits and not method.traits:
            raise BadStudy(tried, "it has traits", "leave them out, or ask for an association")
        if self.traits and self.controls is not None:
            raise BadStudy(tried, "it has both traits and controls", "leave one of them out")
        self._check_explained(tried, method)
        self._check_times(tried, method)
        self._check_tumours(tried, method)
        if method.score != (self.score is not None):
            raise BadStudy(tried, "it needs a score" if method.score else "it has a score",
                           'write score = "PGS000001.txt.gz"' if method.score else "leave out its score")  # fmt: skip
        if method.reference != (self.reference is not None):
            raise BadStudy(tried, "it needs a reference" if method.reference else "it has a reference",
                           'write reference = "panel.json"' if method.reference else "leave out its reference")  # fmt: skip
        if self.by and self.controls is not None:
            raise BadStudy(
                tried, "it has both controls and groups", "compare cases with controls, or split one cohort by groups"
            )
        if self.method == "hazards":
            self._check_terms(tried)

    def _check_times(self, tried: str, method: Method) -> None:
        """That a question about time, and no other, says from when until when."""
        if method.since != (self.since is not None):
            raise BadStudy(tried, "it needs an event to count time from" if method.since else "it has an event to count time from",
                           "say since when, as [since]" if method.since else "leave out its [since] part")  # fmt: skip
        for part, at in (("until", self.until), ("entry", self.entry)):
            if at is not None and not method.since:
                raise BadStudy(tried, f"it has '{part}', and follows nobody over time", f"leave out its '{part}' part")
        for name, word, words in (("start of time", self.since, (BIRTH,)), ("end of time", self.until, (DEATH,)),
                                  ("entry", self.entry, ENTRIES)):  # fmt: skip
            if isinstance(word, str) and word not in words:
                raise unknown(name, word, words)

    def _check_tumours(self, tried: str, method: Method) -> None:
        """That a question about tumours names as many genes as it needs, and no frequency among what people were born with."""
        if self.variants is None or not method.tumours:
            return
        fewest, most = method.genes
        named = len(self.variants.asked_genes)
        if most and not fewest <= named <= most:
            raise BadStudy(
                tried,
                f"its variants name {named or 'no'} gene{'' if named == 1 else 's'}",
                f"name {fewest} to {most} genes",
            )
        if self.variants.needs_pooled_af:
            raise BadStudy(tried, "it limits how common a variant is in the people asked, which no tumour's mutation is",
                           "leave that limit out, or use the frequency in reference populations (af = 'annotation')")  # fmt: skip

    def _check_terms(self, tried: str) -> None:
        """That Cox's model has something to compare, and without strata nothing but groups."""
        covariates = self.options["covariates"]
        if self.variants is None and not self.by and not covariates:
            raise BadStudy(tried, "it compares nobody", "say variants (carriers and others), by (groups) or covariates")
        if self.options["strata"] == "none" and covariates:
            raise BadStudy(
                tried,
                "it has covariates and no strata, and the sums for that would tell the covariates of the last at risk",
                'leave out the covariates and split it by groups, or use strata = "site"',
            )

    def _check_explained(self, tried: str, method: Method) -> None:
        """That what is explained is of one kind, its diseases have names, and its options are about such a trait."""
        if self.diseases and not method.diseases:
            raise BadStudy(tried, "it has several diseases", "ask about one at a time, as cases")
        if self.diseases and (self.traits or self.controls is not None):
            raise BadStudy(tried, "it has diseases beside traits or controls", "leave one of them out")
        if len(self.diseases) > MOST_DISEASES:
            raise BadStudy(tried, f"it has {len(self.diseases)} diseases", f"ask about {MOST_DISEASES} at a time")
        if not all(name.isprintable() and name.strip() for name in self.diseases):
            raise BadStudy(tried, "a disease has no name", "name each in a line of text")
        if len({trait.name for trait in self.traits}) < len(self.traits):
            raise BadStudy(tried, "a measurement comes twice among its traits", "ask about one of its values at a time")
        if self.options.get("offset") and len(self.traits) + len(self.diseases) > 1:
            raise BadStudy(tried, "it has an offset for several traits", "ask about one at a time")
        for name, option in method.options.items():
            if self.traits and option.of_cases and self.options[name] != option.default:
                raise BadStudy(
                    tried, f"the option '{name}' is for cases and controls", "leave it out, or compare cases"
                )

    def to_dict(self) -> dict[str, Any]:
        """What is hashed, signed and sent: plain, complete, in one order."""
        whole: dict[str, Any] = {"method": self.method, self._who: self.cohort.to_dict()}
        if self.controls is not None:
            whole["controls"] = self.controls.to_dict()
        if self.method == "burden":
            whole["alternative"] = self.alternative
        if self.traits:
            whole["traits"] = [trait.to_dict() for trait in self.traits]
        if self.diseases:
            whole["diseases"] = {name: disease.to_dict() for name, disease in self.diseases.items()}
        for name, moment in (("since", self.since), ("until", self.until), ("entry", self.entry)):
            if moment is not None:
                whole[name] = moment if isinstance(moment, str) else moment.to_dict()
        if self.options:
            whole["options"] = {name: list(v) if isinstance(v, tuple) else v for name, v in self.options.items()}
        for name, part in (("variants", self.variants), ("score", self.score), ("reference", self.reference)):
            if part is not None:
                whole[name] = part.to_dict()
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
        method = METHODS.get(str(whole.get("method")))
        explained = whole.get("traits") or whole.get("diseases") or (method and method.groups and whole.get("by"))
        who = "cases" if method is not None and method.compares and not explained else "cohort"
        known = {
            "method",
            who,
            "controls",
            "alternative",
            "variants",
            "by",
            "traits",
            "diseases",
            "since",
            "until",
            "entry",
            "score",
            "reference",
            "options",
            "purpose",
            "expires",
        }
        for name in whole:
            if name not in known:
                raise unknown("setting", name, known)
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
                traits=tuple(Measurement.from_dict(trait) for trait in whole.get("traits", ())),
                diseases={name: Cohort.from_dict(part) for name, part in whole.get("diseases", {}).items()},
                since=_moment(whole.get("since")),
                until=_moment(whole.get("until")),
                entry=_moment(whole.get("entry")),
                score=Score.from_dict(whole["score"]) if "score" in whole else None,
                reference=Reference.from_dict(whole["reference"]) if "reference" in whole else None,
                options=dict(whole.get("options", {})),
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
            whole = tomllib.loads(source.read_text(encoding="utf-8"))
            for part, kind in (("score", Score), ("reference", Reference)):
                if isinstance(whole.get(part), str):
                    whole[part] = kind.read(source.parent / whole[part]).to_dict()
            return cls.from_dict(whole)
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

    def check_expiry(self) -> None:
        """NotAllowed when its last day is over."""
        if self.expires is not None and datetime.now(UTC).date() > self.expires:
            raise NotAllowed("running the study", f"it expired on {self.expires:%-d %B %Y}", "have it approved again")

    @property
    def hash(self) -> str:
        """sha256 of the canonical JSON of `to_dict`: 64 hexadecimal digits. What a steward approves."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def describe(self) -> str:
        """The question in plain English, with every setting: what a steward reads before it is approved."""
        split = f" Split by {', '.join(self.by)}." if self.by else ""
        return "\n".join([f"{METHODS[self.method].asks}?{split}", *self._sentences(self.options)])

    @property
    def details(self) -> tuple[str, ...]:
        """Who, which variants, why and until when: a sentence each; of its settings, those that are not the method's own."""
        usual = METHODS[self.method].options
        return self._sentences({name: value for name, value in self.options.items() if value != usual[name].default})

    def _sentences(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        lines = [f"{self._who.capitalize()}: {self.cohort.describe()}."]
        if self.controls is not None:
            both = "" if self.controls == ~self.cohort else " Who is a case is no control."
            lines.append(f"Controls: {self.controls.describe()}.{both}")
        if self.traits:
            lines.append(f"Traits: {', '.join(trait.describe() for trait in self.traits)}.")
        if self.diseases:
            lines += [f"Cases of {name}: {disease.describe()}." for name, disease in self.diseases.items()]
            lines.append("Controls of each disease: all others of the cohort.")
        if self.since is not None:
            start = BORN if isinstance(self.since, str) else self.since.noun()
            lines.append(f"Time is counted from: {start}.")
        if isinstance(self.until, Happening):
            lines.append(f"Time is counted to: {self.until.noun()}. Who dies first is followed until that day.")
        if self.since == BIRTH or self.entry is not None:
            entry = FIRST_RECORD if self.entry is None else self.entry
            lines.append(f"People are followed from: {ENTRIES[entry] if isinstance(entry, str) else entry.noun()}.")
        if self.score is not None:
            lines.append(f"Score: {self.score.describe()}.")
        if self.reference is not None:
            lines.append(f"Reference: {self.reference.describe()}.")
        if self.variants is not None:
            lines.append(f"Variants: {self.variants.describe()}.")
        if settings:
            said = (
                f"{name} {(', '.join(map(str, v)) if isinstance(v, tuple) else v) if v not in ('', ()) else 'none'}"
                for name, v in settings.items()
            )
            lines.append(f"Settings: {'; '.join(said)}.")
        if self.purpose:
            lines.append(f"Purpose: {self.purpose.rstrip('.')}.")
        if self.expires is not None:
            lines.append(f"May be run until {self.expires:%-d %B %Y}.")
        return tuple(lines)

    @property
    def _who(self) -> str:
        return "cases" if METHODS[self.method].compares and not (self.traits or self.diseases or self.by) else "cohort"


def _moment(value: Any) -> Any:
    """An event; a word as it is, for `Study` to judge."""
    return value if value is None or isinstance(value, str) else read_happening(value, 0)


def _date(value: Any) -> Any:
    """A text that is an ISO date as a date; anything else as it is, for `Study` to judge."""
    return date.fromisoformat(value) if isinstance(value, str) else value
