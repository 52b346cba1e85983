"""Traffic nobody worked out by hand: against other words for the same rules, and against the promises."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.router.replay.oracle import Oracle
from tests.router.replay.traffic import FIRST, REST, Bench, Output, call, left, output_of, seen, visit

Events = list[dict[str, Any]]


def traffic(seed: int, visits: int = 150) -> Events:
    """Visits with and without heartbeats, returns soon and late, clicks, calls, at quarters of a second."""
    chance = random.Random(seed)
    timed: list[tuple[float, int, dict[str, Any]]] = []

    def later(make: Callable[..., dict[str, Any]], at: float, *words: Any, **more: Any) -> None:
        at = round(at * 4) / 4
        timed.append((at, len(timed), make(at, *words, **more)))

    for place in range(visits):
        name, visitor = f"s{place}", f"v{chance.randrange(visits // 3)}"
        at = chance.uniform(0, 6000)
        later(visit, at, name, visitor)
        for _ in range(chance.randrange(6)):
            at += chance.choice((0, 5, 30, 30, 90, 310))
            later(seen, at, name, tel_click=chance.random() < 0.1)
        if chance.random() < 0.8:
            later(left, at + chance.uniform(0, 40), name)
        if chance.random() < 0.4:
            caller = f"+44770090000{chance.randrange(10)}"
            later(call, at + chance.expovariate(1 / 200), f"c{place}", caller=caller, number_of=name)
        if chance.random() < 0.1:
            later(call, at, f"d{place}", caller="", dialed=f"{FIRST[:-1]}{chance.randrange(1, 10)}")
    return [event for *_, event in sorted(timed, key=lambda one: one[:2])]


def assert_never_two_holders(output: Output, events: Events) -> None:
    """A number is one visitor's at a time, and rests before it is another's. Knows only trace and output."""
    visitor_of = {event["visit"]: event["visitor"] for event in events if event["event"] == "visit"}
    holds = defaultdict(list)
    for row in output.visits.values():
        if row["number"] is not None:
            holds[row["number"]].append((row["from"], row["until"], visitor_of[row["visit"]]))
    assert holds
    for intervals in holds.values():
        for from_at, until_at, visitor in intervals:
            assert from_at < until_at
            for other_from, _, other in intervals:
                assert other == visitor or other_from < from_at or other_from >= until_at + REST


@pytest.mark.parametrize("numbers", [2, 7, 60])
@pytest.mark.parametrize("seed", range(4))
def test_the_output_is_that_of_the_rules_in_other_words(bench: Bench, seed: int, numbers: int) -> None:
    events = traffic(seed)
    output = bench.replayed(numbers, *events)
    pool = [f"{FIRST[:-3]}{place:03}" for place in range(1, numbers + 1)]
    expected = Oracle(pool).play(events)
    found = {
        name: (row["rung"], row["number"], row["from"], row["until"]) for name, row in output.visits.items()
    }
    assert found == expected
    assert_never_two_holders(output, events)
    shown = {name for name, row in output.visits.items() if row["number"] is not None}
    wanted = [event for event in events if event["event"] == "call"]
    assert list(output.calls) == [
        event["call"] for event in wanted if event.get("number_of") is None or event["number_of"] in shown
    ]
    assert output.summary["calls"] + output.summary["calls_left_out"] == len(wanted)
    assert output.summary["visits"] == sum(output.summary["rungs"].values()) == 150


def test_candidates_are_probabilities_and_the_chosen_is_one_of_them(bench: Bench) -> None:
    output = bench.replayed(5, *traffic(9))
    for row in output.calls.values():
        shares = {candidate["visit"]: candidate["probability"] for candidate in row["candidates"]}
        assert None in shares
        assert len(shares) == len(row["candidates"])
        listed = sum(shares.values())
        assert listed == pytest.approx(1, abs=1e-4)
        assert row["confidence"] == shares[row["visit"]]
        assert (row["visit"] is None) == (row["match"] == "none")
        if row["match"] in {"live", "frozen"}:
            assert output.visits[row["visit"]]["number"] == row["number"]


def test_the_same_trace_gives_the_same_bytes(bench: Bench) -> None:
    events = traffic(5)
    bench.replayed(5, *events)
    first = bench.out.read_bytes()
    bench.replayed(5, *events)
    assert bench.out.read_bytes() == first


def test_what_comes_later_changes_no_call_before_it(bench: Bench) -> None:
    events = traffic(6)
    half = events[: len(events) // 2]
    whole, part = bench.replayed(5, *events), bench.replayed(5, *half)
    assert part.calls
    named = {event["visit"] for event in half if event["event"] == "visit"}
    assert list(part.calls.values()) == list(whole.calls.values())[: len(part.calls)]
    assert {name: whole.visits[name]["number"] for name in named} == {
        name: row["number"] for name, row in part.visits.items()
    }


def test_instants_may_be_of_any_epoch_and_any_fraction(bench: Bench) -> None:
    events = [event | {"at": 1_790_000_000.0004 + event["at"]} for event in traffic(7)]
    output = bench.replayed(5, *events)
    assert_never_two_holders(output, events)
    for event in events:
        if event["event"] == "visit":
            assert output.visits[event["visit"]]["from"] == event["at"]
    assert output_of(bench.out) == output
