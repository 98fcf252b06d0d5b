"""Cohorts on tables small enough to check by hand."""

import pickle
import tarfile
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nhsgen.cohorts import (
    GROUPS,
    Cohort,
    NotBound,
    affected,
    age,
    ancestry,
    born,
    codelist,
    everyone,
    family_role,
    groups,
    hpo,
    icd10,
    measurement,
    observation,
    omop,
    opcs4,
    samples,
    sex,
    snomed,
    unaffected,
)
from nhsgen.contracts import Always, Event, Family, Measurement, Observation, People, Phenotype, Sample, Words
from nhsgen.errors import BadCode, BadFile, BadStudy, NhsgenError, NotFound
from nhsgen.sandbox import open_sandbox
from nhsgen.settings import Settings

PERSON = People("person", "id", everyone=True, sex="sex", birth_year="born")
WORDS = Words(
    people=(PERSON,),
    events=(
        Event("episode", "id", ("diag_1", "diag_2"), "ICD10", "day"),
        Event("episode", "id", ("operation",), "OPCS4", "day"),
    ),
    phenotypes=(Phenotype("phenotype", "id", "term", "present"),),
)

TABLES = {
    "person": pl.DataFrame(
        {"id": [1, 2, 3, 4], "sex": ["female", "male", "female", None], "born": [1950, 1960, 1970, None]}
    ),
    "episode": pl.DataFrame(
        [
            (1, "E119", None, "M013", date(2010, 1, 1)),
            (1, "N180", "I10", None, date(2010, 6, 1)),
            (1, "N180", None, None, date(2012, 6, 1)),
            (2, "Q61.2", "E110", None, date(2011, 1, 1)),
            (3, "I10", "Q613", "-   ", None),
        ],
        schema={"id": pl.Int64, "diag_1": pl.String, "diag_2": pl.String, "operation": pl.String, "day": pl.Date},
        orient="row",
    ),
    "phenotype": pl.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "term": ["HP:0000113", "HP:0000107", "HP:0000077", "HP:0000077"],
            "present": [True, False, False, True],
        }
    ),
}


def ask(
    cohort: Cohort, words: Words = WORDS, tables: dict[str, pl.DataFrame] = TABLES, withdrawn: tuple[str, ...] = ()
) -> list[Any]:
    query = cohort.compile(words)
    gone = pl.DataFrame({"person_id": withdrawn}, schema={"person_id": pl.String})
    with open_sandbox({}, Settings(threads=1, memory_mb=256), {**tables, "withdrawn": gone}) as sandbox:
        return sandbox.query(query.sql, query.params)["person_id"].sort().to_list()


# -- Who -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cohort", "who"),
    [
        (everyone(), [1, 2, 3, 4]),
        (icd10("Q61"), [2, 3]),
        (icd10("Q61.2"), [2]),
        (icd10("q612", "I10"), [1, 2, 3]),
        (opcs4("M01"), [1]),
        (icd10("N18").after(icd10("E11")), [1]),
        (icd10("N18").after(icd10("E11"), within_days=100), []),
        (icd10("E11").before(icd10("N18"), within_days=151), [1]),
        (icd10("E11").after(icd10("E11")), []),
        (icd10("I10").between("2010-06-01", "2010-06-01"), [1]),
        (icd10("I10").between(start="2010-06-02"), []),
        (icd10("N18").between(start="2012-01-01").after(icd10("N18")), [1]),
        (hpo("HP:0000107"), [1]),
        (hpo("HP:0000077"), [1, 4]),
        (hpo("HP:0000107", absent=True), [2, 3]),
        (hpo("HP:0000077", absent=True), [3]),
        (sex("female"), [1, 3]),
        (~sex("female"), [2, 4]),
        (born(1950, 1960), [1, 2]),
        (born(last=1950), [1]),
        (age(at="2020-06-30") >= 60, [1, 2]),
        (age(at=icd10("E11")).between(50, 51), [2]),
        (icd10("Q61") & sex("female"), [3]),
        (icd10("Q61") | sex("female"), [1, 2, 3]),
        (everyone().exclude(icd10("Q61")).exclude(icd10("N18")), [4]),
    ],
    ids=lambda value: value.describe() if isinstance(value, Cohort) else "",
)
def test_who(cohort: Cohort, who: list[int]) -> None:
    assert ask(cohort) == who


