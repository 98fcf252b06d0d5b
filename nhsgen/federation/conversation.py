"""A site's side of a study that is asked again and again: prepared once, asked at one state after another, then forgotten.

What the hub sees, and what it does not. Of every round it sees the sum of all sites, at least three, and no site's part of it.
It also sees which site lists which label (an allele, a group), before any number is masked, and tells all sites the labels of
all: that somebody at this site carries a rare allele is known to the hub, and that somebody at one of the sites does, to all of
them; `frequencies` is no different. And where a model gives each site a level of its own (site_effect = "intercept"), what is
summed over that level is that site's alone: how many take part there, the sum of their trait, their copies of each allele. A site
that does not want the hub to know these approves a study with site_effect = "none" alone.

What a hub that does not keep to the study could learn: it chooses the states, and a state says which alleles are summed over
and at which coefficients. So it could ask for sums that the study would never have asked for, such as the trait of the only
carrier of an allele. Had the sites taken the step from round to round themselves, it could have lied about the totals instead. What
limits it: every sum is over all the sites of one roster; the first state must be the study's own; states are of the method's own
types, at most as many as the method may need (`Rounds.most`), one after the other, each sum given once; and each site's log keeps
every beginning and the digest of every state, so that whoever holds the hub's record can take the steps again and see that they
follow.
"""

import hashlib
from contextlib import ExitStack
from time import monotonic
from typing import Any

from nhsgen.errors import BadInput, NhsgenError, NotAllowed, NotSafe
from nhsgen.federation.layouts import Layout, Numbers, layout_of
from nhsgen.federation.messages import NextQuestion, Turn
from nhsgen.federation.spelling import canonical
from nhsgen.federation.states import read_state, spelled, with_known
from nhsgen.studies import ROUNDS, Study
from nhsgen.studies.rounds import Prepared

__all__ = ["Conversation", "digest_of"]

IDLE = 3600.0
"""Seconds after which a hub that says nothing more is not waited for."""


def digest_of(state: Any) -> str:
    """sha256 of a state as it is sent, in hexadecimal."""
    return hashlib.sha256(canonical({"state": state})).hexdigest()


class Conversation:
    """One study with one hub, from its first question to its last. `prepared` holds people's rows, and lives no longer than this."""

    def __init__(
        self,
        study: Study,
        first: NextQuestion,
        prepared: Prepared,
        withdrawn: frozenset[str],
        open_sites: ExitStack,
    ) -> None:
        """withdrawn: who may not be counted, as it was when this began."""
        self.prepared, self.withdrawn = prepared, withdrawn
        self._study, self._opened, self._asked_by = study, first.round.opened, first.asked_by
        self._open_sites = open_sites
        self._number = 0
        self._roster: tuple[str, ...] = ()
        self._turn: Turn | None = None
        self._part: Any = None
        self._state: Any = None
        self._text: Any = None
        self._heard = monotonic()

    @property
    def idle(self) -> bool:
        return monotonic() - self._heard > IDLE

    def is_of(self, turn: Turn) -> bool:
        return turn.opened == self._opened

    def close(self) -> None:
        self._part = self._state = self._text = None
        self._open_sites.close()

    def at(self, question: NextQuestion) -> Layout:
        """The layout of this site's sums at a state; the sums themselves are kept for the round's second question."""
        self._heard, turn = monotonic(), question.round
        self._follows(question)
        self._part = self._summed(question.state)
        self._turn, self._number = turn, turn.number
        return layout_of(self._part)

    def laid_out(self, terms: Turn) -> Numbers:
        """This site's words of a round, in the order of all sites' layout."""
        asked, part = self._turn, self._part
        self._turn = self._part = None
        if asked is None or (asked.id, asked.number, asked.state) != (terms.id, terms.number, terms.state):
            raise NotSafe("masking", "these are the terms of another round", "begin a new round with fresh keys")
        if self._roster and terms.sites != self._roster:
            raise NotSafe("masking", "other sites take part than in the rounds before", "begin the study again")
        assert terms.layout is not None  # a sum has one
        self._roster = terms.sites
        return terms.layout.laid_out(part)

    def _follows(self, question: NextQuestion) -> None:
        """That this is the next question of the same conversation."""
        turn, most = question.round, ROUNDS[self._study.method].most
        if not self.is_of(turn) or question.asked_by != self._asked_by:
            raise NotAllowed("asking again", "another conversation about this study is open here", "begin it again")
        if self._turn is not None or turn.number != self._number + 1:
            raise NotAllowed("asking again", f"round {self._number + 1} is next, or a sum is due", "begin it again")
        if turn.number > most:
            raise NotAllowed("asking again", f"the method has {most} rounds at most", "use fewer covariates")
        if self._roster and turn.sites != self._roster:
            raise NotSafe("asking again", "other sites take part than in the rounds before", "begin the study again")
        if digest_of(question.state) != turn.state:
            raise NotSafe("asking again", "the state is not what its digest says", "send the state as it was hashed")

    def _summed(self, text: Any) -> Any:
        start = ROUNDS[self._study.method].start(self._study)
        if self._number == 0 and text != spelled(start):
            raise NotSafe("asking for sums", "the first state is not the study's own", "begin where the study begins")
        state = with_known(read_state(type(start), text), text, self._state, self._text)
        self._state, self._text = state, text
        try:
            return self.prepared.part.ask(state)
        except NhsgenError:
            raise
        except Exception as error:  # a state of the right types that nobody's step has made may break anything
            raise BadInput(
                "asking for sums", "the state is not one the study comes to", "begin the study again"
            ) from error
