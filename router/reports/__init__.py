"""Reports: which advertising makes the phone ring. The HTTP API, the CLI and the dashboard all ask here.

    reports = Reports(database, lambda: live.current)
    query = Query("channel", period("28d", today), site="shop", compare="previous")
    report = await reports.make(query)
    for row in report.rows:
        row.key, row.label, row.measures.calls, row.measures.low, row.measures.high, row.before

`Query` says what is asked (dimension, period, model, filters), `Report` is the answer: `rows`, their
`total`, and `notes` that a reader must see. A row's `key` is None for "unknown" (nobody knows what caused
these calls) and "" for "not set" (it is known that there was none). `Measures` holds sums and works out
shares from them; what cannot be known is None, never 0. docs/reports.md defines every figure.

Rules are pure: `dimensions`, `measures`, `periods`, `intervals`, `credits`, `query`. The SQL is in `sql/`;
`tally` writes with the CDR, `visit_days`, `rebuild` and `costs` fill tables, `service` reads.
May import the pool, config, attribution and nothing of web or CLI, which import this.
"""

from router.reports.credits import MODEL_BITS
from router.reports.dimensions import DIMENSIONS
from router.reports.measures import Measures
from router.reports.periods import Period, period
from router.reports.query import Filters, Query, Report, Row
from router.reports.service import Reports

__all__ = [
    "DIMENSIONS",
    "MODEL_BITS",
    "Filters",
    "Measures",
    "Period",
    "Query",
    "Report",
    "Reports",
    "Row",
    "period",
]
