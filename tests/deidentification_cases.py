"""Columns and files with and without something that points to a person, all made up, for the tests of the report."""

import hashlib
import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from open_data_contract_standard.model import OpenDataContractStandard

from nhsgen.contracts import Column, Contract, People, Table, Words

ROWS = 400
DICE = random.Random(20260101)


def contract(*tables: Table, people: Sequence[People] = ()) -> Contract:
    raw = OpenDataContractStandard(version="1", kind="DataContract", apiVersion="v3.1.0", id="t", status="active")
    return Contract("t", "1", "t", "0" * 64, Path("t.odcs.yaml"), tables, (), Words(people=tuple(people)), raw)


def table(file: str, columns: Sequence[str], keys: Sequence[str] = ()) -> Table:
    made = tuple(Column(name, "string", primary_key=name in keys) for name in columns)
    return Table(file.split(".", maxsplit=1)[0], file, made)


def nhs_number(start: str = "9") -> str:
    """Ten digits whose last is the check digit of the nine before."""
    while True:
        nine = start + "".join(DICE.choices("0123456789", k=9 - len(start)))
        check = 11 - sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return f"{nine}{check % 11}"


def chi_number() -> str:
    return nhs_number(f"{DICE.randint(1, 9):02d}{DICE.randint(1, 12):02d}{DICE.randint(30, 99)}")


def day(first: date, last: date) -> date:
    return first + timedelta(days=DICE.randrange((last - first).days + 1))


def postcode() -> str:
    return f"{DICE.choice(['SW1A', 'M13', 'CB2', 'LS9', 'EH1', 'B15'])} {DICE.randint(0, 9)}{DICE.choice('ABDEFGHJ')}{DICE.choice('NPQRSTUW')}"


def pseudonym(number: int) -> str:
    return hashlib.sha256(f"secret{number}".encode()).hexdigest()[:26]


def some(values: Sequence[object], rows: int = ROWS) -> list[str]:
    return [str(DICE.choice(values)) for _ in range(rows)]


def rows(make: Callable[[], object]) -> list[str]:
    return [str(make()) for _ in range(ROWS)]


COMMENTS = (
    "seen in clinic today with",
    "rang the ward about",
    "declined the offer of",
    "is worried about",
    "asked again for",
)
THINGS = ("her results", "a bed", "a second opinion", "his knee", "the scan", "the new tablets", "transport home")


def comment() -> str:
    return f"Pt {DICE.choice(COMMENTS)} {DICE.choice(THINGS)} and {DICE.choice(COMMENTS)} {DICE.choice(THINGS)} x{DICE.randint(1, 10**6)}"


SURNAMES = ("Robinson", "Patel", "Hughes", "O'Neill", "Khan", "Begum", "Thompson", "Clarke", "Adeyemi", "Nowak")
FORENAMES = ("Margaret", "Oliver", "Fatima", "Graham", "Zofia", "Kenneth", "Priya", "Sheila", "Babajide")

BORN = (date(1931, 1, 1), date(2019, 12, 31))
ADMITTED = (date(2018, 4, 1), date(2023, 3, 31))

