"""A site's tables in the OMOP common data model 5.4, with its genomic tables beside (contracts omop_cdm_5.4 and genomics_omop).

A code without a standard concept that we are sure of gets concept 0, "no matching concept", and keeps its source code: that is OMOP's rule.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.demo.identities import Identities, dates
from nhsgen.demo.people import LABELS, People
from nhsgen.demo.records import Records, conditions, table

__all__ = ["COLUMNS", "omop_tables"]

Numbers = npt.NDArray[np.int64]

_ID, _CONCEPT, _DAY, _TIME, _TEXT, _NUMBER = pl.Int64, pl.Int32, pl.Date, pl.Datetime("us"), pl.String, pl.Float64

# OMOP CDM 5.4 in its order of columns.
COLUMNS: Mapping[str, Mapping[str, pl.DataType | type[pl.DataType]]] = {
    "person": {
        "person_id": _ID, "gender_concept_id": _CONCEPT, "year_of_birth": _CONCEPT, "month_of_birth": _CONCEPT,
        "day_of_birth": _CONCEPT, "birth_datetime": _TIME, "race_concept_id": _CONCEPT, "ethnicity_concept_id": _CONCEPT,
        "location_id": _ID, "provider_id": _ID, "care_site_id": _ID, "person_source_value": _TEXT,
        "gender_source_value": _TEXT, "gender_source_concept_id": _CONCEPT, "race_source_value": _TEXT,
        "race_source_concept_id": _CONCEPT, "ethnicity_source_value": _TEXT, "ethnicity_source_concept_id": _CONCEPT,
    },
    "observation_period": {
        "observation_period_id": _ID, "person_id": _ID, "observation_period_start_date": _DAY,
        "observation_period_end_date": _DAY, "period_type_concept_id": _CONCEPT,
    },
    "visit_occurrence": {
        "visit_occurrence_id": _ID, "person_id": _ID, "visit_concept_id": _CONCEPT, "visit_start_date": _DAY,
        "visit_start_datetime": _TIME, "visit_end_date": _DAY, "visit_end_datetime": _TIME, "visit_type_concept_id": _CONCEPT,
        "provider_id": _ID, "care_site_id": _ID, "visit_source_value": _TEXT, "visit_source_concept_id": _CONCEPT,
        "admitted_from_concept_id": _CONCEPT, "admitted_from_source_value": _TEXT, "discharged_to_concept_id": _CONCEPT,
        "discharged_to_source_value": _TEXT, "preceding_visit_occurrence_id": _ID,
    },
    "condition_occurrence": {
        "condition_occurrence_id": _ID, "person_id": _ID, "condition_concept_id": _CONCEPT, "condition_start_date": _DAY,
        "condition_start_datetime": _TIME, "condition_end_date": _DAY, "condition_end_datetime": _TIME,
        "condition_type_concept_id": _CONCEPT, "condition_status_concept_id": _CONCEPT, "stop_reason": _TEXT,
        "provider_id": _ID, "visit_occurrence_id": _ID, "visit_detail_id": _ID, "condition_source_value": _TEXT,
        "condition_source_concept_id": _CONCEPT, "condition_status_source_value": _TEXT,
    },
    "procedure_occurrence": {
        "procedure_occurrence_id": _ID, "person_id": _ID, "procedure_concept_id": _CONCEPT, "procedure_date": _DAY,
        "procedure_datetime": _TIME, "procedure_end_date": _DAY, "procedure_end_datetime": _TIME,
        "procedure_type_concept_id": _CONCEPT, "modifier_concept_id": _CONCEPT, "quantity": _CONCEPT, "provider_id": _ID,
        "visit_occurrence_id": _ID, "visit_detail_id": _ID, "procedure_source_value": _TEXT,
        "procedure_source_concept_id": _CONCEPT, "modifier_source_value": _TEXT,
    },
    "drug_exposure": {
        "drug_exposure_id": _ID, "person_id": _ID, "drug_concept_id": _CONCEPT, "drug_exposure_start_date": _DAY,
        "drug_exposure_start_datetime": _TIME, "drug_exposure_end_date": _DAY, "drug_exposure_end_datetime": _TIME,
        "verbatim_end_date": _DAY, "drug_type_concept_id": _CONCEPT, "stop_reason": _TEXT, "refills": _CONCEPT,
        "quantity": _NUMBER, "days_supply": _CONCEPT, "sig": _TEXT, "route_concept_id": _CONCEPT, "lot_number": _TEXT,
        "provider_id": _ID, "visit_occurrence_id": _ID, "visit_detail_id": _ID, "drug_source_value": _TEXT,
        "drug_source_concept_id": _CONCEPT, "route_source_value": _TEXT, "dose_unit_source_value": _TEXT,
    },
    "measurement": {
        "measurement_id": _ID, "person_id": _ID, "measurement_concept_id": _CONCEPT, "measurement_date": _DAY,
        "measurement_datetime": _TIME, "measurement_time": _TEXT, "measurement_type_concept_id": _CONCEPT,
        "operator_concept_id": _CONCEPT, "value_as_number": _NUMBER, "value_as_concept_id": _CONCEPT,
        "unit_concept_id": _CONCEPT, "range_low": _NUMBER, "range_high": _NUMBER, "provider_id": _ID,
        "visit_occurrence_id": _ID, "visit_detail_id": _ID, "measurement_source_value": _TEXT,
        "measurement_source_concept_id": _CONCEPT, "unit_source_value": _TEXT, "unit_source_concept_id": _CONCEPT,
        "value_source_value": _TEXT, "measurement_event_id": _ID, "meas_event_field_concept_id": _CONCEPT,
    },
    "observation": {
        "observation_id": _ID, "person_id": _ID, "observation_concept_id": _CONCEPT, "observation_date": _DAY,
        "observation_datetime": _TIME, "observation_type_concept_id": _CONCEPT, "value_as_number": _NUMBER,
        "value_as_string": _TEXT, "value_as_concept_id": _CONCEPT, "qualifier_concept_id": _CONCEPT,
        "unit_concept_id": _CONCEPT, "provider_id": _ID, "visit_occurrence_id": _ID, "visit_detail_id": _ID,
        "observation_source_value": _TEXT, "observation_source_concept_id": _CONCEPT, "unit_source_value": _TEXT,
        "qualifier_source_value": _TEXT, "value_source_value": _TEXT, "observation_event_id": _ID,
        "obs_event_field_concept_id": _CONCEPT,
    },
    "death": {
        "person_id": _ID, "death_date": _DAY, "death_datetime": _TIME, "death_type_concept_id": _CONCEPT,
        "cause_concept_id": _CONCEPT, "cause_source_value": _TEXT, "cause_source_concept_id": _CONCEPT,
    },
    "specimen": {
        "specimen_id": _ID, "person_id": _ID, "specimen_concept_id": _CONCEPT, "specimen_type_concept_id": _CONCEPT,
        "specimen_date": _DAY, "specimen_datetime": _TIME, "quantity": _NUMBER, "unit_concept_id": _CONCEPT,
        "anatomic_site_concept_id": _CONCEPT, "disease_status_concept_id": _CONCEPT, "specimen_source_id": _TEXT,
        "specimen_source_value": _TEXT, "unit_source_value": _TEXT, "anatomic_site_source_value": _TEXT,
        "disease_status_source_value": _TEXT,
    },
    "genomic_consent": {"person_id": _ID, "genetic_ancestry": _TEXT, "consent_research": pl.Boolean},
    "family": {
        "person_id": _ID, "family_id": _TEXT, "role": _TEXT, "father_person_id": _ID, "mother_person_id": _ID,
        "affected": pl.Boolean,
    },
    "hpo_feature": {"person_id": _ID, "hpo_id": _TEXT, "present": pl.Boolean},
    "genomic_sample": {"sample_id": _TEXT, "person_id": _ID},
}  # fmt: skip


def omop_tables(
    people: People, label: Numbers, birth_year: Numbers, records: Records, ids: Identities, rng: np.random.Generator
) -> Mapping[str, pl.DataFrame]:
    """The tables of the people in `ids`, by file name; rows in the order of their opaque numbers."""
    here = ids.persons
    mine = pl.col("person").is_in(here.tolist())
    person = [ids.number[one] for one in here.tolist()]
    concept = _concepts()
    kind = concept["type", "EHR"]
    sex = np.where(people.male[here], "male", "female")
    ancestry = [LABELS[one] for one in label[here]]
    visits, coded, done = _visits(records, ids, rng)
    frames = {
        "person": pl.DataFrame(
            {
                "person_id": person,
                "gender_concept_id": [concept["sex", one] for one in sex],
                "year_of_birth": birth_year[here],
                "race_concept_id": [concept["race", one] for one in ancestry],
                "ethnicity_concept_id": 0,
            }
        ),
        "observation_period": _periods(visits, kind, ids, rng),
        "visit_occurrence": visits.with_columns(
            visit_concept_id=pl.when("emergency")
            .then(concept["visit", "emergency"])
            .otherwise(concept["visit", "inpatient"]),
            visit_type_concept_id=pl.lit(kind),
        ),
        "condition_occurrence": coded.with_columns(
            condition_occurrence_id=pl.Series(ids.numbers(len(coded), rng)),
            condition_concept_id=_concept("code", {code: one.omop for code, one in conditions().items()}),
            condition_type_concept_id=pl.lit(kind),
            condition_source_value=_dotted("code"),
        ),
        "procedure_occurrence": done.with_columns(
            procedure_occurrence_id=pl.Series(ids.numbers(len(done), rng)),
            procedure_concept_id=_concept("code", _of(concept, "procedure")),
            procedure_type_concept_id=pl.lit(kind),
            procedure_source_value=_dotted("code"),
        ),
        "drug_exposure": _drugs(records.drugs.filter(mine), kind, concept, ids, rng),
        "measurement": _measurements(records.laboratory.filter(mine), kind, concept, ids, rng),
        "observation": pl.DataFrame(schema={"person_id": pl.Int64}),
        "death": _deaths(records, kind, ids),
        "specimen": pl.DataFrame(schema={"person_id": pl.Int64}),
        "genomic_consent": pl.DataFrame(
            {
                "person_id": person,
                "genetic_ancestry": ancestry,
                "consent_research": people.consent[here],
            }
        ),
        "family": _family(people, records, ids),
        "hpo_feature": records.phenotypes.filter(mine & (pl.col("present") != "Unknown")).select(
            "hpo_id", person_id=ids.number_of("person"), present=pl.col("present") == "Yes"
        ),
        "genomic_sample": pl.DataFrame({"sample_id": [ids.sample[one] for one in here.tolist()], "person_id": person}),
    }
    return {f"{name}.parquet": _shaped(name, frame) for name, frame in frames.items()}


def _shaped(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """All columns of the table, in its order and types; what the site does not record is empty."""
    columns = COLUMNS[name]
    whole = frame.select(
        [(pl.col(one) if one in frame.columns else pl.lit(None)).cast(kind).alias(one) for one, kind in columns.items()]
    )
    return (
        whole.sort(next(iter(columns)), maintain_order=True)
        if name != "hpo_feature"
        else whole.sort("person_id", "hpo_id")
    )


def _concepts() -> Mapping[tuple[str, str], int]:
    return {(row["kind"], row["source"]): row["omop"] for row in table("concepts.csv").iter_rows(named=True)}


def _of(concept: Mapping[tuple[str, str], int], kind: str) -> Mapping[str, int]:
    return {source: number for (one, source), number in concept.items() if one == kind}


def _concept(column: str, numbers: Mapping[str, int]) -> pl.Expr:
    return pl.col(column).replace_strict(dict(numbers), return_dtype=pl.Int32)


def _dotted(column: str) -> pl.Expr:
    """Codes as people write them: Q61.2, and I10 without the X that fills HES's fourth place."""
    bare = pl.col(column).str.strip_suffix("X")
    return pl.when(bare.str.len_chars() > 3).then(bare.str.slice(0, 3) + "." + bare.str.slice(3)).otherwise(bare)


