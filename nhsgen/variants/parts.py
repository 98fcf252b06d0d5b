"""One part of a variant file, read by one worker: from its bytes to a Parquet file of rows and a report."""

from dataclasses import replace

from nhsgen.variants.batches import Batch, Part, Report, WrongRecord
from nhsgen.variants.bcf_batch import BcfBatch, records_of
from nhsgen.variants.text_batch import TextBatch
from nhsgen.variants.walking import lines_of

__all__ = ["Part", "Report", "WrongRecord", "read_part"]


def read_part(part: Part) -> Report:
    """Read a part of a VCF or BCF into `part.out`; WrongRecord or BadFile when it cannot be trusted."""
    report = Report()
    if part.words is None:
        batch: Batch = TextBatch(part, report)
        walk = lines_of(part.stretch, 9 if part.header.samples else 8, report.notes)
    else:
        batch = BcfBatch(part, report)
        walk = records_of(part, report)
    for lines in walk:
        for first in range(lines.first, lines.last, batch.lines_at_once):
            last, number = min(first + batch.lines_at_once, lines.last), lines.number + first - lines.first
            batch.take(replace(lines, first=first, last=last, number=number))
            batch.flush_when_full()
    batch.finish()
    return report
