"""A code knows its vocabulary's form and how hospitals store it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nhsgen.codes import ICD10, OPCS4, SNOMED, VOCABULARIES, code
from nhsgen.errors import BadCode


@pytest.mark.parametrize(
    ("vocabulary", "typed", "written"),
    [
        ("ICD10", "q61.2", "Q61.2"),
        ("ICD10", " Q612 ", "Q61.2"),
        ("ICD10", "Q61", "Q61"),
        ("ICD10", "E1128", "E11.28"),
        ("OPCS4", "m013", "M01.3"),
        ("SNOMED", "74474003", "74474003"),
        ("OMOP", "192671", "192671"),
        ("HPO", "hp:0000107", "HP:0000107"),
    ],
)
def test_it_is_written_in_one_form(vocabulary: str, typed: str, written: str) -> None:
    assert code(vocabulary, typed).text == written


@pytest.mark.parametrize(
    ("vocabulary", "typed"),
    [
        ("ICD10", "61Q"), ("ICD10", "Q6"), ("ICD10", ""), ("OPCS4", "M0"), ("OPCS4", "M01.34"), ("SNOMED", "74474004"),
        ("SNOMED", "12"), ("OMOP", "0"), ("OMOP", "1e5"), ("HPO", "HP:107"), ("HPO", "0000107"), ("ICD9", "250"),
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused_with_a_sentence(vocabulary: str, typed: str) -> None:
    with pytest.raises(BadCode, match=r"reading the .*code"):
        code(vocabulary, typed)


@given(st.from_regex(r"[A-Z][0-9]{2}\.[0-9]", fullmatch=True))
def test_with_or_without_the_dot_is_the_same_code(text: str) -> None:
    for kind in (ICD10, OPCS4):
        assert kind(text) == kind(text.replace(".", ""))
        assert set(kind(text).stored_prefixes) == {text, text.replace(".", "")}


@given(st.integers(10**5, 10**16))
def test_one_last_digit_in_ten_is_a_snomed_code(stem: int) -> None:
    valid = []
    for digit in range(10):
        try:
            valid.append(SNOMED(f"{stem}{digit}"))
        except BadCode:
            continue
    assert len(valid) == 1


def test_every_vocabulary_shows_an_example_that_is_one() -> None:
    assert all(kind(kind.example).text == kind.example for kind in VOCABULARIES.values())
