"""One call: what happened, who most probably made it and how sure that is, and what it sounds like."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from router.attribution.story import story
from router.recordings.answer import with_recording
from router.store.calls import CallStore
from router.store.journeys import JourneyStore
from router.store.recordings import RecordingStore
from router.web.dashboard.page import Asked, Page
from router.web.problems import Problem

SOURCE_FIELDS: Final = (
    "source", "medium", "campaign", "term", "content", "referrer", "landing_page", "page_called_from",
    "region", "city", "device", "browser", "os", "visit_count",
)  # fmt: skip
MOST_EVENTS: Final = 12
"""Of the visitor's visits and calls: the latest up to this call, and what came after."""
MOST_PAGES: Final = 12
MOST_CANDIDATES: Final = 6
"""Shown at once; the others on demand."""
REASONS: Final = {
    "the number dialed is not known": "number",
    "no extension was keyed": "extension",
    "nobody held the number lately": "nobody",
    "none of the candidates": "none",
    "a static number tells the channel, not the visit": "static",
    "a reserve number tells the channel, not the visit": "reserve",
}


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
        "unknown": _unknown(asked, source.get("unknown")),
        "most_pages": MOST_PAGES,
        "most_candidates": MOST_CANDIDATES,
        "source_fields": [(name, source.get(name)) for name in SOURCE_FIELDS],
        "click_ids": sorted((source.get("click_ids") or {}).items()),
        "legs": _legs(call.get("legs") or []),
        "journey": await _journey(asked, call),
        "hears": asked.user.role.hears,
    }


def _legs(legs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each attempt with its ringing and talking as shares of the longest."""
    longest = max((leg["ring_seconds"] + leg["talk_seconds"] for leg in legs), default=0) or 1
    return [
        {**leg, "ring_share": leg["ring_seconds"] / longest, "talk_share": leg["talk_seconds"] / longest}
        for leg in legs
    ]


def _unknown(asked: Asked, reason: str | None) -> str | None:
    """Why no visit is named, in the reader's language where it is one of the usual reasons."""
    if not reason:
        return None
    if reason.startswith("no candidate reaches"):
        return asked.words.text("unknown.below")
    key = REASONS.get(reason)
    return asked.words.text(f"unknown.{key}") if key else reason


async def _journey(asked: Asked, call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the visitor did before and after: visits with their pages, and calls."""
    visitor, site = call["attribution"].get("visitor_id"), call["site"]
    if not visitor or not site:
        return []
    found = await JourneyStore(asked.parts.database).journey(site, visitor)
    if found is None:
        return []
    events = [dict(event) for event in story(**found._asdict())["events"]]
    here = next(
        (place for place, event in enumerate(events) if event.get("call_id") == call["id"]), len(events)
    )
    first = max(0, here - MOST_EVENTS + 1)
    return events[first : here + MOST_EVENTS]


PAGE: Final = Page(
    path="/calls/{id}",
    template="call.html",
    title="call.title",
    show=show,
    under="/calls",
    scripts=("player.js",),
)
