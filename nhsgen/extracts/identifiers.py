"""What identifies a person, and what it looks like as text: NHS numbers, postcodes, small areas, names, contacts, hashes.

Everything here is a pattern or a list; `detectors` applies them to columns, `variant_headers` to the headers of VCF files.
Patterns are written in the part of the regular expression language that Python and polars (Rust) share: no look-around.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import bdtrc

__all__ = [
    "EMAIL",
    "FORENAMES",
    "GRID_REFERENCE",
    "HASH",
    "NHS_IN_TEXT",
    "OUTWARD",
    "PHONE",
    "PHONE_IN_TEXT",
    "POSTCODE",
    "POSTCODE_IN_TEXT",
    "SMALL_AREAS",
    "SURNAMES",
    "TITLED_NAME",
    "chance_bound",
    "identifier_in",
    "is_chi",
    "is_nhs_number",
    "nhs_numbers_in",
    "ten_digits",
]


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


# -- NHS numbers ---------------------------------------------------------------------------------------------------------

_PLACES = 10 ** np.arange(9, -1, -1, dtype=np.int64)
_WEIGHTS = np.arange(10, 0, -1, dtype=np.int64)  # 10..2 for nine digits, and 1 for the check digit itself
_REPEATS = 1_111_111_111
_BY_CHANCE = 1 / 11
_FALSE_ALARM = 1e-6

# Ten digits as people write them, standing alone among other text; a digit, letter or decimal point beside them does not count.
NHS_IN_TEXT = r"(?i)(?:^|[^0-9a-z.]|nhs)([0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4})(?:[^0-9a-z.]|\.?$|\.[^0-9])"


def is_nhs_number(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of these whole numbers are NHS (or CHI, or H&C) numbers by their check digit.

    Modulus 11 (NHS Data Dictionary, "NHS NUMBER"): the ten digits times 10..1 add up to a multiple of 11. A check digit of 10
    cannot be written, so it fails by itself. Ten equal digits pass and are nobody's: excluded. Leading zeros may be missing.

    >>> is_nhs_number(np.array([9434765919, 9434765918, 9876543210, 9876543214, 1111111111])).tolist()
    [True, False, True, False, False]
    """
    inside = (numbers >= 10_000_000) & (numbers < 10**10)
    sums = ((np.where(inside, numbers, 0)[:, None] // _PLACES) % 10) @ _WEIGHTS
    return np.asarray(inside & (sums % 11 == 0) & (numbers % _REPEATS != 0))


def is_chi(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which numbers begin with a date, ddmmyy, as Scotland's CHI numbers do: the date of birth stands in them.

    >>> is_chi(np.array([101701237, 9434765919])).tolist()
    [True, False]
    """
    day, month = numbers // 10**8, numbers // 10**6 % 100
    return np.asarray((day >= 1) & (day <= 31) & (month >= 1) & (month <= 12) & (numbers < 10**10))


def ten_digits(values: pl.Series) -> pl.Series:
    """Each text as a whole number when it is ten digits in any of the forms they travel in; null otherwise.

    Spaces and hyphens, an apostrophe from a spreadsheet, '.0' from a float, 9.434765919E9, and nine digits that begin like
    a CHI number and lost their zero.

    >>> ten_digits(pl.Series(["943 476 5919", "9434765919.0", "9.434765919e9", "101701237", "12345", "943.476"])).to_list()
    [9434765919, 9434765919, 9434765919, 101701237, None, None]
    """
    text, plain = pl.col("text"), pl.col("text").str.replace(r"\.0*$", "").str.replace_all(r"[ -]", "")
    forms = {
        r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}(\.0*)?|[0-9]{6}[ -][0-9]{4}": plain.cast(pl.Int64, strict=False),
        r"[1-9](0[1-9]|1[0-2])[0-9]{6}(\.0*)?": plain.cast(pl.Int64, strict=False),
        r"[1-9]\.[0-9]+[eE]\+?0?9": text.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False),
    }
    # One pass picks the few that may be; only these are taken apart.
    likely = pl.select(row=pl.int_range(values.len()), text=values).filter(
        text.str.contains(rf"^[\s'\"]*(?:{'|'.join(forms)})[\s'\"]*$")
    )
    likely = likely.with_columns(text.str.strip_chars(" '\"\t"))
    numbers = [pl.when(text.str.contains(f"^(?:{form})$")).then(number) for form, number in forms.items()]
    found = likely.select("row", number=pl.coalesce(numbers))
    return pl.select(row=pl.int_range(values.len())).join(found, on="row", how="left", maintain_order="left")["number"]


def nhs_numbers_in(values: pl.Series) -> pl.Series:
    """For each text, how many valid NHS numbers stand inside it.

    >>> nhs_numbers_in(pl.Series(["seen, NHS 943 476 5919.", "NHS_9434765919.vcf.gz", "0.9434765919"])).to_list()
    [1, 1, 0]
    """
    found = pl.select(row=pl.int_range(values.len()), text=values).filter(pl.col("text").str.contains(NHS_IN_TEXT))
    found = found.with_columns(pl.col("text").str.extract_all(NHS_IN_TEXT)).explode("text")
    numbers = found["text"].str.replace_all(r"[^0-9]", "").cast(pl.Int64, strict=False).fill_null(0).to_numpy()
    counts = np.zeros(values.len(), dtype=np.int64)
    np.add.at(counts, found["row"].to_numpy(), is_nhs_number(numbers))
    return pl.Series("numbers", counts)


@lru_cache(maxsize=1024)
def chance_bound(candidates: int) -> int:
    """How many of `candidates` ten-digit numbers must pass the check before chance is ruled out (one false alarm in a million).

    One in eleven passes by chance; five or fewer can never rule it out.

    >>> [chance_bound(n) for n in (20, 50, 100, 1000)]
    [11, 18, 26, 138]
    """
    return int(np.argmax(bdtrc(np.arange(candidates + 1), candidates, _BY_CHANCE) <= _FALSE_ALARM)) + 1


# -- Postcodes and other small places --------------------------------------------------------------------------------------

# The 124 postcode areas (Royal Mail); without them ICD-10 codes such as "T85 0DX" pass for postcodes.
_AREAS = _set_of(
    "AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY G GL GU "
    "GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX PA PE "
    "PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE"
)
_OUTWARD = rf"(?:{'|'.join(sorted(_AREAS, key=lambda area: (-len(area), area)))})(?:[1-9][0-9]?|0|[1-9][A-HJ-NP-Z])"
_FULL = rf"(?:{_OUTWARD} {{0,2}}[0-9][ABD-HJLNP-UW-Z]{{2}}|GIR ?0AA)"
POSTCODE = rf"(?i)^\s*{_FULL}\s*$"
POSTCODE_IN_TEXT = rf"(?i)(?:^|[^0-9a-z]){_FULL}(?:[^0-9a-z]|$)"
OUTWARD = rf"(?i)^\s*{_OUTWARD}\s*$"

# The 55 squares of the National Grid that hold land, then an even number of digits: 100 m or finer from six on.
GRID_REFERENCE = (
    r"^(?:H[PTUWXYZ]|N[A-HJ-OR-UW-Z]|OV|S[CDEHJKMNOPRSTUVWXYZ]|T[AFGLMQRV]) ?"
    r"(?:[0-9]{6}|[0-9]{8}|[0-9]{10}|[0-9]{3} [0-9]{3}|[0-9]{4} [0-9]{4}|[0-9]{5} [0-9]{5})$"
)

# pattern -> (what it is, whether fewer than 5,000 people live in one)
SMALL_AREAS: Mapping[str, tuple[str, bool]] = {
    r"^[EW]00[0-9]{6}$": ("census output areas (about 300 people each)", True),
    r"^[EW]01[0-9]{6}$": ("lower super output areas (about 1,500 people each)", True),
    r"^S0[01][0-9]{6}$": ("Scottish output areas or data zones (up to 1,000 people each)", True),
    r"^(95[A-Z]{2}[0-9]{2}[A-Z][0-9]|N2[01][0-9]{6})$": ("Northern Irish super output areas or data zones", True),
    r"^[EW]02[0-9]{6}$": ("middle super output areas (about 8,000 people each)", False),
    r"^S02[0-9]{6}$": ("Scottish intermediate zones (about 4,000 people each)", True),
    GRID_REFERENCE: ("grid references", True),
}

# -- Names, contacts, pseudonyms -------------------------------------------------------------------------------------------

EMAIL = r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}"
PHONE = r"^(?:(?:\+|00)44(?:\(?0\)?)?|0)[12378][0-9]{9}$"  # after spaces, hyphens and brackets are taken out
PHONE_IN_TEXT = (
    r"(?:^|[^0-9+])(?:\+44 ?(?:\(0\) ?)?|0)(?:7[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}|20[ -]?[0-9]{4}[ -]?[0-9]{4}"
    r"|1[0-9]{2,3}[ -][0-9]{3}[ -]?[0-9]{3,4})(?:[^0-9]|$)"
)
TITLED_NAME = r"(?i:\b(?:mr|mrs|ms|miss|dr|prof|professor|sir|dame|revd?))\b\.?\s+(?:[A-Z]\.?\s+)?[A-Z][A-Za-z'-]+"

# Among the commonest in the United Kingdom (ONS and NRS name counts); those that are also words (May, White, Brown) are left out.
FORENAMES = _set_of(
    "aaron abdul adam adele ahmed aisha alan alexander alice alison amanda amelia amy andrea andrew angela anita ann anna anne "
    "anthony arthur barbara benjamin brenda brian carol caroline catherine charlotte christine christopher claire colin craig "
    "daniel danielle darren david dawn deborah denise derek diana donna dorothy edward eileen elizabeth emily emma eric evelyn "
    "fatima fiona freya gareth gary geoffrey george geraldine gillian gordon graham hannah harold harriet harry heather helen "
    "henry hilary ian irene isabella isla jacqueline james jane janet jason jean jennifer jessica joan joanne john jonathan "
    "joseph joyce judith julia julie june karen katherine kathleen keith kelly kenneth kevin laura lauren leanne leonard lesley "
    "linda lisa liam louise lynn malcolm margaret maria marie marion martin mary matthew maureen megan michael michelle mohammed "
    "muhammad natalie neil nicholas nicola nigel norman oliver olivia pamela patricia paul pauline peter philip priya rachel "
    "raymond rebecca richard robert roger ronald rosemary ruth ryan samantha samuel sandra sarah sharon sheila shirley simon "
    "sophie stanley stephanie stephen steven stuart susan suzanne thomas timothy tracey valerie victoria vincent wendy william "
    "yasmin yvonne zoe"
)
SURNAMES = _set_of(
    "adams ahmed akhtar ali allen anderson andrews atkinson bailey begum bennett campbell carter chapman clarke collins cooper "
    "cox davies davis dixon edwards ellis evans foster gibson graham griffiths hall harris harrison harvey hughes hussain "
    "jackson james jenkins johnson jones kaur kelly kennedy khan lewis macdonald marshall martin mason matthews mcdonald "
    "mitchell morgan morris murphy murray owen palmer parker patel phillips powell reynolds richards richardson roberts "
    "robertson robinson rogers russell scott shah shaw simpson singh smith stevens stewart taylor thomas thompson thomson "
    "turner walker watson webb wilkinson williams wilson wright"
)

# MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512, in hex or in base 64. A keyed pseudonym of ours has 26 characters.
HASH = rf"^(?:{'|'.join(f'[0-9a-fA-F]{{{n}}}' for n in (32, 40, 56, 64, 96, 128))}|[A-Za-z0-9+/]{{27}}=|[A-Za-z0-9+/]{{43}}=)$"

_NHS_IN_TEXT = re.compile(NHS_IN_TEXT)
_HOME = re.compile(r"(?i)(?:/home/|/users/|/home_|\\users\\)[a-z][\w.-]*")
_WORD = re.compile(r"[A-Za-z]+")
_OTHERS_IN_TEXT = (
    (re.compile(EMAIL), "an e-mail address"),
    (re.compile(PHONE_IN_TEXT), "a telephone number"),
    (re.compile(TITLED_NAME), "a person's name"),
)


def identifier_in(text: str) -> str | None:
    """What identifies a person in a file name, a column name or a line of a header; None when nothing does.

    >>> identifier_in("/data/home_jsmith/NHS_9434765919.vcf.gz"), identifier_in("smith_john.csv"), identifier_in("person.parquet")
    ('an NHS number', "a person's name", None)
    """
    numbers = [int(re.sub("[^0-9]", "", found)) for found in _NHS_IN_TEXT.findall(text)]
    if numbers and is_nhs_number(np.array(numbers, dtype=np.int64)).any():
        return "an NHS number"
    for pattern, what in _OTHERS_IN_TEXT:
        if pattern.search(text):
            return what
    if _HOME.search(text):
        return "somebody's home directory"
    words = [word.lower() for word in _WORD.findall(text)]
    if any({a, b} & FORENAMES and {a, b} & SURNAMES and a != b for a, b in pairwise(words)):
        return "a person's name"
    return None
