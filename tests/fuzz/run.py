"""Schemathesis on one listener of a stage."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from router.reports.names import NAMES
from tests.fuzz.stage import HERE, Stage

CONFIG = """\
hooks = "fuzz_hooks"
max-stream-events = 1
suppress-health-check = ["too_slow"]
continue-on-failure = true
request-timeout = 60
[generation]
database = "none"
[checks.positive_data_acceptance]
# What is well formed may still be unknown, over, not there, or of another page.
expected-statuses = ["2xx", 304, 401, 403, 404, 410, 416]
"""
# That a day is in its month, and the first of two before the last, no schema says; nor which sites there are.
NOT_DESCRIBABLE = """\
[[operations]]
include-path-regex = "^/api/v1/reports/"
checks.positive_data_acceptance.enabled = false
"""
# Half of what is asked about is something that is there: else schemathesis would meet nothing but 404.
KNOWN = """\
[[operations]]
include-path-regex = '{path}'
parameters = {{ {parameters} }}
"""


class Fuzzed(NamedTuple):
    """How it ended. `seen`: how often each operation (`GET /api/v1/calls`) answered with each status."""

    passed: bool
    report: str
    seen: Counter[tuple[str, int]]


def fuzz(stage: Stage, listener: str, *, seed: int, examples: int, seconds: int | None = None) -> Fuzzed:
    """Let schemathesis loose on `listener` (public or admin): `examples` of each operation and phase; with
    `seconds`, again and again for so long.
    """
    folder = stage.folder / f"fuzz-{listener}"
    folder.mkdir(exist_ok=True)
    (folder / "schemathesis.toml").write_text(_configuration(stage, listener), encoding="utf-8")
    limits = ["--max-examples", str(examples), "--seed", str(seed)]
    if seconds is not None:
        limits += ["--max-time", str(seconds)]
    seen = folder / "seen"
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [str(program), "run", f"{stage.url(listener)}/openapi.json", "--no-color", *limits],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "110", "FUZZ_SEEN": str(seen)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = seen.read_text(encoding="utf-8").splitlines() if seen.exists() else []
    answers = Counter((line[:-4], int(line[-3:])) for line in lines)
    return Fuzzed(done.returncode == 0, done.stdout + done.stderr, answers)


def _configuration(stage: Stage, listener: str) -> str:
    known = stage.known
    if listener == "public":
        sites = {"body.site": ["plumber", "florist"]}
        return CONFIG + _known({"^/v1/leases$": sites, "^/v1/leases/": {"path.id": known.leases}})
    calls, visitors, names = known.calls, known.visitors, ["crm", "old"]
    bound = _known(
        {
            "^/api/v1/calls/": {"path.id": calls},
            "^/api/v1/visitors/": {"path.id": visitors},
            "/retry$": {"path.call": calls, "path.destination": names},
            "/enable$": {"path.destination": names},
            "/google-ads.csv$": {"path.destination": ["ads-file"]},
            "/reports/": {"path.dimension": sorted(NAMES), "query.site": ["plumber"]},
        }
    )
    return f'{CONFIG}{bound}{NOT_DESCRIBABLE}[auth.openapi.key]\nbearer = "{known.key}"\n'


def _known(values: dict[str, dict[str, list[str]]]) -> str:
    dictionaries, operations = "", ""
    for path, parameters in values.items():
        bound = []
        for name, known in parameters.items():
            dictionary = f"known-{dictionaries.count('[')}"
            dictionaries += f"[dictionaries.{dictionary}]\nvalues = {json.dumps(known)}\n"
            bound.append(f'"{name}" = {{ dictionary = "{dictionary}", probability = 0.5 }}')
        operations += KNOWN.format(path=path, parameters=", ".join(bound))
    return dictionaries + operations
