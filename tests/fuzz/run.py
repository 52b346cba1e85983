"""Schemathesis on one listener of a stage."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.stage import HERE, Stage

CONFIG = """\
hooks = "{hooks}"
max-stream-events = 1
continue-on-failure = true
request-timeout = 20
[generation]
database = "none"
[checks.positive_data_acceptance]
# What is well formed may still be unknown, over, not there, or of another page.
expected-statuses = ["2xx", 304, 401, 403, 404, 410, 416]
"""
IDS = """\
[dictionaries.{name}]
values = {values}
[[operations]]
include-path-regex = "{path}"
parameters = {{ "path.{parameter}" = {{ dictionary = "{name}", probability = 0.7 }} }}
"""


def _ids(stage: Stage) -> str:
    """The ids of what is there, so that more is met than 404."""
    known = stage.known
    return "".join(
        IDS.format(name=name, path=path, parameter=parameter, values=json.dumps(values))
        for name, path, parameter, values in (
            ("leases", "^/v1/leases/", "id", known.leases),
            ("calls", "^/api/v1/calls/", "id", known.calls),
            ("visitors", "^/api/v1/visitors/", "id", known.visitors),
        )
    )


class Fuzzed(NamedTuple):
    """How it ended; `report` is for people."""

    passed: bool
    report: str


def fuzz(
    stage: Stage,
    listener: str,
    *,
    seed: int,
    examples: int,
    seconds: int | None = None,
    more: Sequence[str] = (),
) -> Fuzzed:
    """Let schemathesis loose on `listener` (public or admin): `examples` of each operation and phase, and no
    longer than `seconds`.
    """
    folder = stage.folder / f"fuzz-{listener}"
    folder.mkdir(exist_ok=True)
    config = CONFIG.format(hooks="fuzz_hooks")
    if listener == "admin":
        config += f'[auth.openapi.key]\nbearer = "{stage.known.key}"\n'
    config += _ids(stage)
    (folder / "schemathesis.toml").write_text(config, encoding="utf-8")
    limits = ["--max-examples", str(examples), "--seed", str(seed)]
    if seconds is not None:
        limits += ["--max-time", str(seconds)]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{stage.url(listener)}/openapi.json",
            "--no-color",
            *limits,
            *more,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "110"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Fuzzed(done.returncode == 0, done.stdout + done.stderr)
