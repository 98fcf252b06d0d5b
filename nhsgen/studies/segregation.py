"""How does a variant pass down families? By the pattern of genotypes in parents and child, and by whether it goes with the illness.

A clinical geneticist weighing up a variant asks: in how many families is it new in the ill child, in how many does it come from a
parent who is well, in how many from both? (`segregation`, drawn as small pedigrees.) And, families being larger than trios: in how
many do the ill have it and the well not, as a dominant or a recessive illness would have it? (`cosegregation`)

Who they are stays inside the site; it sends how many families there are of each kind.
"""

from nhsgen.statistics import Summary, segregation
from nhsgen.studies.families import Calls, Household
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["summarise_cosegregation", "summarise_segregation"]


def summarise_segregation(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's families by pattern, in each gene or at each variant; a family counts once in each."""
    home = Household.of(study, data)
    found = Calls.read(data, variants, home)
    of = found.alleles["gene" if study.options["each"] == "gene" else "key"]
    shown = segregation.patterns(found.copies, found.place, home.pedigree, home.samples, of)
    return segregation.summarise_patterns(shown, len(home.pedigree.families))


def summarise_cosegregation(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's families, with or without parents sequenced: in which an allele of a gene goes with the illness, by model."""
    home = Household.of(study, data, of_parents=False)
    found = Calls.read(data, variants, home)
    told = segregation.models(
        found.copies,
        found.place,
        home.pedigree,
        home.samples,
        found.alleles["gene"],
        study.options["penetrance"],
    )
    return segregation.summarise_models(told, len(home.pedigree.families))
