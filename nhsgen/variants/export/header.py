"""What a written file says of itself, made anew from an allow-list, and the texts of a record's ID, QUAL, FILTER and INFO.

Nothing of the source's header is copied: there stand command lines with sample names in them, paths, dates, pedigrees. Said is
which assembly the places belong to, what our own INFO and FORMAT fields mean, and the names of FILTERs and symbolic ALTs, those
alone that a written record uses. So the header is known when the records are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nhsgen.errors import BadInput
from nhsgen.genome import _LENGTHS as LENGTHS  # of chromosomes, in bases
from nhsgen.genome import CHROMOSOMES, Assembly
from nhsgen.variants.consequences import IMPACTS, Effect, allele_names
from nhsgen.variants.export.joining import Allele

__all__ = ["Header", "csq", "id_text", "public_id", "qual_text"]

# What stands in the INFO and FORMAT of our files: Number, Type, Description. CSQ is declared where it is used.
_CSQ = (
    "Allele", "Consequence", "IMPACT", "SYMBOL", "Gene", "Feature", "HGVSc", "HGVSp", "ALLELE_NUM", "LoF", "CLIN_SIG", "MAX_AF",
    "PREFERENCE",
)  # fmt: skip
_INFO: Mapping[str, tuple[str, str, str]] = {
    "AC": ("A", "Integer", "Copies of each ALT allele"),
    "AN": ("1", "Integer", "Alleles called"),
    "END": ("1", "Integer", "The last base that the record speaks of"),
    "CSQ": (
        ".",
        "String",
        "The worst consequence on each gene; between equals the one of lower PREFERENCE was preferred. Format: "
        + "|".join(_CSQ),
    ),
}

# Kinds of symbolic ALT (VCF 4.3, section 1.4.5).
_SYMBOLIC: Mapping[str, str] = {
    "DEL": "Deletion", "INS": "Insertion", "DUP": "Duplication", "INV": "Inversion", "CNV": "Copy number variable region",
    "*": "Any other allele", "NON_REF": "Any other allele",
}  # fmt: skip

_FILTER = re.compile(r"[^\s,;<>\"\\]+")
_CONTIG = re.compile(r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")
_SYMBOL = re.compile(r"<([\w:.*+-]+)>")


@dataclass
class Header:
    """The header of one file, growing with the records that it must speak of.

    ids: BCF's dictionary: the number of each FILTER, INFO and FORMAT name.
    contigs: the number of each contig.
    """

    assembly: Assembly
    ids: dict[str, int] = field(default_factory=lambda: {"PASS": 0, "AC": 1, "AN": 2, "END": 3, "GT": 4})
    contigs: dict[str, int] = field(default_factory=lambda: {name: number for number, name in enumerate(CHROMOSOMES)})
    _filters: dict[str, None] = field(default_factory=lambda: {"PASS": None})
    _symbols: dict[str, None] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _has_csq: bool = False

    def meet(self, alleles: Sequence[Allele], has_csq: bool) -> None:
        """Say what a record of these alleles needs said; BadInput for a name that no header can declare."""
        first = alleles[0]
        self._last[first.chrom] = first.pos
        if first.chrom not in self.contigs:
            self._check(_CONTIG, first.chrom, "contig", first)
            self.contigs[first.chrom] = len(self.contigs)
        for name in first.filter.split(";") if first.filter else ():
            if name not in self._filters:
                self._check(_FILTER, name, "FILTER", first)
                self._filters[name] = None
                self.ids.setdefault(name, len(self.ids))
        for allele in alleles:
            if allele.alt.startswith("<"):
                self._symbols.setdefault(allele.alt)
        if has_csq:
            self._has_csq = True
            self.ids.setdefault("CSQ", len(self.ids))

    def _check(self, pattern: re.Pattern[str], name: str, what: str, at: Allele) -> None:
        if not pattern.fullmatch(name):
            raise BadInput(
                f"exporting the record at {at.chrom}:{at.pos}",
                f"the name of its {what} cannot stand in a header",
                "have the source file put right, and ingest it again",
            )

    def lines(self, *, genotypes: bool = True, numbered: bool = False) -> Iterator[str]:
        """The lines before #CHROM; numbered: with each name's number, as BCF has it."""
        yield "##fileformat=VCFv4.3"
        for name, number in self.contigs.items():
            length = LENGTHS[self.assembly].get(name)
            # Mitochondria are longer in UCSC's hg19 than in GRCh37.
            known = f",length={length}" if length and self._last.get(name, 0) <= length + 1 else ""
            yield f"##contig=<ID={name}{known},assembly={self.assembly}{_number(number, numbered)}>"
        # In the order of their numbers: that is what a reader numbers them by who does not read IDX.
        for name, number in self.ids.items():
            idx = _number(number, numbered)
            if name in self._filters:
                text = "All filters passed" if name == "PASS" else "Named so in the source"
                yield f'##FILTER=<ID={name},Description="{text}"{idx}>'
            if name in _INFO and (name != "CSQ" or self._has_csq):
                values, kind, text = _INFO[name]
                yield f'##INFO=<ID={name},Number={values},Type={kind},Description="{text}"{idx}>'
            if name == "GT" and genotypes:
                yield f'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype, unphased"{idx}>'
        for alt in self._symbols:
            if symbol := _SYMBOL.fullmatch(alt):
                text = _SYMBOLIC.get(symbol[1].partition(":")[0], "Symbolic allele")
                yield f'##ALT=<ID={symbol[1]},Description="{text}">'


