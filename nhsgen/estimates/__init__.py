"""What an analysis found, exactly: still inside the wall. `disclosure` turns an estimate into a `Released`, or refuses."""

from typing import TypeAlias

from nhsgen.estimates.alleles import (
    Association,
    AssociationRow,
    AtSite,
    Combined,
    Frequencies,
    FrequenciesByGroup,
    FrequencyRow,
    Genotypes,
    Linkage,
    LinkedPair,
    MetaAnalysis,
    Signals,
    VariantQuality,
)
from nhsgen.estimates.families import Cosegregation, Families, Segregation, TrioQuality
from nhsgen.estimates.genes import Burden, BurdenRow, BySite, Drivers, GeneTestRow, GeneTests, Patterns, TumourBurden
from nhsgen.estimates.people import (
    Carriers,
    Counts,
    PhenotypeMatch,
    Relatedness,
    SampleQuality,
    ScoreGroup,
    Scores,
    Similarity,
    Structure,
)
from nhsgen.estimates.times import Hazard, Hazards, Survival, SurvivalGroup

__all__ = [
    "Association",
    "AssociationRow",
    "AtSite",
    "Burden",
    "BurdenRow",
    "BySite",
    "Carriers",
    "Combined",
    "Cosegregation",
    "Counts",
    "Drivers",
    "Estimate",
    "Families",
    "Frequencies",
    "FrequenciesByGroup",
    "FrequencyRow",
    "GeneTestRow",
    "GeneTests",
    "Genotypes",
    "Hazard",
    "Hazards",
    "Linkage",
    "LinkedPair",
    "MetaAnalysis",
    "Patterns",
    "PhenotypeMatch",
    "Relatedness",
    "SampleQuality",
    "ScoreGroup",
    "Scores",
    "Segregation",
    "Signals",
    "Similarity",
    "Structure",
    "Survival",
    "SurvivalGroup",
    "TrioQuality",
    "TumourBurden",
    "VariantQuality",
]

Estimate: TypeAlias = (
    Counts
    | Carriers
    | Frequencies
    | FrequenciesByGroup
    | VariantQuality
    | SampleQuality
    | Linkage
    | Relatedness
    | Burden
    | Association
    | GeneTests
    | Hazards
    | Survival
    | Families
    | Structure
    | Scores
    | MetaAnalysis
    | Segregation
    | Cosegregation
    | TrioQuality
    | Similarity
    | PhenotypeMatch
    | Drivers
    | Patterns
    | TumourBurden
)
