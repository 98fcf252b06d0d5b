"""Gene panels: which genes a clinic looks at for one kind of illness, how sure it is of each, and in which version.

A panel comes from a file (see panel_files.py) or from HPO. A gene keeps every name that its panel gives it, its symbol and its
Ensembl ids: symbols are renamed from time to time, and a file annotated last year knows a gene by last year's name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from nhsgen import ontology
from nhsgen.errors import BadInput, NotFound
from nhsgen.genome import Region
from nhsgen.variants.genes import GeneTable, gene_name

__all__ = ["CONFIDENCES", "ChosenGenes", "Confidence", "Panel", "PanelGene", "Rating", "hpo_panel"]

Confidence = Literal["green", "amber", "red"]
CONFIDENCES: tuple[Confidence, ...] = get_args(Confidence)
"""The surest first. Green: good enough to report on. Amber: moderate evidence. Red: too little."""

_SAID: Mapping[str, str] = {"green": "green", "amber": "green and amber", "red": "green, amber and red", "": ""}
"""How a choice by confidence is said."""

_UNRATED = "unrated"


@dataclass(frozen=True)
class PanelGene:
    """One gene of a panel.

    gene_id: Ensembl's, of GRCh38, without its version; None where the panel does not say.
    confidence: None in a panel that does not rate its genes.
    inheritance: the mode of inheritance in the panel's own words.
    also: other names of the same gene that the panel gives: its id on GRCh37, a newer symbol.
    """

    symbol: str
    gene_id: str | None = None
    confidence: Confidence | None = None
    inheritance: str | None = None
    hgnc_id: str | None = None
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbol", gene_name(self.symbol))

    @property
    def names(self) -> tuple[str, ...]:
        """What variant files may call it: the symbol first."""
        return tuple(dict.fromkeys(name for name in (self.symbol, self.gene_id, *self.also) if name))


@dataclass(frozen=True, order=True)
class Rating:
    """What a panel says of one gene: how sure it is ("" where it does not rate), and the mode of inheritance in its own words.

    >>> str(Rating("NPHP1", "green", "BIALLELIC, autosomal or pseudoautosomal"))
    'NPHP1 green BIALLELIC, autosomal or pseudoautosomal'
    >>> Rating.read("NPHP1 unrated BIALLELIC")
    Rating(symbol='NPHP1', confidence='', inheritance='BIALLELIC')
    """

    symbol: str
    confidence: str
    inheritance: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "inheritance", " ".join(self.inheritance.split()))
        if self.confidence not in _SAID or not self.inheritance.isprintable() or len(self.inheritance) > 300:
            raise _unusable("a gene's confidence is not green, amber or red, or its inheritance is not one short line")

    def __str__(self) -> str:
        return f"{self.symbol} {self.confidence or _UNRATED} {self.inheritance}".rstrip()

    @classmethod
    def read(cls, text: str) -> "Rating":
        """The inverse of `str`; BadInput for anything else."""
        symbol, confidence, *inheritance = [*text.split(maxsplit=2), "", ""][:3]
        return cls(gene_name(symbol), confidence.removeprefix(_UNRATED), *inheritance)


@dataclass(frozen=True)
class ChosenGenes:
    """What a question keeps of a panel: its genes down to one confidence, and where they come from.

    The genes are what is looked for; name, version and source are the asker's word, which the question's hash covers.

    panel: the panel's name.
    confidence: the lowest one that is in; "" for a panel that does not rate its genes.
    genes: the names of each gene, symbol first.
    ratings: of genes of which the panel says a confidence or a mode of inheritance; questions from before 2026-11 have none.

    >>> str(ChosenGenes("Renal ciliopathies", "3.2", "PanelApp", "green", (("NPHP1", "ENSG00000144061"),)))
    'Renal ciliopathies 3.2 (PanelApp, green)'
    """

    panel: str
    version: str
    source: str
    confidence: str
    genes: tuple[tuple[str, ...], ...]
    ratings: tuple[Rating, ...] = ()

    def __post_init__(self) -> None:
        for text in (self.panel, self.version, self.source, self.confidence):
            if not isinstance(text, str) or not text.isprintable() or len(text) > 200:
                raise _unusable("a name, version or source is not one short line of text")
        if not self.panel or self.confidence not in _SAID:
            raise _unusable("it has no name, or a confidence that is not green, amber or red")
        if not self.genes or not all(self.genes):
            raise _unusable("it has no genes")
        names = {tuple(dict.fromkeys(gene_name(name) for name in gene)) for gene in self.genes}
        object.__setattr__(self, "genes", tuple(sorted(names)))
        object.__setattr__(self, "ratings", tuple(sorted(set(self.ratings))))
        rated = [rating.symbol for rating in self.ratings]
        if len(set(rated)) < len(rated) or not {gene[0] for gene in self.genes} >= set(rated):
            raise _unusable("a gene is rated twice, or is none of its genes")

    def rating(self, symbol: str) -> Rating | None:
        """What the panel says of the gene with that first name; None where it says nothing."""
        return next((rating for rating in self.ratings if rating.symbol == symbol), None)

    def __str__(self) -> str:
        rated = f", {_SAID[self.confidence]}" if self.confidence else ""
        return f"{_titled(self.panel, self.version, self.source)} ({self.source}{rated})"

    def to_dict(self) -> dict[str, Any]:
        """Plain and complete; each gene is its names with blanks between them."""
        plain = {"panel": self.panel, "version": self.version, "source": self.source, "confidence": self.confidence}
        ratings = {"ratings": [str(rating) for rating in self.ratings]} if self.ratings else {}
        return {**plain, "genes": [" ".join(names) for names in self.genes], **ratings}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ChosenGenes":
        """The inverse of `to_dict`; BadInput for anything else."""
        known = {"panel", "version", "source", "confidence", "genes"}
        if not isinstance(plain, Mapping) or set(plain) - {"ratings"} != known:
            raise _unusable(f"it has not the parts {', '.join(sorted(known))}")
        for listed in (genes := plain["genes"], ratings := plain.get("ratings", ())):
            if (
                isinstance(listed, str)
                or not isinstance(listed, Sequence)
                or not all(isinstance(g, str) for g in listed)
            ):
                raise _unusable("its genes or their ratings are not a list of texts")
        return cls(
            plain["panel"],
            plain["version"],
            plain["source"],
            plain["confidence"],
            tuple(tuple(gene.split()) for gene in genes),
            tuple(map(Rating.read, ratings)),
        )


def _unusable(found: str) -> BadInput:
    return BadInput("reading the panel of a variant filter", found, "choose it with VariantFilter.in_panel")


def _titled(name: str, version: str, source: str) -> str:
    """Name and version; the source may have said the version already, as in "HPO 2025-11-24"."""
    return name if not version or source.endswith(version) else f"{name} {version}"


@dataclass(frozen=True)
class Panel:
    """A gene panel; make one with `panel_files.panel` or `hpo_panel`.

    source: "PanelApp", "HPO 2025-11-24" or "list".
    genes: in alphabetical order, each once; a gene that a panel lists twice keeps its best confidence.
    id: PanelApp's number of the panel.
    signed_off: the day on which this version was signed off for use in the NHS, where the file says so.
    left_out: the panel's entries that are not genes, repeats (STRs) and regions: no question about genes finds them.

    >>> genes = (PanelGene("PKD1", confidence="green"), PanelGene("GANAB", confidence="amber"))
    >>> cysts = Panel("Cystic kidneys", "4.1", "PanelApp", genes)
    >>> cysts.green.symbols, cysts.at_least("amber").symbols
    (('PKD1',), ('GANAB', 'PKD1'))
    >>> cysts.describe()
    'Cystic kidneys 4.1 (PanelApp): 1 green gene and 1 amber gene'
    """

    name: str
    version: str
    source: str
    genes: tuple[PanelGene, ...]
    id: str = ""
    signed_off: str | None = None
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        best: dict[str, PanelGene] = {}
        for gene in self.genes:
            known = best.get(gene.symbol)
            best[gene.symbol] = gene if known is None else _same(known, gene)
        object.__setattr__(self, "genes", tuple(best[symbol] for symbol in sorted(best)))

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(gene.symbol for gene in self.genes)

    @property
    def green(self) -> "Panel":
        """The same panel with its green genes only."""
        return self.at_least("green")

    def at_least(self, confidence: Confidence) -> "Panel":
        """The same panel with the genes of that confidence or a better one; a panel that rates nothing stays whole."""
        kept = CONFIDENCES[: CONFIDENCES.index(_confidence(confidence)) + 1]
        return replace(self, genes=tuple(gene for gene in self.genes if gene.confidence in {*kept, None}))

    def chosen(self, confidence: Confidence = "green") -> ChosenGenes:
        """What a question about these genes keeps; NotFound when the panel has no gene of that confidence."""
        genes = self.at_least(confidence).genes
        if not genes:
            raise NotFound(
                f"choosing the {_SAID[confidence]} genes of {self}",
                "it has none",
                f"ask for another confidence: it has {_counted(self.genes)}",
            )
        ratings = tuple(
            Rating(gene.symbol, gene.confidence or "", gene.inheritance or "")
            for gene in genes
            if gene.confidence or gene.inheritance
        )
        rated = any(rating.confidence for rating in ratings)
        names = tuple(gene.names for gene in genes)
        return ChosenGenes(self.name, self.version, self.source, confidence if rated else "", names, ratings)

    def identified(self, table: GeneTable) -> "Panel":
        """The same panel with the ids and the newer symbols that a site's own gene table gives to its genes.

        For a panel that has symbols alone, a list or one from HPO: a file that knows a gene by a newer symbol is found by its
        id. A gene that the table has not stays as it is.
        """
        return replace(self, genes=tuple(_identified(gene, table) for gene in self.genes))

    def regions(self, table: GeneTable, padding: int = 0) -> tuple[Region, ...]:
        """Where its genes lie, as `GeneTable.regions` gives them: by their coordinates and not by their annotation.

        NotFound when the table has one of the genes under none of its names.
        """
        names: list[str] = []
        unknown: list[str] = []
        for gene in self.genes:
            known = next((name for name in _lookups(gene) if name in table), None)
            (unknown if known is None else names).append(known or gene.symbol)
        if unknown:
            some = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            raise NotFound(
                f"looking up the genes of {self}",
                f"the gene table has none called {some}",
                f"use a newer table for {table.assembly}, or a panel without them",
                file=table.file,
            )
        return table.regions(names, padding)

    def __str__(self) -> str:
        return f"{_titled(self.name, self.version, self.source)} ({self.source})"

    def describe(self) -> str:
        """What it holds, in plain English."""
        signed = f", signed off on {self.signed_off}" if self.signed_off else ""
        left = len(self.left_out)
        but = f"; left out: {_some(left, 'entry', 'entries')} not of a gene" if left else ""
        return f"{self}{signed}: {_counted(self.genes)}{but}"


def _confidence(text: str) -> Confidence:
    said = next((level for level in CONFIDENCES if level == text), None)
    if said is None:
        raise BadInput("choosing genes by confidence", "the confidence is unknown", f"say {', '.join(CONFIDENCES)}")
    return said


def _same(one: PanelGene, other: PanelGene) -> PanelGene:
    """One gene of two entries: the surer entry speaks, the other adds its names."""
    order = (*CONFIDENCES, None)
    first, second = (one, other) if order.index(one.confidence) <= order.index(other.confidence) else (other, one)
    also = tuple(
        name for name in dict.fromkeys((*first.names, *second.names)) if name not in {first.symbol, first.gene_id}
    )
    return replace(first, hgnc_id=first.hgnc_id or second.hgnc_id, also=also)


def _lookups(gene: PanelGene) -> tuple[str, ...]:
    """Its names, the ones that change least first."""
    ids = [name for name in gene.names if name.startswith("ENSG")]
    return tuple(dict.fromkeys(name for name in (*ids, gene.hgnc_id, *gene.names) if name))


def _identified(gene: PanelGene, table: GeneTable) -> PanelGene:
    known = next((name for name in _lookups(gene) if name in table), None)
    if known is None:
        return gene
    names = [name for found in table.find(known) for name in (found.gene_id, found.symbol) if name]
    also = tuple(name for name in dict.fromkeys((*gene.also, *names)) if name not in {gene.symbol, gene.gene_id})
    return replace(gene, also=also)


def _some(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _counted(genes: Iterable[PanelGene]) -> str:
    """How many genes of each confidence."""
    levels = Counter(gene.confidence for gene in genes)
    texts = [
        _some(levels[level], f"{level or ''} gene".strip(), f"{level or ''} genes".strip())
        for level in (*CONFIDENCES, None)
        if levels[level]
    ]
    return " and ".join(part for part in (", ".join(texts[:-1]), *texts[-1:]) if part) or "no genes"


# -- From HPO -----------------------------------------------------------------------------------------------------------


def hpo_panel(term: str) -> Panel:
    """The genes that HPO links to a term and all its narrower terms; nobody has rated them.

    A gene is linked when one of its diseases can show the phenotype, however seldom, so this is a wide net: a panel that
    clinicians have rated is a better answer where there is one. HPO gives symbols alone (see `Panel.identified`).

    BadCode when HPO has no such term or has retired it; NotFound when it links no gene to it.

    >>> str(hpo_panel("HP:0000113"))
    'HP:0000113 Polycystic kidney dysplasia (HPO 2025-11-24)'
    """
    known = ontology.term(term)
    title = f"{known} {ontology.name(known)}"
    genes = ontology.genes(known)
    if not genes:
        raise NotFound(f"making a panel of {title}", "HPO links no gene to it", "choose a broader term")
    version = ontology.version()
    return Panel(title, version, f"HPO {version}", tuple(PanelGene(symbol) for symbol in genes))
