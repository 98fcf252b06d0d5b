"""What the de-identification report looks for in one column of a table: a table of detectors, each a small function.

A detector sees a column as text, each distinct value once, and says what it found in one sentence. It never repeats a value:
only how many rows hold such values and which row is the first. What is sure "blocks" a release; what is only likely, or
harmless alone, is "look": the steward is shown it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from nhsgen.contracts import Column
from nhsgen.extracts import identifiers

__all__ = ["DETECTORS", "LEXICON", "Cells", "Detector", "Hit", "Level"]

Level: TypeAlias = Literal["blocks", "look"]


@dataclass(frozen=True)
class Cells:
    """One column: `values` has each distinct text once (value), how many rows hold it (rows) and the first of them (first).

    key: the contract names it as a key, a person or a sample, here or in another table.
    one_row_a_person: the table has one; a date in it may then be the person's own.
    today, rare: what "over 89" is counted from, and below how many rows a date is rare.
    """

    name: str
    values: pl.DataFrame
    declared: Column | None = None
    key: bool = False
    one_row_a_person: bool = False
    today: date = date(2025, 1, 1)
    rare: int = 8

    @cached_property
    def filled(self) -> int:
        return int(self.values["rows"].sum())

    @cached_property
    def words(self) -> str:
        """The column's name in words: "NHSNumber" and "nhs-number" are "_nhs_number_"."""
        spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", self.name)
        return f"_{re.sub(r'[^a-z0-9]+', '_', spaced.lower()).strip('_')}_"

    def called(self, pattern: str) -> bool:
        return re.search(pattern, self.words) is not None

    def like(self, pattern: str) -> pl.DataFrame:
        return _matching(self.values, pattern)

    @cached_property
    def sample(self) -> pl.Series:
        """Some 2,000 of the values, from all over the column: enough to see of what kind it is."""
        values = self.values["value"]
        return values if len(values) < 4000 else values.filter(values.hash(seed=0) % (len(values) // 2000) == 0)

    @cached_property
    def lettered(self) -> pl.DataFrame:
        """The values with a letter: only in these can there be words."""
        return _matching(self.values, "[A-Za-z]")

    @cached_property
    def spaced(self) -> pl.DataFrame:
        return _matching(self.lettered, r"\s")

    @cached_property
    def numeric(self) -> bool:
        """Nine values in ten are numbers, whole or not."""
        sample = self.sample
        return len(sample) > 0 and _share(sample.str.contains(r"^\s*[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?\s*$")) >= 0.9

    @cached_property
    def dates(self) -> pl.DataFrame | None:
        """(date, rows, first) when four values in five are dates of one form; sentinels such as 1801-01-01 are left out."""
        sample = self.sample
        for pattern, form in _DATE_FORMS:
            if len(sample) and _share(_as_dates(sample, pattern, form).is_not_null()) >= 0.8:
                everyday = pl.col("date").is_between(
                    date(self.today.year - 125, 1, 2), date(self.today.year + 1, 12, 31)
                )
                dated = self.values.with_columns(date=_as_dates(self.values["value"], pattern, form))
                real = dated.filter(everyday & (pl.col("date") != date(1900, 1, 1)))
                return real.group_by("date").agg(pl.col("rows").sum(), pl.col("first").min()).sort("date")
        return None

    @cached_property
    def to_the_day(self) -> bool:
        """Dates that vary within a month: not cut to its first or its middle."""
        if self.dates is None or self.dates.is_empty():
            return False
        days = self.dates.group_by(pl.col("date").dt.day()).agg(pl.col("rows").sum())["rows"]
        return int(days.max()) < 0.9 * int(days.sum())  # type: ignore[arg-type]


# The first that fits is taken; eight digits come last because numbers of other kinds may read as dates.
_DATE_FORMS = (
    (r"^\s*([0-9]{4}-[0-9]{2}-[0-9]{2})", "%Y-%m-%d"),
    (r"^\s*([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})", "%d/%m/%Y"),
    (r"^\s*([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})", "%m/%d/%Y"),
    (r"^\s*([0-9]{1,2}-[0-9]{1,2}-[0-9]{4})", "%d-%m-%Y"),
    (r"^\s*([0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4})", "%d.%m.%Y"),
    (r"^\s*([0-9]{1,2}[ -][A-Za-z]{3}[ -][0-9]{4})", "%d-%b-%Y"),
    (r"^((?:18|19|20)[0-9]{6})$", "%Y%m%d"),
    (r"^([0-9]{4}(?:18|19|20)[0-9]{2})$", "%d%m%Y"),
)


def _as_dates(values: pl.Series, pattern: str, form: str) -> pl.Series:
    return values.str.extract(pattern).str.replace_all(" ", "-").str.to_date(form, strict=False)


def _matching(values: pl.DataFrame, pattern: str) -> pl.DataFrame:
    return values if values.is_empty() else values.filter(pl.col("value").str.contains(pattern))


def _share(mask: pl.Series) -> float:
    return float(mask.fill_null(False).mean() or 0.0)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Hit:
    """What a detector found: the values (with their rows), one sentence about them, and whether that is sure."""

    values: pl.DataFrame
    says: str
    sure: bool = True


@dataclass(frozen=True)
class Detector:
    """`level` is that of a sure hit; an unsure one is always "look". What may not be lifted must be taken out of the file.

    last_resort: not asked when another detector already blocks the column.
    """

    name: str
    looks_for: str
    find: Callable[[Cells], Hit | None]
    level: Level = "blocks"
    may_be_lifted: bool = True
    last_resort: bool = False


# -- Numbers of people -----------------------------------------------------------------------------------------------------


def _nhs_number(cells: Cells) -> Hit | None:
    whole = cells.values.with_columns(number=identifiers.ten_digits(cells.values["value"])).drop_nulls("number")
    numbers = whole["number"].to_numpy()
    valid = whole.filter(pl.Series(identifiers.is_nhs_number(numbers), dtype=pl.Boolean))
    candidates = int(np.unique(numbers[numbers % 1_111_111_111 != 0]).size)
    passed = valid["number"].n_unique()
    if candidates and passed >= identifiers.chance_bound(candidates):
        chi = _share(pl.Series(identifiers.is_chi(valid["number"].to_numpy()))) > 0.9
        kind = "Scottish CHI numbers, which begin with the date of birth" if chi else "NHS numbers"
        return Hit(valid, f"holds {kind}: more pass the check digit than chance allows")
    inside = cells.lettered.with_columns(numbers=identifiers.nhs_numbers_in(cells.lettered["value"])).filter(
        pl.col("numbers") > 0
    )
    if len(inside):
        sure = len(inside) >= identifiers.chance_bound(len(cells.like(identifiers.NHS_IN_TEXT)))
        return Hit(
            inside,
            "holds text with NHS numbers in it" if sure else "holds text with what may be NHS numbers in it",
            sure,
        )
    rounded = cells.like(r"^[1-9](\.[0-9]+)?[eE]\+?0?9$")
    if len(rounded) > 0.5 * len(cells.values):
        return Hit(
            rounded, "holds ten-digit numbers in scientific notation, as a spreadsheet writes NHS numbers", sure=False
        )
    return None


def _staff_code(cells: Cells) -> Hit | None:
    codes = cells.like(r"^[CD][0-9]{7}$")  # C: consultant (the GMC number after it), D: dental
    if len(codes) >= 3 and len(codes) >= 0.8 * len(cells.values):
        return Hit(codes, "holds consultants' codes, which contain their GMC numbers")
    return None


def _identifier(cells: Cells) -> Hit | None:
    distinct = len(cells.values)
    if cells.key or cells.filled < 20 or distinct <= 0.95 * cells.filled or cells.dates is not None:
        return None
    if cells.numeric:
        whole = cells.like(r"^\s*[+-]?[0-9]+(\.0*)?\s*$")
        if len(whole) <= 0.95 * distinct:  # measurements with decimals are nearly unique and identify nobody
            return None
        long = len(whole.filter(pl.col("value").str.contains("^[0-9]{9}"))) > 0.5 * distinct
        return Hit(whole, "is different in nearly every row, as an identifier is, and is not a declared key", sure=long)
    if len(cells.spaced) > 0.5 * distinct:
        return None  # sentences: the free text detector's
    return Hit(cells.values, "is different in nearly every row, as an identifier is, and is not a declared key")


def _unkeyed_hash(cells: Cells) -> Hit | None:
    hashes = _matching(cells.lettered, identifiers.HASH)
    if len(hashes) >= 10 and len(hashes) >= 0.95 * len(cells.values):
        says = "has the length of a plain hash; one made without a secret key can be undone in minutes: ask how it was made"
        return Hit(hashes, says)
    return None


# -- Where people live -------------------------------------------------------------------------------------------------------


def _postcode(cells: Cells) -> Hit | None:
    whole = cells.lettered.filter(pl.col("value").str.len_bytes() <= 12).filter(
        pl.col("value").str.contains(identifiers.POSTCODE)
    )
    if len(whole):
        often = whole["rows"].sum() >= 0.01 * cells.filled and len(whole) >= 2
        return Hit(whole, "holds postcodes" if often else "holds values that may be postcodes", sure=bool(often))
    inside = _matching(cells.spaced, identifiers.POSTCODE_IN_TEXT)
    if len(inside):
        return Hit(inside, "holds text with what may be postcodes in it", sure=len(inside) >= 3)
    outward = _matching(cells.lettered, identifiers.OUTWARD)
    # ICD-10 categories such as E11 look like districts; no ICD-10 or OPCS-4 code begins with two letters.
    if (
        len(outward) >= 3
        and len(outward) >= 0.9 * len(cells.values)
        and _share(outward["value"].str.contains("^[A-Za-z]{2}")) > 0.25
    ):
        return Hit(outward, "holds postcode districts; in some of them fewer than 5,000 people live", sure=False)
    return None


def _small_area(cells: Cells) -> Hit | None:
    for pattern, (what, small) in identifiers.SMALL_AREAS.items():
        areas = _matching(cells.lettered, pattern)
        if len(areas) and len(areas) >= 0.5 * len(cells.values):
            return Hit(areas, f"holds {what}", sure=small)
    property_numbers = cells.like(r"^(100|200)[0-9]{9}(\.0)?$")
    if len(property_numbers) >= 10 and len(property_numbers) >= 0.95 * len(cells.values):
        return Hit(property_numbers, "holds numbers of the form of UPRNs, which name one property each", sure=False)
    return None


# -- When people were born and died ------------------------------------------------------------------------------------------

_BIRTH = r"_dobs?_|_(date|day)_of_birth|_birth_?(day|date)|_mydob_|_born_|_birth_dt_"
_DEATH = r"_dod_|_death_?date|_(date|day)_of_death|_deceased_?date|_died_(on|date)_|_death_dt_|_stillbirth"


def _birth_date(cells: Cells) -> Hit | None:
    named = cells.called(_BIRTH) or (cells.declared is not None and cells.declared.date_kind == "birth")
    if cells.dates is None or cells.dates.is_empty():
        return _birth_in_parts(cells) if named and len(cells.values) > 1 else None  # always the 1st says nothing
    if not cells.to_the_day:
        monthly = named and cells.dates["date"].dt.month().n_unique() > 1
        return Hit(cells.dates, "holds the month and year of birth", sure=False) if monthly else None
    if named:
        return Hit(cells.dates, "holds dates of birth to the day")
    seen = cells.dates["rows"].cum_sum() / cells.dates["rows"].sum()
    low, high = (cells.dates["date"].filter(seen >= share).dt.year()[0] for share in (0.01, 0.99))
    if len(cells.dates) >= 20 and (high - low >= 60 or cells.dates["date"].dt.year()[0] < cells.today.year - 105):
        says = "holds dates to the day that reach back as far as dates of birth do"
        return Hit(cells.dates, says, sure=cells.one_row_a_person)
    return None


_YEAR = r"(?:18|19|20)[0-9]{2}"
_MONTH = r"(?:0[1-9]|1[0-2])"


def _birth_in_parts(cells: Cells) -> Hit | None:
    """A column named after birth that holds no dates: OMOP's day_of_birth, HES's MYDOB (month and year), years, or a riddle."""
    if _share(cells.sample.str.contains(rf"^{_YEAR}(\.0)?$")) >= 0.8:
        return None
    if _share(cells.sample.str.contains(rf"^(?:{_MONTH}[-/]?{_YEAR}|{_YEAR}[-/]?{_MONTH})$")) >= 0.8:
        return Hit(cells.values, "holds the month and year of birth", sure=False)
    if "_day_" in cells.words:
        return Hit(cells.values, "holds the day of birth")
    return Hit(cells.values, "is named after dates of birth, and holds them in a form that is not read here")


def _rare_date(cells: Cells) -> Hit | None:
    declared = cells.declared is not None and cells.declared.date_kind is not None
    if cells.dates is None or not cells.to_the_day or not (declared or cells.called(f"{_DEATH}|{_BIRTH}")):
        return None
    rare = cells.dates.filter(pl.col("rows") < cells.rare)
    return Hit(rare, f"holds days of birth or death that fewer than {cells.rare} rows share") if len(rare) else None


def _age(cells: Cells) -> Hit | None:
    if cells.called(r"_(ages?|aged|(start|end|appt|admi|disch?|death|onset|diag)age)_(?!(band|group|range)_)"):
        old = _numbers(cells).filter(pl.col("number").is_between(89, 130, closed="right"))
        top_coded = len(old) == 1 and old["number"][0] == 90
        if len(old) and not top_coded:
            return Hit(old, "holds ages over 89; put them together as 90 and over")
    if cells.called(r"_(year_of_birth|birth_?year|yob|born)_"):
        old = _numbers(cells).filter(pl.col("number").is_between(cells.today.year - 125, cells.today.year - 90))
        if len(old) > 1:
            return Hit(old, "holds years of birth of people who are or would be over 89", sure=False)
    return None


def _numbers(cells: Cells) -> pl.DataFrame:
    plain = pl.col("value").str.extract(r"(?i)^\s*([0-9]+(?:\.[0-9]*)?)\s*(?:y|yrs?|years?)?\s*$")
    return cells.values.with_columns(number=plain.cast(pl.Float64, strict=False)).drop_nulls("number")


# -- What people are called and what was written about them ------------------------------------------------------------------

_LISTED = rf"(?i)\b(?:{'|'.join(sorted(identifiers.FORENAMES | identifiers.SURNAMES))})\b"


def _name(cells: Cells) -> Hit | None:
    titled = _matching(cells.spaced, identifiers.TITLED_NAME)
    if len(titled):
        return Hit(titled, "holds names of people with their titles", sure=len(titled) >= 3)
    if len(cells.lettered) >= 5 and not cells.numeric:
        short = cells.lettered.filter(pl.col("value").str.len_bytes() <= 40)
        listed = _matching(_matching(short, r"^[A-Za-z][A-Za-z' ,.-]+$"), _LISTED)
        if len(listed) >= 5 and len(listed) >= 0.2 * len(cells.values):
            return Hit(listed, "holds common forenames or surnames")
    return None


def _contact(cells: Cells) -> Hit | None:
    addresses = _matching(cells.lettered, identifiers.EMAIL)
    if len(addresses):
        return Hit(addresses, "holds e-mail addresses")
    short = cells.values.filter(
        pl.col("value").str.len_bytes().is_between(11, 24) & pl.col("value").str.contains(r"^[(+0]")
    )
    plain = pl.col("value").str.replace_all(r"[\s().-]", "")
    numbers = short.filter(plain.str.contains(identifiers.PHONE))
    if len(numbers):
        return Hit(
            numbers, "holds telephone numbers", sure=len(numbers) >= 3 and len(numbers) >= 0.01 * len(cells.values)
        )
    inside = _matching(cells.spaced, identifiers.PHONE_IN_TEXT)
    if len(inside):
        return Hit(inside, "holds text with telephone numbers in it", sure=len(inside) >= 3)
    return None


def _free_text(cells: Cells) -> Hit | None:
    if cells.declared is not None and cells.declared.free_text_allowed:
        return None
    sentences = _matching(cells.spaced, r"[A-Za-z]{2,}[^A-Za-z0-9]+[A-Za-z]{2,}")
    rows = int(sentences["rows"].sum())
    if cells.dates is not None or len(sentences) < 5 or rows < 0.5 * cells.filled:
        return None
    # Coded answers are long too ("Prefer not to answer"), but few and repeated; what people write seldom repeats.
    lengths = sentences.select(pl.col("value").str.len_chars().alias("length"), "rows").sort("length")
    median = lengths.filter(pl.col("rows").cum_sum() >= rows / 2)["length"][0]
    if len(sentences) > 0.5 * rows or (median > 20 and len(sentences) > rows / 8):
        return Hit(sentences, "holds sentences or phrases that people wrote")
    return None


def _declared(cells: Cells) -> Hit | None:
    if cells.declared is not None and cells.declared.identifying and not cells.declared.excluded:
        return Hit(cells.values, "is declared to be identifying, and the contract does not exclude it from the release")
    return None


# What a column's name says should not be in it: a pattern over its words, what it is named after, and whether that is sure.
LEXICON: tuple[tuple[str, str, bool], ...] = (
    (r"_nhs_?(no|num|number|id)?_|_(new)?nhs_?no_|_chi_?(no|num|number)?_", "NHS or CHI numbers", True),
    (r"_(fore|sur|family|given|middle|maiden)_?names?_|_initials_|_next_of_kin_|_nok_", "people's names", True),
    (
        r"_(first|last|full|patient|person|participant|mother|father|partner|carer|child)s?_?name_",
        "people's names",
        True,
    ),
    (r"_(gp|doctor|consultant|clinician|nurse)s?_?name_", "people's names", True),
    (r"_post_?codes?_|_postcd_|_pcds?_|_pcode_|_zip(_?code)?_|_out_?code_|_homeadd_", "postcodes", True),
    (r"_e_?mail|_address(es)?_?[0-9]?_|_addr_?[0-9]?_|_street_|_house_(no|number|name)_", "addresses", True),
    (r"_(tele)?phone_|_mobile_|_tel_|_fax_", "telephone numbers", True),
    (r"_uprn_|_easting_|_northing_|_latitude_|_longitude_|_lat_|_lon_|_lng_|_grid_?ref", "places", True),
    (r"_co_?ordinates?_|_oseast|_osnrth", "places", True),
    (
        r"_mrn_|_lopatid|_crn_|_(hospital|hosp|unit|case_?note|pas|local_patient)_?(no|num|number|id|identifier)_",
        "hospital numbers",
        True,
    ),
    (r"_nino_|_national_insurance|_passport|_driving_licence", "another register's numbers", True),
    (
        r"_gmc_|_gmp_|_gpprac_|_(gp|consultant|clinician|doctor|staff)_(code|id|no|number)_|_p?consult(ant)?_",
        "staff or practices",
        False,
    ),
)


def _named(cells: Cells) -> Hit | None:
    for pattern, what, sure in LEXICON:
        if cells.called(pattern):
            return Hit(cells.values, f"is named after {what}", sure)
    return None


DETECTORS: tuple[Detector, ...] = (
    Detector(
        "nhs_number", "NHS, H&C and CHI numbers, whole or inside text, also as floats", _nhs_number, may_be_lifted=False
    ),
    Detector("postcode", "postcodes whole or inside text, and postcode districts", _postcode, may_be_lifted=False),
    Detector("contact", "e-mail addresses and telephone numbers", _contact, may_be_lifted=False),
    Detector("name", "names of people, by their titles or among the commonest", _name),
    Detector("birth_date", "dates of birth to the day, months of birth", _birth_date),
    Detector("rare_date", "days of birth or death that few people share", _rare_date, level="look"),
    Detector("age", "ages over 89 that are not put together", _age),
    Detector("small_area", "output areas, LSOA and MSOA, grid references, UPRNs", _small_area),
    Detector("staff_code", "consultants' codes", _staff_code, level="look"),
    Detector("free_text", "sentences people wrote", _free_text),
    Detector("unkeyed_hash", "pseudonyms of the length of a plain hash", _unkeyed_hash, level="look"),
    Detector("declared", "columns the contract itself calls identifying", _declared),
    Detector("named", "columns whose names say what should not be there", _named, last_resort=True),
    Detector(
        "identifier", "columns that differ in nearly every row and are no declared key", _identifier, last_resort=True
    ),
)
