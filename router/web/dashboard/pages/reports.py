"""Reports: channels with their charts, every other dimension, agents. All figures are `router.reports`'."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from router.attribution.journey import MODELS
from router.reports import DIMENSIONS, Filters, Query, Report
from router.reports.dimensions import Dimension
from router.reports.measures import Measures
from router.reports.periods import Period as ReportPeriod
from router.reports.query import COMPARISONS
from router.reports.query import Row as ReportRow
from router.web.dashboard.chart import Chart, Line
from router.web.dashboard.page import Asked, Page, Place, Show
from router.web.dashboard.period import NAMED, Period, period_of
from router.web.dashboard.wording import Wording, phone
from router.web.problems import Problem

FILTERS: Final = tuple(Filters.__dataclass_fields__)
NARROWING: Final = ("site", *FILTERS)
ROWS: Final = 100
OF_THE_VISIT: Final = frozenset({"region", "device", "page_called_from"})
"""As sure as the visit is; an agent or an hour is certain, whoever called."""
NEXT: Final[Mapping[str, str]] = {
    "channel": "source",
    "source": "campaign",
    "medium": "campaign",
    "campaign": "term",
}
"""Where a row's link leads: the next dimension, narrowed to the row."""
_MOST_CHARACTERS: Final = 500


def shower(dimension: str = "") -> Show:
    """Shows one dimension; without a name, the one in the address."""

    async def show(asked: Asked) -> Mapping[str, Any]:
        name = dimension or asked.request.match_info["dimension"]
        if name not in DIMENSIONS:
            raise Problem(404, "not-found", "no such report")
        return await _values(asked, DIMENSIONS[name])

    return show


async def _values(asked: Asked, dimension: Dimension) -> dict[str, Any]:
    site = asked.query.get("site") or None
    site = site if site and asked.config.site_of(site) else None
    period = period_of(asked.query, asked.at, asked.reports.zone_of(site), default="30")
    query = _query(asked, dimension.name, period, site)
    report = await asked.reports.make(query)
    days = report if dimension.name == "day" else await asked.reports.make(_by_day(query))
    words = asked.words
    most = max((row.measures.calls for row in report.rows), default=0) or 1
    return {
        "dimension": dimension,
        "dimensions": tuple(DIMENSIONS),
        "period": period,
        "periods": NAMED,
        "query": query,
        "models": MODELS,
        "comparisons": COMPARISONS,
        "report": report,
        "rows": [_shown(asked, report, row, most) for row in report.rows],
        "total": report.total.measures,
        "before": report.total.before,
        "notes": [_note(words, note) for note in report.notes],
        "with_visits": report.total.measures.visits is not None and dimension.of_visits,
        "with_interval": dimension.credited or dimension.name in OF_THE_VISIT,
        "with_costs": bool(report.total.measures.costs),
        "chart": _chart(words, days),
        "narrowed": [
            (name, label(words, asked, name, value), asked.link(**{name: None}))
            for name, value in query.filters.given().items()
        ],
        "tab_link": _tab_link(asked),
        "csv": _csv(query),
    }


def _query(asked: Asked, dimension: str, period: Period, site: str | None) -> Query:
    given = {name: _value(asked, name) for name in FILTERS if name in asked.query}
    model = asked.query.get("model", "")
    compare = asked.query.get("compare", "")
    return Query(
        dimension,
        ReportPeriod(period.first, period.last),
        site,
        model=model if model in MODELS else "last",
        filters=Filters(**given),
        compare=compare if compare in COMPARISONS else "",
        rows=ROWS,
    )


def _by_day(query: Query) -> Query:
    return Query(
        "day",
        query.period,
        query.site,
        model=query.model,
        filters=query.filters,
        compare=query.compare,
        rows=4_000,
    )


def _value(asked: Asked, name: str) -> str:
    text = asked.query.get(name, "")[:_MOST_CHARACTERS]
    return text if text.isprintable() else ""


