"""A CDR as one level of columns: what CSV and filters take."""

from typing import Any, Final

COLUMNS: Final = (
    "id", "started_at", "answered_at", "ended_at", "switch", "linkedid", "site", "number", "extension",
    "caller", "result", "answered_by", "hung_up_by", "ring_seconds", "talk_seconds", "qualified",
    "first_call", "match", "confidence", "channel", "source", "medium", "campaign", "term", "content",
    "referrer", "landing_page", "page_called_from", "visit_id", "visitor_id", "recording", "repaired",
)  # fmt: skip


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """The CDR's columns; `recording` is its path."""
    recording = record["recording"]
    return {
        **record["attribution"],
        **record,
        "caller": record["caller"]["number"],
        "recording": recording["path"] if recording else None,
    }
