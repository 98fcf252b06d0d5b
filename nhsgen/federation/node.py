"""A site's side of the wall: it answers approved questions with masked sums, and its log remembers every one.

A site answers one study on one release with one roster of sites. The same study again with one site more or fewer would give
that site's numbers by taking one sum from the other, and no cryptography helps against that.

A study that asks again and again is a `Conversation`: what was prepared for it is kept until the hub says that it is over,
something goes wrong, somebody withdraws, the same study begins anew, or anything is asked when its hub has said nothing for an
hour.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np

from nhsgen import studies
from nhsgen.audit import Entry
from nhsgen.errors import BadInput, BadStudy, NhsgenError, NotAllowed, NotSafe, Tampered
from nhsgen.federation.conversation import Conversation
from nhsgen.federation.messages import (
    Ended,
    Labels,
    Masked,
    Message,
    NextQuestion,
    Question,
    Round,
    Shape,
    Terms,
    Turn,
    decode,
)
from nhsgen.federation.secure_sum import Ed25519PrivateKey, Numbers, Seat
from nhsgen.federation.spelling import canonical
from nhsgen.settings import Settings
from nhsgen.studies import APART, ROUNDS, SiteAnswer, Study
from nhsgen.studies.rounds import prepared, remember
from nhsgen.workspace import Site

__all__ = ["Node"]

APPROVED, ASKED, MASKED, REFUSED = "study approved", "study asked", "study masked", "study refused"


@dataclass(frozen=True)
class Pending:
    """A round whose rows have been said and whose numbers have not; `laid_out` puts them in the order of all sites."""

    round: str
    seat: Seat
    release: str
    laid_out: Callable[[Any], Numbers]


class Node:
    """One site as a hub sees it: questions in, labels and masked sums out."""

    def __init__(self, site: Site, key: Ed25519PrivateKey, peers: Mapping[str, str], settings: Settings) -> None:
        """
        key: what this site signs with (see `secure_sum.site_key`).
        peers: every site this one is ready to add its numbers to, itself included, and the key it is known by; agreed between
            the sites, never taken from a hub.
        """
        self.site, self._key, self._peers, self._settings = site, key, dict(peers), settings
        self._pending: dict[str, Pending] = {}
        self._conversations: dict[str, Conversation] = {}
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        return self.site.name

    def approve(self, study: str, by: str, *, again: bool = False) -> Entry:
        """Record a steward's word that the study of this hash may be asked here.

        again: it may also be answered once more with another roster; the sums may then be compared, and the steward accepts it.
        """
        if "steward" not in self.site.roles(by):
            raise NotAllowed("approving the study", f"{by} is not a steward of {self.name}", "ask one of its stewards")
        return self.site.log.append(APPROVED, by, study=study, again=again)

    def reply(self, question: bytes) -> bytes:
        """`answer`, in bytes: what a network carries."""
        message = decode(question)
        if not isinstance(message, Question | NextQuestion):
            raise BadInput("reading a question", "it is another kind of message", "send a question")
        return self.answer(message).to_bytes()

    def answer(self, question: Question | NextQuestion) -> Message:
        """Labels or Shape when first asked, then Masked, and Ended at the end; every refusal is raised, and logged with its reason."""
        with self._turn:
            for study in [study for study, open_one in self._conversations.items() if open_one.idle]:
                self._forget(study)
            try:
                return self._said(question)
            except BaseException as refusal:
                if isinstance(question, NextQuestion):
                    self._ended(question.round)
                if isinstance(refusal, NhsgenError):
                    why = f"{refusal.tried}: {refusal.found}"
                    self.site.log.append(
                        REFUSED, question.asked_by, study=question.round.study, round=question.round.id, why=why
                    )
                raise

    def _said(self, question: Question | NextQuestion) -> Message:
        if question.stage == "sum":
            return self._masked(question)
        if isinstance(question, Question):
            return self._labels(question)
        return self._ended(question.round) if question.stage == "end" else self._shape(question)

    # -- Stage "labels" -----------------------------------------------------------------------------------------------

    def _labels(self, question: Question) -> Labels:
        study, terms = self._approved(question), question.round
        self._new(terms)
        self._remember_asked(question)
        answer = studies.answer(study, self.site, self._settings, asked_by=question.asked_by)
        spoken = partial(Labels, self.name, terms.id, answer.release, asdict(answer.policy))
        if answer.summary is None:
            return spoken(silent=answer.silent)
        seat = Seat(self.name, terms.id, terms.study, self._key)
        # One round a study at a time: a new one puts an unfinished one out of reach.
        self._pending[terms.study] = Pending(terms.id, seat, answer.release, partial(_vector, answer))
        return spoken(
            labels=tuple(sorted({*answer.summary.labels, *answer.withheld})),
            measures=answer.summary.measures,
            notes=answer.notes,
            advert=seat.advert,
            assembly=answer.assembly,
        )

    def _remember_asked(self, question: Question | NextQuestion) -> None:
        terms = question.round
        state = {"number": terms.number, "state": terms.state} if isinstance(terms, Turn) else {}
        self.site.log.append(
            ASKED, question.asked_by, study=terms.study, round=terms.id, sites=list(terms.sites), **state
        )

    # -- Stage "layout", and the end ----------------------------------------------------------------------------------

    def _shape(self, question: NextQuestion) -> Shape:
        study, terms = self._approved(question), question.round
        self._new(terms)
        self._remember_asked(question)
        spoken = partial(Shape, self.name, terms.id, policy=asdict(self.site.policy))
        if terms.number == 1:
            silent = self._begun(study, question)
            if silent:
                return spoken(release="", silent=silent)
        open_one = self._conversations.get(terms.study)
        if open_one is None:
            raise NotAllowed("asking again", "this study is not open here, or is over", "begin it again")
        self._unchanged(open_one)
        layout = open_one.at(question)
        seat, known = Seat(self.name, terms.id, terms.study, self._key), open_one.prepared
        self._pending[terms.study] = Pending(terms.id, seat, known.release, open_one.laid_out)
        return spoken(
            release=known.release,
            layout=layout,
            notes=known.notes,
            advert=seat.advert,
            assembly=known.part.assembly,
        )

    def _begun(self, study: Study, first: NextQuestion) -> str:
        """Prepare the site for a new conversation, or say in words why it has nothing to say."""
        study.check_expiry()
        self._forget(study.hash)
        try:
            withdrawn = self.site.withdrawn()
        except Tampered:  # as `prepared` finds too, and says
            withdrawn = frozenset()
        with ExitStack() as open_sites:
            found = prepared(study, ROUNDS[study.method], self.site, self._settings, None, open_sites, alone=False)
            silent = found if isinstance(found, str) else ""
            remember(self.site, study, first.asked_by, "" if isinstance(found, str) else found.release, silent)
            if not isinstance(found, str):
                self._conversations[study.hash] = Conversation(study, first, found, withdrawn, open_sites.pop_all())
        return silent

    def _unchanged(self, open_one: Conversation) -> None:
        """NotSafe when it is about people who may no longer be counted."""
        release = self.site.release()
        same = release is not None and release.id == open_one.prepared.release
        if not same or self.site.withdrawn() != open_one.withdrawn:
            raise NotSafe(
                "asking again", "somebody withdrew, or the release changed, since the study began", "begin it again"
            )

    def _ended(self, terms: Turn) -> Ended:
        open_one = self._conversations.get(terms.study)
        if open_one is not None and open_one.is_of(terms):
            self._forget(terms.study)
        return Ended(self.name, terms.id)

    def _forget(self, study: str) -> None:
        """Whatever was prepared for this study; its people's rows are gone with it."""
        open_one = self._conversations.pop(study, None)
        if open_one is not None:
            self._pending.pop(study, None)
            open_one.close()

    # -- Whether it may be asked --------------------------------------------------------------------------------------

    def _approved(self, question: Question | NextQuestion) -> Study:
        """The question's study, if its bytes are the ones that somebody other than the asker approved here."""
        asked = question.round.study
        if sha256(canonical(question.study)).hexdigest() != asked:
            raise NotSafe(
                "reading the study", "its text is not what its hash says", "send the study as it was approved"
            )
        study = Study.from_dict(question.study)
        if study.hash != asked:
            raise NotSafe(
                "reading the study", "it is not in the one form a study has", "send the study as it was approved"
            )
        if study.method in APART:
            raise BadStudy(
                "asking across walls",
                f"in a {study.method.replace('_', '-')} each site answers alone, which needs no hub",
                "ask each site for its association, or run it where the sites' folders can be opened (Lab.run)",
            )
        again = study.method in ROUNDS
        if again != isinstance(question, NextQuestion):
            raise BadStudy(
                "asking across walls",
                f"{study.method} is asked {'in several rounds' if again else 'once'}",
                "use the same version of nhsgen at the hub and the sites",
            )
        if study.variants is not None and study.variants.needs_pooled_af:
            raise BadStudy(
                "asking across walls",
                "its limit on frequency is on all sites together, and no site may be told the others' alleles",
                "limit the frequency in reference populations instead (af = 'annotation')",
            )
        stewards = {entry.who for entry in self._entries(APPROVED, asked)}
        if not stewards - {question.asked_by}:
            own = (
                "only the person who asks has approved it" if stewards else f"no steward of {self.name} has approved it"
            )
            raise NotAllowed(
                f"running study {asked[:12]} at {self.name}", own, "ask a steward there to read and approve it"
            )
        return study

    def _new(self, terms: Terms) -> None:
        if self.name not in terms.sites:
            raise NotSafe("reading the round", f"{self.name} is not in it", "ask only the sites that take part")
        if any(entry.facts["round"] == terms.id for entry in self._entries(ASKED)):
            raise NotSafe("reading the round", "its number has been used before", "begin a new round")

    # -- Stage "sum" --------------------------------------------------------------------------------------------------

    def _masked(self, question: Question | NextQuestion) -> Masked:
        terms = question.round
        pending = self._pending.pop(terms.study, None)
        if pending is None or pending.round != terms.id:
            raise NotAllowed("masking", "this round is not open here, or is over", "begin a new round with fresh keys")
        self._approved(question)
        vector = pending.laid_out(terms)
        with self.site.log.held():
            self._one_roster(terms, pending.release)
            words = pending.seat.mask(vector, terms, self._peers)
            # Logged before it leaves: a vector that is sent and not remembered could be asked for again with another roster.
            self.site.log.append(
                MASKED,
                question.asked_by,
                study=terms.study,
                round=terms.id,
                release=pending.release,
                sites=list(terms.sites),
                terms=terms.digest,
            )
        return Masked(self.name, terms.id, terms.digest, words.astype("<u8").tobytes())

    def _one_roster(self, terms: Terms, release: str) -> None:
        allowed_again = max(
            (entry.number for entry in self._entries(APPROVED, terms.study) if entry.facts["again"]), default=0
        )
        for entry in self._entries(MASKED, terms.study):
            same = entry.facts["release"] != release or tuple(entry.facts["sites"]) == terms.sites
            if not same and entry.number > allowed_again:
                raise NotSafe(
                    "masking",
                    f"this study was answered together with {', '.join(entry.facts['sites'])}, and now with {', '.join(terms.sites)}",
                    "ask the same sites again, or have a steward approve it again for another roster",
                )

    def _entries(self, kind: str, study: str | None = None) -> list[Entry]:
        return [one for one in self.site.log.entries() if one.kind == kind and study in {None, one.facts["study"]}]


def _vector(answer: SiteAnswer, terms: Round) -> Numbers:
    """This site's numbers in the round's order: see `Round.length`."""
    summary = answer.summary
    assert summary is not None  # it is not silent
    if not {*summary.labels, *answer.withheld} <= set(terms.labels) or summary.measures != terms.measures:
        raise NotSafe(
            "masking", "the round leaves out rows or columns of this site", "begin a new round with those of all sites"
        )
    withheld = [int(label in answer.withheld) for label in terms.labels]
    return np.concatenate([summary.vector(terms.labels), withheld, [answer.population]]).astype(np.int64)
