"""Three invented hospitals, and the story `nhsgen demo` tells with them.

story.py      what `nhsgen demo` does, step by step
extracts.py   the three extracts, as hospitals would hand them in
signals.py    what is planted in them, as a table
"""

from nhsgen.demo.extracts import DemoExtract, write_extracts
from nhsgen.demo.story import QUESTION, SEED, STEWARDS, SUBMITTER, ask, build, tell

__all__ = ["QUESTION", "SEED", "STEWARDS", "SUBMITTER", "DemoExtract", "ask", "build", "tell", "write_extracts"]