def test_the_withdrawn_are_in_no_cohort() -> None:
    assert ask(everyone(), withdrawn=("2", "4")) == [1, 3]
    assert ask(~icd10("Q61"), withdrawn=("1",)) == [4]


def test_only_those_whose_every_row_consents_are_asked_about() -> None:
    words = Words(people=(PERSON, People("consent", "id", consent=("said", ("yes",)))))
    said = pl.DataFrame({"id": [1, 1, 2, 3, 4], "said": ["yes", "no", "yes", None, "maybe"]})
    assert ask(everyone(), words, {**TABLES, "consent": said}) == [2]
    assert ask(~sex("female"), words, {**TABLES, "consent": said}) == [2]


def test_a_long_code_list_finds_what_a_short_one_does() -> None:
    letters = [f"{letter}{number}" for letter in "QN" for number in range(10, 90)]
    assert ask(icd10(*letters)) == ask(icd10("Q61", "N18")) == [1, 2, 3]
    words = Words(people=(PERSON,), events=(Event("condition", "id", ("concept",), "OMOP"),))
    for concepts in ([7, 70], ["7", "70"]):
        tables = {**TABLES, "condition": pl.DataFrame({"id": [1, 2], "concept": concepts})}
        assert ask(omop(7), words, tables) == ask(omop(*range(1, 40)), words, tables) == [1]


def test_measurements_are_chosen_by_day_or_by_value() -> None:
    words = Words(people=(PERSON,), measurements=(Measurement("lab", "id", Always("eGFR"), "value", "unit", "day"),))
    lab = pl.DataFrame(
        {
            "id": [1, 1, 1, 2, 3],
            "value": [90.0, 50.0, float("nan"), 55.0, None],
            "unit": ["mL", "mL", "mL", "L", "mL"],
            "day": [date(2010, 1, 1), date(2011, 1, 1), date(2012, 1, 1), date(2010, 1, 1), date(2010, 1, 1)],
        }
    )
    tables, egfr = {**TABLES, "lab": lab}, measurement("eGFR")
    assert ask(egfr.latest() < 60, words, tables) == [1, 2]
    assert ask(egfr.first() < 60, words, tables) == [2]
    assert ask(egfr.highest() >= 90, words, tables) == ask(egfr > 89, words, tables) == [1]
    assert ask(egfr.lowest().between(50, 55, unit="mL"), words, tables) == [1]
    assert ask(egfr.recorded(), words, tables) == [1, 2]
    assert ask((egfr < 60).between(end="2010-12-31"), words, tables) == [2]
    with pytest.raises(NotBound, match="creatinine"):
        (measurement("creatinine") > 1).compile(words)


def test_a_family_and_what_it_was_recruited_for() -> None:
    family = Family("pedigree", "id", "family", "role", {"p": "proband", "m": "mother"}, affected="status")
    words = Words(people=(PERSON, People("pca", "id", ancestry="group", age="age")), family=(family,),
                  observations=(Observation("pca", "id", "question", "answer"),))  # fmt: skip
    tables = {
        **TABLES,
        "pedigree": pl.DataFrame(
            {"id": [1, 2, 3], "family": ["f"] * 3, "role": ["p", "m", None], "status": [True, False, None]}
        ),
        "pca": pl.DataFrame(
            {
                "id": [1, 2],
                "group": ["EUR", "AFR"],
                "age": [17, 93],
                "question": ["smokes"] * 2,
                "answer": ["no", "now"],
            }
        ),
    }
    assert ask(family_role("mother"), words, tables) == [2]
    assert [ask(affected(), words, tables), ask(unaffected(), words, tables)] == [[1], [2]]
    assert ask(ancestry("EUR", "EAS"), words, tables) == [1]
    assert ask(age() >= 18, words, tables) == [2]
    assert ask(observation("smokes").equals("now", "former"), words, tables) == [2]


