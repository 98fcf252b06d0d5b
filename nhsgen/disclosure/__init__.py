"""What may be said: the only maker of a `Released`.

policies      the rules of NHS England, OpenSAFELY, Genomics England and others, as data; the strictest of several
withholding   what a site keeps back before adding, when its rules do not let small counts be pooled
recoverable   whether a hidden cell can be worked out from what is shown, and what else to hide if so
gate          thresholds, rounding, totals, audit: an estimate becomes a Released, or NotSafe
people, alleles, quality, genes, times, families, phenotypes, structure, tumours, scores, combined   what may be shown of each kind of estimate
cells         how one number becomes a cell
"""

from nhsgen.disclosure.gate import gate
from nhsgen.disclosure.policies import PRESETS, Policy, dominated, strictest
from nhsgen.disclosure.recoverable import Margin, protect, ranges
from nhsgen.disclosure.withholding import withhold

__all__ = ["PRESETS", "Margin", "Policy", "dominated", "gate", "protect", "ranges", "strictest", "withhold"]
