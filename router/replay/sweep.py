"""The same trace under many sizes and freezes."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import cpu_count
from typing import Any, NamedTuple

from router.replay.run import Scenario, replay
from router.replay.trace import TraceSize

LONGEST_FREEZE_MINUTES = 31 * 24 * 60
MOST_NUMBERS = 1_000_000
FALL_COLUMNS = ("to_extension", "to_reserve", "to_main")
MATCH_COLUMNS = ("live", "frozen", "extension", "returning", "late", "static", "reserve", "none")
COLUMNS = (
    "numbers", "freeze_minutes", "visits", "calls", "coverage", "blocked",
    *FALL_COLUMNS, *MATCH_COLUMNS, "confidence",
)  # fmt: skip


class BadSweep(ValueError):
    """A sweep is given as numbers=50,100,200 and freeze=5,15,30 (minutes), either or both."""


class Sweep(NamedTuple):
    """The values to try; None: the scenario's own."""

    numbers: tuple[int, ...] | None = None
    freeze: tuple[float, ...] | None = None


def parsed(parts: Sequence[str]) -> Sweep:
    """The sweep that the words of the command line describe. Raises BadSweep."""
    sweep = Sweep()
    for part in parts:
        name, _, values = part.partition("=")
        if name not in Sweep._fields or getattr(sweep, name) is not None:
            raise BadSweep(f"{part!r}: numbers=50,100,200 or freeze=5,15,30 is expected, each once")
        try:
            if name == "numbers":
                sweep = sweep._replace(numbers=tuple(int(value) for value in values.split(",")))
            else:
                sweep = sweep._replace(freeze=tuple(float(value) for value in values.split(",")))
        except ValueError:
            raise BadSweep(f"{part!r}: figures separated by commas are expected") from None
    if not all(0 <= count <= MOST_NUMBERS for count in sweep.numbers or ()):
        raise BadSweep(f"numbers: 0 to {MOST_NUMBERS} are allowed")
    if not all(0 < minutes <= LONGEST_FREEZE_MINUTES for minutes in sweep.freeze or ()):
        raise BadSweep(f"freeze: more than 0 and at most {LONGEST_FREEZE_MINUTES} minutes are allowed")
    return sweep


def scenarios(first: Scenario, sweep: Sweep) -> list[Scenario]:
    """`first` with each combination of the sweep's values."""
    sizes = sweep.numbers or (first.numbers,)
    freezes = sweep.freeze or (first.freeze_minutes,)
    return [
        first._replace(numbers=numbers, freeze_minutes=minutes)
        for numbers, minutes in itertools.product(sizes, freezes)
    ]


def run_all(wanted: Sequence[Scenario], size: TraceSize, done: Callable[[], None]) -> list[dict[str, Any]]:
    """Each scenario's summary, in order; as many at once as there are processors."""
    workers = min(len(wanted), cpu_count() or 1)
    if workers <= 1:
        return [_counted(summary, done) for summary in (_summary(one, size) for one in wanted)]
    # Threads of this process would not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        summaries = processes.map(_summary, wanted, itertools.repeat(size))
        return [_counted(summary, done) for summary in summaries]


def _counted(summary: dict[str, Any], done: Callable[[], None]) -> dict[str, Any]:
    done()
    return summary


def _summary(scenario: Scenario, size: TraceSize) -> dict[str, Any]:
    return asyncio.run(replay(scenario, size, None, lambda _: None))


def rows(summaries: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row of COLUMNS per summary: shares of visits for the falls, of calls for the matches."""
    for summary in summaries:
        calls = summary["calls"]
        coverage = summary["coverage"]
        yield {
            **{name: summary[name] for name in ("numbers", "freeze_minutes", "visits", "calls", "coverage")},
            "blocked": None if coverage is None else round(1 - coverage, 6),
            **{f"to_{rung}": share for rung, share in summary["blocking"].items()},
            **{
                match: round(count / calls, 6) if calls else None
                for match, count in summary["matches"].items()
            },
            "confidence": summary["mean_confidence"],
        }


def readable(found: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows with per cent, and the columns without falls and matches that never happened."""
    seldom = {*FALL_COLUMNS, *MATCH_COLUMNS}
    columns = [name for name in COLUMNS if name not in seldom or any(row[name] for row in found)]
    shares = {"coverage", "blocked", *seldom, "confidence"}
    return [
        {name: _per_cent(value) if name in shares else value for name, value in row.items()} for row in found
    ], columns


def _per_cent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