def test_ids_may_be_numbers_here_and_text_there() -> None:
    tables = {**TABLES, "episode": TABLES["episode"].with_columns(pl.col("id").cast(pl.String))}
    assert ask(icd10("Q61") & sex("female"), tables=tables) == ["3"]
    odd = pl.DataFrame({"id": ["3", "HG-3", "03"], "term": ["HP:0000107"] * 3, "present": [True] * 3})
    assert ask(hpo("HP:0000107"), tables={**TABLES, "phenotype": odd}) == ["3"]


# -- What is not bound ---------------------------------------------------------------------------------------------------


def test_a_word_that_is_not_bound_is_an_error_and_never_nobody() -> None:
    for cohort in (snomed(74474003), ~snomed(74474003), sex("male") & snomed(74474003), ancestry("EUR"), affected()):
        with pytest.raises(NotBound):
            cohort.compile(WORDS)


def test_as_one_way_of_several_it_adds_nobody_and_says_so() -> None:
    either = icd10("Q61") | snomed(74474003) | omop(192671)
    assert either.compile(WORDS).unbound == ("OMOP concepts", "SNOMED CT codes")
    assert ask(either) == [2, 3]
    assert (sex("female") & either).compile(WORDS).unbound == ("OMOP concepts", "SNOMED CT codes")
    assert (icd10("Q61") | (snomed(74474003) & sex("male"))).compile(WORDS).unbound == ("SNOMED CT codes",)
    assert icd10("Q61").compile(WORDS).unbound == ()


def test_under_a_denial_it_would_add_people_so_there_it_is_an_error() -> None:
    for cohort in (~(icd10("Q61") | snomed(74474003)), ~(~(icd10("Q61") | snomed(74474003)) & sex("male"))):
        with pytest.raises(NotBound, match="SNOMED CT codes"):
            cohort.compile(WORDS)


def test_a_table_without_dates_is_left_out_of_what_is_dated_and_that_is_said() -> None:
    words = Words(people=(PERSON,), events=(*WORDS.events, Event("era", "id", ("code",), "ICD10")))
    tables = {**TABLES, "era": pl.DataFrame({"id": [4], "code": ["N18"]})}
    dated = icd10("N18").between("2000-01-01")
    assert ask(icd10("N18"), words, tables) == [1, 4]
    assert ask(dated, words, tables) == [1]
    assert dated.compile(words).unbound == ("dates of ICD-10 codes in its table era",)
    with pytest.raises(NotBound, match="dates of ICD-10 codes"):
        (~dated).compile(words)
    with pytest.raises(NotBound, match="dates of ICD-10 codes"):
        dated.compile(Words(people=(PERSON,), events=words.events[2:]))


def test_not_bound_survives_a_trip_between_processes() -> None:
    assert pickle.loads(pickle.dumps(NotBound("sex"))).word == "sex"


# -- Groups and samples ----------------------------------------------------------------------------------------------------


def test_groups_have_a_label_for_everybody() -> None:
    query = groups(["sex", "birth_decade"], WORDS)
    with open_sandbox({}, Settings(threads=1), {**TABLES, "withdrawn": pl.DataFrame({"person_id": ["2"]})}) as sandbox:
        found = sandbox.query(query.sql, query.params).sort("person_id")
    assert found.rows() == [(1, "female", "1950s"), (3, "female", "1970s"), (4, "not recorded", "not recorded")]


def test_an_unknown_group_is_refused_with_a_suggestion_and_an_unbound_one_is_not_bound() -> None:
    with pytest.raises(BadStudy, match="did you mean ancestry"):
        groups(["ancestory"], WORDS)
    for name in set(GROUPS) - {"sex", "birth_decade"}:
        with pytest.raises(NotBound):
            groups([name], WORDS)


