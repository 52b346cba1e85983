"""Calls as the store has them, by a few words."""

import json
from typing import Any

from pool.instants import to_iso
from tests.router.cdr.stored import row

ATTRIBUTION: dict[str, Any] = {
    "visit_id": "v1", "visitor_id": "w1", "channel": "Google Ads", "source": "google", "medium": "cpc",
    "campaign": "boilers", "term": "boiler repair", "content": None, "referrer": None,
    "landing_page": "https://shop.example/", "page_called_from": "https://shop.example/prices",
    "click_ids": {"gclid": "Cj0KCQ-test_1", "yclid": "1234567890123"},
    "ga": {"client_id": "1234567890.1700000000", "session_id": None},
    "metrica_client_id": "1700000000123456789",
    "region": None, "city": None, "ip": None, "browser": None, "os": None, "device": "desktop",
    "visit_count": 1, "first": {"source": None, "medium": None, "campaign": None, "at": None},
}  # fmt: skip


def cdr(
    number: int = 1, *, at: int | None = None, attribution: dict[str, Any] | None = None, **more: Any
) -> Any:
    """The record of call `number`, which started at `at` (milliseconds) and was talked for 45 s."""
    stored = row(number)
    started = stored["started_at"] if at is None else at
    found = {
        "id": stored["call_id"] if at is None else f"{at:011x}{number:024x}",
        "switch": "pbx", "linkedid": stored["linkedid"], "site": "shop", "number": "+442079460123",
        "extension": None, "caller": {"number": "+447700900123", "name": "Ann", "region": None},
        "started_at": to_iso(started), "answered_at": to_iso(started + 5_000),
        "ended_at": to_iso(started + 50_000), "ring_seconds": 5.0, "talk_seconds": 45.0, "result": "answered",
        "answered_by": "PJSIP/agent1", "hung_up_by": "caller", "legs": [], "transfers": [],
        "recording": None, "qualified": True, "first_call": True, "match": "live", "confidence": 0.97,
        "candidates": [], "attribution": ATTRIBUTION | (attribution or {}),
        "route": {"decided_in_ms": 1.0, "by": "router", "late": False}, "repaired": None,
    }  # fmt: skip
    return found | more


def columns(record: Any, started_at: int | None = None) -> dict[str, Any]:
    """The record's row."""
    stored = row(int(record["linkedid"].split(".")[1]))
    return stored | {
        "call_id": record["id"],
        "site": record["site"],
        "caller": record["caller"]["number"],
        "started_at": stored["started_at"] if started_at is None else started_at,
        "result": record["result"],
        "channel": record["attribution"]["channel"],
        "record": json.dumps(record, ensure_ascii=False),
    }
