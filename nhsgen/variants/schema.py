"""The columns of a variant store: what stands in variants.parquet and samples.parquet."""

import pyarrow as pa

from nhsgen.variants.genotypes import GENOTYPE_COLUMNS

__all__ = ["COLUMNS", "EFFECT", "LISTED", "SAMPLES", "SCHEMA_VERSION"]

SCHEMA_VERSION = 1

EFFECT = pa.schema(
    [
        ("gene", pa.string()),  # symbol, or the gene's id where it has no symbol
        ("gene_id", pa.string()),
        ("consequence", pa.string()),  # Sequence Ontology term, the most severe of its transcripts
        ("impact", pa.string()),  # HIGH, MODERATE, LOW, MODIFIER
        ("transcript", pa.string()),
        ("hgvsc", pa.string()),
        ("hgvsp", pa.string()),
        ("lof", pa.string()),  # LOFTEE: HC, LC, OS
    ]
)
"""What an allele does to one gene."""

COLUMNS = pa.schema(
    [
        ("chrom", pa.string()),  # without "chr": 1..22, X, Y, MT, others as the file names them
        ("pos", pa.int32()),  # 1-based
        ("end", pa.int32()),  # the last base of REF, or INFO/END; 1-based, closed
        ("ref", pa.string()),
        ("alt", pa.string()),
        ("id", pa.string()),
        ("qual", pa.float32()),
        ("filter", pa.string()),  # as in the file; null where it says "."
        ("allele", pa.int16()),  # which ALT of its record, from 1
        ("n_alleles", pa.int16()),  # of how many
        # People, each in one of these; see genotypes.py
        ("hom_ref", pa.int32()),  # two copies of REF
        ("het", pa.int32()),  # one copy of this allele and one of another
        ("hom_alt", pa.int32()),  # two copies of this allele
        ("other", pa.int32()),  # two alleles called, none is this one, not both REF
        ("missing", pa.int32()),  # nothing called
        ("half", pa.int32()),  # one of two alleles called
        ("haploid", pa.int32()),  # one allele there is, and called
        ("hemizygous", pa.int32()),  # of the haploid, those with this allele
        ("ac", pa.int32()),  # copies of this allele, recomputed
        ("an", pa.int32()),  # alleles called, recomputed
        ("info_ac", pa.int64()),  # what the file claims; null where it claims nothing
        ("info_an", pa.int64()),
        ("af", pa.float64()),  # highest frequency in a reference population; null where none is known
        ("clinvar", pa.string()),
        *EFFECT,  # the worst effect on any gene
        ("genes", pa.list_(pa.struct(list(EFFECT)))),  # the worst effect on each gene, most severe first
        *(field for field in GENOTYPE_COLUMNS),
    ]
)

LISTED = tuple(name for name in COLUMNS.names if name not in GENOTYPE_COLUMNS.names)
"""The columns that speak of alleles, not of people."""

SAMPLES = pa.schema([("number", pa.int32()), ("name", pa.string()), ("haploid", pa.list_(pa.int32()))])
