"""A type per clinical vocabulary: an ICD-10 code is not a string.

A code is checked when it is made and knows the forms under which hospitals store it, so that `Q61.2` in a question finds
`Q612` in a HES episode. A code also stands for everything below it: `Q61` finds `Q61.2` (see `Code.stored_prefixes`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nhsgen.errors import BadCode

__all__ = ["HPO", "ICD10", "OMOP", "OPCS4", "SNOMED", "VOCABULARIES", "Code", "code"]


@dataclass(frozen=True, order=True)
class Code:
    """One code of one vocabulary, in its written form."""

    text: str
    vocabulary: ClassVar[str]
    example: ClassVar[str]
    pattern: ClassVar[re.Pattern[str]]

    def __post_init__(self) -> None:
        written = self.text.strip().upper()
        if not self.pattern.fullmatch(written):
            raise BadCode(
                f"reading the {self.vocabulary} code '{self.text}'",
                "it is not of that vocabulary's form",
                f"write it like {self.example}",
            )
        object.__setattr__(self, "text", self.written(written))

    @classmethod
    def written(cls, text: str) -> str:
        """The one form this code is written in by us."""
        return text

    @property
    def stored_prefixes(self) -> tuple[str, ...]:
        """What a stored value starts with when it means this code or one below it; empty when only the exact code counts."""
        return ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, order=True)
class _Dotted(Code):
    """Codes of a letter and two digits, with more after a dot that hospitals store or leave out."""

    @classmethod
    def written(cls, text: str) -> str:
        return text if "." in text or len(text) <= 3 else f"{text[:3]}.{text[3:]}"

    @property
    def stored_prefixes(self) -> tuple[str, ...]:
        return (self.text,) if "." not in self.text else (self.text, self.text.replace(".", ""))


@dataclass(frozen=True, order=True)
class ICD10(_Dotted):
    """ICD-10 (WHO, and the UK's fifth characters).

    >>> ICD10("q612").text, ICD10("Q61.2").stored_prefixes
    ('Q61.2', ('Q61.2', 'Q612'))
    """

    vocabulary: ClassVar[str] = "ICD10"
    example: ClassVar[str] = "Q61.2"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"[A-Z][0-9]{2}(\.?[0-9X][0-9A-Z]?)?[DA]?")


@dataclass(frozen=True, order=True)
class OPCS4(_Dotted):
    """OPCS-4 procedures.

    >>> OPCS4("M013").text, OPCS4("M01").stored_prefixes
    ('M01.3', ('M01',))
    """

    vocabulary: ClassVar[str] = "OPCS4"
    example: ClassVar[str] = "M01.3"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"[A-Z][0-9]{2}(\.?[0-9])?")


# Verhoeff's check digit, as SNOMED CT's SCTID uses it (SNOMED CT Release File Specifications, 6.2).
_TIMES = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_TURN = ("0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258")


@dataclass(frozen=True, order=True)
class SNOMED(Code):
    """SNOMED CT concept ids, check digit included.

    >>> SNOMED("74474003").text
    '74474003'
    >>> SNOMED("74474004")
    Traceback (most recent call last):
    nhsgen.errors.BadCode: reading the SNOMED code '74474004' failed: its check digit is wrong; copy the code again, a digit may be mistyped.
    """

    vocabulary: ClassVar[str] = "SNOMED"
    example: ClassVar[str] = "74474003"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"[1-9][0-9]{5,17}")

    def __post_init__(self) -> None:
        super().__post_init__()
        check = 0
        for place, digit in enumerate(reversed(self.text)):
            check = int(_TIMES[check][int(_TURN[place % 8][int(digit)])])
        if check:
            raise BadCode(
                f"reading the SNOMED code '{self.text}'",
                "its check digit is wrong",
                "copy the code again, a digit may be mistyped",
            )


@dataclass(frozen=True, order=True)
class OMOP(Code):
    """OMOP standard concept ids: whole numbers.

    >>> OMOP("192671").text
    '192671'
    """

    vocabulary: ClassVar[str] = "OMOP"
    example: ClassVar[str] = "192671"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True, order=True)
class HPO(Code):
    """Human Phenotype Ontology terms.

    >>> HPO("hp:0000107").text
    'HP:0000107'
    """

    vocabulary: ClassVar[str] = "HPO"
    example: ClassVar[str] = "HP:0000107"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"HP:[0-9]{7}")


VOCABULARIES: Mapping[str, type[Code]] = {kind.vocabulary: kind for kind in (ICD10, OPCS4, SNOMED, OMOP, HPO)}


def code(vocabulary: str, text: str) -> Code:
    """The code `text` of `vocabulary`; BadCode when either is unknown.

    >>> code("OPCS4", "M01")
    OPCS4(text='M01')
    """
    if vocabulary not in VOCABULARIES:
        raise BadCode(
            f"reading the code '{text}'",
            f"the vocabulary '{vocabulary}' is unknown",
            f"use one of {', '.join(VOCABULARIES)}",
        )
    return VOCABULARIES[vocabulary](text)
