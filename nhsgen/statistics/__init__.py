"""How much: every analysis is a sum. `summarise` at a site, `+` over sites, `estimate` on the total.

summary, sums       what adds up: counts by label; named arrays, and the rounds that some methods need

counts, carriers    people by group; people who carry, by gene, consequence or group
frequencies         alleles in a cohort, when sites list different variants
variant_quality     call rates and genotypes of alleles; sample_qc: of people, with singletons and Ti/Tv
genotype_blocks     packed genotypes, decoded and multiplied a tile at a time
linear              a measurement against every allele; inflation: lambda and QQ
logistic, firth, saddlepoint   cases against controls at every allele; where cases are few; where they are very few
burden              cases against controls, gene by gene, by Fisher's test
masks, skat, acat   rare variants of a gene together: burden, SKAT, SKAT-O, ACAT (quadratic_forms: their p)
cmh                 a fourfold table at each site, compared without mixing sites
trios, pedigrees    what a family's genotypes explain; tiering: which to look at first; kinship: who is related
segregation, trio_quality   how alleles pass down families, and whether these are what they are said to be
pca, ancestry_groups, ld   how people group; which variants say the same
survival, cox, proportional   how long people live; by how much groups differ, and whether always by as much
meta                sites' own estimates combined, which is another thing than pooling
similarity, ranking how alike phenotypes are; which of a child's candidates to look at first
polygenic, tumours  scores from a published file; mutations of tumours
distributions       how numbers of people are spread, on a fixed scale
gwas_ssf, phenopackets   the forms in which others read results and cases
"""

from nhsgen.statistics import burden, carriers, counts, frequencies
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts

__all__ = [
    "BACKGROUND",
    "Summary",
    "burden",
    "carriers",
    "counts",
    "frequencies",
    "label",
    "parts",
]
