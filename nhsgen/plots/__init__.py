"""Pictures of released results, and of nothing else.

Colours are Okabe and Ito's, told apart by every kind of colour vision, and shapes, dashes and hatches tell apart what print makes
grey; what is suppressed is drawn as suppressed, never as zero. A result draws itself (`Released.plot`) through the drawer that is
registered for its kind; the others take a result by hand: `volcano(result)`, `regional(result, "16:2088708-2135898")`.

    counts, carriers, families   bars, a group a line             gene_tests      how strongly each gene goes with the trait
    manhattan, mirrored, qq      a scan of the genome             regional        one region of it, with linkage and genes
    burden, volcano              odds ratios by gene              forest, hazards effects by site, hazard ratios by term
    kaplan_meier                 survival, with numbers at risk   structure       people by ancestry
    frequencies, lollipop        alleles, and where they lie      frequency_map   how common they are in each group
    variant_quality, sample_quality  what was called badly        relatedness     pairs of relatives, by degree
    linkage                      r² by distance
    oncoprint, driver_genes      what drives tumours              pedigrees       how a variant passes down families
    tumour_burden                mutations by megabase            polygenic       how scores are spread, by group
    cosegregation                how it goes with the illness     trio_quality    trios, by their Mendelian errors
    similarity                   how alike groups of people are   phenotype_match which genes fit the most people
"""

from nhsgen.plots.alleles import frequencies, lollipop
from nhsgen.plots.bars import carriers, counts, families, gene_tests
from nhsgen.plots.curves import kaplan_meier
from nhsgen.plots.distributions import polygenic
from nhsgen.plots.intervals import burden, forest, hazards, volcano
from nhsgen.plots.pedigree import cosegregation, pedigrees, trio_quality
from nhsgen.plots.phenotypes import phenotype_match, similarity
from nhsgen.plots.places import frequency_map, structure
from nhsgen.plots.quality import relatedness, sample_quality, variant_quality
from nhsgen.plots.region import linkage, regional
from nhsgen.plots.scan import manhattan, mirrored, qq
from nhsgen.plots.tumours import driver_genes, oncoprint, tumour_burden

__all__ = [
    "burden",
    "carriers",
    "cosegregation",
    "counts",
    "driver_genes",
    "families",
    "forest",
    "frequencies",
    "frequency_map",
    "gene_tests",
    "hazards",
    "kaplan_meier",
    "linkage",
    "lollipop",
    "manhattan",
    "mirrored",
    "oncoprint",
    "pedigrees",
    "phenotype_match",
    "polygenic",
    "qq",
    "regional",
    "relatedness",
    "sample_quality",
    "similarity",
    "structure",
    "trio_quality",
    "tumour_burden",
    "variant_quality",
    "volcano",
]
