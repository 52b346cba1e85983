"""A visitor's journey as one JSON object: visits and calls in order, and what each model credits."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, cast

from typing_extensions import TypedDict

from pool.database import Row
from pool.instants import to_iso
from router.attribution.call import Match
from router.attribution.journey import MODELS, VisitSource, credits
from router.cdr.outcome import Result
from router.schema import Count, Id, Iso, Seconds, Share

_OF_VISIT: Final = (
    "visit_id", "visitor_id", "channel", "source", "medium", "campaign", "term", "content", "referrer",
    "landing_page", "region", "city", "browser", "os", "device", "visit_count",
)  # fmt: skip
_OF_CALL: Final = (
    "call_id", "number", "caller", "result", "ring_seconds", "talk_seconds", "answered_by", "match",
    "confidence", "channel", "visit_id", "visitor_id",
)  # fmt: skip


class FirstVisit(TypedDict):
    """What brought the visitor the first time."""

    source: str | None
    medium: str | None
    campaign: str | None
    at: Iso


class VisitorEntry(TypedDict):
    """One visitor. `visit_count` counts also the visits that are no longer stored."""

    visitor_id: Id
    first_seen_at: Iso
    last_seen_at: Iso
    visit_count: Count
    first: FirstVisit


class PageEntry(TypedDict):
    """One page that was looked at."""

    at: Iso
    url: str
    title: str


class VisitEvent(TypedDict):
    """One visit, with its first pages."""

    kind: Literal["visit"]
    at: Iso
    last_seen_at: Iso
    visit_id: Id
    visitor_id: Id
    channel: str | None
    source: str | None
    medium: str | None
    campaign: str | None
    term: str | None
    content: str | None
    referrer: str | None
    landing_page: str | None
    region: str | None
    city: str | None
    browser: str | None
    os: str | None
    device: str | None
    visit_count: Count
    click_ids: dict[str, str]
    pages: list[PageEntry]


class CreditEntry(TypedDict):
    """A visit's share of a call."""

    visit_id: Id
    share: Share


class Credits(TypedDict):
    """What each model gives a call to: visits of the call's visitor, none for a call without one."""

    first: list[CreditEntry]
    last: list[CreditEntry]
    last_non_direct: list[CreditEntry]
    linear: list[CreditEntry]


class CallEvent(TypedDict):
    """One call, and who was taken for its caller."""

    kind: Literal["call"]
    at: Iso
    ended_at: Iso
    call_id: Id
    number: str | None
    caller: str | None
    result: Result
    ring_seconds: Seconds
    talk_seconds: Seconds
    answered_by: str | None
    match: Match
    confidence: Share
    channel: str | None
    visit_id: Id | None
    visitor_id: Id | None
    qualified: bool
    first_call: bool | None
    credits: Credits


class Story(TypedDict):
    """A visitor's journey; `visitor_ids`: this one and the others that its `callers` were taken for."""

    site: str
    visitor_id: Id
    visitor_ids: list[Id]
    callers: list[str]
    visitors: list[VisitorEntry]
    events: list[VisitEvent | CallEvent]


def story(
    *,
    site: str,
    visitor_id: str,
    visitor_ids: Sequence[str],
    callers: Sequence[str],
    visitors: Sequence[Row],
    visits: Sequence[Row],
    pages: Mapping[str, Sequence[Row]],
    calls: Sequence[Row],
) -> Story:
    """The journey (fields as `router.store.journeys.Journey`) as docs/http-api.md describes it."""
    events: list[VisitEvent | CallEvent] = [
        *(_visit(row, pages.get(row["visit_id"], ())) for row in visits),
        *(_call(row, visits) for row in calls),
    ]
    # A visit comes before the call of the same instant: it is what led to it.
    events.sort(key=lambda event: (event["at"], event["kind"] == "call"))
    return {
        "site": site,
        "visitor_id": visitor_id,
        "visitor_ids": list(visitor_ids),
        "callers": list(callers),
        "visitors": [_visitor(row) for row in visitors],
        "events": events,
    }


def _visitor(row: Row) -> VisitorEntry:
    return {
        "visitor_id": row["visitor_id"],
        "first_seen_at": to_iso(row["first_seen_at"]),
        "last_seen_at": to_iso(row["last_seen_at"]),
        "visit_count": row["visit_count"],
        "first": {
            "source": row["first_source"] or None,
            "medium": row["first_medium"] or None,
            "campaign": row["first_campaign"] or None,
            "at": to_iso(row["first_at"]),
        },
    }


def _visit(row: Row, pages: Iterable[Row]) -> VisitEvent:
    told = {
        "kind": "visit",
        "at": to_iso(row["started_at"]),
        "last_seen_at": to_iso(row["last_seen_at"]),
        **{name: _or_none(row[name]) for name in _OF_VISIT},
        "click_ids": json.loads(row["click_ids"] or "{}"),
        "pages": [{"at": to_iso(page["at"]), "url": page["url"], "title": page["title"]} for page in pages],
    }
    return cast("VisitEvent", told)


def _call(row: Row, visits: Sequence[Row]) -> CallEvent:
    before = [
        visit
        for visit in visits
        if visit["visitor_id"] == row["visitor_id"] and visit["started_at"] <= row["started_at"]
    ]
    told = {
        "kind": "call",
        "at": to_iso(row["started_at"]),
        "ended_at": to_iso(row["ended_at"]),
        **{name: row[name] for name in _OF_CALL},
        "qualified": bool(row["qualified"]),
        "first_call": None if row["first_call"] is None else bool(row["first_call"]),
        "credits": _credits(before),
    }
    return cast("CallEvent", told)


def _credits(visits: Sequence[Row]) -> Credits:
    sources = [_source(visit) for visit in visits]
    told = {
        model: [
            {"visit_id": sources[index].visit_id, "share": round(share, 6)}
            for index, share in credits(sources, model)
        ]
        for model in MODELS
    }
    return cast("Credits", told)


def _source(visit: Row) -> VisitSource:
    names = ("visit_id", "started_at", "channel", "source", "medium", "campaign", "term", "content")
    return VisitSource(*(visit[name] for name in names))


def _or_none(value: Any) -> Any:
    return None if value == "" else value
