"""One bit that flips in a file of a store is found, or changes no answer; never is an answer silently another."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from variant_files import CSQ, csq, record, vcf, write

from nhsgen.errors import BadFile, Tampered
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, ingest, variants

FLIPS, FIRST = (
    int(os.environ.get(f"NHSGEN_FLIP_{name}", usual)) for name, usual in (("ROUNDS", "300"), ("FIRST", "1"))
)
ONE = Settings(threads=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 70 people with every file that a store may have: rows sparse and dense, haploid people, blocks, two parts."""
    folder, random = tmp_path_factory.mktemp("flips"), Random(1)
    files = []
    for contig in ("22", "X"):
        lines = []
        for pos in range(100, 400):
            alleles = ["0", "0", "0", "1", "."] if pos % 3 else ["0"] * 40 + ["1", "."]
            calls = [f"{random.choice(alleles)}/{random.choice(alleles)}" for _ in range(70)]
            if contig == "X":
                calls[::2] = [call[0] for call in calls[::2]]
            effect = csq(
                "C", "stop_gained", "HIGH", random.choice(["PKD1", "PKD2", ""]), gnomADe_AF=f"{random.random():.3g}"
            )
            alts = "C" if pos % 5 else "<NON_REF>"
            lines.append(record(f"{contig} {pos * 10} A {alts}", " ".join(calls), info=f"CSQ={effect}", id=f"rs{pos}"))
        files.append(write(folder / f"{contig}.vcf.gz", vcf(*lines, info=[CSQ])))
    ingest(files, folder / "store", assembly="GRCh37", workers="threads")
    return folder / "store"


QUESTIONS: dict[str, Callable[[VariantStore], Any]] = {
    "query": lambda store: store.query().rows(),
    "counts": lambda store: store.counts(samples=store.samples[::3]).rows(),
    "carriers": lambda store: store.carriers(variants(impact="high")).rows(),
    "genes": lambda store: store.counts(variants().in_genes("PKD1")).rows(),
    "region": lambda store: store.carriers(variants().in_region("X:1500-2500"), samples=store.samples[:40]).rows(),
    "keys": lambda store: store.query(variants(keys=["22-1010-A-C", "X-3990-A-C"])).rows(),
    "unlisted": lambda store: store.unlisted([("22", 1000), ("X", 2000), ("X", 2001)]).rows(),
    "genotypes": lambda store: [(found.rows(), states.tolist()) for found, states in store.genotypes()],
}


def asked(path: Path, question: str) -> Any:
    return QUESTIONS[question](VariantStore.open(path, ONE))


@pytest.fixture(scope="module")
def sound(store: Path) -> dict[str, Any]:
    answers = {question: asked(store, question) for question in QUESTIONS}
    assert all(answers.values())
    assert {path.name for path in store.rglob("*") if path.is_file()} == {
        "00000.parquet", "00001.parquet", "index.parquet", "samples.parquet", "blocks.parquet", "store.json",
    }  # fmt: skip
    return answers


def names_it(error: Exception, name: str) -> None:
    assert name in str(error)


def flipped(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def test_a_flipped_bit_is_found_or_changes_nothing(store: Path, sound: dict[str, Any], tmp_path: Path) -> None:
    names = sorted(path.relative_to(store).as_posix() for path in store.rglob("*.parquet"))
    found = dict.fromkeys(names, 0)
    shutil.copytree(store, tmp_path / "store")
    for number in range(FIRST, FIRST + FLIPS):
        random, name = Random(number), names[number % len(names)]
        path, question = tmp_path / "store" / name, list(QUESTIONS)[number // len(names) % len(QUESTIONS)]
        size = path.stat().st_size
        place = (
            random.randrange(size) if number % 4 else size - random.randrange(1, min(2_000, size))
        )  # footers matter most
        bit = random.randrange(8)
        flipped(path, place, bit)
        with pytest.raises(Tampered) as tampered:
            VariantStore.open(tmp_path / "store", ONE).verify()
        assert tampered.value.file is not None
        assert name.endswith(tampered.value.file), (number, tampered.value.file)
        try:
            assert asked(tmp_path / "store", question) == sound[question], f"flip {number} of {name}: {question}"
        except (Tampered, BadFile) as error:
            found[name] += 1
            names_it(error, path.name)
        flipped(path, place, bit)
    print(f"\nof {FLIPS} flips the questions themselves found {found}, verify all")
    assert {question: asked(tmp_path / "store", question) for question in QUESTIONS} == sound
    # What a question reads is nearly all there is, and the small files are hashed when a store is opened.
    assert all(count for count in found.values())


def test_a_flipped_bit_of_the_description(store: Path, sound: dict[str, Any], tmp_path: Path) -> None:
    """store.json holds a hash of itself. Nothing else in a store vouches for it: the release's manifest does (extracts/publishing.py),
    which names its sha256 and is checked before a store is opened."""
    shutil.copytree(store, tmp_path / "store")
    path = tmp_path / "store" / "store.json"
    for number in range(FIRST, FIRST + FLIPS):
        place, bit = Random(number).randrange(path.stat().st_size), number % 8
        flipped(path, place, bit)
        try:
            question = list(QUESTIONS)[number % len(QUESTIONS)]
            assert asked(tmp_path / "store", question) == sound[question], number
            opened = VariantStore.open(tmp_path / "store", ONE)
            assert opened.info() == VariantStore.open(store, ONE).info()
        except (Tampered, BadFile) as error:
            names_it(error, "store")
        flipped(path, place, bit)
