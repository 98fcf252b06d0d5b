"""Which alleles a question is about: by place, gene, gene panel, impact, consequence, frequency, FILTER or key.

A `VariantFilter` is frozen and says the same thing in one way only, so that it can be hashed, signed and sent. All that it
asks must hold of one allele; and what it asks of gene, impact and consequence must hold of the allele's effect on one gene: a
stop in TSC2 that lies downstream of PKD1 is not a high-impact variant in PKD1.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

from nhsgen.errors import BadInput
from nhsgen.genome import Region, chromosome, chromosome_order
from nhsgen.variants.consequences import IMPACTS, consequence, impact
from nhsgen.variants.genes import gene_name
from nhsgen.variants.normalise import trim
from nhsgen.variants.panels import ChosenGenes, Confidence, Panel

__all__ = ["VariantFilter", "variants"]


@dataclass(frozen=True)
class VariantFilter:
    """Which alleles; an empty field asks nothing, but `keys=()` is no allele at all.

    regions: an allele counts when the bases it speaks of, REF or up to INFO/END, overlap one of them.
    genes: symbols or Ensembl gene ids; with panels, the names of their genes too (`asked_genes` tells what names one gene).
    panels: which genes of which panels are among them, for whoever approves or repeats the question.
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
    panels: tuple[ChosenGenes, ...] = ()

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("regions", tuple(sorted(set(self.regions), key=lambda r: (chromosome_order(r.chrom), r.start, r.end))))
        put("panels", tuple(sorted(set(self.panels), key=lambda chosen: (str(chosen), chosen.genes, chosen.ratings))))
        put("genes", tuple(sorted({*map(_gene, self.genes), *self._of_panels})))
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

    def in_panel(self, panel: Panel, confidence: Confidence = "green") -> "VariantFilter":
        """Only in the genes of a gene panel, as clinics use them.

        confidence: how sure the panel must be that a gene causes the illness. "green", the default: sure enough to report on;
            "amber": green and amber genes; "red": every gene that the panel lists. A plain list, or a panel from HPO, rates
            nothing and is taken whole.

        The question remembers the panel's name and version and the genes that were meant, so that another version of the panel
        is another question. A gene is found by any name the panel gives it, its symbol or its Ensembl id: a file that knows it
        by an older or newer symbol still answers. Repeats and regions that a panel lists beside its genes are not looked for.
        A second panel, or `in_genes`, narrows nothing: it adds genes.

        NotFound when the panel has no gene of that confidence: a question about no gene would be a question about all of them.

        >>> from nhsgen.variants.panels import PanelGene
        >>> genes = (PanelGene("NPHP1", "ENSG00000144061", "green"), PanelGene("INVS", None, "green"), PanelGene("GLIS2", None, "red"))
        >>> ciliopathies = Panel("Renal ciliopathies", "3.2", "PanelApp", genes)
        >>> damaging = variants(impact="high", max_af=0.001)
        >>> damaging.in_panel(ciliopathies).describe().partition(" and a reference")[0]
        'alleles with HIGH impact on 2 genes of Renal ciliopathies 3.2 (PanelApp, green)'
        """
        return replace(self, panels=(*self.panels, panel.chosen(confidence)))

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
    def asked_genes(self) -> tuple[tuple[str, ...], ...]:
        """Each gene asked for, once, with every name that it goes by; the symbol that its panel gives it comes first.

        >>> VariantFilter(genes=("PKD1",), panels=(ChosenGenes("Toy", "1.0", "list", "", (("INVS", "ENSG00000119509"),)),)).asked_genes
        (('INVS', 'ENSG00000119509'), ('PKD1',))
        """
        groups: dict[str, dict[str, None]] = {}
        alone = ((gene,) for gene in self.genes)
        for names in (*(names for chosen in self.panels for names in chosen.genes), *alone):
            group = dict.fromkeys(name for known in names for name in groups.get(known, ()))
            group |= dict.fromkeys(names)
            groups |= dict.fromkeys(group, group)
        return tuple(sorted({tuple(group) for group in groups.values()}))

    @cached_property
    def _of_panels(self) -> frozenset[str]:
        """Every name of every gene of the panels."""
        return frozenset(name for chosen in self.panels for names in chosen.genes for name in names)

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
        """Plain, complete, in one order; what is not asked is left out, and so are genes that a panel says already.

        >>> variants(consequence="missense", filters=["PASS"]).to_dict()
        {'consequences': ['missense_variant'], 'filters': ['PASS']}
        """
        plain: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name == "genes":
                value = tuple(gene for gene in self.genes if gene not in self._of_panels)
            if value != part.default:
                plain[part.name] = [_plain(item) for item in value] if isinstance(value, tuple) else value
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
            if value is None:
                continue
            if name == "panels":
                parts[name] = _panels(value)
            else:
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
        genes = [gene for gene in self.genes if gene not in self._of_panels]
        genes += [f"{len(chosen.genes):,} gene{'s' * (len(chosen.genes) > 1)} of {chosen}" for chosen in self.panels]
        touching = f" {'on' if effect else 'in'} {_or(genes)}" if genes else ""
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
        said += f" in {_places(self.regions)}" if self.regions else ""
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
    try:
        return gene_name(text)
    except BadInput as error:
        raise _bad(error.found, error.do_next) from None


def _plain(item: Any) -> Any:
    return item.to_dict() if isinstance(item, ChosenGenes) else str(item)


def _panels(value: object) -> tuple[ChosenGenes, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _bad("'panels' is not a list of panels", "choose one with VariantFilter.in_panel")
    return tuple(ChosenGenes.from_dict(item) for item in value)


_LISTED = 10
"""How many regions are said one by one: more come from the genes of a panel, and nobody reads them."""


def _places(regions: Sequence[Region]) -> str:
    """
    >>> _places([Region("16", start, start + 50) for start in range(0, 2_000, 100)])
    '20 regions from 16:1-50 to 16:1901-1950'
    """
    if len(regions) > _LISTED:
        return f"{len(regions):,} regions from {regions[0]} to {regions[-1]}"
    return _or([str(region) for region in regions])


_KEY = re.compile(r"(?P<chrom>\S+?)[-:](?P<pos>[0-9]+)[-:](?P<ref>[A-Za-z]+)[-:](?P<alt>\S+)")


def _key(text: str) -> str:
    """An allele as the store's `key` has it: without "chr", in capitals, without bases that REF and ALT share.

    A contig's own name may have a dash.

    >>> _key("chr16-2103000-c-t"), _key("16:2103000:C:<del>"), _key("HLA-A*01-7-G-A"), _key("16-200-CTT-CT")
    ('16-2103000-C-T', '16-2103000-C-<del>', 'HLA-A*01-7-G-A', '16-200-CT-C')
    """
    parts = _KEY.fullmatch(text.strip())
    if parts is None:
        raise _bad(f"'{text}' is not an allele", 'write it like "16-2103000-C-T"')
    alt = parts["alt"].upper() if parts["alt"].isalpha() else parts["alt"]
    pos, ref, alt = trim(int(parts["pos"]), parts["ref"].upper(), alt)
    return f"{chromosome(parts['chrom'])}-{pos}-{ref}-{alt}"


def _or(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
