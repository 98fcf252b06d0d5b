"""The annotations of a whole block of records at once: what `Annotation.read` says of each record, at the speed of the text.

Three steps. Kernels walk the text once and give each distinct allele, consequence and gene that is written there a number. The
rules of `consequences` are asked once about each distinct text. Kernels then choose, by numbers alone, which entries speak of
which ALT and which of them is the worst on each gene; only what was chosen becomes strings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nhsgen.variants.annotation_kernels import (
    GROUPS,
    ODD_FREQUENCY,
    SLOTS,
    Entries,
    Records,
    Rules,
    choose,
    copy,
    find,
    measure,
    split,
)  # fmt: skip
from nhsgen.variants.consequences import Annotation, allele_names, effect_of, is_population_af
from nhsgen.variants.schema import COLUMNS, EFFECT

__all__ = ["Notes", "UnreadableAnnotation", "read_annotations", "read_block"]

Bytes: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.int64]

_LARGEST = 2**31 - 1
_UNEQUAL = "the annotations and the alleles are not of equally many records"
"""How many bytes, and how many effects, one Arrow column holds."""


class UnreadableAnnotation(ValueError):
    """An annotation that is not UTF-8; `record` is its place among the records given, from 0."""

    def __init__(self, record: int) -> None:
        self.record = record
        super().__init__("a character of the annotation is not UTF-8")


@dataclass(frozen=True, eq=False)
class Notes:
    """What the annotations say, one row for each ALT of each record.

    effects (made when asked for): the worst effect on any gene, in the columns of `schema.EFFECT`; null where there is none.
    genes: a list of such effects, the worst on each gene, most severe first; empty where there is none.
    af: the highest frequency in a reference population that the annotation itself names; nan where it names none.
    clinvar: the annotation's own CLIN_SIG; null where there is none.
    """

    genes: pa.ListArray
    af: npt.NDArray[np.float64]
    clinvar: pa.StringArray

    @property
    def effects(self) -> pa.Table:
        first = self.genes.offsets.to_numpy()
        worst = pa.array(first[:-1].astype(np.int64), mask=first[:-1] == first[1:])
        return pa.Table.from_arrays([self.genes.values.field(name).take(worst) for name in EFFECT.names], schema=EFFECT)


def read_annotations(
    annotation: Annotation,
    text: Bytes,
    starts: Numbers,
    ends: Numbers,
    pos: Numbers,
    refs: Sequence[str],
    alts: Sequence[tuple[str, ...]],
) -> Notes:
    """What `Annotation.read` says of every ALT of every record, had the record no INFO field but the annotation's.

    text: bytes of a file; the annotation of record i is text[starts[i]:ends[i]] (0-based, half-open), none where they are equal.
    pos, refs, alts: of each record; pos is 1-based. A record without ALT has no row.
    UnreadableAnnotation where an annotation is not UTF-8; ValueError where a place is outside the text or a length differs.

    >>> vep = Annotation("CSQ", "CSQ", ("Allele", "Consequence", "SYMBOL"))
    >>> text = np.frombuffer(b"T|stop_gained|PKD1,T|intron_variant|TSC2", np.uint8)
    >>> notes = read_annotations(vep, text, np.array([0]), np.array([40]), np.array([7]), ["C"], [("T", "A")])
    >>> notes.effects.select(["gene", "consequence", "impact"]).to_pylist()[0]
    {'gene': 'PKD1', 'consequence': 'stop_gained', 'impact': 'HIGH'}
    >>> notes.genes.value_lengths().to_pylist(), notes.af.tolist()
    ([2, 0], [nan, nan])
    """
    if len(refs) != len(alts):
        raise ValueError(_UNEQUAL)
    seen: dict[tuple[str, tuple[str, ...]], int] = {}
    shape = np.array([seen.setdefault(each, len(seen)) for each in zip(refs, alts, strict=True)], np.int64)
    return read_block(annotation, text, starts, ends, pos, shape, list(seen))


def read_block(
    annotation: Annotation,
    text: Bytes,
    starts: Numbers,
    ends: Numbers,
    pos: Numbers,
    shape: Numbers,
    shapes: Sequence[tuple[str, tuple[str, ...]]],
) -> Notes:
    """The same, with REF and ALTs of record i told as shapes[shape[i]]: few shapes (A to G, AT to A) recur in many records."""
    text, starts, ends, pos = _checked(text, starts, ends, pos, shape)
    row = _ends(np.array([len(alts) for _, alts in shapes], np.int64)[shape] if len(shape) else ())
    if annotation.kind is None or not row[-1] or not (ends > starts).any():
        return _nothing(int(row[-1]))

    slot_of, slots = _slots(annotation.names)
    entries, distinct = _entries(text, starts, ends, slot_of, slots)
    _read_odd_frequencies(annotation, text, entries)
    which, what, where = _Which(distinct[0]), _What(distinct[1]), _Where(distinct[2])
    rules = Rules(which.allele, which.number, what.severity, what.in_gene, where.pair, where.group, where.order)
    records = _records(annotation, row, pos, shape, shapes, which.names)
    first, chosen, af, clinvar = choose(text, entries, rules, records, slot_of, slots)
    _check_size(len(chosen))

    def write(chosen: Numbers, *names: str) -> list[pa.StringArray]:
        """The parts of these names, which are neighbours among the slots, of the chosen entries."""
        places = SLOTS.index(names[0]), SLOTS.index(names[-1]) + 1
        begin, stop = find(text, entries.begin, entries.end, chosen, slot_of, slots, *places)
        return [_strings(text, *place) for place in zip(begin, stop, strict=True)]

    chosen_what = entries.what[chosen]
    pair = pa.array(np.where(what.in_gene[chosen_what], where.pair[entries.where[chosen]], 0))
    transcript, hgvsc, hgvsp, amino, lof = write(chosen, "Feature", "HGVSc", "HGVSp", "amino_acid_change", "LoF")
    columns = {
        "gene": where.genes.take(pair),
        "gene_id": where.gene_ids.take(pair),
        "consequence": what.consequences.take(pa.array(chosen_what)),
        "impact": what.impacts.take(pa.array(chosen_what)),
        "transcript": transcript,
        "hgvsc": hgvsc,
        "hgvsp": pc.coalesce(hgvsp, amino),
        "lof": lof,
    }
    effects = [columns[name] for name in EFFECT.names]
    return Notes(
        genes=_lists(first, effects),
        af=af,
        clinvar=write(clinvar, "CLIN_SIG")[0],
    )


def _nothing(rows: int) -> Notes:
    nulls = [pa.nulls(rows, field.type) for field in EFFECT]
    return Notes(
        genes=_lists(np.zeros(rows + 1, np.int64), [column[:0] for column in nulls]),
        af=np.full(rows, np.nan),
        clinvar=pa.nulls(rows, pa.string()),
    )


def _lists(first: Numbers, effects: list[pa.Array]) -> pa.ListArray:
    values = pa.StructArray.from_arrays(effects, fields=list(EFFECT))
    return pa.ListArray.from_arrays(pa.array(first.astype(np.int32)), values, type=COLUMNS.field("genes").type)


# -- What is given ------------------------------------------------------------------------------------------------------


def _checked(
    text: Bytes, starts: Numbers, ends: Numbers, pos: Numbers, shape: Numbers
) -> tuple[Bytes, Numbers, Numbers, Numbers]:
    """The arrays as the kernels take them: contiguous, the text read only."""
    text = np.ascontiguousarray(text, np.uint8).view()
    text.flags.writeable = False
    starts, ends, pos = (np.array(array, np.int64) for array in (starts, ends, pos))
    if len({len(starts), len(ends), len(pos), len(shape)}) > 1:
        raise ValueError(_UNEQUAL)
    if len(starts) and not (starts.min() >= 0 and (starts <= ends).all() and ends.max() <= len(text)):
        raise ValueError("the place of an annotation is outside the text")
    return text, starts, ends, pos


def _check_letters(text: Bytes, starts: Numbers, ends: Numbers, wide: npt.NDArray[np.bool_]) -> None:
    for record in np.flatnonzero(wide).tolist():
        try:
            text[starts[record] : ends[record]].tobytes().decode()
        except UnicodeDecodeError as error:
            raise UnreadableAnnotation(record) from error


def _check_size(size: int) -> None:
    if size > _LARGEST:
        raise ValueError("what the annotations say does not fit in one column; give fewer records at once")


def _ends(lengths: Iterable[int]) -> Numbers:
    """Where things of these lengths begin, one behind the other, and where the last ends."""
    counted = np.fromiter(chain((0,), lengths), np.int64)
    return np.cumsum(counted, out=counted)


def _letters(texts: Sequence[str]) -> tuple[Numbers, Bytes]:
    """Where each text begins (and one more), and all their bytes."""
    encoded = [text.encode() for text in texts]
    return _ends(map(len, encoded)), np.frombuffer(b"".join(encoded), np.uint8)


def _slots(names: Sequence[str]) -> tuple[Numbers, int]:
    """Which slot each part of an entry fills, -1 for none; and how many slots there are."""
    populations = [name for name in dict.fromkeys(names) if name == "AF" or is_population_af(name)]
    slots = {name: slot for slot, name in enumerate((*SLOTS, *populations))}
    return np.array([slots.get(name, -1) for name in names], np.int64), len(slots)


def _entries(
    text: Bytes, starts: Numbers, ends: Numbers, slot_of: Numbers, slots: int
) -> tuple[Entries, list[list[dict[str, str]]]]:
    """The entries; and by group of slots the distinct texts that they hold, as parts of entries by name."""
    most, wide = measure(text, starts, ends)
    _check_letters(text, starts, ends, wide)
    entries = Entries(
        first=np.zeros(len(starts) + 1, np.int64),
        begin=np.empty(most, np.int64),
        end=np.empty(most, np.int64),
        which=np.empty(most, np.int32),
        what=np.empty(most, np.int32),
        where=np.empty(most, np.int32),
        flags=np.zeros(most, np.uint8),
        frequency=np.empty(most, np.float64),
    )
    # Only as much of these as there are distinct texts is ever touched, so is in memory.
    tables, known = np.zeros((3, 2 << most.bit_length()), np.int32), np.empty((3, most, 9), np.int64)
    distinct = split(text, starts, ends, slot_of, slots, entries, tables, known).tolist()
    return entries, [_texts(text, known[group, :number], GROUPS[group]) for group, number in enumerate(distinct)]


def _records(
    annotation: Annotation, row: Numbers, pos: Numbers, shape: Numbers, shapes: Sequence[tuple[str, tuple[str, ...]]],
    numbers: dict[str, int],
) -> Records:  # fmt: skip
    """The alleles, and by the `numbers` of the alleles' names which of them speak of each."""
    if numbers.keys() <= {""}:
        wanted = np.full((int(row[-1]), 2), -1, np.int64)
    else:
        names = [[(numbers.get(a, -1), numbers.get(b, -1)) for a, b in _names(*each)] for each in shapes]
        first = _ends(map(len, names))
        each = np.repeat(first[shape] - row[:-1], np.diff(row)) + np.arange(row[-1])
        wanted = np.array(list(chain.from_iterable(names)), np.int64).reshape(-1, 2)[each]
    tells = "dna_change" in annotation.names
    return Records(
        row,
        pos,
        wanted,
        tells,
        *_letters([shapes[each][0] for each in shape] if tells else ()),
        *_letters([alt for each in shape for alt in shapes[each][1]] if tells else ()),
    )


