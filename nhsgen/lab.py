"""A researcher's desk: ask, and get a `Released`.

Each call builds a frozen `Study`, runs it on every site of the workspace, and returns what may be shown. This lab opens the
sites' folders itself: it is for demonstrations, tests, and for work inside one trusted environment.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from nhsgen import plots, studies
from nhsgen.cohorts import Cohort, Happening, everyone
from nhsgen.cohorts.measurements import Measurement
from nhsgen.errors import BadStudy
from nhsgen.results import Released
from nhsgen.settings import Settings
from nhsgen.studies import Study
from nhsgen.studies.reference import Reference
from nhsgen.studies.scoring import Score
from nhsgen.variants import VariantFilter
from nhsgen.workspace import Workspace

__all__ = ["Lab", "open"]

assert plots.__all__  # importing it is what lets a Released draw itself


@dataclass(frozen=True)
class Lab:
    """One workspace, the sites of it that are asked, and who is asking."""

    workspace: Workspace
    sites: tuple[str, ...]
    asked_by: str
    settings: Settings = field(repr=False)

    def at(self, *sites: str) -> "Lab":
        """The same desk, asking only these sites, each once."""
        return replace(self, sites=tuple(dict.fromkeys(self.workspace.site(name).name for name in sites)))

    def count(self, cohort: Cohort, by: str | Sequence[str] = (), *, purpose: str = "") -> Released:
        """How many people, split by groups such as "site" and "sex"."""
        return self.run(Study("counts", cohort, by=_names(by), purpose=purpose))

    def carriers(
        self, cohort: Cohort, variants: VariantFilter, by: str | Sequence[str] = "gene", *, purpose: str = ""
    ) -> Released:
        """How many people of the cohort carry such a variant, split by "gene", "impact", "consequence" or groups of people."""
        return self.run(Study("carriers", cohort, variants=variants, by=_names(by), purpose=purpose))

    def frequencies(
        self, cohort: Cohort, variants: VariantFilter, by: str | Sequence[str] = (), *, purpose: str = ""
    ) -> Released:
        """How common each such allele is in the cohort, over all sites together, or in each group such as "site" and "ancestry"."""
        return self.run(Study("frequencies", cohort, variants=variants, by=_names(by), purpose=purpose))

    def burden(
        self,
        cases: Cohort,
        controls: Cohort | None = None,
        *,
        variants: VariantFilter,
        alternative: str = "two-sided",
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """In which genes cases carry such variants more often than controls (everybody else, when not said).

        options: preset="geneBurdenRD" to ask as the 100,000 Genomes Project did; strata="site" to compare each site's cases with its own
            controls; and the least cases and carriers of a gene that is tested (`nhsgen.studies.METHODS["burden"].options`).
        `.plot()` draws the odds ratios with their intervals; `nhsgen.plots.volcano(released)` draws them against p.
        """
        return self.run(
            Study("burden", cases, controls, variants, alternative=alternative, options=options, purpose=purpose)
        )

    def gwas(
        self,
        trait: Measurement | Cohort | Mapping[str, Cohort],
        controls: Cohort | None = None,
        *,
        people: Cohort | None = None,
        variants: VariantFilter | None = None,
        covariates: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """Which alleles go with a measurement (`trait`, in `people`, or everyone), or are more common in cases (`trait`) than in controls;
        several diseases at once as {"epilepsy": cohort, ...}, each against all others of `people`.

        options: components=10 takes ancestry out, test="saddlepoint" is for rare diseases, clump_r2=0.1 names the signals; and what else
        `nhsgen.studies.METHODS["association"].options` has.
        """
        return self.run(_explained("association", trait, controls, people, variants, covariates, purpose, options))

    def gene_tests(
        self,
        trait: Measurement | Cohort,
        controls: Cohort | None = None,
        *,
        people: Cohort | None = None,
        variants: VariantFilter,
        covariates: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """In which genes rare variants go with a trait: burden, SKAT, SKAT-O, ACAT-V and ACAT-O of each gene; arguments as for `gwas`.

        options: several masks at once, as impacts=["high", "high+moderate"], max_afs=[0.001, 0.01]; weights="equal"; and others of
            `nhsgen.studies.METHODS["gene_tests"].options`.
        """
        return self.run(_explained("gene_tests", trait, controls, people, variants, covariates, purpose, options))

    def survival(
        self,
        cohort: Cohort,
        since: Happening | Literal["birth"],
        *,
        until: Happening | None = None,
        entry: Happening | str | None = None,
        variants: VariantFilter | None = None,
        by: str | Sequence[str] = (),
        covariates: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """How long people of the cohort live after their first record of an event, or from birth: by group, or carriers against all
        others. until: another end than death, such as a first dialysis.

        entry: from when people are followed: "first record" (when not said), "joined", "origin" or an event. Who is in the cohort
        because they lived to be found, at a diagnosis at 60 say, could not have died before: then the diagnosis is the entry.
        """
        life = {"months": 12, "years": 90} if since == "birth" else {}
        return self.run(
            _timed("survival", cohort, since, until, entry, variants, by, covariates, purpose, life | options)
        )

    def hazards(
        self,
        cohort: Cohort,
        since: Happening | Literal["birth"],
        *,
        until: Happening | None = None,
        entry: Happening | str | None = None,
        variants: VariantFilter | None = None,
        by: str | Sequence[str] = (),
        covariates: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """By how much carrying a variant, each group of `by` and each covariate multiply the rate of death (or of `until`), each
        adjusted for all others, and whether that holds at all times; since, until and entry as for `survival`."""
        return self.run(_timed("hazards", cohort, since, until, entry, variants, by, covariates, purpose, options))

    def families(self, cohort: Cohort, variants: VariantFilter, *, purpose: str = "", **options: Any) -> Released:
        """In how many of the cohort's families there is a candidate variant, by gene, inheritance and tier.

        With `ranked="phenotype"` also in how many the gene is among the `first`, by its tier and the ill children's HPO terms.
        """
        return self.run(Study("families", cohort, variants=variants, options=options, purpose=purpose))

    def segregation(
        self, cohort: Cohort, variants: VariantFilter, *, each: str = "gene", purpose: str = ""
    ) -> Released:
        """In how many of the cohort's families a variant passes from parents to child in each way, by gene or by variant."""
        return self.run(Study("segregation", cohort, variants=variants, options={"each": each}, purpose=purpose))

    def cosegregation(
        self, cohort: Cohort, variants: VariantFilter, *, penetrance: str = "complete", purpose: str = ""
    ) -> Released:
        """In how many of the cohort's families a variant goes with the illness, by gene and model of inheritance."""
        options = {"penetrance": penetrance}
        return self.run(Study("cosegregation", cohort, variants=variants, options=options, purpose=purpose))

    def trio_quality(self, cohort: Cohort, variants: VariantFilter | None = None, *, purpose: str = "") -> Released:
        """Whether the genotypes of the cohort's trios are to be trusted: Mendelian errors, and alleles new in the child."""
        every = VariantFilter() if variants is None else variants
        return self.run(Study("trio_quality", cohort, variants=every, purpose=purpose))

    def similarity(
        self, cohort: Cohort, controls: Cohort | None = None, *, by: str | Sequence[str] = (), purpose: str = ""
    ) -> Released:
        """How alike groups of the cohort's people are by their HPO terms; or cases and controls, when it is split by nothing."""
        return self.run(Study("similarity", cohort, controls, by=_names(by), purpose=purpose))

    def phenotype_match(
        self, cohort: Cohort, *, to: str = "genes", among: str | Sequence[str] = (), first: int = 10, purpose: str = ""
    ) -> Released:
        """Which genes, or which diseases of OMIM, are among the `first` that fit people's HPO terms best, for how many of the cohort."""
        options = {"to": to, "among": _names(among), "first": first}
        return self.run(Study("phenotype_match", cohort, options=options, purpose=purpose))

    def structure(
        self, cohort: Cohort, variants: VariantFilter | None = None, *, purpose: str = "", **options: Any
    ) -> Released:
        """How the cohort's people group by their genomes: principal components, on a grid, by recorded ancestry."""
        every = VariantFilter() if variants is None else variants
        return self.run(Study("structure", cohort, variants=every, options=options, purpose=purpose))

    def ancestry(
        self,
        cohort: Cohort,
        reference: str | Path | Reference,
        *,
        by: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """To which group of a public panel the cohort's genomes come nearest; by="ancestry" sets it beside what is recorded.

        reference: a `nhsgen.studies.Reference`, or the file that one wrote.
        """
        panel = reference if isinstance(reference, Reference) else Reference.read(reference)
        return self.run(Study("ancestry", cohort, by=_names(by), options=options, purpose=purpose, reference=panel))

    def drivers(self, cohort: Cohort, variants: VariantFilter, *, purpose: str = "") -> Released:
        """In how many of the cohort's tumours each gene is mutated, and what the mutations do to it."""
        return self.run(Study("drivers", cohort, variants=variants, purpose=purpose))

    def mutation_patterns(self, cohort: Cohort, variants: VariantFilter, *, purpose: str = "") -> Released:
        """Which genes the cohort's tumours have mutated together, or instead of each other; `variants` names two to ten genes."""
        return self.run(Study("mutation_patterns", cohort, variants=variants, purpose=purpose))

    def tumour_burden(
        self,
        cohort: Cohort,
        by: str | Sequence[str] = (),
        *,
        variants: VariantFilter | None = None,
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """How many of the cohort's tumours have so many mutations by megabase of coding sequence, split by groups such as "sex"."""
        every = VariantFilter() if variants is None else variants
        return self.run(Study("tumour_burden", cohort, variants=every, by=_names(by), options=options, purpose=purpose))

    def variant_quality(self, cohort: Cohort, variants: VariantFilter, *, purpose: str = "") -> Released:
        """Which alleles are called in few of the cohort's people, or not in Hardy-Weinberg proportions."""
        return self.run(Study("variant_quality", cohort, variants=variants, purpose=purpose))

    def sample_quality(self, cohort: Cohort, variants: VariantFilter | None = None, *, purpose: str = "") -> Released:
        """How call rates, heterozygosity, Ti/Tv and singletons are spread among the cohort's people."""
        every = VariantFilter() if variants is None else variants
        return self.run(Study("sample_quality", cohort, variants=every, purpose=purpose))

    def linkage(
        self, cohort: Cohort, variants: VariantFilter, lead: str = "", *, purpose: str = "", **options: Any
    ) -> Released:
        """r2 between alleles near each other, or between `lead` (an allele as a scan names it) and those around it."""
        return self.run(Study("linkage", cohort, variants=variants, options=options | {"lead": lead}, purpose=purpose))

    def relatedness(
        self,
        cohort: Cohort,
        variants: VariantFilter | None = None,
        by: str | Sequence[str] = (),
        *,
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """How many pairs of relatives there are among the cohort's people, by degree, as their genomes say; by "site" when asked."""
        every = VariantFilter() if variants is None else variants
        return self.run(Study("relatedness", cohort, variants=every, by=_names(by), options=options, purpose=purpose))

    def meta_analysis(
        self,
        trait: Measurement | Cohort,
        controls: Cohort | None = None,
        *,
        people: Cohort | None = None,
        variants: VariantFilter | None = None,
        covariates: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """As `gwas`, but each site answers alone, and what the sites released is combined: which is not what all people together say.

        options: model ("fixed", "dersimonian_laird", "reml") and others in METHODS["meta_analysis"].options.
        """
        return self.run(_explained("meta_analysis", trait, controls, people, variants, covariates, purpose, options))

    def polygenic(
        self,
        score: str | Path | Score,
        cohort: Cohort,
        controls: Cohort | None = None,
        *,
        by: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """Do cases (`cohort`) have a higher polygenic score than controls (everybody else, when not said)? Or, with `by`, how does the
        score of the cohort's people differ between groups?

        score: a scoring file of the PGS Catalog, harmonised to the sites' assembly.
        """
        read = score if isinstance(score, Score) else Score.read(score)
        return self.run(
            Study("polygenic", cohort, controls, by=_names(by), options=options, purpose=purpose, score=read)
        )

    def run(self, study: Study | str | Path) -> Released:
        """Run a study, or the one in a TOML file."""
        question = study if isinstance(study, Study) else Study.read(study)
        sites = [self.workspace.site(name) for name in self.sites]
        return studies.run(question, sites, self.settings, asked_by=self.asked_by)

    def __str__(self) -> str:
        return f"{self.asked_by} asks {', '.join(self.sites) or 'no site yet'} in '{self.workspace.name}'"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def open(path: str | Path, *, asked_by: str = "researcher", settings: Settings | None = None) -> Lab:
    """The lab on the workspace at `path`; NotFound when there is none."""
    workspace = Workspace.open(Path(path))
    return Lab(workspace, tuple(workspace.sites), asked_by, settings or Settings.read())


def _explained(
    method: str,
    trait: Measurement | Cohort | Mapping[str, Cohort],
    controls: Cohort | None,
    people: Cohort | None,
    variants: VariantFilter | None,
    covariates: str | Sequence[str],
    purpose: str,
    options: Mapping[str, Any],
) -> Study:
    """A study of what goes with a measurement in people, or tells cases from controls."""
    measured = isinstance(trait, Measurement)
    if measured and controls is not None:
        raise BadStudy(
            "asking what goes with a measurement", "it has controls", "leave them out, or name cases instead"
        )
    if isinstance(trait, Mapping) and not trait:
        raise BadStudy("comparing cases with controls", "no disease is named", 'name them: {"epilepsy": cohort}')
    if isinstance(trait, Cohort) and people is not None:
        raise BadStudy(
            "comparing cases with controls", "it also names people", "narrow the cases and the controls instead"
        )
    return Study(
        method,
        trait if isinstance(trait, Cohort) else everyone() if people is None else people,
        controls,
        VariantFilter() if variants is None else variants,
        traits=(trait,) if isinstance(trait, Measurement) else (),
        diseases=trait if isinstance(trait, Mapping) else {},
        options=dict(options) | {"covariates": _names(covariates)},
        purpose=purpose,
    )


def _timed(
    method: str,
    cohort: Cohort,
    since: Happening | Literal["birth"],
    until: Happening | None,
    entry: Happening | str | None,
    variants: VariantFilter | None,
    by: str | Sequence[str],
    covariates: str | Sequence[str],
    purpose: str,
    options: Mapping[str, Any],
) -> Study:
    """A study that follows people over time."""
    return Study(
        method, cohort, variants=variants, by=_names(by), since=since, until=until, entry=entry,
        options=dict(options) | {"covariates": _names(covariates)}, purpose=purpose,
    )  # fmt: skip


def _names(by: str | Sequence[str]) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)