# name of the case -> (name of the column, its cells, the detector that must speak; None when none may)
COLUMNS: dict[str, tuple[str, list[str], str | None]] = {
    "NHS numbers": ("x", rows(nhs_number), "nhs_number"),
    "ten random digits": ("x", [str(DICE.randrange(10**9, 10**10)) for _ in range(40)] * 10, None),
    "NHS numbers as floats": ("x", [f"{nhs_number()}.0" for _ in range(ROWS)], "nhs_number"),
    "NHS numbers from a spreadsheet": (
        "x",
        [f"{int(nhs_number('4')) / 1e9:.9f}E+09" for _ in range(ROWS)],
        "nhs_number",
    ),
    "CHI numbers": ("x", rows(chi_number), "nhs_number"),
    "CHI numbers without their zero": ("x", [chi_number().lstrip("0") for _ in range(ROWS)], "nhs_number"),
    "one NHS number in text": (
        "x",
        [*some(["ok", "see letter"], ROWS - 1), f"see letter for {nhs_number()[:3]} 476 5919"],
        None,
    ),
    "postcodes": ("x", rows(postcode), "postcode"),
    "postcode districts": ("x", some(["SW1A", "M13", "CB2", "LS9", "EH1", "B15"]), "postcode"),
    "ICD-10 categories that look like districts": ("x", some(["E11", "N18", "M01", "B20", "I10", "L40", "S72"]), None),
    "codes that look like postcodes": ("x", some(["T85 0DX", "C34 1DX", "I21 4AB", "Z99 9ZZ"]), None),
    "e-mail": ("x", [f"a.b{DICE.randint(1, 99)}@nhs.net" for _ in range(ROWS)], "contact"),
    "e-mail in a comment": ("x", [*some(["ok", "sent"], ROWS - 1), "letter to jane.doe@example.org please"], "contact"),
    "telephones": ("x", [f"07700 900{DICE.randint(100, 999)}" for _ in range(ROWS)], "contact"),
    "eleven digits": ("x", [f"000{DICE.randint(10**7, 10**8 - 1)}" for _ in range(40)] * 10, None),
    "titled names": ("x", [f"{DICE.choice(['Mr', 'Mrs', 'Dr'])} {DICE.choice(SURNAMES)}" for _ in range(ROWS)], "name"),
    "bare names": ("x", [f"{DICE.choice(SURNAMES)}, {DICE.choice(FORENAMES)}".upper() for _ in range(ROWS)], "name"),
    "ethnic groups": (
        "x",
        some(["White British", "Black African", "Asian Bangladeshi", "Mixed", "Prefer not to say"]),
        None,
    ),
    "dates of birth": ("x", [f"{day(*BORN):%d/%m/%Y}" for _ in range(ROWS)], "birth_date"),
    "dates of admission": ("x", [f"{day(*ADMITTED)}" for _ in range(ROWS)], None),
    "days of death": ("date_of_death", [f"{day(*ADMITTED)}" for _ in range(ROWS)], "rare_date"),
    "months of death": ("date_of_death", [f"{day(*ADMITTED):%Y-%m}-01" for _ in range(ROWS)], None),
    "ages": ("age_at_admission", some(range(18, 103)), "age"),
    "ages, 90 and over together": ("age_at_admission", some(range(18, 91)), None),
    "LSOA": ("x", [f"E0100{n:04d}" for n in range(40)] * 10, "small_area"),
    "trust sites": ("x", some(["RGT01", "RGT00", "R1H12", "RJ122"]), None),
    "grid references": ("x", [f"TQ {n} 804" for n in range(300, 380)] * 5, "small_area"),
    "consultants": ("x", [f"C{DICE.randint(10**6, 10**7 - 1)}" for _ in range(40)] * 10, "staff_code"),
    "free text": ("x", rows(comment), "free_text"),
    "long coded answers": (
        "x",
        some(["Prefer not to answer", "Reportable at assay after correction", "Not reportable at assay"]),
        None,
    ),
    "plain hashes": ("x", [hashlib.sha256(str(n).encode()).hexdigest() for n in range(ROWS)], "unkeyed_hash"),
    "undeclared identifiers": ("x", [f"H{n * 7919 % 10**6:07d}" for n in range(ROWS)], "identifier"),
    "measurements": ("x", [f"{DICE.gauss(90, 12):.4f}" for _ in range(ROWS)], None),
    "a column named after hospital numbers": ("HospitalNumber", some([*"abc"]), "named"),
    "a column named after a stage": ("tumour_stage_at_address_of_theory"[:12], some(range(1, 120)), None),
}


# Twenty de-identified tables in the manner of OMOP, HES and a genomics programme; a star marks a key, "of" what is in a column.
CLEAN = """
person.csv                  *person_id of numbers, gender_concept_id of sexes, year_of_birth of years, day_of_birth of ones
visit_occurrence.csv        *visit_occurrence_id of ids, person_id of people, visit_start_date of days, visit_end_datetime of moments
condition_occurrence.csv    *condition_occurrence_id of ids, person_id of people, condition_concept_id of concepts, visit_occurrence_id of ids
drug_exposure.csv           *drug_exposure_id of ids, person_id of people, drug_concept_id of concepts, sig of doses, quantity of counts
measurement.csv             *measurement_id of ids, person_id of people, value_as_number of values, unit_source_value of units
observation.csv             *observation_id of ids, person_id of people, value_as_string of answers, observation_date of days
procedure_occurrence.csv    *procedure_occurrence_id of ids, person_id of people, procedure_date of days, procedure_source_value of opcs
observation_period.csv      *observation_period_id of ids, person_id of numbers, observation_period_start_date of days
death.csv                   *person_id of numbers, death_date of months, cause_source_value of icd
device_exposure.csv         *device_exposure_id of ids, person_id of people, device_concept_id of concepts
hes_apc.csv                 *EPIKEY of keys, PSEUDO_HESID of pseudonyms, ADMIDATE of days, DIAG_4_CONCAT of lists, STARTAGE of ages
hes_op.csv                  *ATTENDKEY of keys, PSEUDO_HESID of pseudonyms, APPTDATE of days, DIAG_3_01 of categories, SUSHRG of groups
hes_ae.csv                  *AEKEY of keys, PSEUDO_HESID of pseudonyms, ARRIVALDATE of days, ARRIVALTIME of times, PROCODE5 of sites
hes_cc.csv                  PSEUDO_HESID of pseudonyms, CCSTARTDATE of days, UNITFUNC of wards
participant.csv             *participant_id of everyone, sex of sexes, ancestry of ancestries, year_of_birth of years, programme of wards
pedigree_member.csv         *participant_id of everyone, family_id of families, role of roles
phenotype.csv               participant_id of pseudonyms, hpo_id of terms, hpo_name of phenotypes
sample.csv                  *sample_id of samples, *participant_id of everyone, sample_type of tissues
laboratory_result.csv       participant_id of pseudonyms, test_name of tests, value of values, unit of units, collected_on of days
questionnaire.csv           participant_id of pseudonyms, question of questions, answer of answers
"""

