"""Today at a glance: calls against the same hours of other days, channels, pools, and what needs a look."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from router.pool_watch import alerts, pressures
from router.reports import Query, Report
from router.reports.measures import Measures
from router.reports.periods import Period as ReportPeriod
from router.store.calls import CallFilter, CallStore
from router.store.deliveries import DeliveryStore
from router.web.dashboard.chart import Chart, Line
from router.web.dashboard.page import Asked, Page, Place
from router.web.dashboard.pages.reports import label
from router.web.dashboard.period import period_of
from router.web.dashboard.wording import Wording

LATEST: Final = 8
CHANNELS: Final = 6
FIGURES: Final = ("calls", "answered", "missed", "qualified", "first_time")
STATES: Final = ("free", "live", "frozen", "resting")


async def show(asked: Asked) -> Mapping[str, Any]:
    """All sites together, in the time zone that they share."""
    zone = asked.reports.zone_of(None)
    period = period_of({}, asked.at, zone, default="today")
    today, hour = period.first, datetime.fromtimestamp(asked.at / 1000, zone).hour
    found, yesterday, last_week = [
        await asked.reports.make(_hours(today - timedelta(days=days))) for days in (0, 1, 7)
    ]
    channels = await asked.reports.make(Query("channel", ReportPeriod(today, today), rows=CHANNELS))
    records, _ = await CallStore(asked.parts.database).page(
        replace(CallFilter(), since=period.since, until=period.until), most=LATEST
    )
    return {
        "period": period,
        "hour": f"{hour:02}:00",
        "weekday": asked.words.text(f"weekday.{today.isoweekday()}"),
        "total": found.total.measures,
        "yesterday": _until(yesterday, hour),
        "last_week": _until(last_week, hour),
        "figures": FIGURES,
        "chart": _chart(asked.words, found, last_week),
        "channels": _channels(asked, channels),
        "latest": [json.loads(record) for record in records],
        "live": await _live(asked),
        **await _numbers(asked),
        "troubles": await _troubles(asked),
    }


def _hours(day: date) -> Query:
    return Query("hour", ReportPeriod(day, day), rows=24)


def _until(report: Report, hour: int) -> dict[str, float]:
    """The figures of the hours before `hour`."""
    found = [row.measures for row in report.rows if row.key is not None and int(row.key) < hour]
    return {name: sum(getattr(one, name) for one in found) for name in FIGURES}


def _chart(words: Wording, today: Report, last_week: Report) -> Chart:
    found, before = (
        {int(row.key): row.measures for row in report.rows if row.key is not None}
        for report in (today, last_week)
    )
    hours = range(24)
    lines = [
        Line(words.text("report.answered"), [_of(found, hour).answered for hour in hours], 1, "bars"),
        Line(words.text("report.missed"), [_of(found, hour).missed for hour in hours], 2, "bars"),
        Line(words.text("today.week_ago"), [_of(before, hour).calls for hour in hours], 6),
    ]
    return Chart(words, list(hours), lines, [f"{hour:02}:00" for hour in hours], is_time=False)


def _of(found: Mapping[int, Measures], hour: int) -> Measures:
    return found.get(hour, Measures())


def _channels(asked: Asked, report: Report) -> list[dict[str, Any]]:
    most = max((row.measures.calls for row in report.rows), default=0) or 1
    return [
        {
            "label": label(asked.words, asked, "channel", row.key),
            "calls": row.measures.calls,
            "visitors": row.measures.visitors,
            "share": row.measures.calls / most,
        }
        for row in report.rows
    ]


async def _live(asked: Asked) -> int | None:
    view = asked.parts.view
    if view is None:
        return None
    with view.watching():
        await view.look()
        return len(view.snapshot.calls)


async def _numbers(asked: Asked) -> dict[str, Any]:
    status = await asked.parts.pool.status(asked.at)
    total = {state: status.total(state) for state in STATES}
    count = sum(total.values())
    return {
        "numbers": count,
        "use": 1 - total["free"] / count if count else None,
        "coverage": status.coverage,
        "alerts": list(alerts(asked.config, pressures(asked.config, status))),
    }


async def _troubles(asked: Asked) -> dict[str, Any]:
    """What needs a look: parts that are not ready, deliveries given up, destinations that are disabled."""
    store = DeliveryStore(asked.parts.database)
    configured = {table.name for table in asked.config.delivery}
    rows = await store.waiting() if configured else []
    dead = sum(int(row["deliveries"]) for row in rows if row["state"] == "dead")
    standings = await store.standings() if configured else {}
    return {
        "parts": [(name, state) for name, check in asked.checks.items() if not (state := check()).ready],
        "dead": dead,
        "disabled": [name for name, one in standings.items() if one.disabled_at and name in configured],
    }


PAGE: Final = Page(
    path="/",
    template="today.html",
    title="today.title",
    show=show,
    place=Place("now", "today"),
    scripts=("chart.js",),
)
