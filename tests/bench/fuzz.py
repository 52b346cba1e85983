#!/usr/bin/env python3
"""Schemathesis on both listeners for minutes, each run with another seed; ends with 1 when anything is found.

fuzz.py [--minutes 2] [--seed N]
"""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.run import fuzz
from tests.fuzz.stage import Stage

EXAMPLES = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    asked = parser.parse_args()
    seconds = max(1, int(asked.minutes * 30))
    wrong = False
    for listener in ("public", "admin"):
        with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
            began = time.monotonic()
            found = fuzz(stage, listener, seed=asked.seed, examples=EXAMPLES, seconds=seconds)
            took, failures = time.monotonic() - began, stage.failures
        print(f"{listener}: {sum(found.seen.values())} requests in {took:.0f} s, seed {asked.seed}")
        for (operation, status), count in sorted(found.seen.items()):
            print(f"  {count:6} × {status}  {operation}")
        for line in failures:
            print(line)
        if not found.passed:
            print(found.report)
        wrong |= not found.passed or bool(failures)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
