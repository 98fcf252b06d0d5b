"""A site's tables as a genomics programme and Hospital Episode Statistics keep them (contracts genomics_programme and hes_apc)."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.demo.identities import Identities, dates
from nhsgen.demo.people import LABELS, People
from nhsgen.demo.records import Episode, Records, table

__all__ = ["hes_tables"]

Numbers = npt.NDArray[np.int64]


def hes_tables(
    people: People, label: Numbers, birth_year: Numbers, records: Records, ids: Identities, rng: np.random.Generator
) -> Mapping[str, pl.DataFrame]:
    """The tables of the people in `ids`, by file name; rows in the order of their opaque ids."""
    here = ids.persons
    cancer = np.isin(here, records.having["breast cancer"])
    ill = np.isin(here, np.concatenate(list(records.having.values())))
    person = [ids.hex[one] for one in here.tolist()]
    participant = pl.DataFrame(
        {
            "participant_id": person,
            "sex": np.where(people.male[here], "male", "female"),
            "year_of_birth": pl.Series(birth_year[here], dtype=pl.Int16),
            "ancestry": [LABELS[one] for one in label[here]],
            "programme": np.where(cancer, "cancer", "rare_disease"),
            "consent_research": np.where(people.consent[here], "Yes", "No"),
            "consent_recontact": np.where(people.consent[here] & (rng.random(len(here)) < 0.8), "Yes", "No"),
        }
    )
    proband = people.role[here] == "proband"
    pedigree = pl.DataFrame(
        {
            "participant_id": person,
            "family_id": [ids.family[one] for one in people.family[here].tolist()],
            "role": people.role[here],
            "father_id": [ids.hex.get(one) for one in people.father[here].tolist()],
            "mother_id": [ids.hex.get(one) for one in people.mother[here].tolist()],
            "affection_status": np.where(proband | ill, "affected", "unaffected"),
        },
        schema_overrides={"father_id": pl.String, "mother_id": pl.String},
    )
    sample = pl.DataFrame(
        {
            "sample_id": [ids.sample[one] for one in here.tolist()],
            "participant_id": person,
            "sample_type": "germline blood",
        }
    )
    names = table("phenotypes.csv").select("hpo_id", hpo_name="name")
    phenotype = (
        records.phenotypes.filter(pl.col("person").is_in(here.tolist()))
        .join(names, on="hpo_id", how="left", maintain_order="left")
        .with_columns(participant_id=ids.hex_of("person"))
        .select("participant_id", "hpo_id", "hpo_name", "present")
    )
    laboratory = (
        records.laboratory.filter(pl.col("person").is_in(here.tolist()))
        .with_columns(participant_id=ids.hex_of("person"), collected_on=dates("day"))
        .select("participant_id", test_name="test", value="value", unit="unit", collected_on="collected_on")
    )
    dead = here[records.died[here] >= 0]
    death = pl.DataFrame({"participant_id": [ids.hex[one] for one in dead.tolist()], "day": records.died[dead]}).select(
        "participant_id", death_date=dates("day")
    )
    mine = [episode for episode in records.episodes if episode.person in ids.hex]
    return {
        "participant.parquet": participant.sort("participant_id"),
        "pedigree_member.parquet": pedigree.sort("participant_id"),
        "phenotype.parquet": phenotype.sort("participant_id", "hpo_id"),
        "sample.parquet": sample.sort("sample_id"),
        "laboratory_result.parquet": laboratory.sort("participant_id", "collected_on", "test_name"),
        "death.parquet": death.sort("participant_id"),
        "hes_apc.parquet": _hes_apc(mine, ids, rng),
    }


def _hes_apc(episodes: Sequence[Episode], ids: Identities, rng: np.random.Generator) -> pl.DataFrame:
    """One row an episode, codes side by side in diag_01..20 and opertn_01..24, without their dots, as HES has them."""

    def coded(prefix: str, width: int, codes: Sequence[tuple[str, ...]]) -> dict[str, list[str | None]]:
        return {
            f"{prefix}_{place + 1:02d}": [one[place] if place < len(one) else None for one in codes]
            for place in range(width)
        }

    diagnoses = coded("diag", 20, [one.diagnoses for one in episodes])
    operations = coded("opertn", 24, [one.procedures for one in episodes])
    frame = pl.DataFrame(
        {
            "participant_id": [ids.hex[one.person] for one in episodes],
            "epikey": ids.numbers(len(episodes), rng),
            "start": [one.start for one in episodes],
            "end": [one.end for one in episodes],
            "admimeth": [
                str(rng.choice(("21", "22", "28"))) if one.emergency else str(rng.choice(("11", "12", "13")))
                for one in episodes
            ],
            **diagnoses,
            **operations,
        },
        schema_overrides=dict.fromkeys((*diagnoses, *operations), pl.String),
    )
    return (
        frame.with_columns(epistart=dates("start"), epiend=dates("end"))
        .select("participant_id", "epikey", "epistart", "epiend", "admimeth", *diagnoses, *operations)
        .sort("epikey")
    )
