"""In which genes do cases carry such variants more often than controls? Counts of people, gene by gene, and Fisher's test.

A researcher who looks for new genes of a rare disease asks for the preset geneBurdenRD: its one-sided test, and only where there are
enough cases and carriers for it to find anything. Where hospitals differ in whom they recruit, and in whom they sequence, she asks
with strata = "site": then nobody is compared with people of another hospital.
"""

import polars as pl

from nhsgen.estimates import Burden
from nhsgen.statistics import Summary, burden
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["estimate_burden", "summarise_burden"]


def summarise_burden(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's table of each gene."""
    assert study.controls is not None  # a burden study always has them
    cases, controls = data.sequenced(study.cohort), data.sequenced(study.controls)
    found = data.carriers(pl.concat([cases, controls]), variants)
    # Who is both is a case. To refuse instead would tell whether anybody is both, and two narrow cohorts make that one person.
    return burden.summarise(
        found,
        set(cases),
        set(controls) - set(cases),
        data.variants().genes(variants),
        by_site=study.options["strata"] == "site",
    )


def estimate_burden(study: Study, total: Summary) -> Burden:
    """Of all sites together."""
    minimum = burden.Minimum(
        study.options["min_cases"], study.options["min_carriers"], study.options["min_case_carriers"]
    )
    return burden.estimate(total, study.alternative, minimum)