PEOPLE = [pseudonym(n) for n in range(ROWS)]
NUMBERS = [str(n) for n in DICE.sample(range(10**5, 10**6), ROWS)]
ICD = ("E119", "I10X", "N183", "C509", "M0690", "J449", "Q612", "T850", "-")
KINDS: dict[str, Callable[[], list[str]]] = {
    "numbers": lambda: NUMBERS,
    "everyone": lambda: PEOPLE,
    "people": lambda: some(NUMBERS),
    "pseudonyms": lambda: some(PEOPLE),
    "ids": lambda: [str(n) for n in DICE.sample(range(10**8, 10**9), ROWS)],
    "keys": lambda: [str(n) for n in DICE.sample(range(5 * 10**11, 6 * 10**11), ROWS)],
    "samples": lambda: [f"LP{n:07d}-DNA_A01" for n in DICE.sample(range(10**6), ROWS)],
    "families": lambda: [f"F{n // 3:05d}" for n in range(ROWS)],
    "days": lambda: [str(day(*ADMITTED)) for _ in range(ROWS)],
    "moments": lambda: [f"{day(*ADMITTED)} 00:00:00" for _ in range(ROWS)],
    "months": lambda: [f"{day(*ADMITTED):%Y-%m}-01" for _ in range(ROWS)],
    "times": lambda: [f"{DICE.randint(0, 23):02d}{DICE.randint(0, 59):02d}" for _ in range(ROWS)],
    "years": lambda: some(range(1940, 2015)),
    "ages": lambda: some([*range(91), 7001, 7004]),
    "counts": lambda: some(range(1, 90)),
    "values": lambda: [f"{DICE.gauss(100, 15):.2f}" for _ in range(ROWS)],
    "lists": lambda: [",".join(DICE.choices(ICD, k=DICE.randint(1, 4))) for _ in range(ROWS)],
    "ones": lambda: ["1"] * ROWS,
    "sexes": lambda: some(["8507", "8532"]),
    "concepts": lambda: some([201826, 320128, 316866, 4329847, 257907, 46271022]),
    "icd": lambda: some(ICD),
    "categories": lambda: some(["R69", "E11", "N18", "M01", "B20"]),
    "opcs": lambda: some(["M013", "W371", "E383", "X352", "L878", "-"]),
    "groups": lambda: some(["LA08", "LB15E", "AA22A", "WA14Z"]),
    "sites": lambda: some(["RGT01", "RGT00", "R1H12", "RJ122"]),
    "doses": lambda: some(["1 od", "2 bd", "1 prn"]),
    "units": lambda: some(["mmol/L", "mL/min/1.73m2", "%"]),
    "wards": lambda: some(["Adult Mental Illness", "High Dependency Unit", "Paediatric Intensive Care"]),
    "ancestries": lambda: some(["EUR", "SAS", "AFR", "White and Black Caribbean"]),
    "roles": lambda: some(["proband", "mother", "father"]),
    "tissues": lambda: some(["blood", "saliva"]),
    "terms": lambda: some(["HP:0000107", "HP:0001250", "HP:0000365"]),
    "phenotypes": lambda: some(["Renal cyst", "Seizure", "Hearing impairment", "Alzheimer disease"]),
    "tests": lambda: some(["eGFR", "Haemoglobin A1c", "Serum creatinine"]),
    "questions": lambda: some(
        ["How often do you drink alcohol?", "Do you smoke?", "Does anyone in your family have diabetes?"]
    ),
    "answers": lambda: some(["Never", "2 to 4 times a month", "Prefer not to answer", "Current every day smoker"]),
}


def clean_tables() -> dict[str, tuple[dict[str, list[str]], list[str]]]:
    """File -> its columns, and which of them are keys."""
    tables = {}
    for line in CLEAN.strip().splitlines():
        file, described = line.split(maxsplit=1)
        columns = dict(column.split(" of ") for column in described.split(", "))
        made = {name.lstrip("*"): KINDS[kind]() for name, kind in columns.items()}
        tables[file] = made, [name[1:] for name in columns if name.startswith("*")]
    return tables