def test_samples_are_those_of_the_people_who_may_be_asked_about() -> None:
    words = Words(people=(PERSON,), samples=(Sample("sample", "id", "name"),))
    link = pl.DataFrame({"id": [1, 1, 2, 9], "name": ["S1", "S2", "S3", "S4"]})
    query = samples(words)
    tables = {**TABLES, "sample": link, "withdrawn": pl.DataFrame({"person_id": ["2"]})}
    with open_sandbox({}, Settings(threads=1), tables) as sandbox:
        assert sorted(sandbox.query(query.sql, query.params).rows()) == [(1, "S1"), (1, "S2")]
    with pytest.raises(NotBound, match="samples"):
        samples(WORDS)


# -- In words, and written down ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cohort", "said"),
    [
        (
            icd10("Q61") | hpo("HP:0000107"),
            "people with Renal cyst (HP:0000107) or one of its 12 narrower terms, or with an ICD-10 code starting Q61",
        ),
        (
            sex("female") & icd10("Q61") & ~icd10("N18") & ~icd10("E11"),
            "people with an ICD-10 code starting Q61 and who are female, but not those with an ICD-10 code starting E11, "
            "nor those with an ICD-10 code starting N18",
        ),
        (
            (icd10("Q61") | sex("male")) & born(1950),
            "people (with an ICD-10 code starting Q61, or who are male) and born in 1950 or later",
        ),
        (~sex("male") & ~sex("female"), "people who are not among those who are female, nor those who are male"),
        (~(icd10("Q61") | icd10("N18")), "everyone except people with an ICD-10 code starting N18, or with an ICD-10 code starting Q61"),
        (~everyone(), "nobody"),
        (hpo("HP:0000107", absent=True), "people in whom Renal cyst (HP:0000107) was looked for and found absent"),
        (snomed(74474003), "people with the SNOMED CT code 74474003"),
    ],
)  # fmt: skip
def test_it_says_itself_in_plain_english(cohort: Cohort, said: str) -> None:
    assert cohort.describe() == said


def test_a_term_of_a_newer_hpo_can_still_be_described() -> None:
    newer = Cohort.from_dict({"hpo": {"term": "HP:9999999"}})
    assert newer.describe().startswith("people with HP:9999999, which HPO 20")
    with pytest.raises(BadCode):
        newer.compile(WORDS)


def test_it_is_written_down_in_one_form() -> None:
    kidney = icd10("Q61", "q61") & everyone() & sex("female")
    assert kidney.to_dict() == {
        "and": [{"codes": {"vocabulary": "ICD10", "codes": ["Q61"]}}, {"sex": {"is": "female"}}]
    }
    assert icd10("Q61") | icd10("Q61") == icd10("Q61")


