"""What an annotation says an allele does to each gene it touches: VEP's CSQ, SnpEff's ANN and bcftools' BCSQ alike.

The severity of a consequence is a table, `consequences.csv` beside this file: Ensembl's order, most severe first, with each
term's impact, SnpEff's own terms at their place, and the other names a term goes by. Of all transcripts of a gene the most
severe consequence counts ("worst per gene"); between equals MANE Select, then canonical, then protein-coding goes first.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.resources import files
from urllib.parse import unquote

from nhsgen.errors import BadFile, BadInput

__all__ = [
    "ANNOTATIONS",
    "CLINVAR_INFO",
    "CONSEQUENCES",
    "IMPACTS",
    "Annotation",
    "Consequence",
    "Effect",
    "allele_names",
    "consequence",
    "effect_of",
    "find_annotation",
    "impact",
    "is_population_af",
    "worst_per_gene",
]

ANNOTATIONS: Mapping[str, tuple[str, ...]] = {"CSQ": ("CSQ", "vep"), "ANN": ("ANN",), "BCSQ": ("BCSQ",)}
"""Each kind of annotation and the INFO fields it is found in."""

IMPACTS = ("HIGH", "MODERATE", "LOW", "MODIFIER")


@dataclass(frozen=True)
class Consequence:
    """One row of the severity table; `rank` 0 is the most severe."""

    name: str
    rank: int
    impact: str


def _table() -> Mapping[str, Consequence]:
    text = files(__package__).joinpath("consequences.csv").read_text(encoding="utf-8")
    return {
        name: Consequence(row["consequence"], rank, row["impact"])
        for rank, row in enumerate(csv.DictReader(text.splitlines()))
        for name in (row["consequence"], *row["also"].split())
    }


CONSEQUENCES: Mapping[str, Consequence] = _table()
"""By every name a consequence goes by."""

_SPELT = {name.lower(): known.name for name, known in CONSEQUENCES.items()}


def consequence(text: str) -> str:
    """The one name of a consequence; BadInput with a suggestion when there is none.

    >>> consequence("missense"), consequence("5_prime_utr_variant")
    ('missense_variant', '5_prime_UTR_variant')
    """
    return _known(text, _SPELT, text.strip().lower(), "consequence")


def impact(text: str) -> str:
    """HIGH, MODERATE, LOW or MODIFIER; BadInput with a suggestion for anything else.

    >>> impact("high")
    'HIGH'
    """
    return _known(text, {name: name for name in IMPACTS}, text.strip().upper(), "impact")


def _known(text: str, names: Mapping[str, str], written: str, what: str) -> str:
    if written in names:
        return names[written]
    close = get_close_matches(written, names, 1, 0.5)
    raise BadInput(
        f"reading the {what} '{text}'",
        "it is unknown",
        f"did you mean {names[close[0]]}?" if close else f"use one of {', '.join(dict.fromkeys(names.values()))}",
    )


@dataclass(frozen=True)
class Effect:
    """What one allele does to one gene; `gene` is None where it touches none."""

    gene: str | None
    gene_id: str | None
    consequence: str
    impact: str
    transcript: str | None = None
    hgvsc: str | None = None
    hgvsp: str | None = None
    lof: str | None = None
    preference: int = 0
    """How much we like this transcript among equals: 0 best."""

    @property
    def severity(self) -> tuple[int, int, int]:
        """Sort key, most severe first."""
        known = CONSEQUENCES.get(self.consequence)
        # A term the table does not know still carries the file's own impact: it goes last among those of that impact.
        rank = known.rank if known else max(row.rank for row in CONSEQUENCES.values() if row.impact == self.impact)
        return rank, 0 if known else 1, self.preference


def worst_per_gene(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """One effect for each gene, the most severe first."""
    worst: dict[tuple[str | None, str | None], Effect] = {}
    for effect in effects:
        gene = (effect.gene_id, None) if effect.gene_id else (None, effect.gene)
        if gene not in worst or effect.severity < worst[gene].severity:
            worst[gene] = effect
    return tuple(sorted(worst.values(), key=lambda effect: (effect.severity, effect.gene or "", effect.gene_id or "")))


# Frequencies in reference populations. The founder populations that gnomAD leaves out of its own maximum (Ashkenazi, Finnish,
# Amish, Middle Eastern, other) are left out here too: a variant common in one of them alone is still rare.
_POPULATION_AF = re.compile(
    r"(AFR|AMR|EAS|EUR|SAS)_AF|gnomAD[\w.]*?_AF|gnomAD[\w.]*?_(AFR|AMR|EAS|NFE|SAS)_AF"
    r"|gnomAD[\w.]*?_AF_(afr|amr|eas|nfe|sas|popmax|grpmax)|AF_(popmax|grpmax|EXAC|TGP)",
    re.IGNORECASE,
)
_FOUNDERS = re.compile(r"_(ASJ|FIN|AMI|MID|OTH|REMAINING|raw)(_|$)", re.IGNORECASE)
CLINVAR_INFO = ("CLNSIG", "CLIN_SIG")


def is_population_af(name: str) -> bool:
    """Whether a field of this name holds allele frequencies of a reference population.

    >>> [is_population_af(name) for name in ("EAS_AF", "gnomADe_NFE_AF", "gnomAD_ASJ_AF", "AF")]
    [True, True, False, False]
    """
    return _POPULATION_AF.fullmatch(name) is not None and _FOUNDERS.search(name) is None


@dataclass(frozen=True)
class Annotation:
    """How the annotation of one file is to be read.

    kind: CSQ, ANN or BCSQ; None when the file has none.
    field: the INFO field it stands in.
    names: the parts of one entry, in the file's order.
    population: INFO fields that hold allele frequencies of reference populations, one value per ALT.
    """

    kind: str | None = None
    field: str = ""
    names: tuple[str, ...] = ()
    population: tuple[str, ...] = ()

    def read(
        self, info: Mapping[str, str], ref: str, alts: Sequence[str], pos: int
    ) -> list[tuple[tuple[Effect, ...], float | None, str | None]]:
        """For each ALT: its worst effect per gene, its highest population frequency, its ClinVar significance."""
        entries = [self._entry(text) for text in info.get(self.field, "").split(",") if text] if self.kind else []
        clinvar = next((unquote(info[name]) for name in CLINVAR_INFO if name in info), None)
        answers = []
        for number, mine in enumerate(_per_alt(entries, ref, alts, pos)):
            effects = worst_per_gene(effect for effect in map(effect_of, mine) if effect)
            frequencies = [value for entry in mine for value in _frequencies(entry)]
            for name in self.population:
                frequencies += _numbers(info.get(name, "").split(",")[number : number + 1])
            said = next((entry["CLIN_SIG"] for entry in mine if entry.get("CLIN_SIG")), None) or clinvar
            answers.append((effects, max(frequencies, default=None), said))
        return answers

    def _entry(self, text: str) -> dict[str, str]:
        return dict(zip(self.names, (unquote(part) for part in text.split("|")), strict=False))


_BCSQ = ("Consequence", "SYMBOL", "Feature", "BIOTYPE", "STRAND", "amino_acid_change", "dna_change")
_ANN = {
    "Annotation": "Consequence", "Annotation_Impact": "IMPACT", "Gene_Name": "SYMBOL", "Gene_ID": "Gene",
    "Feature_ID": "Feature", "Transcript_BioType": "BIOTYPE", "HGVS.c": "HGVSc", "HGVS.p": "HGVSp",
}  # fmt: skip
# What our export writes where it no longer knows which transcript was canonical, only what was preferred.
_OURS = {"PREFERENCE": "CANONICAL"}


def find_annotation(descriptions: Mapping[str, str], kind: str | None, file: str) -> Annotation:
    """How to read the annotation of a file whose INFO fields have these descriptions.

    kind: the one expected; None takes the first there is. BadFile when the expected one is absent or its parts are not named.
    """
    if kind is not None and kind not in ANNOTATIONS:
        raise BadInput(f"reading the annotation '{kind}'", "it is unknown", f"use one of {', '.join(ANNOTATIONS)}")
    population = tuple(name for name in descriptions if is_population_af(name))
    for name in ANNOTATIONS if kind is None else (kind,):
        for field in ANNOTATIONS[name]:
            if field in descriptions:
                return Annotation(name, field, _names(name, descriptions[field], file), population)
    if kind is not None:
        raise BadFile(
            f"looking for the annotation {kind}",
            "the header declares no such INFO field",
            "annotate the file, or expect no annotation of it",
            file=file,
        )
    return Annotation(population=population)


def _names(kind: str, description: str, file: str) -> tuple[str, ...]:
    if kind == "BCSQ":
        return _BCSQ
    # VEP: "... Format: Allele|Consequence|..."; SnpEff: "...: 'Allele | Annotation | ...'".
    listed = re.search(r"([\w.]+\s*\|[^\"']*)", description.partition("Format:")[2] or description)
    names = tuple(part.strip() for part in listed[1].split("|")) if listed else ()
    if "Allele" not in names:
        raise BadFile(
            f"reading the header of the annotation {kind}",
            "its description does not name its parts",
            "annotate the file again",
            file=file,
        )
    return tuple((_ANN if kind == "ANN" else _OURS).get(name, name) for name in names)


def _per_alt(
    entries: Sequence[dict[str, str]], ref: str, alts: Sequence[str], pos: int
) -> list[Sequence[dict[str, str]]]:
    """The entries that speak of each ALT."""
    if len(alts) > 1 and any(entry.get("ALLELE_NUM") for entry in entries):
        return [[entry for entry in entries if entry.get("ALLELE_NUM") == str(n)] for n in range(1, len(alts) + 1)]
    said = {entry.get("Allele", "") for entry in entries}
    if said <= {""}:
        found = [[entry for entry in entries if _same_change(entry, pos, ref, alt)] for alt in alts]
    else:
        wanted = [next((name for name in names if name in said), None) for names in allele_names(ref, alts)]
        found = [[entry for entry in entries if name and entry.get("Allele") == name] for name in wanted]
    # Alleles may be written in a way we do not know ("deletion" for <DEL>): then all is said of the only ALT there is.
    return [entries] if len(alts) == 1 and not found[0] else list(found)


def allele_names(ref: str, alts: Sequence[str]) -> list[tuple[str, str]]:
    """The two names that each ALT may go by in the annotation; the first of them that is said there counts.

    A record may have been split after it was annotated, its sisters' entries still there: what its only ALT was called then
    depends on them, so a name that is not trimmed goes first.

    >>> allele_names("CTT", ["C", "CT"]), allele_names("G", ["GC"]), allele_names("AC", ["A"])
    ([('-', 'C'), ('T', 'CT')], [('GC', 'C')], [('-', 'A')])
    """
    names = _vep_names(ref, alts)
    if len(alts) == 1 and len(alts[0]) > 1:
        return [(alts[0], names[0])]
    return list(zip(names, alts, strict=True))


def _vep_names(ref: str, alts: Sequence[str]) -> list[str]:
    """How VEP names the ALTs of a record: with an indel among them, all lose a first base that they share.

    >>> _vep_names("CTT", ["C", "CT"]), _vep_names("G", ["C", "GC"]), _vep_names("G", ["A", "T"])
    (['-', 'T'], ['C', 'GC'], ['A', 'T'])
    """
    plain = [alt for alt in alts if alt != "*" and not alt.startswith("<")]
    indel = any(len(alt) != len(ref) for alt in plain)
    if not indel or any(alt[:1] != ref[:1] for alt in plain):
        return list(alts)
    return [(alt[1:] or "-") if alt in plain else alt for alt in alts]


def _same_change(entry: Mapping[str, str], pos: int, ref: str, alt: str) -> bool:
    """BCSQ names no allele; where it writes the change of the DNA, that tells. It joins neighbours with "+"."""
    changes = entry.get("dna_change", "")
    return not changes or f"{pos}{ref}>{alt}" in changes.split("+")


def effect_of(entry: Mapping[str, str]) -> Effect | None:
    """What one entry says, its parts by name; None where it says nothing of its own.

    >>> effect_of({"Consequence": "intron_variant&missense_variant", "SYMBOL": "PKD1"}).consequence
    'missense_variant'
    """
    terms = [_term(text) for text in entry.get("Consequence", "").split("&") if text]
    # "@position" points to another record, which carries the consequence of the two together.
    if not terms or terms[0].startswith("@"):
        return None
    worst = min((Effect(None, None, term, _impact(entry, term)) for term in terms), key=lambda effect: effect.severity)
    # SnpEff names the two neighbours of a place between genes as if they were one gene.
    within = worst.consequence != "intergenic_variant"
    return replace(
        worst,
        gene=(entry.get("SYMBOL") or entry.get("Gene") or None) if within else None,
        gene_id=(entry.get("Gene") or None) if within else None,
        transcript=entry.get("Feature") or None,
        hgvsc=entry.get("HGVSc") or None,
        hgvsp=entry.get("HGVSp") or entry.get("amino_acid_change") or None,
        lof=entry.get("LoF") or None,
        preference=_preference(entry),
    )


def _preference(entry: Mapping[str, str]) -> int:
    """0 is liked best. A file that our export wrote gives the number itself, in the place of CANONICAL (see `_OURS`)."""
    if entry.get("CANONICAL", "") in {"0", "1", "2", "3"}:
        return int(entry["CANONICAL"])
    signs = (entry.get("MANE_SELECT"), entry.get("CANONICAL") == "YES", entry.get("BIOTYPE") == "protein_coding")
    return next((place for place, sign in enumerate(signs) if sign), len(signs))


def _term(text: str) -> str:
    bare = text.lstrip("*").strip()
    known = CONSEQUENCES.get(bare)
    return known.name if known else bare


def _impact(entry: Mapping[str, str], term: str) -> str:
    """The file's own word, else the table's."""
    said = entry.get("IMPACT", "")
    return said if said in IMPACTS else CONSEQUENCES[term].impact if term in CONSEQUENCES else "MODIFIER"


def _frequencies(entry: Mapping[str, str]) -> list[float]:
    found = [
        value
        for name, text in entry.items()
        if text and (name == "AF" or is_population_af(name))
        for value in _numbers(text.split("&"))
    ]
    return found or _numbers(entry.get("MAX_AF", "").split("&"))


def _numbers(texts: Iterable[str]) -> list[float]:
    found = []
    for text in texts:
        try:
            found.append(float(text))
        except ValueError:
            continue  # a population that was not looked at
    return [value for value in found if 0 <= value <= 1]
