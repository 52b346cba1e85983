"""`GET /api/v1/reports/{dimension}`: reports as JSON, CSV or Parquet."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field

from pool.database import Database
from pool.instants import now
from router.config.live import LiveConfig
from router.reports import DIMENSIONS, Filters, Query, Report, Reports, period
from router.reports.answer import ReportAnswer, columns_of, entry_of, flat_rows, head_of
from router.reports.measures import COLUMNS
from router.reports.names import NAMES
from router.reports.periods import PERIODS, BadPeriod, today_in
from router.reports.query import COMPARISONS, DEFAULT_ROWS, MOST_ROWS, ORDERS
from router.schema import Word
from router.spreadsheet import csv_lines
from router.web.openapi.operation import Answer, Parameter, Text, described
from router.web.problems import Problem, field_problem

FILTERS: Final = tuple(Filters.__dataclass_fields__)
TYPES: Final[Mapping[str, str]] = {"json": "application/json", "csv": "text/csv"}
CHUNK: Final = 200
_PARAMETERS: Final = ("period", "site", "model", "compare", "rows", "order", "format", *FILTERS)


ModelName = Literal["first", "last", "last_non_direct", "linear", "last-non-direct"]
RowCount = Annotated[int, Field(ge=1, le=MOST_ROWS)]
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
    *(Parameter(name, Word, f"Only calls with this {name.replace('_', ' ')}.") for name in FILTERS),
)


class ReportPages:
    """The handler."""

    def __init__(self, live: LiveConfig, database: Database) -> None:
        self._reports = Reports(database, lambda: live.current)
        self._live = live

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
        form = request.query.get("format") or "json"
        query = self._query(request, dimension)
        if form not in TYPES:
            raise field_problem("format", f"takes {', '.join(TYPES)}")
        return await _answer(request, await self._reports.make(query), form)

    def _query(self, request: web.Request, dimension: str) -> Query:
        asked = request.query
        for name in asked:
            if name not in _PARAMETERS:
                raise field_problem(name, f"unknown parameter; known are {', '.join(_PARAMETERS)}")
            if not asked[name].isprintable():
                raise field_problem(name, "has characters that no such value has")
        site = asked.get("site")
        if site is not None and self._live.current.site_of(site) is None:
            known = ", ".join(one.key for one in self._live.current.site)
            raise field_problem("site", f"no site has this key; there are {known or 'none'}")
        try:
            today = today_in(self._reports.zone_of(site), now())
            chosen = period(asked.get("period") or "28d", today)
        except BadPeriod as error:
            raise field_problem("period", str(error)) from error
        more: dict[str, Any] = {}
        for name, known_values in (("compare", COMPARISONS), ("order", ORDERS)):
            if name in asked and asked[name] not in known_values:
                raise field_problem(name, f"takes {', '.join(filter(None, known_values))}")
            if name in asked:
                more[name] = asked[name]
        filters = Filters(**{name: asked[name] for name in FILTERS if name in asked})
        try:
            return Query(
                dimension,
                chosen,
                site,
                model=_model(asked.get("model") or "last"),
                filters=filters,
                rows=_rows(asked.get("rows")),
                **more,
            )
        except ValueError as error:
            field, _, message = str(error).partition(": ")
            raise field_problem(field, message) from error


def _model(text: str) -> Any:
    return text.replace("-", "_")


def _rows(text: str | None) -> int:
    if text is None:
        return DEFAULT_ROWS
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MOST_ROWS and len(text) <= 9):
        raise field_problem("rows", f"takes a whole number from 1 to {MOST_ROWS}")
    return int(text)


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
