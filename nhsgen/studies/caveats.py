"""What a reader must know of one site's part in an answer, whatever the method."""

from collections.abc import Iterator

from nhsgen.methods import METHODS
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData

__all__ = ["caveats"]

_NAMED_ONE_BY_ONE = 3
"""How many genes without a variant get a sentence each; of a panel there may be a hundred."""


def caveats(study: Study, data: SiteData) -> Iterator[str]:
    """What a reader must know of this site's part: a sentence each, none about its people."""
    for word in sorted(data.unbound):
        yield f"{data.site} has no {word}: people known only by them are not counted there."
    if (
        study.variants is None or METHODS[study.method].tumours
    ):  # a gene that no tumour has mutated is a finding, and in the table
        return
    store = data.variants()
    unseen = store.unseen_genes(study.variants)
    if len(unseen) > _NAMED_ONE_BY_ONE:
        asked = len(study.variants.asked_genes)
        yield f"{data.site} has no variant on {len(unseen):,} of the {asked:,} genes asked for: {', '.join(unseen)}."
    else:
        yield from (f"{data.site} has no variant on a gene called {gene}." for gene in unseen)
    if study.method in {"carriers", "burden", "survival", "hazards"} and store.absence == "unknown":
        yield f"{data.site} lists only what was found: an allele nobody looked for counts as not carried there."
