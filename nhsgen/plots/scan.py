"""A scan of the genome at a glance: Manhattan pictures, two scans mirrored, and whether the p-values are what chance would give.

Who runs a scan looks at these first: where the signals are, whether two traits share them, and whether the whole scan is inflated. Of
points that would fall on the same spot one is drawn, so that ten million draw as fast as a hundred thousand.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import betaincinv, chdtri

from nhsgen.genome import Region, chromosome, chromosome_order
from nhsgen.plots.canvas import BLUE, GREY, SKY, VERMILION, Floats, Ints, left_out, numbers, only_one, page, texts
from nhsgen.results import Released, drawn_by

__all__ = ["Scan", "inflation", "manhattan", "mirrored", "qq", "read"]

GENOME_WIDE = 5e-8
SUGGESTIVE = 1e-5
MOST_PEAKS, MOST_TRAITS = 15, 6
_ACROSS, _UP = 1800, 700  # spots of a picture, finer than its pixels


@dataclass(frozen=True)
class Scan:
    """The rows of one trait that have a p. `code` numbers `chroms`, which stand in the order of the genome; `pos` is 1-based;
    `height` is -log10 p; `row` is the place in the table; `note` says what is not drawn."""

    trait: str
    chroms: tuple[str, ...]
    code: Ints
    pos: Ints
    height: Floats
    row: Ints
    note: str


def read(result: Released, trait: str | None = None, region: Region | None = None) -> Scan:
    """One trait of a released scan, whole or in a region; BadInput when there are several traits and none was named."""
    heights, pos, named = numbers(result, "log10p"), numbers(result, "pos"), texts(result, "chrom")
    ours = {name: chromosome(name) for name in set(named)}
    chroms = tuple(sorted(set(ours.values()), key=chromosome_order))
    codes = {name: chroms.index(ours[name]) for name in ours}
    code = np.fromiter((codes[name] for name in named), np.int64, len(named))
    wanted = np.ones(len(named), bool)
    if "trait" in result.table.columns and named:
        trait = only_one(result, "trait", trait)
        wanted = np.fromiter((name == trait for name in texts(result, "trait")), bool, len(named))
    if region:
        there = chroms.index(region.chrom) if region.chrom in chroms else -1
        wanted &= (code == there) & (pos > region.start) & (pos <= region.end)
    drawn = np.isfinite(heights) & np.isfinite(pos)
    row, unseen = np.flatnonzero(wanted & drawn), np.flatnonzero(wanted & ~drawn)
    place = result.table.columns.index("log10p")
    note = left_out([result.table.rows[i][place] for i in unseen], "variant")
    return Scan(trait or "", chroms, code[row], pos[row].astype(np.int64), heights[row], row, note)


@drawn_by("gwas")
def manhattan(result: Released) -> Figure:
    """-log10 p along the genome, a panel a trait; lines at 5e-8 and 1e-5 (of a short scan at 0.05 / alleles), and the gene at each peak."""
    traits = list(dict.fromkeys(texts(result, "trait"))) if "trait" in result.table.columns else []
    scans = [read(result, trait) for trait in traits[:MOST_TRAITS]] or [read(result)]
    notes = [scan.note for scan in scans if scan.note]
    notes += [f"{len(traits) - MOST_TRAITS} more traits are in the table."] if len(traits) > MOST_TRAITS else []
    figure = page(result.title, 10, 0.9 + 3.3 * len(scans), " ".join(dict.fromkeys(notes)))
    panels = figure.subplots(len(scans), squeeze=False, sharex=True)[:, 0]
    starts = _starts(*scans)
    for axes, scan in zip(panels, scans, strict=True):
        _panel(axes, scan, starts, result)
        if len(scans) > 1:
            axes.set_title(scan.trait, loc="left", fontsize=9)
    _name_chromosomes(panels[-1], starts)
    return figure


def mirrored(one: Released, other: Released, *, traits: tuple[str | None, str | None] = (None, None)) -> Figure:
    """Two scans along the same genome, the second hanging below: signals that they share face each other (a Miami picture).

    traits: which trait of each, where a result has several; both may come from the same result.
    """
    scans = (read(one, traits[0]), read(other, traits[1]))
    notes = [f"{side}: {scan.note}" for side, scan in zip(("Above", "Below"), scans, strict=True) if scan.note]
    figure = page(" ".join(dict.fromkeys((one.title, other.title))), 10, 6.2, " ".join(notes))
    above, below = figure.subplots(2, sharex=True)
    starts = _starts(*scans)
    for axes, scan, result in ((above, scans[0], one), (below, scans[1], other)):
        _panel(axes, scan, starts, result, down=axes is below)
        axes.set_ylabel(f"{scan.trait}: $-$log$_{{10}}$ p" if scan.trait else "$-$log$_{10}$ p")
    highest = max(above.get_ylim()[1], below.get_ylim()[1])
    above.set_ylim(0, highest)
    below.set_ylim(highest, 0)
    below.spines[["top"]].set_visible(True)
    below.spines[["bottom"]].set_visible(False)
    below.xaxis.set_ticks_position("none")
    _name_chromosomes(above, starts)
    above.tick_params(labelbottom=True, length=0)
    below.tick_params(labelbottom=False)
    return figure


def qq(result: Released, trait: str | None = None) -> Figure:
    """Observed against expected -log10 p, the 95 % band of each rank when nothing is going on, and lambda (Devlin and Roeder 1999)."""
    scan = read(result, trait)
    n = len(scan.height)
    figure = page(result.title, 5.4, 5.6, scan.note)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("expected $-$log$_{10}$ p")
    axes.set_ylabel("observed $-$log$_{10}$ p")
    if not n:
        axes.annotate("no p to draw", (0.5, 0.5), xycoords="axes fraction", ha="center", color=GREY, style="italic")
        return figure
    rank = np.unique(np.concatenate((np.arange(1, min(n, 1000) + 1), np.geomspace(1, n, 2000).astype(np.int64))))
    expected, (low, high) = -np.log10((rank - 0.5) / n), _band(rank, n)
    axes.fill_between(expected, low, high, color=GREY, alpha=0.25, linewidth=0, label="95 % of chance")
    axes.plot([0, expected[0]], [0, expected[0]], color=GREY, linewidth=1, linestyle="--")
    observed = -np.sort(-scan.height)[rank - 1]
    axes.plot(expected, observed, ".", color=BLUE, markersize=4, rasterized=True)
    axes.annotate(
        f"$\\lambda$ = {inflation(scan.height):.3f}\n{n:,} variants",
        (0.04, 0.96),
        xycoords="axes fraction",
        va="top",
        fontsize=10,
    )
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", fontsize=8)
    return figure


def inflation(height: Floats) -> float:
    """Lambda: the median chi-squared of these -log10 p, over the median that chance gives (Devlin and Roeder, Biometrics 1999).

    >>> round(inflation(-np.log10((np.arange(1000) + 0.5) / 1000)), 3)
    1.0
    """
    return float(chdtri(1, 10.0 ** -np.median(height)) / chdtri(1, 0.5))


def _band(rank: Ints, n: int) -> tuple[Floats, Floats]:
    """-log10 of the 97.5 % and 2.5 % points of the rank-th smallest of n uniform numbers, which is Beta(rank, n - rank + 1)."""
    high, low = (-np.log10(np.maximum(betaincinv(rank, n - rank + 1, share), 1e-300)) for share in (0.025, 0.975))
    return low, high


def _starts(*scans: Scan) -> dict[str, float]:
    """Where each chromosome begins on the horizontal axis, in bases; the last entry, "", is where the genome ends."""
    longest: dict[str, int] = {}
    for scan in scans:
        most = np.zeros(len(scan.chroms), np.int64)
        np.maximum.at(most, scan.code, scan.pos)
        for name, length in zip(scan.chroms, most.tolist(), strict=True):
            longest[name] = max(longest.get(name, 0), length)
    gap = 0.004 * sum(longest.values())
    starts, end = {}, 0.0
    for name in sorted(longest, key=chromosome_order):
        starts[name] = end
        end += longest[name] + gap
    return starts | {"": max(end - gap, 1.0)}


def _panel(axes: Axes, scan: Scan, starts: dict[str, float], result: Released, *, down: bool = False) -> None:
    x = scan.pos + np.array([starts[name] for name in scan.chroms])[scan.code]
    order = {name: place for place, name in enumerate(starts)}
    odd = np.array([order[name] % 2 for name in scan.chroms], np.int64)[scan.code]
    highest = max(float(scan.height.max(initial=0.0)), -np.log10(_line(scan)))
    kept = _one_a_spot(x, scan.height, starts[""], highest)
    for parity, colour in enumerate((BLUE, SKY)):
        chosen = kept[odd[kept] == parity]
        axes.plot(x[chosen], scan.height[chosen], ".", color=colour, markersize=3.5, markeredgewidth=0, rasterized=True)
    lines = [
        (_line(scan), "black", "--", True),
        *([(SUGGESTIVE, GREY, ":", False)] if _line(scan) < SUGGESTIVE else []),
    ]
    for p, colour, style, outer in lines:
        axes.axhline(-np.log10(p), color=colour, linewidth=0.9, linestyle=style, zorder=0)
        told, place = f"{p:.1g}".replace("e-0", "e-"), (1.003, -np.log10(p))
        axes.annotate(
            told, place, xycoords=("axes fraction", "data"), va="bottom" if outer != down else "top", fontsize=7
        )
    if not len(scan.row):
        axes.annotate("no p to draw", (0.5, 0.5), xycoords="axes fraction", ha="center", color=GREY, style="italic")
    _name_peaks(axes, scan, x, starts[""], result, down=down)
    axes.set_xlim(-0.005 * starts[""], 1.005 * starts[""])
    axes.set_ylim(*((1.22 * highest, 0) if down else (0, 1.22 * highest)))
    axes.set_ylabel("$-$log$_{10}$ p")
    axes.spines[["top", "right"]].set_visible(False)


def _line(scan: Scan) -> float:
    """The p below which an allele stands out: Bonferroni's for all that were tested, and no lower than a genome's million tests ask."""
    return max(GENOME_WIDE, 0.05 / len(scan.height)) if len(scan.height) else GENOME_WIDE


def _one_a_spot(x: Floats, y: Floats, width: float, height: float) -> Ints:
    """The highest-numbered of the points on each spot of a fine grid; more could not be seen."""
    spot = (x * (_ACROSS / width)).astype(np.int64) * (_UP + 1) + (y * (_UP / height)).astype(np.int64)
    last = np.full((_ACROSS + 1) * (_UP + 1), -1)
    last[spot] = np.arange(len(x))
    return last[last >= 0]


def _name_peaks(axes: Axes, scan: Scan, x: Floats, width: float, result: Released, *, down: bool) -> None:
    """The gene (or else the variant) at each peak beyond the line: the highest first, then those not too near it."""
    there = np.flatnonzero(scan.height > -np.log10(_line(scan)))
    for _ in range(MOST_PEAKS):
        if not len(there):
            return
        top = there[np.argmax(scan.height[there])]
        row = dict(zip(result.table.columns, result.table.rows[scan.row[top]], strict=True))
        name = str(row.get("gene", "")) or str(row["variant"])
        axes.plot(x[top], scan.height[top], "D", color=VERMILION, markersize=4)
        axes.annotate(
            name, (x[top], scan.height[top]), xytext=(2, -4 if down else 4), textcoords="offset points", fontsize=8, style="italic",
            rotation=-35 if down else 35, va="top" if down else "bottom", rotation_mode="anchor",
        )  # fmt: skip
        there = there[np.abs(x[there] - x[top]) > 0.035 * width]


def _name_chromosomes(axes: Axes, starts: dict[str, float]) -> None:
    """A chromosome's name at its middle, where there is room; a single chromosome is measured in megabases."""
    names, edges = list(starts)[:-1], list(starts.values())
    if len(names) == 1:
        axes.xaxis.set_major_formatter(lambda x, _: f"{x / 1e6:g}")
        axes.set_xlabel(f"place on chromosome {names[0]}, megabases")
        return
    middles, last = {}, -np.inf
    for name, low, high in zip(names, edges, edges[1:], strict=False):
        if (low + high) / 2 - last > 0.015 * edges[-1]:
            middles[name], last = (low + high) / 2, (low + high) / 2
    axes.set_xticks(list(middles.values()), list(middles), fontsize=8)
    axes.set_xlabel("chromosome")