@pytest.mark.parametrize(
    "written",
    [
        {},
        [],
        "everyone",
        {"everyone": {}, "sex": {"is": "male"}},
        {"everybody": {}},
        {"everyone": {"but": 1}},
        {"sex": {"is": "1' OR '1'='1"}},
        {"sex": "female"},
        {"codes": {"vocabulary": "ICD10", "codes": ["Q61%"]}},
        {"codes": {"vocabulary": "ICD10", "codes": []}},
        {"codes": {"vocabulary": "HPO", "codes": ["HP:0000107"]}},
        {"codes": {"vocabulary": ["ICD10"], "codes": ["Q61"]}},
        {"codes": {"vocabulary": "OMOP", "codes": [{"a": 1}]}},
        {"hpo": {"term": 107}},
        {"hpo": {"term": "HP:0000107", "absent": "yes"}},
        {"measured": {"name": "eGFR", "limits": {"above": "1"}, "which": "any"}},
        {"measured": {"name": "eGFR", "limits": {"above": 1, "at_least": 2}, "which": "any"}},
        {"measured": {"name": "eGFR", "limits": {"above": float("nan")}, "which": "any"}},
        {"measured": {"name": "eGFR", "limits": {}, "which": "worst"}},
        {"measured": {"name": "", "limits": {}, "which": "any"}},
        {"measured": {"name": "eGFR", "limits": {}, "which": ["any"]}},
        {"observed": {"name": "smokes", "answers": []}},
        {"born": {}},
        {"born": {"above": 1950}},
        {"aged": {"years": {"above": 18}, "at": "tomorrow"}},
        {"aged": {"years": {"above": 18}, "at": {"sex": {"is": "male"}}}},
        {"ancestry": {"groups": "EUR"}},
        {"family_role": {"is": "uncle"}},
        {"affected": {"is": 1}},
        {"during": {"event": {"sex": {"is": "male"}}, "start": "2010-01-01"}},
        {"during": {"event": {"codes": {"vocabulary": "ICD10", "codes": ["Q61"]}}}},
        {"relative": {"event": {}, "index": {}, "order": "after"}},
        {"and": [{"everyone": {}}]},
        {"or": {"everyone": {}}},
        {"not": {}},
    ],
    ids=repr,
)  # fmt: skip
def test_what_it_would_not_have_written_is_refused(written: Any) -> None:
    with pytest.raises((BadStudy, BadCode)):
        Cohort.from_dict(written)


def test_a_question_nested_beyond_reading_is_refused() -> None:
    written: dict[str, Any] = {"sex": {"is": "male"}}
    for _ in range(100):
        written = {"not": written}
    with pytest.raises(BadStudy, match="deep"):
        Cohort.from_dict(written)
    with pytest.raises(BadStudy, match="deep"):
        reduce(lambda whole, year: ~(whole & born(year)), range(1900, 2000), sex("male"))


def test_mistakes_in_typing_are_told() -> None:
    with pytest.raises(BadStudy, match="write &"):
        assert sex("female") or sex("male")
    with pytest.raises(BadStudy, match="between"):
        assert 18 <= age() <= 65
    with pytest.raises(BadCode, match=r"did you mean HP:0000107 \(Renal cyst\)"):
        hpo("renal cyst")
    with pytest.raises(BadStudy, match="last day is before its first"):
        icd10("Q61").between("2011-01-01", "2010-01-01")
    for wrong in (
        lambda: sex("woman"),
        lambda: family_role("uncle"),
        icd10,
        born,
        lambda: icd10("Q61").after(icd10("N18"), within_days=0),
    ):
        with pytest.raises(BadStudy):
            wrong()
    with pytest.raises(TypeError):
        sex("female") & "male"  # type: ignore[operator]


# -- Code lists --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "Q61\nN18.0\n",
        "# kidneys\nQ61\n\nN180\n",
        "code\nQ61\nN180\n",
        "term,code\n\"cysts,\nof all kinds\",Q61\nfailure,N18.0\n",
        "ICD10 code\tterm\r\nQ61\tcysts\r\nN180\tfailure\r\n",
        "\ufeff\"icd_code\",\"x\"\n\"Q61\",\"\"\n\"N18.0\",\"\"\n",
    ],
)  # fmt: skip
def test_a_code_list_becomes_its_codes(content: str, tmp_path: Path) -> None:
    (tmp_path / "kidney.csv").write_text(content, encoding="utf-8", newline="")
    assert codelist(tmp_path / "kidney.csv", "ICD-10") == icd10("Q61", "N18.0")


def test_a_code_list_of_phenotypes_is_any_of_them(tmp_path: Path) -> None:
    (tmp_path / "terms.txt").write_text("HP:0000107\nHP:0000822\n")
    assert codelist(tmp_path / "terms.txt", "HPO") == hpo("HP:0000822") | hpo("HP:0000107")


