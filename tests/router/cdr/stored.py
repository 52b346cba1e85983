"""Rows and records as ingest makes them."""

import json
from collections.abc import Sequence
from typing import Any

from router.store.calls import CallBatch, JournalMark, NewDelivery, SeenRow

MARK = JournalMark("1:2:abc", "/var/log/journal.csv", 100, 1_763_817_000_000)
NOW = 1_763_817_060_000


def row(number: int, **more: Any) -> dict[str, Any]:
    """The row of call `number`; its record is a small JSON object."""
    call_id = f"{NOW:011x}{number:024x}"
    columns: dict[str, Any] = {
        "call_id": call_id,
        "linkedid": f"1763817000.{number}",
        "site": "shop",
        "number": "+442079460123",
        "extension": None,
        "caller": "+447700900123",
        "started_at": NOW - 60_000 + number,
        "answered_at": None,
        "ended_at": NOW - 30_000,
        "result": "missed",
        "match": "none",
        "confidence": 1.0,
        "visit_id": None,
        "visitor_id": None,
        "channel": None,
        "source": None,
        "medium": None,
        "campaign": None,
        "ring_seconds": 20.0,
        "talk_seconds": 0.0,
        "qualified": 0,
        "first_call": 1,
        "answered_by": None,
        "record": json.dumps({"id": call_id, "text": "é" * (number % 5)}, ensure_ascii=False),
    }
    return columns | more


def batch(
    *rows: dict[str, Any],
    now: int = NOW,
    mark: JournalMark = MARK,
    told: tuple[str, ...] = (),
    seen: Sequence[SeenRow] = (),
) -> CallBatch:
    deliveries = [NewDelivery(row["call_id"], name) for row in rows for name in told]
    return CallBatch("pbx", rows, deliveries, mark, now, seen)