def _names(ref: str, alts: tuple[str, ...]) -> list[tuple[str, str]]:
    return allele_names(ref, alts) if alts else []


# -- The rules, asked once about each distinct text ---------------------------------------------------------------------


def _texts(text: Bytes, known: Numbers, slots: Numbers) -> list[dict[str, str]]:
    """The distinct texts that `split` numbered, as parts of entries by name."""
    return [
        {
            name: unquote(text[begin:stop].tobytes().decode())
            for name, begin, stop in zip(SLOTS[slice(*slots)], places[1::2], places[2::2], strict=False)
        }
        for places in known.tolist()
    ]


class _Which:
    """Of each Allele and ALLELE_NUM: the numbers that `Rules` gives them. `names` are the alleles by number."""

    def __init__(self, said: list[dict[str, str]]) -> None:
        self.names = {"": 0}
        self.allele = np.array([self.names.setdefault(each["Allele"], len(self.names)) for each in said], np.int64)
        self.number = np.array([_allele_number(each["ALLELE_NUM"]) for each in said], np.int64)


def _allele_number(text: str) -> int:
    """0 where there is none, -1 where it is not written as we would."""
    is_number = text.isascii() and text.isdecimal() and len(text) < 10 and text[0] != "0"
    return int(text) if is_number else -1 if text else 0


