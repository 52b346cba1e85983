"""The CDR: one JSON object per call, with the fields of docs/cdr.md in this order.

Instants are ISO-8601 with milliseconds and Z, durations seconds with milliseconds, numbers E.164.
"""

import json
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from typing_extensions import TypedDict

from pool.instants import to_iso
from router.attribution.call import Candidate, Match, Verdict
from router.cdr.attribution import Attribution
from router.cdr.legs import Leg, LegResult
from router.cdr.outcome import CallFacts, Party, Result, TransferKind
from router.schema import Count, Id, Iso, Seconds, Share

FOR_REPORTS: Final = ("term", "landing_page", "page_called_from", "region", "device")
"""What reports are made by and the table `call` has no column for."""


class Caller(TypedDict):
    """Who called. `number` is E.164, or as it was sent where that is no number; null: withheld."""

    number: Annotated[str, Field(examples=["+447700900123"])] | None
    name: str | None
    region: str | None


class LegEntry(TypedDict):
    """One attempt to reach one target. `cause` is Q.850; a `step` of null came in by a transfer."""

    step: Count | None
    target: str
    result: LegResult
    sip_status: int | None
    cause: int | None
    ring_seconds: Seconds
    talk_seconds: Seconds


class TransferEntry(TypedDict):
    """The call was passed on."""

    kind: TransferKind
    at: Iso
    to: str


class RecordingEntry(TypedDict):
    """What was recorded, and where the PBX keeps it."""

    path: str
    seconds: Seconds
    channels: Count
    bytes: Count


class CandidateEntry(TypedDict):
    """One who may have called; a `visit_id` of null is "none of them"."""

    visit_id: str | None
    visitor_id: str | None
    match: Match
    held_from: Iso | None
    held_until: Iso | None
    probability: Share


class Route(TypedDict):
    """How the call was routed. `late`: worked out afterwards, the router having been away."""

    decided_in_ms: Annotated[float, Field(json_schema_extra={"minimum": 0})] | None
    by: Literal["router", "fallback"]
    late: bool


class CallFields(TypedDict):
    """What is told of a finished call, but its recording."""

    id: Id
    switch: str
    linkedid: str
    site: str | None
    number: Annotated[str, Field(examples=["+442079460123"])] | None
    extension: str | None
    caller: Caller
    started_at: Iso
    answered_at: Iso | None
    ended_at: Iso
    ring_seconds: Seconds
    talk_seconds: Seconds
    result: Result
    answered_by: str | None
    hung_up_by: Party
    legs: list[LegEntry]
    transfers: list[TransferEntry]
    qualified: bool
    first_call: bool | None
    match: Match
    confidence: Share
    candidates: list[CandidateEntry]
    attribution: Attribution
    route: Route
    repaired: str | None


class Cdr(CallFields):
    """The record of a finished call, as it was written when the call ended."""

    recording: RecordingEntry | None


def cdr_of(
    facts: CallFacts,
    *,
    call_id: str,
    switch: str,
    site: str | None,
    number: str | None,
    caller: Caller,
    verdict: Verdict,
    attribution: Attribution,
    qualified_seconds: float,
    first_call: bool | None,
) -> Cdr:
    """The record of a finished call."""
    recording = facts.recording
    return {
        "id": call_id,
        "switch": switch,
        "linkedid": facts.linkedid,
        "site": site,
        "number": number,
        "extension": facts.extension,
        "caller": caller,
        "started_at": to_iso(facts.started_us // 1000),
        "answered_at": None if facts.answered_us is None else to_iso(facts.answered_us // 1000),
        "ended_at": to_iso(facts.ended_us // 1000),
        "ring_seconds": facts.ring_seconds,
        "talk_seconds": facts.talk_seconds,
        "result": facts.result,
        "answered_by": facts.answered_by,
        "hung_up_by": facts.hung_up_by,
        "legs": [_leg(leg) for leg in facts.legs],
        "transfers": [
            {"kind": transfer.kind, "at": to_iso(transfer.at_us // 1000), "to": transfer.to}
            for transfer in facts.transfers
        ],
        "recording": None
        if recording is None
        else {
            "path": recording.path,
            "seconds": recording.seconds,
            "channels": recording.channels,
            "bytes": recording.bytes,
        },
        "qualified": facts.result == "answered" and facts.talk_seconds >= qualified_seconds,
        "first_call": first_call,
        "match": verdict.match,
        "confidence": verdict.confidence,
        "candidates": [_candidate(candidate) for candidate in verdict.candidates],
        "attribution": attribution,
        "route": {
            "decided_in_ms": facts.decided_in_ms,
            "by": "router" if facts.by_router else "fallback",
            "late": not facts.by_router,
        },
        "repaired": facts.repaired,
    }


def row_of(
    cdr: Cdr, facts: CallFacts, *, zone: ZoneInfo | None = None, before_at: int | None = None
) -> dict[str, Any]:
    """The columns of the table `call` for a record, but `switch` and `written_at`; and what reports need.

    `zone` is the site's (None: UTC), `before_at` the start of the caller's call before this one.
    """
    attribution = cdr["attribution"]
    return {
        "call_id": cdr["id"],
        "linkedid": cdr["linkedid"],
        "site": cdr["site"],
        "number": cdr["number"],
        "extension": cdr["extension"],
        "caller": cdr["caller"]["number"],
        "started_at": facts.started_us // 1000,
        "answered_at": None if facts.answered_us is None else facts.answered_us // 1000,
        "ended_at": facts.ended_us // 1000,
        "result": cdr["result"],
        "match": cdr["match"],
        "confidence": cdr["confidence"],
        "visit_id": attribution.get("visit_id"),
        "visitor_id": attribution.get("visitor_id"),
        "channel": attribution.get("channel"),
        "source": attribution.get("source"),
        "medium": attribution.get("medium"),
        "campaign": attribution.get("campaign"),
        "ring_seconds": cdr["ring_seconds"],
        "talk_seconds": cdr["talk_seconds"],
        "qualified": int(cdr["qualified"]),
        "first_call": None if cdr["first_call"] is None else int(cdr["first_call"]),
        "answered_by": cdr["answered_by"],
        "record": json_of(cdr),
        **{name: attribution.get(name) for name in FOR_REPORTS},
        "zone": zone,
        "before_at": before_at,
    }


def json_of(cdr: Cdr) -> str:
    """The record as one line of JSON, without its newline."""
    text = json.dumps(cdr, ensure_ascii=False, separators=(",", ":"))
    # What was no UTF-8 on the wire can be no UTF-8 in the store either.
    return text.encode("utf-8", "replace").decode()


def _leg(leg: Leg) -> LegEntry:
    return {
        "step": leg.step,
        "target": leg.target,
        "result": leg.result,
        "sip_status": leg.sip_status,
        "cause": leg.cause,
        "ring_seconds": leg.ring_seconds,
        "talk_seconds": leg.talk_seconds,
    }


def _candidate(candidate: Candidate) -> CandidateEntry:
    return {
        "visit_id": candidate.visit_id,
        "visitor_id": candidate.visitor_id,
        "match": candidate.match,
        "held_from": None if candidate.from_at is None else to_iso(candidate.from_at),
        "held_until": None if candidate.until_at is None else to_iso(candidate.until_at),
        "probability": candidate.probability,
    }
