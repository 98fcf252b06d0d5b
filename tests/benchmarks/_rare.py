"""How long SKAT-O takes over a genome of genes, from genotypes to p, on one machine: `skat_o_genes(5_000, 20_000)`."""

import resource
import time
from dataclasses import dataclass

import numpy as np
import polars as pl

from nhsgen.settings import Settings
from nhsgen.statistics import masks, skat

__all__ = ["Measured", "generated", "skat_o_genes"]


@dataclass(frozen=True)
class Measured:
    """Seconds of each step, processor seconds of them all, MiB at the peak of the whole process, entries in the lists."""

    counting: float
    choosing: float
    summing: float
    estimating: float
    processor: float
    peak_mb: float
    entries: int

    @property
    def seconds(self) -> float:
        return self.counting + self.choosing + self.summing + self.estimating


def generated(people: int, genes: int, seed: int = 1) -> tuple[masks.Carried, pl.DataFrame]:
    """Some 20 variants a gene, most of them singletons or nearly, as exomes have them; 1 % of calls missing in one of ten."""
    rng = np.random.default_rng(seed)
    variants = 20 * genes
    most = max(2, people // 50)
    copies = np.minimum(np.floor(1.0 / (rng.random(variants) * (1.0 - 1.0 / most) + 1.0 / most)).astype(np.int64), most)
    missing = np.where(rng.random(variants) < 0.1, people // 100, 0)
    number = copies + missing
    variant = np.repeat(np.arange(variants), number)
    first = np.repeat(np.cumsum(number) - number, number)
    is_missing = np.arange(len(variant)) - first >= np.repeat(copies, number)
    keys, places = np.unique(variant * people + rng.integers(0, people, len(variant)), return_index=True)
    starts = np.searchsorted(keys, np.arange(variants + 1) * people)
    state = np.where(is_missing[places], masks.MISSING, 1).astype(np.uint8)
    names = np.char.add("G", np.arange(genes).astype(str))
    annotated = pl.DataFrame(
        {"variant": np.arange(variants), "gene": np.repeat(names, 20), "consequence": ["missense"] * variants}
    )
    return masks.Carried(people, starts, (keys % people).astype(np.int32), state), annotated


def skat_o_genes(people: int, genes: int, settings: Settings | None = None) -> Measured:
    """Burden, SKAT, SKAT-O and ACAT-O of `genes` genes in `people` people, a tenth of them cases, with five covariates."""
    carried, annotated = generated(people, genes)
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(people), rng.standard_normal((people, 5))])
    p = np.full(people, 0.1)
    residuals, weights = (rng.random(people) < p) - p, p * (1.0 - p)
    ticks, busy = [time.perf_counter()], time.process_time()
    counts = masks.summarise(carried)
    ticks.append(time.perf_counter())
    sets = masks.choose(annotated, counts, [masks.Mask(max_af=0.01)], collapse_below=3)
    ticks.append(time.perf_counter())
    total = skat.summarise(carried, sets, residuals, weights, x)
    ticks.append(time.perf_counter())
    found = skat.estimate(total, sets, settings=settings or Settings())
    ticks.append(time.perf_counter())
    busy = time.process_time() - busy
    assert all(0.0 <= row.skat_o_p <= 1.0 for row in found.rows)
    counting, choosing, summing, estimating = np.diff(ticks).tolist()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(counting, choosing, summing, estimating, busy, peak, len(carried.person))