class _What:
    """Of each consequence, impact and sign of preference: the worst effect they tell."""

    def __init__(self, said: list[dict[str, str]]) -> None:
        # A symbol, to see whether the consequence is one on a gene; MANE Select, to see how it would be preferred.
        plain = [effect_of({**each, "SYMBOL": "G"}) for each in said]
        mane = [effect_of({**each, "MANE_SELECT": "NM"}) for each in said]
        self.severity = np.array(
            [[_packed(each.severity) if each else -1 for each in both] for both in zip(plain, mane, strict=True)],
            np.int64,
        ).reshape(-1, 2)
        self.in_gene = np.array([each is not None and each.gene is not None for each in plain], np.bool_)
        self.consequences = pa.array([each and each.consequence for each in plain], pa.string())
        self.impacts = pa.array([each and each.impact for each in plain], pa.string())


def _packed(severity: tuple[int, int, int]) -> int:
    """The three as one number in the same order."""
    rank, unknown, preference = severity
    return (rank * 2 + unknown) * 8 + preference


class _Where:
    """Of each symbol and gene id: which gene they are, by pair; pair 0 is no gene."""

    def __init__(self, said: list[dict[str, str]]) -> None:
        pairs: dict[tuple[str | None, str | None], int] = {(None, None): 0}
        self.pair = np.array([pairs.setdefault(_gene(each), len(pairs)) for each in said], np.int64)
        groups: dict[tuple[str | None, str | None], int] = {}
        same = [(gene_id, None) if gene_id else (None, gene) for gene, gene_id in pairs]
        self.group = np.array([groups.setdefault(each, len(groups)) for each in same], np.int64)
        names = [(gene or "", gene_id or "") for gene, gene_id in pairs]
        self.order = np.empty(len(pairs), np.int64)
        self.order[sorted(range(len(pairs)), key=names.__getitem__)] = np.arange(len(pairs))
        self.genes = pa.array([gene for gene, _ in pairs], pa.string())
        self.gene_ids = pa.array([gene_id for _, gene_id in pairs], pa.string())


