"""Survival: Kaplan-Meier curves with the numbers at risk below, as journals ask for them."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from nhsgen.plots.canvas import GREY, PALETTE, legend_beside, number, page, records, why_hidden
from nhsgen.results import Cell, Released, drawn_by

__all__ = ["kaplan_meier"]

_DASHES = ("-", "--", "-.", ":")


@drawn_by("survival")
def kaplan_meier(result: Released) -> Figure:
    """A step curve with its 95 % band for each group, and below how many were still at risk at each time.

    A curve ends where its numbers are no longer shown; a group that is suppressed keeps its line in the table, with a cross.
    """
    rows = records(result, "group", "time", "at risk", "survival", "low", "high")
    groups: dict[str, list[dict[str, Cell]]] = {}
    for row in rows:
        groups.setdefault(str(row["group"]), []).append(row)
    why = why_hidden([row["survival"] for row in rows] + [row["at risk"] for row in rows])
    figure = page(result.title, 8, 4.6 + 0.24 * len(groups), why)
    axes, below = figure.subplots(2, sharex=True, height_ratios=(4.2, 0.3 + 0.24 * len(groups)))
    for place, (name, steps) in enumerate(groups.items()):
        _curve(axes, name, steps, PALETTE[place % len(PALETTE)], _DASHES[place % len(_DASHES)])
    last = max((number(row["time"]) for row in rows), default=1.0)
    axes.set_xlim(0, 1.03 * last if last > 0 else 1.0)
    axes.set_ylim(0, 1.03)
    axes.set_ylabel(f"share {'without it' if 'until' in result.question else 'alive'}, with 95 % band")
    axes.spines[["top", "right"]].set_visible(False)
    months, ages = "months" in _options(result), result.question.get("since") == "birth"
    step = next((step for step in (1, 3, 6, 12, 24, 60) if last <= 8 * step), 120)
    axes.xaxis.set_major_locator(MultipleLocator(step) if months or ages else MaxNLocator(8))
    if ages:
        axes.xaxis.set_major_formatter(lambda month, _: f"{month / 12:g}")
    if groups:
        legend_beside(axes)
    _at_risk(below, groups, [tick for tick in axes.get_xticks() if 0 <= tick <= last])
    axes.tick_params(labelbottom=True)
    axes.set_xlabel("age in years" if ages else "months" if months else "time")
    return figure


def _curve(axes: Axes, name: str, steps: Sequence[Mapping[str, Cell]], colour: str, dashes: str) -> None:
    known = [place for place, step in enumerate(steps) if math.isfinite(number(step["survival"]))]
    shown = steps[: known[-1] + 1] if known else []  # what is hidden before the last number is a gap
    times, lives, lows, highs = (
        [number(step[column]) for step in shown] for column in ("time", "survival", "low", "high")
    )
    if (
        times and times[0] > 0 and lives[0] < 1
    ):  # one that is whole later begins there: of people who come under observation
        times, lives, lows, highs = [0.0, *times], [1.0, *lives], [1.0, *lows], [1.0, *highs]
    told = name if shown else f"{name} (suppressed)"
    axes.step(times, lives, where="post", color=colour, linestyle=dashes, linewidth=1.8, label=told)
    if shown:
        axes.fill_between(times, lows, highs, step="post", color=colour, alpha=0.15, linewidth=0)
    if shown and len(shown) < len(steps):
        axes.plot(times[-1], lives[-1], "x", color=GREY)


def _at_risk(axes: Axes, groups: Mapping[str, Sequence[Mapping[str, Cell]]], ticks: Sequence[float]) -> None:
    """At each tick, those at risk at the first time from there on; nothing beyond a group's last time."""
    for line, steps in enumerate(groups.values()):
        times = np.array([number(step["time"]) for step in steps])
        begins = times[0] if number(steps[0]["survival"]) == 1 else 0.0
        for tick in ticks:
            later = np.flatnonzero(times >= tick - 1e-9)
            if len(later) and tick >= begins:
                cell = steps[int(later[0])]["at risk"]
                axes.annotate(
                    str(cell) if math.isfinite(number(cell)) else "×",
                    (tick, line),
                    ha="center",
                    va="center",
                    fontsize=8,
                )
    axes.set_yticks(range(len(groups)), list(groups), fontsize=8)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_title("at risk", loc="left", fontsize=9)
    axes.tick_params(length=0, labelbottom=False)
    axes.tick_params(axis="y", pad=16)
    axes.spines[:].set_visible(False)


def _options(result: Released) -> Mapping[str, object]:
    options = result.question.get("options")
    return options if isinstance(options, Mapping) else result.question
