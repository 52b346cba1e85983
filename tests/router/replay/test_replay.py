"""Traces whose output was worked out by hand. Freeze 5 minutes, rest 60 s, heartbeats every 30 s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.router.replay.traffic import (
    CONFIG,
    FIRST,
    LEEDS,
    SECOND,
    THIRD,
    Bench,
    call,
    left,
    output_of,
    seen,
    visit,
)


def held(row: dict[str, object]) -> tuple[object, ...]:
    return row["rung"], row["number"], row["from"], row["until"]


def test_a_roomy_pool_gives_everybody_a_number_of_their_own(bench: Bench) -> None:
    output = bench.replayed(
        3,
        visit(0, "s1", "v1"),
        visit(10.5, "s2", "v2"),
        seen(30, "s1"),
        visit(31, "s3", "v3"),
        left(45, "s1"),
        left(50.25, "s2"),
    )
    assert held(output.visits["s1"]) == ("base", FIRST, 0, 345)
    assert held(output.visits["s2"]) == ("base", SECOND, 10.5, 350.25)
    assert held(output.visits["s3"]) == ("base", THIRD, 31, 331)
    assert output.visits["s1"]["extension"] is None
    assert output.calls == {}
    assert output.summary == {
        "numbers": 3,
        "freeze_minutes": 5,
        "virtual_hours": 0.013958,
        "visits": 3,
        "calls": 0,
        "calls_left_out": 0,
        "coverage": 1.0,
        "rungs": {"own": 0, "site": 0, "base": 3, "extension": 0, "reserve": 0, "main": 0, "static": 0},
        "blocking": {"extension": 0.0, "reserve": 0.0, "main": 0.0},
        "holds_per_number": {"mean": 1.0, "max": 1},
        "matches": dict.fromkeys(
            ("live", "frozen", "extension", "returning", "late", "static", "reserve", "none"), 0
        ),
        "mean_confidence": None,
    }


def test_an_empty_pool_falls_to_the_main_number_until_one_has_rested(bench: Bench) -> None:
    output = bench.replayed(
        1,
        visit(0, "s1", "v1"),
        left(60, "s1"),
        visit(100, "s2", "v2"),
        call(110, "c1", number_of="s2"),
        visit(419.999, "s3", "v3"),
        visit(420, "s4", "v4"),
    )
    assert held(output.visits["s1"]) == ("base", FIRST, 0, 360)
    assert held(output.visits["s2"]) == ("main", None, 100, 400)
    assert held(output.visits["s3"]) == ("main", None, 419.999, 719.999)
    assert held(output.visits["s4"]) == ("site", FIRST, 420, 720)
    assert output.calls == {}  # it was shown no number of its own
    assert output.summary["calls_left_out"] == 1
    assert output.summary["coverage"] == 0.5
    assert output.summary["blocking"]["main"] == 0.5
    assert output.summary["holds_per_number"] == {"mean": 2.0, "max": 2}


def test_a_return_within_the_freeze_goes_on_with_the_same_number(bench: Bench) -> None:
    output = bench.replayed(
        2,
        visit(0, "s1", "v1"),
        left(60, "s1"),
        visit(359, "s2", "v1"),
        visit(360, "s3", "v2"),
        left(400, "s2"),
        call(410, "c1", number_of="s2"),
    )
    assert held(output.visits["s1"]) == ("base", FIRST, 0, 710)  # the one hold of both visits
    assert held(output.visits["s2"]) == ("own", FIRST, 359, 710)
    assert held(output.visits["s3"]) == ("base", SECOND, 360, 660)
    assert (output.calls["c1"]["visit"], output.calls["c1"]["match"]) == ("s2", "frozen")
    assert output.summary["holds_per_number"] == {"mean": 1.0, "max": 1}


def test_a_return_after_the_freeze_gets_the_visitors_own_number(bench: Bench) -> None:
    output = bench.replayed(
        3,
        visit(0, "s1", "v1"),
        visit(1, "s2", "v2"),
        left(2, "s1"),
        left(3, "s2"),
        visit(1000, "s3", "v2"),  # not FIRST, which has been free for longer
        visit(1001, "s4", "v3"),
    )
    assert held(output.visits["s3"]) == ("own", SECOND, 1000, 1300)
    assert held(output.visits["s4"]) == ("site", FIRST, 1001, 1301)


def test_calls_clicks_and_heartbeats_extend_a_hold(bench: Bench) -> None:
    output = bench.replayed(
        3,
        visit(0, "s1", "v1"),
        visit(0, "s2", "v2"),
        visit(0, "s3", "v3"),
        left(10, "s1"),
        left(10, "s2"),
        left(10, "s3"),
        seen(100, "s2", tel_click=True),
        call(309, "c1", number_of="s1"),
        seen(311, "s3"),  # a second too late: the lease is over, and a number is never taken back
    )
    assert output.visits["s1"]["until"] == 609
    assert output.visits["s2"]["until"] == 400
    assert output.visits["s3"]["until"] == 310


def test_events_of_one_instant_are_handled_in_the_order_of_their_lines(bench: Bench) -> None:
    output = bench.replayed(1, visit(5, "s1", "v1"), visit(5, "s2", "v2"))
    assert output.visits["s1"]["rung"] == "base"
    assert output.visits["s2"]["rung"] == "main"


def test_a_call_after_the_number_was_given_on_lists_both_holders(bench: Bench) -> None:
    output = bench.replayed(
        1,
        visit(0, "s1", "v1"),
        left(60, "s1"),
        visit(420, "s2", "v2"),
        call(425, "c1", number_of="s1"),
        call(470, "c2", caller="+447700900002", dialed="020 7946 0001"),
        call(501, "c3", caller="", dialed="+442079460999"),
        call(502, "c4", caller="", dialed="*31#"),
    )
    found = output.calls["c1"]
    assert found["number"] == FIRST
    assert {candidate["visit"] for candidate in found["candidates"]} == {"s1", "s2", None}
    assert sum(candidate["probability"] for candidate in found["candidates"]) == pytest.approx(1)
    assert output.calls["c2"]["number"] == FIRST
    assert (output.calls["c2"]["visit"], output.calls["c2"]["match"]) == ("s2", "live")
    for stray in ("c3", "c4"):
        assert (output.calls[stray]["match"], output.calls[stray]["visit"]) == ("none", None)
        assert output.calls[stray]["candidates"] == [{"visit": None, "probability": 1.0}]


def test_a_caller_who_calls_again_is_known(bench: Bench) -> None:
    output = bench.replayed(
        1,
        visit(0, "s1", "v1"),
        call(40, "c1", number_of="s1"),
        left(60, "s1"),
        call(8000, "c2", number_of="s1"),
    )
    assert (output.calls["c2"]["visit"], output.calls["c2"]["confidence"] > 0.5) == ("s1", True)


def test_how_long_a_call_lasted_and_where_visitors_are_is_weighed(bench: Bench) -> None:
    events = visit(0, "s1", "v1", region="GB-LND"), left(60, "s1"), visit(420, "s2", "v2", region="FR-IDF")

    def confidence(**told: Any) -> float:
        line = bench.replayed(1, *events, call(470, "c1", number_of="s2") | told).calls["c1"]
        return next(one["probability"] for one in line["candidates"] if one["visit"] == "s2")

    assert confidence(talk=5) < confidence() == confidence(talk=None) < confidence(talk=180)


def test_who_was_meant_never_reaches_the_attribution(bench: Bench) -> None:
    before = visit(0, "s1", "v1"), left(60, "s1"), visit(420, "s2", "v2")
    lines = {
        str(bench.replayed(1, *before, call(430, "c1", **dials)).calls["c1"])
        for dials in ({"number_of": "s1"}, {"number_of": "s2"}, {"dialed": FIRST})
    }
    assert len(lines) == 1


def test_display_rules_and_pools_are_the_sites(bench: Bench) -> None:
    bench.config.write_text(CONFIG + LEEDS, encoding="utf-8")
    output = bench.replayed(
        1,
        visit(0, "s1", "v1", url="https://shop.example/?utm_source=leaflet&utm_medium=print"),
        visit(0, "s2", "v2", url="https://shop.example/", referrer="https://news.example/", region="GB-LDS"),
        visit(0, "s3", "v3", url="https://shop.example/", region="GB-LND"),
    )
    assert output.visits["s1"]["rung"] == "main"
    assert output.visits["s2"]["rung"] == output.visits["s3"]["rung"] == "base"
    assert output.visits["s2"]["number"] != output.visits["s3"]["number"]
    assert output.summary["coverage"] == 1.0  # the leaflet's visit wanted no number
    assert output.summary["holds_per_number"] == {"mean": 1.0, "max": 1}  # one number in each pool


def test_the_freeze_can_be_overridden(bench: Bench) -> None:
    events = visit(0, "s1", "v1"), left(40, "s1")
    assert bench.replayed(1, *events).visits["s1"]["until"] == 340
    output = bench.replayed(1, *events, options=("--freeze-minutes", "0.5"))
    assert output.visits["s1"]["until"] == 70
    assert output.summary["freeze_minutes"] == 0.5


def test_extension_hosts_and_reserve_numbers_come_from_a_file(bench: Bench) -> None:
    numbers = bench.folder / "more.csv"
    numbers.write_text(
        "number,kind,site,channel\n+441134960001,extension,shop,\n+441134960002,reserve,shop,\n"
        "+441134960003,static,shop,Leaflet\n",
        encoding="utf-8",
    )
    text = bench.config.read_text(encoding="utf-8").replace('show = "main"', 'show = "static"')
    bench.config.write_text(text, encoding="utf-8")
    events = (
        visit(0, "s1", "v1"),
        visit(1, "s2", "v2"),
        visit(2, "s3", "v3", url="https://shop.example/?utm_source=leaflet"),
        call(60, "c1", number_of="s2"),
        call(61, "c2", number_of="s3"),
        call(62, "c3", dialed="+441134960001"),
        visit(70, "s4", "v2"),
    )
    output = bench.replayed(1, *events, options=("--numbers-file", str(numbers)))
    first = bench.out.read_bytes()
    row = output.visits["s2"]
    assert (row["rung"], row["number"], len(str(row["extension"]))) == ("extension", "+441134960001", 4)
    assert (output.visits["s4"]["rung"], output.visits["s4"]["extension"]) == ("extension", row["extension"])
    assert output.visits["s3"]["rung"] == "static"
    assert (output.calls["c1"]["match"], output.calls["c1"]["visit"]) == ("extension", "s2")
    assert (output.calls["c2"]["match"], output.calls["c2"]["visit"]) == ("static", None)
    assert output.calls["c3"]["match"] == "none"
    assert output.summary["blocking"]["extension"] == pytest.approx(2 / 3, abs=1e-6)
    bench.replayed(1, *events, options=("--numbers-file", str(numbers)))
    assert bench.out.read_bytes() == first


def test_the_documented_trace_is_one(bench: Bench) -> None:
    text = Path("docs/replay.md").read_text(encoding="utf-8")
    bench.trace.write_text(text.split("```json\n")[1].split("```")[0], encoding="utf-8")
    assert bench.invoke("--numbers", "2", "--out", str(bench.out)).exit_code == 0
    output = output_of(bench.out)
    assert held(output.visits["s1"]) == ("base", FIRST, 0, 395)  # the last call was at 95
    assert [(row["match"], row["visit"]) for row in output.calls.values()] == [
        ("frozen", "s1"),
        ("frozen", "s1"),
    ]