def _gene(said: dict[str, str]) -> tuple[str | None, str | None]:
    effect = effect_of({**said, "Consequence": "transcript_ablation"})  # of whatever consequence on a gene
    return (effect.gene, effect.gene_id) if effect else (None, None)


def _read_odd_frequencies(annotation: Annotation, text: Bytes, entries: Entries) -> None:
    """Have the entries whose frequencies only Python's own float() understands read one by one."""
    for entry in np.flatnonzero(entries.flags & ODD_FREQUENCY).tolist():
        said = text[entries.begin[entry] : entries.end[entry]].tobytes().decode()
        # All that is said is said of the only ALT there is, whatever its name.
        ((_, frequency, _),) = annotation.read({annotation.field: said}, "N", ("<N>",), 1)
        entries.frequency[entry] = -1 if frequency is None else frequency


# -- Numbers become text ------------------------------------------------------------------------------------------------


def _strings(text: Bytes, begin: Numbers, stop: Numbers) -> pa.StringArray:
    """What stands at these places, percent-decoded; null where nothing does."""
    room = int((stop - begin).sum())
    _check_size(room)
    offsets, data, odd = copy(text, begin, stop, room)
    if odd.any():  # decoded bytes that may not be UTF-8, as in %E9: rare, and Python has a rule for them
        texts = [unquote(text[begin[at] : stop[at]].tobytes().decode()) for at in np.flatnonzero(odd)]
        plain = _strings(text, begin, np.where(odd, begin, stop))
        return pc.replace_with_mask(plain, pa.array(odd), pa.array(texts, pa.string()))
    valid = np.packbits(stop > begin, bitorder="little")
    return pa.StringArray.from_buffers(len(begin), *map(pa.py_buffer, (offsets, data, valid)))
