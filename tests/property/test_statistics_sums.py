"""Every analysis is a sum: adding obeys its laws, and the answer does not depend on how people are split over sites."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.genome import Assembly, ploidy
from nhsgen.statistics import Summary, burden, carriers, counts, frequencies

MEASURES = ("people", "carriers")
LABELS = st.sampled_from(["", "Leeds", "Leeds\x1ffemale", "PKD1", "été"])
SUMMARIES = st.dictionaries(LABELS, st.lists(st.integers(0, 2**60), min_size=2, max_size=2)).map(
    lambda rows: Summary.from_rows(MEASURES, rows)
)
QUICK = settings(max_examples=60, deadline=None)


@given(SUMMARIES, SUMMARIES)
def test_order_does_not_matter(a: Summary, b: Summary) -> None:
    assert a + b == b + a
    assert hash(a + b) == hash(b + a)


@given(SUMMARIES, SUMMARIES, SUMMARIES)
def test_grouping_does_not_matter(a: Summary, b: Summary, c: Summary) -> None:
    assert (a + b) + c == a + (b + c)


@given(SUMMARIES)
def test_zero_adds_nothing(a: Summary) -> None:
    assert a + Summary.zero(MEASURES) == a == Summary.zero(MEASURES) + a


@given(SUMMARIES)
def test_to_dict_and_back(a: Summary) -> None:
    assert Summary.from_dict(a.to_dict()) == a


@given(SUMMARIES, SUMMARIES)
def test_adding_vectors_is_adding_summaries(a: Summary, b: Summary) -> None:
    labels = {*a.labels, *b.labels}
    assert Summary.from_vector(labels, MEASURES, a.vector(labels) + b.vector(labels)) == a + b


# -- Any split of the people gives the pooled answer --------------------------------------------------------------------

PEOPLE = st.lists(st.tuples(st.sampled_from(["female", "male", None]), st.integers(0, 3)), max_size=30)  # (sex, site)


@given(PEOPLE)
@QUICK
def test_counts(people: list[tuple[str | None, int]]) -> None:
    def summary(rows: list[tuple[int, tuple[str | None, int]]]) -> Summary:
        twice = rows + rows  # a person listed twice is one person
        data = {"person_id": [i for i, _ in twice], "sex": [sex for _, (sex, _) in twice]}
        return counts.summarise(pl.DataFrame(data, schema={"person_id": pl.Int64, "sex": pl.String}), ["sex"])

    every = list(enumerate(people))
    split = sum(
        (summary([row for row in every if row[1][1] == site]) for site in range(4)), Summary.zero(counts.MEASURES)
    )
    assert split == summary(every)
    assert sum(counts.estimate(split, ["sex"]).cells.values()) == len(people)


CARRIED = st.lists(
    st.tuples(st.integers(0, 29), st.sampled_from(["PKD1", "PKD2", "UMOD"])), max_size=40
)  # (person, gene)
CARRIED_SCHEMA = {"person_id": pl.Int64, "gene": pl.String}


def _carried(rows: list[tuple[int, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CARRIED_SCHEMA, orient="row")


@given(CARRIED, st.lists(st.integers(0, 3), min_size=30, max_size=30))
@QUICK
def test_carriers(carried: list[tuple[int, str]], site_of: list[int]) -> None:
    total = Summary.zero(carriers.MEASURES)
    for site in range(4):
        here = [row for row in carried if site_of[row[0]] == site]
        total += carriers.summarise(_carried(here), site_of.count(site), ["gene"])
    assert carriers.estimate(total, ["gene"]) == carriers.estimate(
        carriers.summarise(_carried(carried), 30, ["gene"]), ["gene"]
    )


@given(CARRIED, st.lists(st.integers(0, 3), min_size=30, max_size=30), st.sets(st.integers(0, 29)))
@QUICK
def test_burden_though_sites_list_only_the_genes_they_have(
    carried: list[tuple[int, str]], site_of: list[int], cases: set[int]
) -> None:
    genes = sorted({gene for _, gene in carried})
    total = Summary.zero(burden.MEASURES)
    for site in range(4):
        here = {person for person in range(30) if site_of[person] == site}
        rows = [row for row in carried if row[0] in here]
        listed = sorted({gene for _, gene in rows})
        total += burden.summarise(_carried(rows), cases & here, here - cases, listed)
    pooled = burden.summarise(_carried(carried), cases, set(range(30)) - cases, genes)
    assert burden.estimate(total) == burden.estimate(pooled)


# A person: (sex, site, copies of each of four alleles). One allele on an autosome, one on X, one in its PAR, one on Y.
PLACES = {"16-2103000-C-T": "PKD1", "X-50000000-G-A": "", "X-50000-A-C": "", "Y-7000000-T-G": "SRY"}
SEXES = st.sampled_from(["female", "male", "unknown"])
GENOTYPED = st.lists(
    st.tuples(SEXES, st.integers(0, 2), st.lists(st.integers(0, 2), min_size=len(PLACES), max_size=len(PLACES))),
    max_size=25,
)
COUNTS = ["key", "gene", "chrom", "pos", "ac", "an", "carriers", "hom_alt"]
Person = tuple[str, int, list[int]]


def _alleles(people: list[Person], keep_all: bool, absence: str = "reference") -> Summary:
    """What a site says that lists only the alleles its people have (or, when keep_all, every allele)."""
    rows = []
    for place, (key, gene) in enumerate(PLACES.items()):
        chrom, pos = key.split("-")[:2]
        most = [ploidy(chrom, int(pos), sex, Assembly.GRCh38) for sex, _, _ in people]
        copies = [min(person[2][place], n) for person, n in zip(people, most, strict=True)]
        if keep_all or any(copies):
            homozygous = sum(c == 2 for c in copies)
            rows.append((key, gene, chrom, int(pos), sum(copies), sum(most), sum(c > 0 for c in copies), homozygous))
    sexes = [sex for sex, _, _ in people]
    frame = pl.DataFrame(
        rows, schema=dict.fromkeys(COUNTS[:3], pl.String) | dict.fromkeys(COUNTS[3:], pl.Int64), orient="row"
    )
    return frequencies.summarise(
        frame,
        {None if sex == "unknown" else sex: sexes.count(sex) for sex in set(sexes)},
        assembly=Assembly.GRCh38,
        absence=absence,  # type: ignore[arg-type]
    )


@given(GENOTYPED)
@QUICK
def test_frequencies_though_sites_list_only_the_alleles_they_have(people: list[Person]) -> None:
    total = sum(
        (_alleles([p for p in people if p[1] == site], False) for site in range(3)), Summary.zero(frequencies.MEASURES)
    )
    assert frequencies.estimate(total) == frequencies.estimate(_alleles(people, False))
    everything = {row.variant: row for row in frequencies.estimate(_alleles(people, True)).rows}
    assert all(row == everything[row.variant] for row in frequencies.estimate(total).rows)


@given(GENOTYPED)
@QUICK
def test_a_site_where_absence_is_unknown_only_speaks_about_what_it_lists(people: list[Person]) -> None:
    joint, single = ([p for p in people if p[1] == site] for site in (0, 1))
    total = _alleles(joint, False) + _alleles(single, False, "unknown")
    alone = {row.variant: row for row in frequencies.estimate(_alleles(single, False)).rows}
    for row in frequencies.estimate(total).rows:
        pooled_people = [*joint, *(single if row.variant in alone else [])]
        wanted = {r.variant: r for r in frequencies.estimate(_alleles(pooled_people, True)).rows}[row.variant]
        assert row == wanted


def test_a_row_kept_back_takes_its_people_out_of_that_row_alone() -> None:
    one = burden.summarise(_carried([(1, "PKD1"), (2, "PKD2")]), {1, 2, 3}, {4, 5}, ["PKD1", "PKD2"])
    two = burden.summarise(_carried([(11, "PKD1")]), {11, 12}, {13}, ["PKD1", "PKD2"])
    rows = {row.gene: row for row in burden.estimate(one.without(["PKD1"]) + two).rows}
    assert (rows["PKD1"].case_carriers, rows["PKD1"].cases, rows["PKD1"].controls) == (1, 2, 1)
    assert (rows["PKD2"].case_carriers, rows["PKD2"].cases, rows["PKD2"].controls) == (1, 5, 3)


@pytest.mark.parametrize("method", [counts, carriers, frequencies, burden])
def test_a_vector_sums_to_the_same_answer(method: object) -> None:
    summary = Summary.from_rows(method.MEASURES, {"a": range(len(method.MEASURES))})  # type: ignore[attr-defined]
    assert Summary.from_vector(["a"], summary.measures, summary.vector(["a"])) == summary
