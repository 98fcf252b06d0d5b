"""One site's current release, opened for one question; nothing here leaves the site."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import polars as pl

from nhsgen.cohorts import GROUPS, Cohort, NotBound, Query, groups, samples, tumour_samples
from nhsgen.contracts import Words
from nhsgen.methods import SITE, VARIANT_GROUPS
from nhsgen.sandbox import Sandbox, open_sandbox
from nhsgen.settings import Settings
from nhsgen.variants import VariantFilter, VariantStore
from nhsgen.workspace import Release, Site

__all__ = ["SiteData", "open_site"]


@dataclass(frozen=True)
class SiteData:
    """One site's current release, opened for one question, with the people who may be counted in it.

    links: which samples of the store are whose. settings: of whoever asks.
    """

    site: str
    release: Release
    sandbox: Sandbox
    store: VariantStore | None
    unbound: set[str] = field(default_factory=set)
    links: Callable[[Words], Query] = samples
    settings: Settings = field(default_factory=Settings)

    def people(self, cohort: Cohort) -> pl.Series:
        """Ids of the cohort's people: consenting, not withdrawn."""
        query = cohort.compile(self.release.words)
        self.unbound.update(query.unbound)
        return self.sandbox.query(query.sql, query.params).to_series()

    def groups(self, people: pl.Series, by: Sequence[str]) -> pl.DataFrame:
        """One row a person: person_id and the groups asked for, "site" among them when asked."""
        asked = [name for name in by if name in GROUPS]
        frame = pl.DataFrame({"person_id": people})
        if asked:
            query = groups(asked, self.release.words)
            frame = frame.join(self.sandbox.query(query.sql, query.params), on="person_id", how="left")
        return frame.with_columns(pl.lit(self.site).alias(SITE))

    def of_tumours(self) -> "SiteData":
        """The same people, with their tumours' samples and mutations in place of the genomes they were born with."""
        if self.release.tumours is None:
            raise NotBound("variant files of tumours")
        return replace(self, store=VariantStore.open(self.release.tumours), links=tumour_samples)

    def variants(self) -> VariantStore:
        if self.store is None:
            raise NotBound("variant files")
        return self.store

    def samples(self, people: pl.Series) -> pl.DataFrame:
        """The samples of these people that were sequenced: columns person_id, sample."""
        query = self.links(self.release.words)
        links = self.sandbox.query(query.sql, query.params)
        return links.filter(pl.col("sample").is_in(self.variants().samples)).join(
            pl.DataFrame({"person_id": people}), on="person_id", how="semi"
        )

    def sequenced(self, cohort: Cohort) -> pl.Series:
        """Ids of those of the cohort's people who have a sample: who has none can be neither carrier nor not."""
        return self.samples(self.people(cohort))["person_id"].unique()

    def carriers(self, people: pl.Series, variants: VariantFilter) -> pl.DataFrame:
        """One row per person and matching allele they carry: person_id, gene, impact, consequence."""
        links = self.samples(people)
        found = self.variants().carriers(variants, links["sample"].to_list())
        return found.join(links, on="sample").select("person_id", *VARIANT_GROUPS)


@contextmanager
def open_site(site: Site, release: Release, settings: Settings) -> Iterator[SiteData]:
    """The release, with everybody who withdrew taken out of it."""
    withdrawn = pl.DataFrame({"person_id": sorted(site.withdrawn())}, schema={"person_id": pl.String})
    store = None if release.variants is None else VariantStore.open(release.variants)
    with open_sandbox(release.tables, settings, {"withdrawn": withdrawn}) as sandbox:
        yield SiteData(site.name, release, sandbox, store, settings=settings)
