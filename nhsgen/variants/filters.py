"""Which alleles a question is about: by place, gene, impact, consequence, frequency, FILTER or key.

A `VariantFilter` is frozen and says the same thing in one way only, so that it can be hashed, signed and sent. All that it
asks must hold of one allele; and what it asks of gene, impact and consequence must hold of the allele's effect on one gene: a
stop in TSC2 that lies downstream of PKD1 is not a high-impact variant in PKD1.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from nhsgen.errors import BadInput
from nhsgen.genome import Region, chromosome, chromosome_order
from nhsgen.variants.consequences import IMPACTS, consequence, impact

__all__ = ["VariantFilter", "variants"]


@dataclass(frozen=True)
class VariantFilter:
    """Which alleles; an empty field asks nothing, but `keys=()` is no allele at all.

    regions: an allele counts when the bases it speaks of, REF or up to INFO/END, overlap one of them.
    genes: symbols or Ensembl gene ids.
    consequences: Sequence Ontology terms; the most severe on a gene counts.
    keys: chrom-pos-ref-alt, as in the store's `key`.
    filters: values of VCF's FILTER, "." for a record that was not filtered.
    max_af, min_af: both included; 0 to 1.
    af: whose frequency is meant: of reference populations ("annotation"; unknown counts as 0) or of all people asked
        ("pooled"; a store alone cannot tell, see `resolved`).

    >>> variants(impact="high", max_af=0.001).in_genes("pkd2", "PKD1").describe()
    'alleles with HIGH impact on PKD1 or PKD2 and a reference population frequency of at most 0.001'
    """

    regions: tuple[Region, ...] = ()
    genes: tuple[str, ...] = ()
    impacts: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None
    filters: tuple[str, ...] = ()
    max_af: float | None = None
    min_af: float | None = None
    af: Literal["annotation", "pooled"] = "annotation"

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("regions", tuple(sorted(set(self.regions), key=lambda r: (chromosome_order(r.chrom), r.start, r.end))))
        put("genes", tuple(sorted({_gene(text) for text in self.genes})))
        put("impacts", tuple(sorted({impact(text) for text in self.impacts}, key=IMPACTS.index)))
        put("consequences", tuple(sorted({consequence(text) for text in self.consequences})))
        put("keys", None if self.keys is None else tuple(sorted({_key(text) for text in self.keys})))
        put("filters", tuple(sorted(set(self.filters))))
        if self.af not in {"annotation", "pooled"}:
            raise _bad(f"af '{self.af}' is unknown", "say 'annotation' or 'pooled'")
        for name in ("max_af", "min_af"):
            limit = getattr(self, name)
            if limit is None:
                continue
            if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit <= 1:
                raise _bad(f"{name} is not a number from 0 to 1", "give a frequency, as 0.01 for one in a hundred")
            put(name, float(limit) + 0.0)  # -0.0 is 0.0
        if self.min_af is not None and self.max_af is not None and self.min_af > self.max_af:
            raise _bad("min_af is above max_af", "swap them")
        if self.max_af is None and self.min_af is None:
            put("af", "annotation")

    def in_genes(self, *genes: str) -> "VariantFilter":
        """Of these genes only; a second call narrows nothing, it adds."""
        return replace(self, genes=(*self.genes, *genes))

    def in_region(self, *regions: str | Region) -> "VariantFilter":
        """In these regions only, written 1-based and closed: "16:2,088,708-2,135,898".

        >>> variants().in_region("chr16:100-200", "4").describe()
        'alleles in 4 or 16:100-200'
        """
        read = (region if isinstance(region, Region) else Region.parse(region) for region in regions)
        return replace(self, regions=(*self.regions, *read))

    def rare(self, max_af: float, af: Literal["annotation", "pooled"] = "annotation") -> "VariantFilter":
        """Only alleles with a frequency of at most `max_af`."""
        return replace(self, max_af=max_af, af=af)

    @property
    def needs_pooled_af(self) -> bool:
        """Whether it limits a frequency that only all people together have."""
        return self.af == "pooled"

    @property
    def of_places(self) -> bool:
        """Whether it speaks of places in the genome, which mean something on one assembly only."""
        return bool(self.regions) or self.keys is not None or self.needs_pooled_af

    def without_af(self) -> "VariantFilter":
        """The same without limits on frequency."""
        return replace(self, max_af=None, min_af=None)

    def resolved(self, frequencies: Mapping[str, float]) -> "VariantFilter":
        """The same with its limits on frequency replaced by the keys of the alleles that keep them.

        frequencies: of each allele, by key; an allele that is not in it is left out.

        >>> variants(max_af=0.01, af="pooled").resolved({"1-5-A-C": 0.01, "1-9-G-T": 0.2}).keys
        ('1-5-A-C',)
        """
        low, high = self.min_af or 0.0, 1.0 if self.max_af is None else self.max_af
        kept = {key for key, value in frequencies.items() if low <= value <= high}
        return replace(self.without_af(), keys=tuple(kept if self.keys is None else kept & set(self.keys)))

    def to_dict(self) -> dict[str, Any]:
        """Plain, complete, in one order; what is not asked is left out.

        >>> variants(consequence="missense", filters=["PASS"]).to_dict()
        {'consequences': ['missense_variant'], 'filters': ['PASS']}
        """
        plain: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if value != part.default:
                plain[part.name] = [str(item) for item in value] if isinstance(value, tuple) else value
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "VariantFilter":
        """The inverse of `to_dict`; it also takes what people write by hand: `impact = "high"`, `region = "16:1-9"`.

        >>> VariantFilter.from_dict({"genes": ["PKD1"], "max_af": 0.01}) == variants(max_af=0.01).in_genes("PKD1")
        True
        """
        known = {part.name for part in fields(cls)}
        parts: dict[str, Any] = {}
        for said, value in plain.items():
            name = _SINGULAR.get(said, said)
            if name not in known or name in parts:
                raise _bad(
                    f"the setting '{said}' is {'unknown' if name not in known else 'said twice'}",
                    f"use {', '.join(sorted(known))}",
                )
            if value is not None:
                parts[name] = value if name in {"af", "max_af", "min_af"} else _texts(said, value)
        parts["regions"] = tuple(Region.parse(text) for text in parts.get("regions", ()))
        return cls(**parts)

    def describe(self) -> str:
        """What it asks, in plain English, to stand after "Variants:"."""
        effect = " and ".join(
            text
            for text in (
                f"{_or(self.impacts)} impact" if self.impacts else "",
                f"the consequence {_or(self.consequences)}" if self.consequences else "",
            )
            if text
        )
        touching = f" on {_or(self.genes)}" if self.genes and effect else f" in {_or(self.genes)}" if self.genes else ""
        limits = " and ".join(
            text
            for text in (
                f"at least {self.min_af:g}" if self.min_af is not None else "",
                f"at most {self.max_af:g}" if self.max_af is not None else "",
            )
            if text
        )
        having = [f"{effect}{touching}"] if effect else []
        if limits:
            whose = "reference population" if self.af == "annotation" else "pooled"
            having.append(f"a {whose} frequency of {limits}")
        if self.filters:
            having.append(f"FILTER {_or(self.filters)}")
        said = "alleles" if self.keys is None else f"{len(self.keys):,} given alleles"
        said += touching if not effect else ""
        said += f" in {_or([str(region) for region in self.regions])}" if self.regions else ""
        said += f" with {' and '.join(having)}" if having else ""
        return said if said != "alleles" else "all alleles"


_SINGULAR = {
    "region": "regions", "gene": "genes", "impact": "impacts", "consequence": "consequences", "key": "keys", "filter": "filters",
}  # fmt: skip


def variants(
    impact: str | Iterable[str] | None = None,
    consequence: str | Iterable[str] | None = None,
    max_af: float | None = None,
    *,
    min_af: float | None = None,
    af: Literal["annotation", "pooled"] = "annotation",
    keys: Iterable[str] | None = None,
    filters: str | Iterable[str] | None = None,
) -> VariantFilter:
    """Which alleles; narrow it with `in_genes`, `in_region`, `rare`.

    >>> variants(impact=["high", "moderate"]).describe()
    'alleles with HIGH or MODERATE impact'
    >>> variants(impact="hihg")
    Traceback (most recent call last):
    nhsgen.errors.BadInput: reading the impact 'hihg' failed: it is unknown; did you mean HIGH?
    """
    return VariantFilter(
        impacts=_tuple(impact),
        consequences=_tuple(consequence),
        max_af=max_af,
        min_af=min_af,
        af=af,
        keys=None if keys is None else _tuple(keys),
        filters=_tuple(filters),
    )


def _tuple(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if texts is None else (texts,) if isinstance(texts, str) else tuple(texts)


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise _bad(f"'{name}' is not a list of texts", 'write it like ["PKD1", "PKD2"]')
    return tuple(value)


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("reading a variant filter", found, do_next)


def _gene(text: str) -> str:
    """A gene as HGNC writes it: in capitals, but for the "orf" of open reading frames.

    >>> _gene("pkd1"), _gene("C9ORF72"), _gene("Metazoa_SRP")
    ('PKD1', 'C9orf72', 'Metazoa_SRP')
    """
    written = text.strip()
    if not written or any(mark in written for mark in ", \t"):
        raise _bad(f"'{text}' is not one gene", 'write it like "PKD1"')
    written = written.upper() if written.islower() else written
    return re.sub(r"^(C[0-9XY]+)ORF([0-9]+)$", r"\1orf\2", written)


_KEY = re.compile(r"(?P<chrom>\S+?)[-:](?P<pos>[0-9]+)[-:](?P<ref>[A-Za-z]+)[-:](?P<alt>\S+)")


def _key(text: str) -> str:
    """An allele as the store's `key` has it: without "chr", bases in capitals; a contig's own name may have a dash.

    >>> _key("chr16-2103000-c-t"), _key("16:2103000:C:<del>"), _key("HLA-A*01-7-G-A")
    ('16-2103000-C-T', '16-2103000-C-<del>', 'HLA-A*01-7-G-A')
    """
    parts = _KEY.fullmatch(text.strip())
    if parts is None:
        raise _bad(f"'{text}' is not an allele", 'write it like "16-2103000-C-T"')
    alt = parts["alt"].upper() if parts["alt"].isalpha() else parts["alt"]
    return f"{chromosome(parts['chrom'])}-{int(parts['pos'])}-{parts['ref'].upper()}-{alt}"


def _or(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
