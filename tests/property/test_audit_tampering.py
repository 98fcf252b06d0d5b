"""Whatever is done to the bytes of a log is found, by the chain or by the head that was kept."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.audit import AuditLog
from nhsgen.errors import Tampered

LOG = AuditLog(Path(tempfile.mkdtemp()) / "audit.jsonl")
for _ in range(4):
    LOG.append("counted", "ann", step="é\n", people=[1, 2, {"none": None}])
WHOLE, ENTRIES, HEAD = LOG.path.read_bytes(), LOG.entries(), LOG.head()
places = st.integers(0, len(WHOLE))


def found(data: bytes) -> bool:
    """Whether verification objects; when it does not, every entry is what it was."""
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / "audit.jsonl")
        log.path.write_bytes(data)
        try:
            log.verify(expect=HEAD)
        except Tampered:
            return True
        assert log.entries() == ENTRIES
        return False


@settings(deadline=None)
@given(places, places, st.binary(max_size=8))
def test_any_edit_is_found(start: int, end: int, text: bytes) -> None:
    edited = WHOLE[: min(start, end)] + text + WHOLE[max(start, end) :]
    only_torn = edited.startswith(WHOLE) and b"\n" not in edited[len(WHOLE) :]
    assert found(edited) != only_torn


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=6))
def test_any_other_choice_of_lines_is_found(order: list[int]) -> None:
    lines = WHOLE.splitlines(keepends=True)
    assert found(b"".join(lines[place] for place in order)) == (order != [0, 1, 2, 3])


def test_every_single_bit_is_guarded() -> None:
    data = bytearray(WHOLE)
    for place in range(0, len(data), 3):
        data[place] ^= 1 << place % 8
        assert found(bytes(data)), place
        data[place] ^= 1 << place % 8
    assert not found(bytes(data))
