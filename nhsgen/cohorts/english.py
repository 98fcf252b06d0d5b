"""How lists, numbers and dates are said."""

from collections.abc import Sequence
from datetime import date

__all__ = ["day", "number", "one_of"]

AT_MOST = 12


def one_of(words: Sequence[str]) -> str:
    """
    >>> one_of(["E10", "E11", "E14"])
    'E10, E11 or E14'
    >>> one_of([f"E{n}" for n in range(10, 45)])
    'one of the 35 from E10, E11, E12, E13, E14, E15, E16, E17, E18, E19, E20, E21 to E44'
    """
    if len(words) > AT_MOST + 1:
        return f"one of the {len(words)} from {', '.join(words[:AT_MOST])} to {words[-1]}"
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def number(value: float) -> str:
    """
    >>> number(60.0), number(1234567.5)
    ('60', '1234567.5')
    """
    return str(int(value)) if value == int(value) else repr(value)


def day(when: date) -> str:
    """
    >>> day(date(2026, 1, 1))
    '1 January 2026'
    """
    return f"{when.day} {when:%B %Y}"
