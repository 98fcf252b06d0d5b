"""Variants: read from VCF and BCF, kept in a store, chosen by a filter, counted under a cohort.

ingest         files -> store: every record checked, one row an ALT allele, genotypes packed
reading        the records of a file, or one sentence that says what is wrong with it
               plan (opening, streams), part (parts, walking, text_batch, bcf_batch, rows, packing, row_writer), finish (finishing)
headers        what a file says of itself, and the notes on what is odd but harmless
records        one line: judged exactly, refused or read
*_kernels      the loops over bytes, compiled (masks: 64 bytes at once)
consequences   CSQ, ANN and BCSQ -> the worst effect on each gene; the severity table is consequences.csv
annotations    those of a whole block of records at once
htslib         htslib, on our terms
normalise      one way of writing an allele
genotypes      people's genotypes at one allele as columns, and back under a mask
schema         the columns of a store
genes          where genes lie, by a site's own GTF or GFF3
panels         gene panels, and the genes that HPO links to a term
panel_files    panels from PanelApp's JSON or TSV, or from a list
filters        which alleles a question is about
selection      the rows that match a filter, and their columns
store          an opened store: query, counts, carriers, genotypes, verify (store_files: its bytes, checked as they are read)
source         the record of the source file behind an allele, through pysam
export         a store, or a cohort of it, as VCF, BCF or PLINK 2's .pgen

>>> variants(impact="high", max_af=0.001).in_genes("PKD1").describe()
'alleles with HIGH impact on PKD1 and a reference population frequency of at most 0.001'
"""

import sys
from types import ModuleType

from nhsgen.variants.export import export
from nhsgen.variants.filters import VariantFilter, variants
from nhsgen.variants.genes import GeneTable, gene_table
from nhsgen.variants.ingest import ingest
from nhsgen.variants.panel_files import panel
from nhsgen.variants.panels import Panel, hpo_panel
from nhsgen.variants.store import VariantStore

__all__ = [
    "GeneTable",
    "Panel",
    "VariantFilter",
    "VariantStore",
    "export",
    "gene_table",
    "hpo_panel",
    "ingest",
    "panel",
    "variants",
]


class _Room(ModuleType):
    """A researcher writes `nhsgen.variants(impact="high")`; once this room is open, `nhsgen.variants` is the room itself."""

    __call__ = staticmethod(variants)


sys.modules[__name__].__class__ = _Room
