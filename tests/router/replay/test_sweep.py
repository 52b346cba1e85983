"""A sweep is many replays in one table."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.router.replay.traffic import Bench, call, left, visit


@pytest.fixture
def swept(bench: Bench) -> Bench:
    """With one number the second visit falls, unless the freeze is short; with two nobody falls."""
    bench.write(
        [
            visit(0, "s1", "v1"),
            left(10, "s1"),
            call(20, "c1", number_of="s1"),
            visit(450, "s2", "v2"),
            call(460, "c2", caller="+447700900002", number_of="s2"),
        ]
    )
    return bench


def test_a_sweep_prints_each_combination(swept: Bench) -> None:
    result = swept.invoke("--sweep", "numbers=1,2", "freeze=5,15", "--format", "json")
    rows = json.loads(result.output)
    assert [(row["numbers"], row["freeze_minutes"], row["coverage"], row["to_main"]) for row in rows] == [
        (1, 5, 1.0, 0.0),
        (1, 15, 0.5, 0.5),
        (2, 5, 1.0, 0.0),
        (2, 15, 1.0, 0.0),
    ]
    assert [(row["calls"], row["frozen"], row["live"]) for row in rows] == [
        (2, 0.5, 0.5),
        (1, 1.0, 0.0),
        (2, 0.5, 0.5),
        (2, 0.5, 0.5),
    ]


def test_the_words_may_stand_anywhere(swept: Bench) -> None:
    table = swept.invoke("--sweep", "freeze=5,15", "--numbers", "1")
    assert table.output.splitlines()[0].split() == [
        "numbers", "freeze_minutes", "visits", "calls", "coverage", "blocked", "to_main", "live", "frozen",
        "confidence",
    ]  # fmt: skip
    assert table.output.splitlines()[3].split()[:7] == ["1", "15", "2", "1", "50.0%", "50.0%", "50.0%"]
    twice = swept.invoke("--sweep", "numbers=1", "--sweep", "freeze=15", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(twice.output))
    assert (row["numbers"], row["freeze_minutes"], row["coverage"]) == ("1", "15", "0.5")


def test_the_summaries_can_be_kept(swept: Bench) -> None:
    assert swept.invoke("--sweep", "numbers=1,2", "--out", str(swept.out)).exit_code == 0
    kept = [json.loads(line)["summary"] for line in swept.out.read_text(encoding="utf-8").splitlines()]
    assert [summary["numbers"] for summary in kept] == [1, 2]
    alone = swept.invoke("--numbers", "2", "--out", str(swept.out))
    assert alone.exit_code == 0
    assert json.loads(swept.out.read_text(encoding="utf-8").splitlines()[-1])["summary"] == kept[1]
