"""A researcher's desk: ask, and get a `Released`.

Each call builds a frozen `Study`, runs it on every site of the workspace, and returns what may be shown. This lab opens the
sites' folders itself: it is for demonstrations, tests, and for work inside one trusted environment.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nhsgen import plots, studies
from nhsgen.cohorts import Cohort
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


def _names(by: str | Sequence[str]) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)
