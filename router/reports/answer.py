"""A report as one JSON object, or as rows of columns: what the API and the CLI give out."""

from collections.abc import Iterator
from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from router.attribution.journey import Model
from router.reports.measures import COLUMNS, Measures
from router.reports.periods import Period
from router.reports.query import Report, Row
from router.schema import Count, Seconds, Share

Amount = Annotated[float, Field(json_schema_extra={"minimum": 0})]
"""Calls, which need not be whole, or money."""


class Figures(TypedDict):
    """A row's figures; null is "not known". docs/reports.md defines each."""

    visits: Count | None
    visitors: Count | None
    unique_visitors: Count | None
    new_visitors: Count | None
    visits_with_number: Count | None
    visits_shown: Count | None
    coverage: Share | None
    callers: Amount | None
    callers_estimated: bool
    calls: Amount
    answered: Amount
    missed: Amount
    blocked: Amount
    qualified: Amount
    first_time: Amount
    conversion: Amount | None
    expected: Amount
    expected_low_80: Amount
    expected_high_80: Amount
    expected_low_95: Amount
    expected_high_95: Amount
    ring_answered_seconds: Seconds
    mean_ring_answered_seconds: Seconds | None
    ring_missed_seconds: Seconds
    mean_ring_missed_seconds: Seconds | None
    talk_seconds: Seconds
    mean_talk_seconds: Seconds | None
    cost: Amount | None
    currency: str | None
    cost_per_call: Amount | None
    cost_per_qualified: Amount | None


class Entry(Figures):
    """One row. `key` null: nobody knows; "": there is none. `before`: of the compared period."""

    key: str | None
    label: str
    before: NotRequired[Figures]


class Span(TypedDict):
    """Days, the last included."""

    first: str
    last: str


class ReportAnswer(TypedDict):
    """A report. `left_off`: rows that are not listed; the total is of all. `notes` must be read."""

    dimension: str
    period: Span
    compared: Span | None
    site: str | None
    model: Model
    filters: dict[str, str]
    made_of: str
    notes: list[str]
    left_off: Count
    total: Entry
    rows: list[Entry]


def columns_of(report: Report) -> tuple[str, ...]:
    """The columns of a report's rows; with a comparison, `before_…` too."""
    compared = tuple(f"before_{name}" for name in COLUMNS) if report.compared else ()
    return (report.query.dimension, "label", *COLUMNS, *compared)


def flat_rows(report: Report) -> Iterator[dict[str, Any]]:
    """The rows by column."""
    for row in report.rows:
        flat = {report.query.dimension: row.key, "label": row.label, **row.measures.flat()}
        if row.before is not None:
            flat |= {f"before_{name}": value for name, value in row.before.flat().items()}
        yield flat


def head_of(report: Report) -> dict[str, Any]:
    """Everything but the rows."""
    query, compared = report.query, report.compared
    return {
        "dimension": query.dimension,
        "period": _span(query.period),
        "compared": _span(compared) if compared else None,
        "site": query.site,
        "model": query.model,
        "filters": query.filters.given(),
        "made_of": str(report.made_of),
        "notes": list(report.notes),
        "left_off": report.left_off,
        "total": entry_of(report.total),
    }


def entry_of(row: Row) -> dict[str, Any]:
    """One row as an object: `key`, `label`, its figures, and those of the compared period in `before`."""
    return {"key": row.key, "label": row.label, **row.measures.flat(), **_before(row.before)}


def _before(before: Measures | None) -> dict[str, Any]:
    return {} if before is None else {"before": before.flat()}


def _span(period: Period) -> Span:
    return {"first": period.first.isoformat(), "last": period.last.isoformat()}
