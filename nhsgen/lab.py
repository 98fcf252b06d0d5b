"""A researcher's desk: ask, and get a `Released`.

Each call builds a frozen `Study`, runs it on every site of the workspace, and returns what may be shown. This lab opens the
sites' folders itself: it is for demonstrations, tests, and for work inside one trusted environment.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nhsgen import plots, studies
from nhsgen.cohorts import Cohort, Happening, everyone
from nhsgen.cohorts.measurements import Measurement
from nhsgen.errors import BadStudy
from nhsgen.results import Released
from nhsgen.settings import Settings
from nhsgen.studies import Study
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

    def frequencies(self, cohort: Cohort, variants: VariantFilter, *, purpose: str = "") -> Released:
        """How common each such allele is in the cohort, over all sites together."""
        return self.run(Study("frequencies", cohort, variants=variants, purpose=purpose))

    def burden(
        self,
        cases: Cohort,
        controls: Cohort | None = None,
        *,
        variants: VariantFilter,
        alternative: str = "two-sided",
        purpose: str = "",
    ) -> Released:
        """In which genes cases carry such variants more often than controls (everybody else, when not said)."""
        return self.run(Study("burden", cases, controls, variants, alternative=alternative, purpose=purpose))

    def gwas(
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
        """Which alleles go with a measurement (`trait`, in `people`, or everyone), or are more common in cases (`trait`) than in controls.

        options: as `nhsgen.studies.METHODS["association"].options` has them.
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
        """In which genes rare variants go with a trait: burden, SKAT, SKAT-O and ACAT-O of each gene; arguments as for `gwas`."""
        return self.run(_explained("gene_tests", trait, controls, people, variants, covariates, purpose, options))

    def survival(
        self,
        cohort: Cohort,
        since: Happening,
        *,
        variants: VariantFilter | None = None,
        by: str | Sequence[str] = (),
        covariates: str | Sequence[str] = (),
        purpose: str = "",
        **options: Any,
    ) -> Released:
        """How long people of the cohort live after their first record of an event: by group, or carriers against all others."""
        chosen = options | {"covariates": _names(covariates)}
        return self.run(
            Study("survival", cohort, variants=variants, by=_names(by), since=since, options=chosen, purpose=purpose)
        )

    def families(self, cohort: Cohort, variants: VariantFilter, *, purpose: str = "") -> Released:
        """In how many of the cohort's families there is a candidate variant, by gene, inheritance and tier."""
        return self.run(Study("families", cohort, variants=variants, purpose=purpose))

    def structure(
        self, cohort: Cohort, variants: VariantFilter | None = None, *, purpose: str = "", **options: Any
    ) -> Released:
        """How the cohort's people group by their genomes: principal components, on a grid, by recorded ancestry."""
        every = VariantFilter() if variants is None else variants
        return self.run(Study("structure", cohort, variants=every, options=options, purpose=purpose))

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
    trait: Measurement | Cohort,
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
    if not measured and people is not None:
        raise BadStudy(
            "comparing cases with controls", "it also names people", "narrow the cases and the controls instead"
        )
    return Study(
        method,
        trait if isinstance(trait, Cohort) else everyone() if people is None else people,
        controls,
        VariantFilter() if variants is None else variants,
        traits=(trait,) if isinstance(trait, Measurement) else (),
        options=dict(options) | {"covariates": _names(covariates)},
        purpose=purpose,
    )


def _names(by: str | Sequence[str]) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)
