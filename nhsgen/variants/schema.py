"""The columns of a variant store: what stands in its Parquet files."""

import pyarrow as pa

from nhsgen.variants.genotypes import GENOTYPE_COLUMNS

__all__ = ["BLOCKS", "COLUMNS", "EFFECT", "INDEX", "LISTED", "SAMPLES", "SCHEMA_VERSION"]

SCHEMA_VERSION = 3

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
        ("normal", pa.string()),  # pos-ref-alt in normal form (normalise.py) where that differs; null elsewhere
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
        ("gene", pa.string()),  # the first of `genes`, for those who ask no more
        ("genes", pa.list_(pa.struct(list(EFFECT)))),  # the worst effect on each gene, most severe first
        *(field for field in GENOTYPE_COLUMNS),
    ]
)
"""variants/*.parquet: one row an ALT allele, in order of chromosome, position, REF and ALT, over all files in their order."""

LISTED = (
    *(name for name in COLUMNS.names if name not in {"normal", "gene", "genes", *GENOTYPE_COLUMNS.names}),
    *EFFECT.names,
    "genes",
)
"""The columns that speak of alleles, not of people; those of `EFFECT` are of the worst effect on any gene."""

SAMPLES = pa.schema([("number", pa.int32()), ("name", pa.string()), ("haploid", pa.list_(pa.int32()))])
"""samples.parquet: each sample, and the numbers of the haploid sets it belongs to."""

BLOCKS = pa.schema([("chrom", pa.string()), ("pos", pa.int32()), ("end", pa.int32()), ("called", pa.list_(pa.int32()))])
"""blocks.parquet: stretches (1-based, closed) where a gVCF says that people are homozygous reference.

called: their sample numbers; null for all samples."""

INDEX = pa.schema(
    [
        ("part", pa.int32()),  # number of the file in variants/
        ("group", pa.int32()),  # number of the row group in it
        ("rows", pa.int32()),
        ("first_chrom", pa.string()),
        ("last_chrom", pa.string()),
        ("first_pos", pa.int32()),  # the lowest pos, also in normal form; 1-based
        ("last_end", pa.int32()),  # the highest end; 1-based, closed
        ("empty", pa.list_(pa.string())),  # columns that hold nothing but nulls or empty lists
        ("genes", pa.list_(pa.string())),  # symbols and ids of all genes that an allele of it touches
        ("source", pa.int32()),  # which source file its first record stands in
        ("block", pa.int64()),  # where in that file (streams.py): a compressed block, and how far into it
        ("within", pa.int64()),
        # Of each of the file's own columns in their order: where its bytes begin, how many, and their CRC-32.
        ("starts", pa.list_(pa.int64())),
        ("sizes", pa.list_(pa.int64())),
        ("checks", pa.list_(pa.uint32())),
    ]
)
"""index.parquet: each row group of variants/*.parquet, in order."""
