"""Benchmarks, each timed against a peer in the same run: `python -m tests.benchmarks` for all, or with their names."""

import sys
from importlib import import_module
from pathlib import Path

NAMES = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))


def main(chosen: list[str]) -> int:
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    passed = True
    for name in chosen or NAMES:
        print(f"-- {name}")
        passed &= bool(import_module(f"tests.benchmarks.{name}").main())
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
