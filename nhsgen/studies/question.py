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
from typing import Any

from nhsgen.cohorts import Cohort, Happening
from nhsgen.cohorts.events import read_happening
from nhsgen.cohorts.measurements import Measurement
from nhsgen.errors import BadFile, BadInput, BadStudy, NotAllowed, NotFound
from nhsgen.methods import METHODS, Method, unknown
from nhsgen.variants import VariantFilter

__all__ = ["Study"]

ALTERNATIVES = ("two-sided", "greater")


@dataclass(frozen=True)
class Study:
    """One frozen question.

    method: a name in `METHODS`.
    cohort: who it is about; for a burden test, the cases.
    controls: whom the cases are compared with; everybody else when not said.
    traits: measurements to explain, instead of cases and controls.
    since: the event from which time is counted.
    variants: which variants count; for survival, whose carriers are compared with everybody else.
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
    since: Happening | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    purpose: str = ""
    expires: date | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", tuple(self.by))
        object.__setattr__(self, "traits", tuple(self.traits))
        method = METHODS.get(self.method)
        if method is None:
            raise unknown("method", self.method, METHODS)
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
        self._check_parts(method)
        if len(set(self.by)) < len(self.by):
            raise BadStudy("reading a study", "a group it is split by comes twice", "say each group once")
        if not isinstance(self.purpose, str) or not self.purpose.isprintable():
            raise BadStudy("reading a study", "its purpose is not one line of text", "say it in a sentence")
        if type(self.expires) not in {date, type(None)}:
            raise BadStudy("reading a study", "the day it expires on is not a date", "write it like 2026-12-31")
        if self.alternative not in ALTERNATIVES:
            raise unknown("alternative", self.alternative, ALTERNATIVES)
        if method.compares and not self.traits and self.controls is None:
            object.__setattr__(self, "controls", ~self.cohort)

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
        if method.since != (self.since is not None):
            raise BadStudy(tried, "it needs an event to count time from" if method.since else "it has an event to count time from",
                           "say since when, as [since]" if method.since else "leave out its [since] part")  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """What is hashed, signed and sent: plain, complete, in one order."""
        whole: dict[str, Any] = {"method": self.method, self._who: self.cohort.to_dict()}
        if self.controls is not None:
            whole["controls"] = self.controls.to_dict()
        if self.method == "burden":
            whole["alternative"] = self.alternative
        if self.traits:
            whole["traits"] = [trait.to_dict() for trait in self.traits]
        if self.since is not None:
            whole["since"] = self.since.to_dict()
        if self.options:
            whole["options"] = {name: list(v) if isinstance(v, tuple) else v for name, v in self.options.items()}
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
        method = METHODS.get(str(whole.get("method")))
        who = "cases" if method is not None and method.compares and "traits" not in whole else "cohort"
        known = {
            "method",
            who,
            "controls",
            "alternative",
            "variants",
            "by",
            "traits",
            "since",
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
                since=read_happening(whole["since"], 0) if "since" in whole else None,
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
        if self.traits:
            lines.append(f"Traits: {', '.join(trait.describe() for trait in self.traits)}.")
        if self.since is not None:
            lines.append(f"Time is counted from: {self.since.noun()}.")
        if self.variants is not None:
            lines.append(f"Variants: {self.variants.describe()}.")
        if self.options:
            said = (
                f"{name} {', '.join(v) or 'none' if isinstance(v, tuple) else v}" for name, v in self.options.items()
            )
            lines.append(f"Settings: {'; '.join(said)}.")
        if self.purpose:
            lines.append(f"Purpose: {self.purpose.rstrip('.')}.")
        if self.expires is not None:
            lines.append(f"May be run until {self.expires:%-d %B %Y}.")
        return tuple(lines)

    @property
    def _who(self) -> str:
        return "cases" if METHODS[self.method].compares and not self.traits else "cohort"


def _date(value: Any) -> Any:
    """A text that is an ISO date as a date; anything else as it is, for `Study` to judge."""
    return date.fromisoformat(value) if isinstance(value, str) else value
