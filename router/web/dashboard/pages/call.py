"""One call: what happened, who most probably made it and how sure that is, and what it sounds like."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from router.recordings.answer import with_recording
from router.store.calls import CallStore
from router.store.recordings import RecordingStore
from router.store.visits import VisitStore
from router.web.dashboard.page import Asked, Page
from router.web.problems import Problem

SOURCE_FIELDS: Final = (
    "source", "medium", "campaign", "term", "content", "referrer", "landing_page", "page_called_from",
    "region", "city", "device", "browser", "os", "visit_count",
)  # fmt: skip
MOST_PAGES: Final = 50


async def show(asked: Asked) -> Mapping[str, Any]:
    """The call that the address names. Raises Problem 404."""
    call_id = asked.request.match_info["id"]
    written = await CallStore(asked.parts.database).call(call_id) if call_id.isalnum() else None
    if written is None:
        raise Problem(404, "not-found", "no such call")
    found = (await RecordingStore(asked.parts.database).of([call_id])).get(call_id)
    call = with_recording(json.loads(written.record), found)
    source = call.get("attribution") or {}
    return {
        "call": call,
        "source": source,
        "source_fields": [(name, source.get(name)) for name in SOURCE_FIELDS],
        "click_ids": sorted((source.get("click_ids") or {}).items()),
        "legs": _legs(call.get("legs") or []),
        "pages": await _pages(asked, source.get("visit_id")),
        "hears": asked.user.role.hears,
    }


def _legs(legs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each attempt with its ringing and talking as shares of the longest."""
    longest = max((leg["ring_seconds"] + leg["talk_seconds"] for leg in legs), default=0) or 1
    return [
        {**leg, "ring_share": leg["ring_seconds"] / longest, "talk_share": leg["talk_seconds"] / longest}
        for leg in legs
    ]


async def _pages(asked: Asked, visit_id: str | None) -> list[dict[str, Any]]:
    if not visit_id:
        return []
    rows = await VisitStore(asked.parts.database).page_views(visit_id)
    return [{"at": row["at"], "url": row["url"], "title": row["title"]} for row in rows[:MOST_PAGES]]


PAGE: Final = Page(
    path="/calls/{id}",
    template="call.html",
    title="call.title",
    show=show,
    under="/calls",
    scripts=("player.js",),
)