def _number(number: int, numbered: bool) -> str:
    return f",IDX={number}" if numbered else ""


# -- The texts of a record ----------------------------------------------------------------------------------------------

_PUBLIC = re.compile(r"rs\d+|COS[VM]\d+")


def public_id(text: str | None) -> str | None:
    """Of the ids, those of public registers; a laboratory's own may lead to a person.

    >>> public_id("rs12;lab-7;COSV99"), public_id("lab-7")
    ('rs12;COSV99', None)
    """
    return ";".join(id for id in (text or "").split(";") if _PUBLIC.fullmatch(id)) or None


def id_text(ids: Sequence[str | None]) -> str:
    """The ID column for the ids of a record's alleles: one for all, or one for each.

    >>> id_text(["rs1", "rs1"]), id_text(["rs1", None]), id_text([None]), id_text([".", "."])
    ('rs1', 'rs1;.', '.', '.;.')
    """
    one = ids[0] if len(set(ids)) == 1 else None
    if one and one != ".":
        return one
    return "." if set(ids) == {None} else ";".join(id or "." for id in ids)


def qual_text(qual: float | None) -> str:
    """QUAL in the fewest digits that are the same number again.

    >>> qual_text(50.0), qual_text(float(np.float32(0.1))), qual_text(None)
    ('50', '0.1', '.')
    """
    return "." if qual is None else str(np.float32(qual)).removesuffix(".0")


_LEAST_PREFERRED = 3
_RESERVED = re.compile(r"[%;=,|\s\x00-\x1f\x7f]")


def _quoted(text: str | None) -> str:
    """Percent-encoded where VCF, or the parts of a CSQ, give a character a meaning of its own."""
    return _RESERVED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text) if text else ""


def csq(alleles: Sequence[Allele]) -> str | None:
    """INFO/CSQ of a record: an entry for each gene that an allele touches, or one where only its frequency is known.

    None where nothing is known of any allele.
    """
    if not any(allele.genes or allele.af is not None or allele.clinvar for allele in alleles):
        return None
    entries = []
    ref, alts = alleles[0].ref, [allele.alt for allele in alleles]
    for number, (allele, names) in enumerate(zip(alleles, allele_names(ref, alts), strict=True), 1):
        known = allele.af is not None or bool(allele.clinvar)
        nothing: list[dict[str, str | None]] = [{}] if known else []
        effects = allele.genes or nothing
        for effect, preference in zip(effects, _preferences(effects), strict=True):
            gene, gene_id = effect.get("gene"), effect.get("gene_id")
            parts = {
                "Allele": min(names, key=len),  # as VEP trims it
                "Consequence": effect.get("consequence"),
                "IMPACT": effect.get("impact"),
                "SYMBOL": gene,
                "Gene": gene_id,
                "Feature": effect.get("transcript"),
                "HGVSc": effect.get("hgvsc"),
                "HGVSp": effect.get("hgvsp"),
                "ALLELE_NUM": str(number),
                "LoF": effect.get("lof"),
                "CLIN_SIG": allele.clinvar,
                "MAX_AF": None if allele.af is None else repr(allele.af),
                "PREFERENCE": str(preference),
            }
            entries.append("|".join(_quoted(parts[name]) for name in _CSQ))
    return ",".join(entries)


def _preferences(effects: Sequence[dict[str, str | None]]) -> list[int]:
    """A number for each effect, 0 to 3, by which effects of equal severity come into this order again.

    Which of them stood on MANE Select or canonical transcripts a store does not remember, only that these came first. The numbers
    are the highest that give the order: genes of one number follow each other by name.
    """
    if len(effects) < 2:
        return [_LEAST_PREFERRED] * len(effects)
    found: list[int] = []
    after: tuple[tuple[int, int], tuple[str, str]] | None = None
    for effect in reversed(effects):
        name = effect.get("gene") or "", effect.get("gene_id") or ""
        here = Effect(*name, effect.get("consequence") or "", effect.get("impact") or IMPACTS[-1]).severity[:2], name
        is_equal = after is not None and after[0] == here[0]
        found.append(max(0, found[-1] - (after is not None and after[1] < name)) if is_equal else _LEAST_PREFERRED)
        after = here
    return found[::-1]
