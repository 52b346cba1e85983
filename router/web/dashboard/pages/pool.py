"""The pools: how full they are and were, what visits fell back to, and what other sizes would give."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pool.inventory import PoolStatus
from pool.leases import EXCLUSIVE_RUNGS, Rung
from pool.occupancy import Occupancy, occupancy
from pool.sizing import blocking, sizes_around, wanted_numbers
from pool.traffic import Offered, offered
from router.pool_watch import alerts, pressures
from router.web.dashboard.chart import Chart, Line
from router.web.dashboard.page import Asked, Page, Place
from router.web.dashboard.wording import Wording

SPANS: Final[Mapping[str, tuple[int, int]]] = {"24h": (24, 900), "7d": (168, 3_600), "30d": (720, 14_400)}
"""Hours, and seconds from one point to the next."""
RUNGS: Final = tuple(rung for rung in Rung if rung is not Rung.STATIC)
STATES: Final = ("free", "live", "frozen", "resting")
MEASURED_DAYS: Final = 7
TARGETS: Final = (0.001, 0.01, 0.02, 0.05)
_MOST_VISITS: Final = 1e6


class Wanted(NamedTuple):
    """What the what-if table is made for."""

    visits_per_hour: float
    hold_minutes: float
    target: float


async def show(asked: Asked) -> Mapping[str, Any]:
    """One pool in full, all in short."""
    status = await asked.parts.pool.status(asked.at)
    span = asked.query.get("span", "24h")
    hours, step = SPANS.get(span, SPANS["24h"])
    named = sorted({pool for pool, _ in status.states} | {pool for _, pool in status.served})
    chosen = asked.query.get("pool", "")
    chosen = chosen if chosen in named else (named[0] if named else "")
    found = (await occupancy(asked.parts.database, asked.at, hours=hours, step_seconds=step)).get(chosen)
    present = _total(status, chosen)
    rest = asked.config.pool.rest_seconds
    traffic = await offered(asked.parts.database, asked.at, days=MEASURED_DAYS, rest_seconds=rest)
    return {
        "pools": [_in_short(status, pool) for pool in named],
        "chosen": chosen,
        "span": span if span in SPANS else "24h",
        "spans": tuple(SPANS),
        "states": STATES,
        "sites": _by_site(status, chosen),
        "present": present,
        "charts": _charts(asked.words, found, present) if found else None,
        "served": _served(status, chosen),
        "alerts": list(alerts(asked.config, pressures(asked.config, status))),
        "sizing": _sizing(asked, [one for one in traffic if one.pool == chosen], present),
        "targets": TARGETS,
        "retired": status.retired,
    }


def _total(status: PoolStatus, pool: str) -> int:
    return sum(sum(states.values()) for (name, _), states in status.states.items() if name == pool)


def _in_short(status: PoolStatus, pool: str) -> dict[str, Any]:
    states = {
        state: sum(counts.get(state, 0) for (name, _), counts in status.states.items() if name == pool)
        for state in STATES
    }
    total = sum(states.values())
    return {"name": pool, "total": total, "use": 1 - states["free"] / total if total else None, **states}


def _by_site(status: PoolStatus, pool: str) -> list[dict[str, Any]]:
    return [
        {"site": site, **{state: counts.get(state, 0) for state in STATES}, "total": sum(counts.values())}
        for (name, site), counts in sorted(status.states.items())
        if name == pool
    ]


def _served(status: PoolStatus, pool: str) -> dict[str, Any]:
    counts = {
        rung: sum(found.get(rung, 0) for (_, name), found in status.served.items() if name == pool)
        for rung in RUNGS
    }
    total = sum(counts.values())
    own = sum(count for rung, count in counts.items() if rung in EXCLUSIVE_RUNGS)
    return {
        "rungs": [
            {
                "rung": rung.value,
                "slots": count,
                "share": count / total if total else 0.0,
                "own": rung in EXCLUSIVE_RUNGS,
            }
            for rung, count in counts.items()
        ],
        "total": total,
        "coverage": own / total if total else None,
    }


def _charts(words: Wording, found: Occupancy, present: int) -> dict[str, Chart]:
    x = [at // 1000 for at in found.instants]
    labels = [words.when(at) for at in found.instants]
    hours = sorted(found.served)
    fallen = (Rung.EXTENSION, Rung.RESERVE, Rung.MAIN)
    own = [sum(found.served[at].get(rung, 0) for rung in (Rung.OWN, Rung.SITE, Rung.BASE)) for at in hours]
    bars = [Line(words.text("pool.own"), own, 1, "bars")]
    for colour, rung in enumerate(fallen, 2):
        values = [found.served[at].get(rung, 0) for at in hours]
        if any(values):
            bars.append(Line(words.text(f"rung.{rung.value}"), values, colour, "bars"))
    return {
        "held": Chart(
            words,
            x,
            [
                Line(words.text("pool.held"), found.held, 1, "area"),
                Line(words.text("pool.size"), [present] * len(x), 6),
            ],
            labels,
        ),
        "served": Chart(words, [at // 1000 for at in hours], bars, [words.when(at) for at in hours]),
    }


def _sizing(asked: Asked, traffic: Sequence[Offered], present: int) -> dict[str, Any]:
    """The table by Erlang's B; what is not given is the measured busy hour's."""
    known = [one for one in traffic if one.load is not None]
    measured = sum(one.visits_per_hour for one in known)
    load = sum(one.load or 0.0 for one in known)
    minutes = load * 60 / measured if measured else 0.0
    wanted = Wanted(
        _number(asked, "visits", measured, _MOST_VISITS),
        _number(asked, "minutes", minutes, 1_440),
        _number(asked, "blocking", 0.01, 0.5) or 0.01,
    )
    load = min(wanted.visits_per_hour * wanted.hold_minutes / 60, 20_000)
    needed = wanted_numbers(load, wanted.target) if load else 0
    return {
        "wanted": wanted,
        "load": load,
        "needed": needed,
        "is_measured": bool(known),
        "now": blocking(present, load) if load else None,
        "rows": sizes_around(load, needed, present) if load else [],
    }


def _number(asked: Asked, name: str, default: float, most: float) -> float:
    try:
        found = float(asked.query.get(name, "").replace(",", "."))
    except ValueError:
        return default
    return found if 0 <= found <= most else default


PAGE: Final = Page(
    path="/pool",
    template="pool.html",
    title="pool.title",
    show=show,
    place=Place("numbers", "pool"),
    scripts=("chart.js",),
)
