"""One replay from trace to output."""

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol

from pool.importer import ImportRefused, NumbersFileError
from pool.instants import HOUR, Instant
from pool.numbers import NumberKind
from router.config import Config
from router.replay.numbers import invented
from router.replay.tally import Tally
from router.replay.trace import CallEvent, SignEvent, TraceSize, VisitEvent, read_trace
from router.replay.virtual import Answered, Held, VirtualRouter

TELL_EVERY = 2_000


class Scenario(NamedTuple):
    """What is replayed: a trace under a configuration, with so many numbers in each pool it draws from.

    `freeze_minutes` None: what each site says. `numbers_file`: more numbers (static, reserve, extension
    hosts) in the format of `leaseline numbers import`.
    """

    trace: Path
    config: Config
    numbers: int
    freeze_minutes: float | None = None
    numbers_file: Path | None = None


class BadNumbersFile(ValueError):
    """The file of further numbers cannot be imported: the message says which and why."""


class Sink(Protocol):
    """Where the output goes, line by line."""

    def __call__(self, line: dict[str, Any], /) -> None: ...


Told = Callable[[int], None]


async def replay(scenario: Scenario, size: TraceSize, write: Sink | None, told: Told) -> dict[str, Any]:
    """Replays the trace and gives the summary. `size` is the trace's (trace.measured).

    `write` gets every line of the output: calls in their order, then visits in theirs, then the summary.
    `told` hears how many events are done, now and then. The same scenario gives the same lines. Raises
    TraceError, TooFewNumbers, BadNumbersFile, OSError.
    """
    minutes = scenario.freeze_minutes
    freeze_seconds = None if minutes is None else max(1, round(minutes * 60))
    router = VirtualRouter(scenario.config, freeze_seconds)
    try:
        await router.open()
        in_all = await _add_numbers(router, scenario, size)
        tally, visits = await _play(router, scenario, write, told)
        if write is not None:
            for held in visits:
                write(visit_line(held, router.until(held)))
        freezes = {router.freeze_seconds(site) / 60 for site in size.sites}
        summary = tally.summary(
            numbers=scenario.numbers,
            in_all=in_all,
            freeze_minutes=_plain(freezes.pop()) if len(freezes) == 1 else None,
            hours=(size.last_at - size.first_at) / HOUR,
        )
        if write is not None:
            write({"summary": summary})
        return summary
    finally:
        await router.close()


async def _play(
    router: VirtualRouter, scenario: Scenario, write: Sink | None, told: Told
) -> tuple[Tally, list[Held]]:
    tally = Tally()
    visits: list[Held] = []
    done = 0
    for done, event in enumerate(read_trace(scenario.trace, _sites(scenario.config)), 1):
        match event:
            case VisitEvent():
                held, lease = await router.visit(event)
                tally.add_visit(held, lease)
                if write is not None:
                    visits.append(held)
            case SignEvent():
                await router.sign(event)
            case CallEvent():
                answered = await router.call(event)
                tally.add_call(answered)
                if write is not None and answered is not None:
                    write(call_line(answered))
        if done % TELL_EVERY == 0:
            told(done)
    told(done)
    return tally, visits


def _sites(config: Config) -> set[str]:
    return {site.key for site in config.site}


async def _add_numbers(router: VirtualRouter, scenario: Scenario, size: TraceSize) -> int:
    """Fills the pools that the trace's sites draw from; gives how many dynamic numbers they have then."""
    config = scenario.config
    router.now = size.first_at
    pools = invented(config, [site for site in config.site if site.key in size.sites], scenario.numbers)
    with TemporaryDirectory(prefix="leaseline-replay-") as folder:
        path = Path(folder) / "numbers.csv"
        await asyncio.to_thread(_write_numbers, path, pools)
        await _import(router, path, config)
    if scenario.numbers_file is not None:
        try:
            await _import(router, scenario.numbers_file, config)
        except (ImportRefused, NumbersFileError) as error:
            raise BadNumbersFile(f"{scenario.numbers_file}: {error}") from error
    await router.fix_codes()
    states = (await router.pool.status(router.now)).states
    return sum(sum(counts.values()) for counts in states.values())


async def _import(router: VirtualRouter, path: Path, config: Config) -> None:
    await router.pool.import_csv(path, router.now, default_country=config.asterisk.country)


def _write_numbers(path: Path, pools: dict[str, list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("number", "kind", "pool"))
        for pool, numbers in pools.items():
            writer.writerows((number, NumberKind.DYNAMIC.value, pool) for number in numbers)


def call_line(answered: Answered) -> dict[str, Any]:
    """A call's line of the output. A candidate whose visit is null is "none of them"."""
    cdr = answered.cdr
    return {
        "call": cdr["linkedid"],
        "number": cdr["number"],
        "match": cdr["match"],
        "visit": answered.visit,
        "confidence": cdr["confidence"],
        "candidates": [
            {"visit": visit, "probability": probability} for visit, probability in answered.candidates
        ],
    }


def visit_line(held: Held, until_at: Instant) -> dict[str, Any]:
    """A visit's line of the output: `from` as the trace writes it, `until` in the same seconds."""
    return {
        "visit": held.visit,
        "rung": held.rung.value,
        "number": held.number,
        "extension": held.extension,
        "from": held.seconds,
        "until": _plain(until_at / 1000),
    }


def _plain(number: float) -> float:
    """12 rather than 12.0."""
    return int(number) if number == int(number) else number


def line_of(row: dict[str, Any]) -> str:
    """One line of NDJSON, without its newline."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