def label(words: Wording, asked: Asked, dimension: str, key: str | None) -> str:
    """A dimension's value as people read it."""
    if not key:
        unset = "report.nobody" if dimension == "agent" else "report.not_set"
        return words.text("calls.unknown" if key is None else unset)
    if dimension in {"weekday", "device", "result", "match"}:
        return words.name(dimension, key)
    if dimension == "site":
        site = asked.config.site_of(key)
        return site.name if site else key
    written: dict[str, Callable[[str], str]] = {
        "hour": lambda hour: f"{hour}:00",
        "day": lambda day: words.date(date.fromisoformat(day)),
        "number": phone,
    }
    return written.get(dimension, str)(key)


def _shown(asked: Asked, report: Report, row: ReportRow, most: float) -> dict[str, Any]:
    dimension = report.query.dimension
    found = row.measures
    low, high = found.interval(0.95)
    return {
        "label": label(asked.words, asked, dimension, row.key),
        "link": _narrower(asked, dimension, row.key),
        "measures": found,
        "before": row.before,
        "low": low,
        "high": high,
        "share": found.calls / most,
        "low_share": low / most,
        "high_share": high / most,
        "is_sure": high - low < 0.05,
    }


def _narrower(asked: Asked, dimension: str, key: str | None) -> str | None:
    """The next report down, of this row's calls alone; None where a row cannot be filtered by."""
    if key is None or dimension not in FILTERS:
        return None
    kept = {name: value for name, value in asked.query.items() if value and name != dimension}
    to = NEXT.get(dimension, "channel")
    path = "/channels" if to == "channel" else f"/reports/{to}"
    return f"{path}?{urlencode(kept | {dimension: key})}"


def _tab_link(asked: Asked) -> str:
    """What stays when another dimension is looked at."""
    kept = {name: value for name, value in asked.query.items() if value}
    return f"?{urlencode(kept)}" if kept else ""


def _csv(query: Query) -> str:
    wanted = {
        "period": f"{query.period.first}..{query.period.last}",
        "model": query.model,
        "compare": query.compare,
        "site": query.site or "",
        "rows": "100000",
        "format": "csv",
        **query.filters.given(),
    }
    sent = {name: value for name, value in wanted.items() if value}
    return f"/api/v1/reports/{query.dimension}?{urlencode(sent)}"


def _chart(words: Wording, days: Report) -> Chart | None:
    """Calls day by day: answered and not, and the compared period's as a line."""
    period = days.query.period
    if period.days < 2:
        return None
    by_day = {row.key: row for row in days.rows}
    dates = [period.first + timedelta(days=more) for more in range(period.days)]
    rows = [by_day.get(day.isoformat()) for day in dates]
    found = [row.measures if row else Measures() for row in rows]
    lines = [
        Line(words.text("report.answered"), [one.answered for one in found], 1, "bars"),
        Line(words.text("report.missed"), [one.missed for one in found], 2, "bars"),
    ]
    if days.compared is not None:
        shift = days.compared.first - period.first
        earlier = [by_day.get((day + shift).isoformat()) for day in dates]
        values = [row.before.calls if row and row.before else 0.0 for row in earlier]
        lines.append(Line(words.text("report.before"), values, 6))
    labels = [words.date(day, year=False) for day in dates]
    return Chart(words, range(len(dates)), lines, labels, is_time=False)


def _note(words: Wording, note: str) -> str:
    """A report's remark in the reader's language, where the catalogue has it."""
    for key in ("no_visits", "no_unique", "currencies"):
        if note.startswith(_NOTES[key]):
            return words.text(f"report.note.{key}")
    return note


_NOTES: Final = {
    "no_visits": "visits have no ",
    "no_unique": "unique visitors cannot be told",
    "currencies": "costs are in several currencies",
}

CHANNELS: Final = Page(
    path="/channels",
    template="report.html",
    title="report.channels",
    show=shower("channel"),
    place=Place("insight", "channels"),
    scripts=("chart.js",),
)
AGENTS: Final = Page(
    path="/agents",
    template="report.html",
    title="report.agents",
    show=shower("agent"),
    place=Place("insight", "agents"),
    scripts=("chart.js",),
)
OTHERS: Final = Page(
    path="/reports/{dimension}",
    template="report.html",
    title="report.title",
    show=shower(),
    under="/channels",
    scripts=("chart.js",),
)
