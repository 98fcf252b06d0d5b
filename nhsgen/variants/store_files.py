"""The files of a store: opened, hashed and read, every byte compared with what was written down before it is believed.

One flipped bit in a Parquet file gives a silently wrong answer in most readers. The small files are hashed when the store is
opened; of the large ones the footer, and the bytes of each column of each row group, have a CRC-32 of their own, compared as
they are read.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from isal import isal_zlib

from nhsgen import durable
from nhsgen.errors import BadFile, NotFound, Tampered
from nhsgen.variants.rows import nothing
from nhsgen.variants.schema import COLUMNS, INDEX, SAMPLES, SCHEMA_VERSION

__all__ = ["Group", "StoreFiles", "footer_check", "seal_of"]

Mask = npt.NDArray[np.bool_]

_TRIED = "opening a variant store"
_RESTORE = "restore the release"


@dataclass(frozen=True)
class Group:
    """One row group of the store: which of its file, what it can hold (pos and end 1-based, closed), and where it came from."""

    part: int
    group: int
    rows: int
    first_chrom: str
    last_chrom: str
    first_pos: int
    last_end: int
    empty: tuple[str, ...]
    source: int
    block: int
    within: int


class StoreFiles:
    """The files in the folder of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = _read_info(folder)
        for name in self.info["sha256"]:
            if not (folder / name).is_file():
                raise Tampered(_TRIED, "a file is gone", _RESTORE, file=name)
        for part in self.info["parts"]:
            if (folder / part["file"]).stat().st_size != part["bytes"]:
                raise _changed(folder / part["file"])
        index = self._small("index.parquet", INDEX)
        self._starts, self._sizes, self._checks = (
            index[name].combine_chunks().values.to_numpy().reshape(-1, len(_PATHS))
            for name in ("starts", "sizes", "checks")
        )
        self._genes = index["genes"].combine_chunks()
        plain = index.drop_columns(["starts", "sizes", "checks", "genes"]).to_pylist()
        self.groups = [Group(**(row | {"empty": tuple(row["empty"])})) for row in plain]
        self._open: dict[tuple[int, int], pq.ParquetFile] = {}  # by thread and part: a reader is one thread's

    def _small(self, name: str, schema: pa.Schema) -> pa.Table:
        """A file that is read and hashed whole."""
        if name not in self.info["sha256"]:
            raise BadFile(
                _TRIED, f"store.json does not vouch for {name}", "ingest the variants again", file=self.folder.name
            )
        with durable.storage(_TRIED, self.folder / name):
            data = (self.folder / name).read_bytes()
            if hashlib.sha256(data).hexdigest() != self.info["sha256"][name]:
                raise Tampered(_TRIED, "its bytes changed since it was made", _RESTORE, file=name)
            table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        if not table.schema.equals(schema):
            raise BadFile(_TRIED, "its columns are not ours", "ingest the variants again", file=self.folder.name)
        return table

    @cached_property
    def samples(self) -> pa.Table:
        return self._small("samples.parquet", SAMPLES)

    def blocks(self, schema: pa.Schema) -> pa.Table:
        """What a gVCF says of people who carry nothing; empty where there was none."""
        return (
            self._small("blocks.parquet", schema) if "blocks.parquet" in self.info["sha256"] else schema.empty_table()
        )

    def haploid_sets_of(self, part: int) -> list[Mask]:
        """The haploid sets that a file of rows counts from 0, each a truth for each sample; of file -1, none."""
        return [] if part < 0 else [self._sets[number] for number in self.info["parts"][part]["haploid_sets"]]

    @cached_property
    def _sets(self) -> npt.NDArray[np.bool_]:
        belongs = self.samples["haploid"].combine_chunks()
        owners = np.repeat(np.arange(len(belongs)), belongs.value_lengths().to_numpy())
        numbers = belongs.flatten().to_numpy()
        masks = np.zeros((int(numbers.max(initial=-1)) + 1, len(belongs)), dtype=np.bool_)
        masks[numbers, owners] = True
        return masks

    @cached_property
    def groups_of_genes(self) -> dict[str, list[int]]:
        """By symbol and by id, the numbers of the row groups in which an allele touches a gene."""
        places: dict[str, list[int]] = {}
        offsets, names = self._genes.offsets.to_pylist(), self._genes.values.to_pylist()
        for number in range(len(self.groups)):
            for name in names[offsets[number] : offsets[number + 1]]:
                places.setdefault(name, []).append(number)
        return places

    def read(self, numbers: Sequence[int], columns: Sequence[str]) -> pa.Table:
        """Some columns of row groups of one file; Tampered when a byte of them changed. A struct's part is named with dots."""
        groups = [self.groups[number] for number in numbers]
        part = groups[0].part
        path = self.folder / self.info["parts"][part]["file"]
        empty = set.intersection(*(set(group.empty) for group in groups)) & {*columns}
        asked = list(dict.fromkeys(name.split(".")[0] for name in columns))
        columns = [name for name in columns if name not in empty]
        leaves = _leaves(tuple(columns))
        try:
            file = self._file(part, path)
            with path.open("rb", buffering=0) as raw:
                for number in numbers:
                    for leaf in leaves:
                        data = os.pread(raw.fileno(), self._sizes[number, leaf], self._starts[number, leaf])
                        if isal_zlib.crc32(data) != self._checks[number, leaf]:
                            raise _changed(path)
            table = file.read_row_groups([group.group for group in groups], columns=columns, use_threads=False)
        except (pa.ArrowInvalid, OSError, IndexError, ValueError) as error:
            raise _changed(path) from error
        for name in sorted(empty):
            table = table.append_column(
                COLUMNS.field(name), nothing(COLUMNS.field(name).type, sum(group.rows for group in groups))
            )
        return table.select(asked)

    def verify(self) -> None:
        """Hash every file; Tampered when one is not what was written down."""
        for name, expected in self.info["sha256"].items():
            if durable.hash_of(self.folder / name) != expected:
                raise Tampered(_TRIED, "its bytes changed since it was made", _RESTORE, file=name)

    def _file(self, part: int, path: Path) -> pq.ParquetFile:
        mine = get_ident(), part
        if mine not in self._open:
            if footer_check(path) != self.info["parts"][part]["footer"]:
                raise _changed(path)
            self._open[mine] = pq.ParquetFile(path)
        return self._open[mine]


