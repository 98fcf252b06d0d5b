"""A hub's side of a study that is asked again and again: the total of all sites at a state, a step, and the next state.

The same `Rounds` as where the sites' folders can be opened; only the adding is done under masks, exactly and in no order
(`fixed_point`), so that the answer is the one that adding in plain would give.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from secrets import token_hex
from typing import Any

import numpy as np

from nhsgen.errors import NhsgenError, NotSafe
from nhsgen.estimates import Estimate
from nhsgen.federation.conversation import digest_of
from nhsgen.federation.layouts import Layout, merged
from nhsgen.federation.messages import Ended, Masked, NextQuestion, Shape, Turn
from nhsgen.federation.secure_sum import FEWEST, Words, total
from nhsgen.federation.states import spelled
from nhsgen.progress import track
from nhsgen.statistics.sums import solve
from nhsgen.studies import ROUNDS, Study

__all__ = ["Asking", "Nobody", "words_of"]

Hear = Callable[[str, NextQuestion, type[Any]], Any]


class Nobody(Exception):
    """No site has anything to say to the study; their reasons are in `Asking.shapes`."""


class Asking:
    """One study, from its first question to its last. shapes: what each site said when it was first asked."""

    def __init__(self, study: Study, sites: Iterable[str], hear: Hear, asked_by: str) -> None:
        self.shapes: Mapping[str, Shape] = {}
        self._study, self._asked_by, self._hear = study, asked_by, hear
        self._sites = tuple(sorted(sites))
        self._opened, self._number = token_hex(16), 0

    def estimate(self) -> Estimate:
        """What all sites together come to; `Nobody` when all are silent, NotSafe when fewer than three are not."""
        rounds = ROUNDS[self._study.method]
        step, start = partial(rounds.step, self._study), rounds.start(self._study)
        try:
            return rounds.estimate(self._study, solve(self._total, step, start, most_rounds=rounds.most))
        finally:
            self._end()

    def _total(self, state: Any) -> Any:
        """The sum of all sites at `state`, of which only they know the parts."""
        self._number += 1
        text = spelled(state)
        digest, first = digest_of(text), self._number == 1
        turn = Turn(
            self._opened if first else token_hex(16), self._study.hash, self._sites, self._opened, self._number, digest
        )
        question = NextQuestion("layout", self._asked_by, self._study.to_dict(), turn, text)
        shapes = {name: self._hear(name, question, Shape) for name in _seen(self._sites, first)}
        if first:
            self.shapes = shapes
        self._sites = tuple(name for name, shape in shapes.items() if not shape.silent)
        terms = _terms(turn, {name: shapes[name] for name in self._sites})
        second = replace(question, stage="sum", round=terms, state=None)
        masked = {name: self._hear(name, second, Masked) for name in self._sites}
        assert terms.layout is not None  # a sum has one
        return terms.layout.total(total(terms, {name: words_of(one, terms.digest) for name, one in masked.items()}))

    def _end(self) -> None:
        """Tell every site that it may forget; one that cannot be reached forgets by itself."""
        turn = Turn(token_hex(16), self._study.hash, self._sites, self._opened, max(1, self._number), "0" * 64)
        question = NextQuestion("end", self._asked_by, self._study.to_dict(), turn)
        for name in self._sites:
            with suppress(NhsgenError, OSError):
                self._hear(name, question, Ended)


def words_of(masked: Masked, terms: str) -> Words:
    """A site's masked words; NotSafe when they were masked for other terms."""
    if masked.terms != terms:
        raise NotSafe(
            f"adding {masked.site}", "it masked its numbers for another round", "begin a new round with fresh keys"
        )
    return np.frombuffer(masked.words, dtype="<u8").astype(np.uint64)


def _seen(sites: tuple[str, ...], first: bool) -> Iterable[str]:
    """Getting ready takes long, and is watched; a round does not."""
    return track(sites, "preparing") if first else sites


def _terms(turn: Turn, spoke: Mapping[str, Shape]) -> Turn:
    """What the sites that can answer must agree on: the layout of all of them and the key of each."""
    if not spoke:
        raise Nobody
    if turn.number > 1 and len(spoke) < len(turn.sites):
        raise NotSafe("asking the sites again", "one has fallen silent", "begin the study again")
    if len(spoke) < FEWEST:
        raise NotSafe(
            "asking the sites",
            f"only {len(spoke)} of them can answer, and each could work out the other's numbers",
            f"ask at least {FEWEST} sites that can",
        )
    layouts: list[Layout] = [shape.layout for shape in spoke.values() if shape.layout is not None]
    adverts = tuple(shape.advert for shape in spoke.values() if shape.advert is not None)
    return replace(turn, sites=tuple(spoke), layout=merged(layouts), adverts=adverts)
