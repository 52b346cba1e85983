"""What caused a call, as the CDR tells it: the visit that was chosen, or why there is none."""

import json
from typing import NotRequired

from typing_extensions import TypedDict

from pool.database import Row
from pool.instants import to_iso
from router.attribution.call import Verdict
from router.schema import Count, Iso


class First(TypedDict):
    """What brought the visitor the first time."""

    source: str | None
    medium: str | None
    campaign: str | None
    at: Iso | None


class Ga(TypedDict):
    """Google Analytics' ids of the visit."""

    client_id: str | None
    session_id: str | None


class Attribution(TypedDict):
    """What caused the call. `unknown` is there only when no visit is: it says why."""

    visit_id: str | None
    visitor_id: str | None
    channel: str | None
    source: str | None
    medium: str | None
    campaign: str | None
    term: str | None
    content: str | None
    referrer: str | None
    landing_page: str | None
    page_called_from: str | None
    click_ids: dict[str, str]
    ga: Ga
    metrica_client_id: str | None
    region: str | None
    city: str | None
    ip: str | None
    browser: str | None
    os: str | None
    device: str | None
    visit_count: Count | None
    first: First
    unknown: NotRequired[str]


def attribution_of(verdict: Verdict, visit: Row | None, channel: str | None) -> Attribution:
    """The attribution of a call: of its `visit` (columns of the query `visits_at_call`), if one was chosen.

    Else `channel`, the number's own (None: it has none), is all that is known.
    """
    if verdict.chosen is None:
        return _bare(channel, None, None, verdict.unknown or "nobody was chosen")
    if visit is None:  # erased since
        return _bare(
            None, verdict.chosen.visit_id, verdict.chosen.visitor_id, "the visit is no longer stored"
        )
    first_at = visit["first_at"]
    return {
        "visit_id": visit["visit_id"],
        "visitor_id": visit["visitor_id"],
        "channel": visit["channel"] or None,
        "source": visit["source"] or None,
        "medium": visit["medium"] or None,
        "campaign": visit["campaign"] or None,
        "term": visit["term"] or None,
        "content": visit["content"] or None,
        "referrer": visit["referrer"] or None,
        "landing_page": visit["landing_page"] or None,
        "page_called_from": visit["page_called_from"] or None,
        "click_ids": json.loads(visit["click_ids"] or "{}"),
        "ga": {"client_id": visit["ga_client_id"] or None, "session_id": visit["ga_session_id"] or None},
        "metrica_client_id": visit["metrica_client_id"] or None,
        "region": visit["region"] or None,
        "city": visit["city"] or None,
        "ip": visit["ip"] or None,
        "browser": visit["browser"] or None,
        "os": visit["os"] or None,
        "device": visit["device"] or None,
        "visit_count": visit["visit_count"],
        "first": {
            "source": visit["first_source"] or None,
            "medium": visit["first_medium"] or None,
            "campaign": visit["first_campaign"] or None,
            "at": None if first_at is None else to_iso(first_at),
        },
    }


def _bare(channel: str | None, visit_id: str | None, visitor_id: str | None, unknown: str) -> Attribution:
    return {
        "visit_id": visit_id,
        "visitor_id": visitor_id,
        "channel": channel or None,
        "source": None,
        "medium": None,
        "campaign": None,
        "term": None,
        "content": None,
        "referrer": None,
        "landing_page": None,
        "page_called_from": None,
        "click_ids": {},
        "ga": {"client_id": None, "session_id": None},
        "metrica_client_id": None,
        "region": None,
        "city": None,
        "ip": None,
        "browser": None,
        "os": None,
        "device": None,
        "visit_count": None,
        "first": {"source": None, "medium": None, "campaign": None, "at": None},
        "unknown": unknown,
    }