def test_a_bad_code_list_is_told_by_file_and_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    for content, told in [
        (b"code\nQ61\nbanana\n", r"bad\.csv, line 3"),
        (b"code,term\nQ61,a\n,b\n", r"bad\.csv, line 3"),
        (b"a,b\n1,2\n", "headed 'code'"),
        (b"", "no codes"),
        (b"code\n\xff\xfe\n", "UTF-8"),
    ]:
        bad.write_bytes(content)
        with pytest.raises(BadFile, match=told):
            codelist(bad, "ICD10")
    with pytest.raises(NotFound):
        codelist(tmp_path / "none.csv", "ICD10")
    with pytest.raises(BadCode, match="vocabulary"):
        codelist(bad, "READ3")


# -- Real public files -------------------------------------------------------------------------------------------------------


def test_caliber_lists_count_hes_people_as_published(shared_data: Path, tmp_path: Path) -> None:
    """SOURCES.md: on HES APC hypertension has 113 people, diabetes 79, COPD 57; 302 ICD-10 lists, 28 of OPCS-4."""
    lists = shared_data / "phenotypes/caliber_icd10_opcs4_codelists.tar.gz"
    with tarfile.open(lists) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "secondary_care"
    vocabularies = {"ICD": "ICD10", "OPCS": "OPCS4"}
    read = {file.stem: codelist(file, vocabularies[file.stem.split("_")[0]]) for file in folder.glob("*.csv")}
    assert len(read) == 330
    episodes = shared_data / "phenotypes/hes_artificial/artificial_hes_apc_0102.parquet"
    people = tmp_path / "people.parquet"
    pl.read_parquet(episodes).select("PSEUDO_HESID").unique().write_parquet(people)
    diagnoses = tuple(f"DIAG_4_{place:02}" for place in range(1, 21))
    words = Words(
        people=(People("people", "PSEUDO_HESID", everyone=True),),
        events=(Event("apc", "PSEUDO_HESID", diagnoses, "ICD10", "EPISTART"),),
    )
    nobody = pl.DataFrame({"person_id": []}, schema={"person_id": pl.String})
    with open_sandbox({"apc": episodes, "people": people}, Settings(), {"withdrawn": nobody}) as sandbox:
        counts = {}
        for name in ("ICD_hypertension", "ICD_diabetes", "ICD_COPD"):
            query = read[name].compile(words)
            counts[name] = sandbox.query(query.sql, query.params).height
    assert counts == {"ICD_hypertension": 113, "ICD_diabetes": 79, "ICD_COPD": 57}


def test_eunomia_counts_the_people_it_is_known_to_have(shared_data: Path, tmp_path: Path) -> None:
    """SOURCES.md: a public run of Eunomia's createCohorts reports celecoxib 1844, diclofenac 850, GI bleed 479."""
    words = Words(
        people=(People("PERSON", "PERSON_ID", everyone=True, sex="GENDER_CONCEPT_ID", sex_values={"8532": "female"}),),
        events=(
            Event("DRUG_ERA", "PERSON_ID", ("DRUG_CONCEPT_ID",), "OMOP", "DRUG_ERA_START_DATE"),
            Event("CONDITION_ERA", "PERSON_ID", ("CONDITION_CONCEPT_ID",), "OMOP", "CONDITION_ERA_START_DATE"),
        ),
    )
    files = {}
    for table in words.tables:
        files[table] = tmp_path / f"{table}.parquet"
        pl.read_csv(shared_data / f"phenotypes/omop_gibleed_cdm5.3/{table}.csv.gz", try_parse_dates=True).write_parquet(
            files[table]
        )
    nobody = pl.DataFrame({"person_id": []}, schema={"person_id": pl.String})
    asked = [everyone(), sex("female"), omop(1118084), omop(1124300), omop(192671)]
    with open_sandbox(files, Settings(), {"withdrawn": nobody}) as sandbox:
        counts = [sandbox.query(query.sql, query.params).height for query in (who.compile(words) for who in asked)]
    assert counts == [2694, 1373, 1844, 850, 479]


def test_every_error_here_is_ours() -> None:
    assert issubclass(NotBound, NhsgenError)
    assert NotBound("sex").exit_code == 3
