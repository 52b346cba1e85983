"""`GET /api/v1/reports/{dimension}`: reports as JSON, CSV or Parquet."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field

from pool.database import Database
from pool.instants import now
from pool.service import Pool
from router.config.live import LiveConfig
from router.reports import DIMENSIONS, Filters, Period, Query, Report, Reports, period
from router.reports.answer import ReportAnswer, columns_of, entry_of, flat_rows, head_of
from router.reports.measures import COLUMNS
from router.reports.names import NAMES
from router.reports.periods import PERIODS, BadPeriod, today_in
from router.reports.pool import PoolAnswer, pool_report
from router.reports.query import DEFAULT_ROWS, MOST_ROWS
from router.schema import Value, Word, whole
from router.spreadsheet import csv_lines
from router.web.openapi.operation import JSON, Answer, Parameter, Text, described
from router.web.problems import Problem, field_problem
from router.web.query import read

FILTERS: Final = tuple(Filters.__dataclass_fields__)
TYPES: Final[Mapping[str, str]] = {"json": "application/json", "csv": "text/csv"}
CHUNK: Final = 200

ModelName = Literal["first", "last", "last_non_direct", "linear", "last-non-direct"]
RowCount = whole(1, MOST_ROWS)
PeriodName = Annotated[
    str, Field(pattern=rf"^({'|'.join(PERIODS)}|\d{{4}}-\d\d(-\d\d(\.\.\d{{4}}-\d\d-\d\d)?)?)$")
]
_DIMENSION: Final = Parameter("dimension", str, f"One of {', '.join(sorted(NAMES))}.", "channels")
_QUERY: Final = (
    Parameter("period", PeriodName, f"{', '.join(PERIODS)}, a month, a day, or two days.", "28d"),
    Parameter("site", Word, "The site's key."),
    Parameter("model", ModelName, "Which visit is credited with a call; `last` if not given."),
    Parameter("compare", Literal["previous", "year"], "Also the figures of an earlier period."),
    Parameter("rows", RowCount, f"So many rows, {DEFAULT_ROWS} if not given.", 100),
    Parameter("order", Literal["calls", "qualified", "visits", "key"], "Rows by that, the largest first."),
    Parameter("format", Literal["json", "csv"]),
    *(
        Parameter(name, Value, f"Only calls with this {name.replace('_', ' ')}; empty: with none.")
        for name in FILTERS
    ),
)

_POOL_QUERY: Final = (*_QUERY[:2], Parameter("pool", Word, "Only this pool."))


class ReportPages:
    """The handler."""

    def __init__(self, live: LiveConfig, database: Database, pool: Pool) -> None:
        self._reports = Reports(database, lambda: live.current)
        self._live = live
        self._pool = pool

    @described(
        "reports",
        path=[_DIMENSION],
        query=_QUERY,
        answers={
            200: Answer(
                "The report.",
                {
                    TYPES["json"]: ReportAnswer,
                    TYPES["csv"]: Text(
                        f"With a header: the dimension, label, {', '.join(COLUMNS)}; "
                        "with a comparison also before_… of each figure."
                    ),
                },
            )
        },
        problems={400: ["invalid-request"], 404: ["unknown-report"]},
    )
    async def report(self, request: web.Request) -> web.StreamResponse:
        """One report."""
        name = request.match_info["dimension"]
        dimension = NAMES.get(name, name)
        if dimension not in DIMENSIONS:
            raise Problem(404, "unknown-report", f"no such report; there are {', '.join(sorted(NAMES))}")
        asked = read(request.query, _QUERY)
        query, form = self._query(asked, dimension), asked.get("format") or "json"
        return await _answer(request, await self._reports.make(query), form)

    @described(
        "reports",
        query=_POOL_QUERY,
        answers={200: JSON(PoolAnswer)},
        problems={400: ["invalid-request"]},
    )
    async def pool(self, request: web.Request) -> web.Response:
        """What visits were served, hour by hour, and how full the pools were."""
        asked = read(request.query, _POOL_QUERY)
        site, chosen = self._site_and_period(asked)
        zone = self._reports.zone_of(site)
        found = await pool_report(
            self._pool,
            chosen,
            zone,
            at=now(),
            keep_days=self._live.current.privacy.keep_visits_days,
            site=site,
            pool=asked.get("pool"),
        )
        return web.json_response(found)

    def _site_and_period(self, asked: Mapping[str, Any]) -> tuple[str | None, Period]:
        site = asked.get("site")
        if site is not None and self._live.current.site_of(site) is None:
            known = ", ".join(one.key for one in self._live.current.site)
            raise field_problem("site", f"no site has this key; there are {known or 'none'}")
        try:
            today = today_in(self._reports.zone_of(site), now())
            return site, period(asked.get("period") or "28d", today)
        except BadPeriod as error:
            raise field_problem("period", str(error)) from error

    def _query(self, asked: Mapping[str, Any], dimension: str) -> Query:
        site, chosen = self._site_and_period(asked)
        more = {name: asked[name] for name in ("compare", "order") if name in asked}
        filters = Filters(**{name: asked[name] for name in FILTERS if name in asked})
        try:
            return Query(
                dimension,
                chosen,
                site,
                model=_model(asked.get("model") or "last"),
                filters=filters,
                rows=asked.get("rows", DEFAULT_ROWS),
                **more,
            )
        except ValueError as error:
            field, _, message = str(error).partition(": ")
            raise field_problem(field, message) from error


def _model(text: str) -> Any:
    return text.replace("-", "_")


async def _answer(request: web.Request, report: Report, form: str) -> web.StreamResponse:
    """Streamed in small pieces, so that a long report keeps nobody waiting."""
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    response.content_type = TYPES[form]
    response.charset = "utf-8"
    if form == "csv":
        name = f"{report.query.dimension}-{report.query.period.first}-{report.query.period.last}.csv"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    await response.prepare(request)
    if form == "csv":
        columns = columns_of(report)
        lines: list[str] = []
        for line in csv_lines(flat_rows(report), columns):
            lines.append(line)
            if len(lines) == CHUNK:
                await response.write("".join(lines).encode())
                lines.clear()
        await response.write("".join(lines).encode())
        return response
    head = json.dumps(head_of(report), ensure_ascii=False)
    await response.write(f'{head[:-1]}, "rows": ['.encode())
    for start in range(0, len(report.rows), CHUNK):
        entries = [
            json.dumps(entry_of(row), ensure_ascii=False) for row in report.rows[start : start + CHUNK]
        ]
        await response.write((", " if start else "").encode() + ",\n".join(entries).encode())
    await response.write(b"]}")
    return response
