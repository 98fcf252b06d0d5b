"""The hub: it asks all sites one approved question, adds what they say under masks, and releases what may be shown.

It learns the sum and nothing of its parts. The sum then passes the same estimate and the same gate as everywhere else, so the
answer is the one a pooled analysis would have given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from itertools import compress
from secrets import token_hex
from typing import TypeVar

import numpy as np

from nhsgen import studies
from nhsgen.disclosure import PRESETS, Policy
from nhsgen.errors import BadInput, NotSafe
from nhsgen.federation.asking_again import Asking, Nobody, words_of
from nhsgen.federation.messages import Labels, Masked, Message, NextQuestion, Question, Round, Shape, decode
from nhsgen.federation.node import Node
from nhsgen.federation.secure_sum import FEWEST, Numbers, total
from nhsgen.progress import track
from nhsgen.results import Released
from nhsgen.statistics import Summary
from nhsgen.studies import ROUNDS, SiteAnswer, Study

__all__ = ["Hub"]

Kind = TypeVar("Kind", bound=Message)


class Hub:
    """A question to all `nodes` at once; when one of them falls silent on the way, ask again: every round has fresh keys."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.name: node for node in nodes}

    def ask(self, study: Study, *, asked_by: str) -> Released:
        """The answer of all sites together; NotAllowed when one has not approved it, NotSafe when fewer than three can answer."""
        return self._ask_again(study, asked_by) if study.method in ROUNDS else self._ask_once(study, asked_by)

    def _ask_once(self, study: Study, asked_by: str) -> Released:
        opening = Round(token_hex(16), study.hash, tuple(sorted(self.nodes)))
        first = Question("labels", asked_by, study.to_dict(), opening)
        replies = {name: self._hear(name, first, Labels) for name in track(self.nodes, "asking for rows")}
        spoke = {name: reply for name, reply in replies.items() if not reply.silent}
        if not spoke:
            return studies.conclude(study, [_answer(reply) for reply in replies.values()])
        terms = _terms(opening, spoke)
        second = replace(first, stage="sum", round=terms)
        masked = {name: self._hear(name, second, Masked) for name in track(terms.sites, "asking for sums")}
        numbers = total(terms, {name: words_of(one, terms.digest) for name, one in masked.items()})
        return _concluded(study, list(replies.values()), terms, numbers)

    def _ask_again(self, study: Study, asked_by: str) -> Released:
        asking = Asking(study, self.nodes, self._hear, asked_by)
        try:
            estimate = asking.estimate()
        except Nobody:
            estimate = None
        return studies.conclude(study, [_answer(shape) for shape in asking.shapes.values()], estimate=estimate)

    def _hear(self, name: str, question: Question | NextQuestion, kind: type[Kind]) -> Kind:
        reply = decode(self.nodes[name].reply(question.to_bytes()))
        if not isinstance(reply, kind) or (reply.site, reply.round) != (name, question.round.id):  # type: ignore[attr-defined]
            raise BadInput(
                f"asking {name}", "its answer is to another question", "ask again; every round has fresh keys"
            )
        return reply


def _terms(opening: Round, spoke: Mapping[str, Labels]) -> Round:
    """What the sites that can answer must agree on: the rows of all of them and the key of each."""
    if len(spoke) < FEWEST:
        raise NotSafe(
            "asking the sites",
            f"only {len(spoke)} of them can answer, and each could work out the other's numbers",
            f"ask at least {FEWEST} sites that can",
        )
    measures = {reply.measures for reply in spoke.values()}
    if len(measures) > 1:
        raise BadInput(
            "asking the sites", "they do not measure the same", "use the same version of nhsgen at every site"
        )
    sites = tuple(sorted(spoke))
    return replace(
        opening,
        sites=sites,
        labels=tuple(sorted({label for reply in spoke.values() for label in reply.labels})),
        measures=measures.pop(),
        adverts=tuple(advert for site in sites if (advert := spoke[site].advert) is not None),
    )


def _concluded(study: Study, replies: list[Labels], terms: Round, numbers: Numbers) -> Released:
    """Take the sum apart (see `Round.length`) and let `studies` say what may be said."""
    shape = len(terms.labels), len(terms.measures)
    cells, kept_back, population = np.split(numbers, [shape[0] * shape[1], len(numbers) - 1])
    if numbers.min() < 0 or (kept_back > len(terms.sites)).any():
        raise BadInput("adding the sites", "the sum cannot be one of people", "look for a site that sent nonsense")
    rows = cells.reshape(shape)
    stays = rows.any(axis=1) | (kept_back == 0)  # a row of which every part was kept back was in no site's sum
    summary = Summary(tuple(compress(terms.labels, stays)), terms.measures, rows[stays])
    answers = [_answer(reply) for reply in replies]
    # Known for all sites together only; `conclude` adds them up, so which answer carries them does not matter.
    carrier = next(place for place, answer in enumerate(answers) if not answer.silent)
    answers[carrier] = replace(
        answers[carrier], population=int(population[0]), withheld=tuple(np.repeat(terms.labels, kept_back).tolist())
    )
    return studies.conclude(study, answers, summary)


def _answer(reply: Labels | Shape) -> SiteAnswer:
    return SiteAnswer(
        reply.site, reply.release, _policy(reply), silent=reply.silent, notes=reply.notes, assembly=reply.assembly
    )


def _policy(reply: Labels | Shape) -> Policy:
    """The site's rules, every field of them and of its kind: a rule that is missing must not become a default."""
    known = {one.name: type(getattr(PRESETS["nhs"], one.name)) for one in fields(Policy)}
    if {name: type(value) for name, value in reply.policy.items()} != known:
        raise BadInput(
            f"asking {reply.site}", "its disclosure rules are not ones we know", "use the same version of nhsgen"
        )
    return Policy(**reply.policy)  # type: ignore[arg-type]
