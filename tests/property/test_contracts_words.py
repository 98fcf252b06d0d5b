"""What a contract binds is what is read back, and merging contracts neither loses nor invents a binding."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nhsgen import contracts
from nhsgen.contracts import Always, Event, Family, Measurement, Observation, People, Phenotype, Sample, Words

COLUMNS = [f"column_{number}" for number in range(6)]
PERSON = "person_id"

column = st.sampled_from(COLUMNS)
maybe = st.none() | column
text = st.text(
    st.characters(codec="utf-8", exclude_characters="$", exclude_categories=("C", "Z")), min_size=1, max_size=8
)
texts = st.lists(text, min_size=1, max_size=3).map(tuple)
column_or_text = column | text.map(Always)
here = {"table": st.just("t"), "person": st.just(PERSON)}

people = st.builds(
    People, **here, everyone=st.booleans(), sex=maybe, birth_year=maybe, age=maybe, ancestry=maybe, died=maybe,
    sex_values=st.dictionaries(text, st.sampled_from(["male", "female"]), max_size=3),
    consent=st.none() | st.tuples(column, texts),
)  # fmt: skip
events = st.builds(
    Event, **here, codes=st.lists(column, min_size=1, max_size=3).map(tuple), date=maybe,
    vocabulary=st.sampled_from(["ICD10", "OPCS4", "SNOMED", "OMOP"]),
)  # fmt: skip
phenotypes = st.builds(Phenotype, **here, term=column, present=maybe, present_values=texts, absent_values=texts)
measurements = st.builds(
    Measurement, **here, name=column_or_text, value=column, unit=st.none() | column_or_text, date=maybe
)
observations = st.builds(Observation, **here, name=column_or_text, value=column, date=maybe)
family = st.builds(
    Family, **here, family=column, role=maybe, father=maybe, mother=maybe, affected=maybe,
    role_values=st.dictionaries(text, st.sampled_from(["proband", "mother", "father", "sibling", "other"]), max_size=3),
    affected_values=texts, unaffected_values=texts,
)  # fmt: skip


def some(kind: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(kind, max_size=most).map(tuple)


words = st.builds(
    Words, people=some(people, 1), events=some(events, 3), phenotypes=some(phenotypes, 2), family=some(family, 1),
    measurements=some(measurements, 3), observations=some(observations, 3),
    samples=some(st.builds(Sample, **here, sample=column), 1),
)  # fmt: skip


def said(part: Any) -> Any:
    return {"always": part.text} if isinstance(part, Always) else list(part) if isinstance(part, tuple) else part


def as_property(bound: Words) -> dict[str, Any]:
    """The custom property "words" that says `bound`: the inverse of reading it."""
    value: dict[str, Any] = {"person": PERSON}
    for kind in fields(bound):
        entries = []
        for binding in getattr(bound, kind.name):
            entry = {
                p.name: said(getattr(binding, p.name)) for p in fields(binding) if p.name not in {"table", "person"}
            }
            if entry.get("consent"):
                entry["consent"] = {"column": binding.consent[0], "accepts": list(binding.consent[1])}
            entries.append({name: part for name, part in entry.items() if part is not None})
        if entries:
            value[kind.name] = entries[0] if kind.name in {"people", "family", "samples"} else entries
    return {"property": "words", "value": value}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words)
def test_what_is_bound_is_what_is_read(tmp_path: Path, bound: Words) -> None:
    columns = [{"name": name, "logicalType": "string"} for name in (PERSON, *COLUMNS)]
    table = {"name": "t", "physicalName": "t.csv", "properties": columns, "customProperties": [as_property(bound)]}
    contract = {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "c", "version": "1.0.0", "status": "active", "schema": [table],
    }  # fmt: skip
    path = tmp_path / "c.odcs.yaml"
    path.write_text(yaml.safe_dump(contract, allow_unicode=True), encoding="utf-8")
    assert contracts.read(path).words == bound


@settings(max_examples=30, deadline=None)
@given(st.lists(words, max_size=3))
def test_merging_keeps_every_binding_once(several: list[Words]) -> None:
    together = Words.union(several)
    for kind in fields(Words):
        apart = [binding for part in several for binding in getattr(part, kind.name)]
        merged = list(getattr(together, kind.name))
        if kind.name == "people":
            assert [p.everyone for p in merged] == sorted((p.everyone for p in merged), reverse=True)
            assert len(merged) == len(apart)
            assert all(binding in merged for binding in apart)
        else:
            assert merged == apart
    assert together.only(together.tables) == together
    assert together.only([]) == Words()
