"""What do the sites' own answers about an allele come to, taken together? A meta-analysis: each site answers alone, as it would if it
were the only one, under its own rules; what the sites released is combined, and nothing else is known of them.

For a site that may not add small counts to others', and for the reader who asks whether all sites see the same. It is another thing than
`association`, which has one model of everybody: there a site with ten cases adds what it knows, here it is too small to answer, and where
people differ between sites the two do not agree. Where sums may be added, add them.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from nhsgen.errors import NotFound
from nhsgen.estimates import AtSite, Combined, MetaAnalysis
from nhsgen.methods import METHODS
from nhsgen.results import Released
from nhsgen.statistics import meta
from nhsgen.studies.association import ASSOCIATION
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Rounds

__all__ = ["APART", "combine"]


def _alone(study: Study) -> Study:
    """The association that each site is asked about."""
    kept = {name: chosen for name, chosen in study.options.items() if name in METHODS["association"].options}
    return replace(study, method="association", options=kept)


APART: Mapping[str, Rounds] = {
    "meta_analysis": Rounds(
        lambda study, data, variants: ASSOCIATION.prepare(_alone(study), data, variants),
        lambda study: ASSOCIATION.start(_alone(study)),
        lambda study, state, total: ASSOCIATION.step(_alone(study), state, total),
        lambda study, state: ASSOCIATION.estimate(_alone(study), state),
        most=ASSOCIATION.most,
    )
}
"""The methods of which each site is asked all rounds by itself."""


def combine(study: Study, released: Mapping[str, Released]) -> MetaAnalysis:
    """What the sites released, by site, combined allele by allele. NotFound when no site has an estimate."""
    sites = sorted(released)
    every = pl.concat([_NONE, *(_estimates(released[site], site) for site in sites)])
    if every.is_empty():
        raise NotFound(
            "combining the sites' estimates",
            "no site has an estimate that it may show",
            "ask about more people or more common alleles, or add the sites' sums (association)",
        )
    alleles = every.group_by("trait", "variant", maintain_order=True).agg(pl.col("gene").max())
    place = {(trait, variant): row for row, (trait, variant, _) in enumerate(alleles.iter_rows())}
    beta, se = np.full((2, len(alleles), len(sites)), np.nan)
    for trait, variant, _, estimate, error, site in every.iter_rows():
        beta[place[trait, variant], sites.index(site)] = estimate
        se[place[trait, variant], sites.index(site)] = error
    # Hartung and Knapp's limits are not offered: of three sites that happen to agree they are many times too narrow.
    together = meta.combine(beta, se, study.options["model"])
    rows = []
    for row, (trait, variant, gene) in enumerate(alleles.iter_rows()):
        at = tuple(AtSite(*found) for found in zip(sites, beta[row].tolist(), se[row].tolist(), strict=True))
        numbers = {name: float(getattr(together, name)[row]) for name in NUMBERS}
        rows.append(
            Combined(trait, variant, gene, at, int(together.sites[row]), reason=str(together.reason[row]), **numbers)
        )
    return MetaAnalysis(tuple(rows), study.options["model"], odds=not study.traits)


NUMBERS = ("beta", "se", "low", "high", "p", "q_p", "i2", "tau2")

_NONE = pl.DataFrame(schema={"trait": pl.String, "variant": pl.String, "gene": pl.String, "beta": pl.Float64, "se": pl.Float64,
                             "site": pl.String})  # fmt: skip


def _estimates(released: Released, site: str) -> pl.DataFrame:
    """trait, variant, gene, beta, se and site, of the alleles for which one site released both numbers."""
    frame = released.to_polars().select(
        pl.col("trait", "variant", "gene").cast(pl.String), pl.col("beta", "se").cast(pl.Float64)
    )
    return frame.filter(pl.col("beta").is_finite() & (pl.col("se") > 0)).with_columns(site=pl.lit(site))
