"""Variants: read from VCF and BCF, kept in a store, chosen by a filter, counted under a cohort.

ingest         files -> store: every record checked, one row an ALT allele, genotypes packed
reading        the records of a file, or one sentence that says what is wrong with it
consequences   CSQ, ANN and BCSQ -> the worst effect on each gene; the severity table is consequences.csv
genotypes      people's genotypes at one allele as columns, and back under a mask
schema         the columns of a store
filters        which alleles a question is about
store          an opened store: query, counts, carriers, genes, verify

>>> variants(impact="high", max_af=0.001).in_genes("PKD1").describe()
'alleles with HIGH impact on PKD1 and a reference population frequency of at most 0.001'
"""

import sys
from types import ModuleType

from nhsgen.variants.filters import VariantFilter, variants
from nhsgen.variants.ingest import ingest
from nhsgen.variants.store import VariantStore

__all__ = ["VariantFilter", "VariantStore", "ingest", "variants"]


class _Room(ModuleType):
    """A researcher writes `nhsgen.variants(impact="high")`; once this room is open, `nhsgen.variants` is the room itself."""

    __call__ = staticmethod(variants)


sys.modules[__name__].__class__ = _Room