def _visits(
    records: Records, ids: Identities, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Visits, the conditions coded in them and the procedures done in them."""
    mine = [episode for episode in records.episodes if episode.person in ids.number]
    numbers = ids.numbers(len(mine), rng)
    visits = pl.DataFrame(
        [
            (number, ids.number[one.person], one.start, one.end, one.emergency)
            for number, one in zip(numbers, mine, strict=True)
        ],
        schema=["visit_occurrence_id", "person_id", "start", "end", "emergency"],
        orient="row",
    ).with_columns(visit_start_date=dates("start"), visit_end_date=dates("end"))
    schema = {"visit_occurrence_id": pl.Int64, "code": pl.String}
    coded = [(number, code) for number, one in zip(numbers, mine, strict=True) for code in dict.fromkeys(one.diagnoses)]
    done = [(number, code) for number, one in zip(numbers, mine, strict=True) for code in one.procedures]
    when = visits.select("visit_occurrence_id", "person_id", "visit_start_date", "visit_end_date")

    def at_visit(rows: list[tuple[int, str]], start: str, end: str) -> pl.DataFrame:
        return (
            pl.DataFrame(rows, schema=schema, orient="row")
            .join(when, on="visit_occurrence_id", maintain_order="left")
            .rename({"visit_start_date": start, "visit_end_date": end})
        )

    return (
        visits,
        at_visit(coded, "condition_start_date", "condition_end_date"),
        at_visit(done, "procedure_date", "procedure_end_date"),
    )


def _periods(visits: pl.DataFrame, kind: int, ids: Identities, rng: np.random.Generator) -> pl.DataFrame:
    """One period a person: from the first visit to the end of the last."""
    periods = (
        visits.group_by("person_id")
        .agg(
            observation_period_start_date=pl.col("visit_start_date").min(),
            observation_period_end_date=pl.col("visit_end_date").max(),
        )
        .sort("person_id")
    )
    return periods.with_columns(
        observation_period_id=pl.Series(ids.numbers(len(periods), rng)), period_type_concept_id=pl.lit(kind)
    )


def _drugs(
    drugs: pl.DataFrame, kind: int, concept: Mapping[tuple[str, str], int], ids: Identities, rng: np.random.Generator
) -> pl.DataFrame:
    return drugs.select(
        drug_exposure_id=pl.Series(ids.numbers(len(drugs), rng)),
        person_id=ids.number_of("person"),
        drug_concept_id=_concept("drug", _of(concept, "drug")),
        drug_exposure_start_date=dates("start"),
        drug_exposure_end_date=dates("end"),
        drug_type_concept_id=pl.lit(kind),
        days_supply=pl.col("end") - pl.col("start"),
        drug_source_value="drug",
    )


def _measurements(
    results: pl.DataFrame, kind: int, concept: Mapping[tuple[str, str], int], ids: Identities, rng: np.random.Generator
) -> pl.DataFrame:
    return results.select(
        measurement_id=pl.Series(ids.numbers(len(results), rng)),
        person_id=ids.number_of("person"),
        measurement_concept_id=_concept("test", _of(concept, "test")),
        measurement_date=dates("day"),
        measurement_type_concept_id=pl.lit(kind),
        value_as_number="value",
        unit_concept_id=_concept("unit", _of(concept, "unit")),
        measurement_source_value="test",
        unit_source_value="unit",
    )


def _deaths(records: Records, kind: int, ids: Identities) -> pl.DataFrame:
    dead = ids.persons[records.died[ids.persons] >= 0]
    return pl.DataFrame(
        {"person_id": [ids.number[one] for one in dead.tolist()], "day": records.died[dead]}
    ).with_columns(death_date=dates("day"), death_type_concept_id=pl.lit(kind))


def _family(people: People, records: Records, ids: Identities) -> pl.DataFrame:
    here = ids.persons
    ill = np.isin(here, np.concatenate(list(records.having.values())))
    return pl.DataFrame(
        {
            "person_id": [ids.number[one] for one in here.tolist()],
            "family_id": [ids.family[one] for one in people.family[here].tolist()],
            "role": people.role[here],
            "father_person_id": [ids.number.get(one) for one in people.father[here].tolist()],
            "mother_person_id": [ids.number.get(one) for one in people.mother[here].tolist()],
            "affected": (people.role[here] == "proband") | ill,
        }
    )
