"""The fourfold table: who carries among cases and among controls, and what may be concluded from it.

Every function takes the table as `carriers among cases, cases, carriers among controls, controls`.
"""

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["ALTERNATIVES", "benjamini_hochberg", "fisher", "woolf"]

ALTERNATIVES = ("two-sided", "greater")

# Two tables whose probabilities differ by less than this share are equally likely (as R's fisher.test has it): the last bits
# of a floating-point number must not decide which tables are "as extreme".
_EQUALLY_LIKELY = 1e-7


def fisher(
    case_carriers: int, cases: int, control_carriers: int, controls: int, alternative: str = "two-sided"
) -> float:
    """Fisher's exact p; "greater" asks whether cases carry more often (Fisher, Statistical Methods, 1934, section 21.02).

    The lady tasting tea:

    >>> round(fisher(3, 4, 1, 4), 7), round(fisher(3, 4, 1, 4, "greater"), 7)
    (0.4857143, 0.2428571)
    """
    carriers = case_carriers + control_carriers
    least, most = max(0, carriers - controls), min(carriers, cases)
    if least == most:
        return 1.0
    # Ratios of neighbouring hypergeometric probabilities: no factorial of a large number is ever formed, and p keeps 12 digits.
    x = np.arange(least, most, dtype=np.float64)
    ratios = np.log((carriers - x) / (x + 1)) + np.log((cases - x) / (controls - carriers + x + 1))
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    weights = np.exp(logs - logs.max())
    at = case_carriers - least
    if alternative == "greater":
        chosen = weights[at:]
        if chosen.max() == 0.0:
            return 0.0
    else:
        chosen = weights[weights <= weights[at] * (1 + _EQUALLY_LIKELY)]
    return float(min(1.0, chosen.sum() / weights.sum()))


def woolf(case_carriers: int, cases: int, control_carriers: int, controls: int) -> tuple[float, float, float]:
    """Odds ratio and its 95 % interval on the log scale (Woolf, Annals of Human Genetics 1955).

    When one of the four cells is zero, 0.5 is added to each (Haldane 1956, Anscombe 1956).

    >>> [round(x, 3) for x in woolf(24, 73, 10, 1567)]
    [76.261, 34.59, 168.137]
    """
    cells = [float(n) for n in (case_carriers, cases - case_carriers, control_carriers, controls - control_carriers)]
    if 0.0 in cells:
        cells = [n + 0.5 for n in cells]
    a, b, c, d = cells
    log_ratio = math.log(a) + math.log(d) - math.log(b) - math.log(c)
    reach = 1.959963984540054 * math.sqrt(sum(1 / n for n in cells))
    return math.exp(log_ratio), math.exp(log_ratio - reach), math.exp(log_ratio + reach)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """q of each p: the false discovery rate at which it would just be called (Benjamini and Hochberg, JRSS B 1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    if not len(p):
        return []
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    q = np.empty_like(values)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return [float(x) for x in q]
