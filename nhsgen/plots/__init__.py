"""Pictures of released results, and of nothing else.

Colours are Okabe and Ito's, told apart by every kind of colour vision, and shapes, dashes and hatches tell apart what print makes
grey; what is suppressed is drawn as suppressed, never as zero. A result draws itself (`Released.plot`) through the drawer that is
registered for its kind; the others take a result by hand: `volcano(result)`, `regional(result, "16:2088708-2135898")`.

    counts, carriers, families   bars, a group a line             gene_tests      how strongly each gene goes with the trait
    manhattan, mirrored, qq      a scan of the genome             regional        one region of it, with linkage and genes
    burden, volcano              odds ratios by gene              forest, hazards effects by site, hazard ratios by term
    kaplan_meier                 survival, with numbers at risk   structure       people by ancestry
    frequencies, lollipop        alleles, and where they lie      frequency_map   how common they are at each site
    oncoprint, driver_genes      what drives tumours              pedigrees       how a variant passes down families
"""

from nhsgen.plots.alleles import frequencies, lollipop
from nhsgen.plots.bars import carriers, counts, families, gene_tests
from nhsgen.plots.curves import kaplan_meier
from nhsgen.plots.intervals import burden, forest, hazards, volcano
from nhsgen.plots.pedigree import pedigrees
from nhsgen.plots.places import frequency_map, structure
from nhsgen.plots.region import regional
from nhsgen.plots.scan import manhattan, mirrored, qq
from nhsgen.plots.tumours import driver_genes, oncoprint

__all__ = [
    "burden",
    "carriers",
    "counts",
    "driver_genes",
    "families",
    "forest",
    "frequencies",
    "frequency_map",
    "gene_tests",
    "hazards",
    "kaplan_meier",
    "lollipop",
    "manhattan",
    "mirrored",
    "oncoprint",
    "pedigrees",
    "qq",
    "regional",
    "structure",
    "volcano",
]
