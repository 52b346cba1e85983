"""Small traces, replayed as an operator would, and what came out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from router.cli import main

CONFIG = """\
[asterisk]
country = "GB"
[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
freeze_minutes = 5
[[site.channel]]
name = "Leaflet"
source = ["leaflet"]
[[site.rule]]
channel = ["Leaflet"]
show = "main"
"""
LEEDS = """\
[[site.rule]]
region = ["GB-LDS"]
pool = "leeds"
"""
FREEZE = 300
REST = 60
"""Seconds; the configuration's, and the default."""
FIRST, SECOND, THIRD = "+442079460001", "+442079460002", "+442079460003"


def visit(at: float, visit_id: str, visitor: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "event": "visit", "site": "shop", "visitor": visitor, "visit": visit_id, **more}


def seen(at: float, visit_id: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "event": "seen", "visit": visit_id, **more}


def left(at: float, visit_id: str) -> dict[str, Any]:
    return {"at": at, "event": "left", "visit": visit_id}


def call(at: float, call_id: str, *, caller: str = "+447700900001", **dials: str) -> dict[str, Any]:
    return {"at": at, "event": "call", "call": call_id, "caller": caller, **dials}


@dataclass
class Output:
    """The lines of an output file, by what they are about."""

    calls: dict[str, dict[str, Any]]
    visits: dict[str, dict[str, Any]]
    summary: dict[str, Any]


def output_of(path: Path) -> Output:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert list(rows[-1]) == ["summary"]
    return Output(
        {row["call"]: row for row in rows[:-1] if "call" in row},
        {row["visit"]: row for row in rows[:-1] if "rung" in row},
        rows[-1]["summary"],
    )


class Bench:
    """A folder with a configuration, where traces are replayed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.trace = folder / "trace.ndjson"
        self.out = folder / "out.ndjson"
        self.config.write_text(CONFIG, encoding="utf-8")

    def write(self, events: Iterable[dict[str, Any]]) -> None:
        self.trace.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")

    def invoke(self, *arguments: str) -> Result:
        return CliRunner().invoke(
            main,
            ["replay", str(self.trace), "--config", str(self.config), *arguments],
            catch_exceptions=False,
        )

    def replayed(self, numbers: int, *events: dict[str, Any], options: tuple[str, ...] = ()) -> Output:
        self.write(events)
        result = self.invoke("--numbers", str(numbers), "--out", str(self.out), *options)
        assert result.exit_code == 0, result.output
        assert result.output == ""
        return output_of(self.out)
