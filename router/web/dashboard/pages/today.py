"""Today at a glance."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from router.store.calls import CallFilter, CallStore
from router.web.dashboard.page import Asked, Page, Place
from router.web.dashboard.period import period_of

LATEST: Final = 10


async def show(asked: Asked) -> Mapping[str, Any]:
    """The latest calls of today."""
    period = period_of({}, asked.at, asked.words.zone, default="today")
    records, _ = await CallStore(asked.parts.database).page(
        replace(CallFilter(), since=period.since, until=period.until), most=LATEST
    )
    return {"period": period, "latest": [json.loads(record) for record in records]}


PAGE: Final = Page(
    path="/", template="today.html", title="today.title", show=show, place=Place("now", "today")
)
