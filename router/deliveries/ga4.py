"""Google Analytics 4, Measurement Protocol: what a call is told as. Pure.

Limits and rules: developers.google.com/analytics/devguides/collection/protocol/ga4 ("Sending events",
"Reference", "Verify implementation"). The answer is 2xx whatever was sent, so all is checked before.
"""

import json
import re
from typing import Any, Final, NamedTuple

from pool.instants import HOUR, SECOND, Instant, from_iso, to_iso
from router.config.delivery import Ga4

# "_ga" without its version: two numbers; the first is random, the second when the visitor came first.
CLIENT_ID: Final = re.compile(r"[1-9][0-9]{0,18}\.[1-9][0-9]{0,18}\Z")
SESSION_ID: Final = re.compile(r"[1-9][0-9]{8,10}\Z")
EVENT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
BACKDATED_MS: Final = 72 * HOUR
JOINED_MS: Final = 24 * HOUR
"""An event joins its session only so long after the session's start."""
SESSION_MS: Final = HOUR // 2
"""Google ends a session after so long without an event (the default)."""
MOST_PARAMETERS: Final = 25
LONGEST_NAME: Final = 40
LONGEST_VALUE: Final = 100
MOST_BYTES: Final = 130_000
MOST_EVENTS: Final = 25


class Placed(NamedTuple):
    """The event's instant, and the session that it joins (None: it joins none)."""

    at: Instant
    session_id: str | None


def lacks(cdr: Any) -> str | None:
    """What the event needs and the call does not have; None: nothing."""
    client_id = (cdr["attribution"].get("ga") or {}).get("client_id")
    if not client_id:
        return "no GA client id: the visit had none, or nobody was chosen"
    if not CLIENT_ID.match(client_id):
        return "the GA client id is not two numbers joined by a dot"
    return None


def too_late(cdr: Any, now: Instant) -> str | None:
    """Why it can no longer be told; None: it can."""
    if now - from_iso(cdr["started_at"]) >= BACKDATED_MS:
        return "window passed: GA takes events of the last 72 hours"
    return None


def placed(cdr: Any, visit: tuple[Instant, Instant] | None, now: Instant) -> Placed:
    """Where the event lies in time. `visit`: when it began and its last page view, None: no longer stored.

    Inside its session it has the call's own instant. After the session's end it is stamped at the session's
    last moment that is known. A session that began over 24 hours ago takes no more events: the event then
    has the call's instant and joins no session.
    """
    call_at = min(from_iso(cdr["started_at"]), now)
    session_id = (cdr["attribution"].get("ga") or {}).get("session_id") or ""
    if not SESSION_ID.match(session_id):
        return Placed(call_at, None)
    begun_at = int(session_id) * SECOND  # GA makes the id of the session's first second
    if begun_at > call_at or now - begun_at >= JOINED_MS:
        return Placed(call_at, None)
    last_at = max(begun_at, visit[1] if visit is not None else begun_at)
    if call_at <= last_at + SESSION_MS:
        return Placed(call_at, session_id)
    return Placed(last_at, session_id)


def payload(table: Ga4, cdr: Any, place: Placed) -> dict[str, Any]:
    """The request's body: one event, without anything that names the caller."""
    parameters: dict[str, str | int | float] = {"engagement_time_msec": 1}
    if place.session_id is not None:
        parameters["session_id"] = place.session_id
    told: dict[str, Any] = {
        "call_id": cdr["id"],
        "call_at": to_iso(from_iso(cdr["started_at"])),
        "call_result": cdr["result"],
        "call_seconds": round(cdr["talk_seconds"]),
        "ring_seconds": round(cdr["ring_seconds"]),
        "qualified": int(cdr["qualified"]),
        "first_call": None if cdr["first_call"] is None else int(cdr["first_call"]),
        "call_match": cdr["match"],
        "call_confidence": cdr["confidence"],
        "call_channel": cdr["attribution"].get("channel"),
        "call_site": cdr["site"],
    }
    if table.value:
        told |= {"value": table.value, "currency": table.currency}
    parameters |= {name: _value(value) for name, value in told.items() if value not in (None, "")}
    return {
        "client_id": cdr["attribution"]["ga"]["client_id"],
        "timestamp_micros": place.at * 1000,
        "events": [{"name": table.event, "params": parameters}],
    }


def _value(value: Any) -> str | int | float:
    if isinstance(value, int | float):
        return value
    return "".join(sign for sign in str(value) if sign.isprintable())[:LONGEST_VALUE]


def problems(body: Any) -> list[str]:
    """Which documented limits a body breaks: Google would take it with 2xx and drop it."""
    found = []
    if not CLIENT_ID.match(str(body.get("client_id"))):
        found.append("client_id")
    if len(json.dumps(body).encode()) >= MOST_BYTES:
        found.append(f"a body of {MOST_BYTES} bytes or more")
    events = body.get("events", [])
    if not 1 <= len(events) <= MOST_EVENTS:
        found.append(f"{len(events)} events")
    for event in events:
        if not EVENT_NAME.match(event["name"]):
            found.append(f"event name {event['name']!r}")
        if len(event["params"]) > MOST_PARAMETERS:
            found.append(f"{len(event['params'])} parameters")
        for name, value in event["params"].items():
            if not EVENT_NAME.match(name) or len(name) > LONGEST_NAME:
                found.append(f"parameter name {name!r}")
            if isinstance(value, str) and len(value) > LONGEST_VALUE:
                found.append(f"the value of {name}")
    return found
