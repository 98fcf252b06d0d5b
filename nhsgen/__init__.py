"""nhsgen: ask one question of many hospitals' de-identified records and genomes; no record leaves its hospital.

    import nhsgen as ng

    lab = ng.open("nhsgen-demo")
    kidney = ng.hpo("HP:0000107") | ng.icd10("Q61")
    damaging = ng.variants(impact="high", max_af=0.001)
    lab.count(kidney, by=["site", "sex"])
    lab.burden(cases=kidney, variants=damaging).plot()

The house. Imports go down only; a room is named after its work.

    roof     cli             the command line: parse, call one function, show
             demo            three invented sites, and the story `nhsgen demo` tells with them
             steward         the web pages on which data stewards read, approve and refuse
             lab             a researcher's desk: ask, and get a Released
             plots           pictures of released results, and of nothing else
    floor 5  federation      the same question across walls: messages, secure sums, nodes and a hub
    floor 4  studies         one question, from start to safe answer
    floor 3  extracts        an extract's life: submitted, checked, approved twice, released, withdrawn
             workspace       a federation on disk: its sites, their people, their releases
    floor 2  cohorts         who: an expression in a clinician's words that becomes SQL
             variants        which alleles: reading VCF and BCF, storing, filtering, counting
             statistics      how much: every analysis is a sum
             disclosure      what may be said: the only maker of a Released
    floor 1  audit           an append-only, hash-chained log
             contracts       what an extract must be, and which of its columns mean what
             ontology        the Human Phenotype Ontology
             sandbox         a DuckDB that reads only what it is handed
             compute         the same work over chunks: threads, processes or a cluster
    ground   results         typed cells, Released
             estimates       what an analysis found, exactly; still inside the wall
             methods         what may be asked, as a table for studies, the gate and stewards
             codes           a type per vocabulary
             genome          the only place where 0-based meets 1-based
             cauchy          one p from several, however they depend on each other
             fourfold        the 2 x 2 table: Fisher's test, Woolf's odds ratio, false discovery rates
             hardy           Hardy-Weinberg proportions: the exact test
             durable         files that are whole or not there
             settings        read once, passed in
             progress        a bar for what takes more than a moment
             errors          what can go wrong, and the exit code it gets
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nhsgen.cohorts import (
        Cohort,
        affected,
        age,
        ancestry,
        born,
        codelist,
        everyone,
        family_role,
        hpo,
        icd10,
        measurement,
        observation,
        omop,
        opcs4,
        sex,
        snomed,
        unaffected,
    )
    from nhsgen.errors import NhsgenError
    from nhsgen.lab import Lab, open
    from nhsgen.results import Released
    from nhsgen.studies import Study, run
    from nhsgen.variants import gene_table, hpo_panel, panel, variants
    from nhsgen.workspace import Workspace

__version__ = "0.1.0"

# Where each name of the front door lives: rooms are entered at first use, so that `import nhsgen` costs nothing.
_ROOMS = {
    "cohorts": (
        "Cohort", "affected", "age", "ancestry", "born", "codelist", "everyone", "family_role", "hpo", "icd10", "measurement",
        "observation", "omop", "opcs4", "sex", "snomed", "unaffected",
    ),
    "errors": ("NhsgenError",),
    "lab": ("Lab", "open"),
    "results": ("Released",),
    "studies": ("Study", "run"),
    "variants": ("gene_table", "hpo_panel", "panel", "variants"),
    "workspace": ("Workspace",),
}  # fmt: skip
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Cohort",
    "Lab",
    "NhsgenError",
    "Released",
    "Study",
    "Workspace",
    "affected",
    "age",
    "ancestry",
    "born",
    "codelist",
    "everyone",
    "family_role",
    "gene_table",
    "hpo",
    "hpo_panel",
    "icd10",
    "measurement",
    "observation",
    "omop",
    "opcs4",
    "open",
    "panel",
    "run",
    "sex",
    "snomed",
    "unaffected",
    "variants",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nhsgen' has no attribute '{name}'")
    return getattr(import_module(f"nhsgen.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