@lru_cache(maxsize=256)
def _leaves(columns: tuple[str, ...]) -> list[int]:
    """The numbers of Parquet's own columns that hold these."""
    return [
        leaf for leaf, path in enumerate(_PATHS) if any(path == name or path.startswith(f"{name}.") for name in columns)
    ]


def footer_check(path: Path) -> int:
    """CRC-32 of the bytes in which a Parquet file tells where everything else in it is."""
    with path.open("rb") as raw:
        size = raw.seek(0, 2)
        raw.seek(max(0, size - 8))
        length = int.from_bytes(raw.read(4), "little")
        raw.seek(max(0, size - 8 - min(length, size)))
        return int(isal_zlib.crc32(raw.read()))


def _paths() -> list[str]:
    """The names of Parquet's own columns, in their order."""
    found = []
    for column in COLUMNS:
        if not pa.types.is_list(column.type):
            found.append(column.name)
        elif pa.types.is_struct(column.type.value_type):
            found += [f"{column.name}.list.element.{part.name}" for part in column.type.value_type]
        else:
            found.append(f"{column.name}.list.element")
    return found


_PATHS = _paths()


def _changed(path: Path) -> Tampered:
    return Tampered(
        "reading a variant store",
        "its bytes changed since it was made",
        _RESTORE,
        file=f"{path.parent.name}/{path.name}",
    )


def seal_of(info: Mapping[str, Any]) -> str:
    """The sha256 of what store.json says, but for the seal itself: against a disk that forgets, not against a hand."""
    said = {name: value for name, value in info.items() if name != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _read_info(folder: Path) -> dict[str, Any]:
    try:
        info = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(
            _TRIED, "there is no store.json", "name the folder that ingest made", file=folder.name
        ) from error
    except (OSError, ValueError) as error:
        raise BadFile(_TRIED, "store.json cannot be read", _RESTORE, file=folder.name) from error
    if not isinstance(info, dict) or info.get("schema_version") != SCHEMA_VERSION:
        found = "it was made by another version of nhsgen"
    elif not {"assembly", "absence", "parts"} <= info.keys() or not isinstance(info.get("sha256"), dict):
        found = "store.json does not say what is in it"
    elif info.get("seal") != seal_of(info):
        raise Tampered(_TRIED, "its bytes changed since it was made", _RESTORE, file="store.json")
    else:
        return info
    raise BadFile(_TRIED, found, "ingest the variants again", file=folder.name)
