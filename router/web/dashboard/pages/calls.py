"""The calls, filtered, the latest first."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from pool.instants import to_iso
from router.recordings.answer import with_recording
from router.store.calls import CallFilter, CallStore, Cursor
from router.store.recordings import RecordingStore
from router.web.dashboard.page import Asked, Page, Place
from router.web.dashboard.period import NAMED, Period, period_of

ROWS: Final = 50
FILTERS: Final = ("site", "channel", "source", "result", "match", "caller", "number")
RESULTS: Final = ("answered", "missed", "busy", "cancelled", "failed", "blocked", "voicemail")
MATCHES: Final = ("live", "frozen", "extension", "returning", "late", "static", "reserve", "none")
_MOST_CHARACTERS: Final = 200


async def show(asked: Asked) -> Mapping[str, Any]:
    """One page of the calls that match."""
    period = period_of(asked.query, asked.at, asked.words.zone, default="30")
    chosen = {name: _value(asked, name) for name in FILTERS}
    records, after = await CallStore(asked.parts.database).page(
        _filter(chosen, period), after=_cursor(asked.query.get("after", "")), most=ROWS
    )
    found = [json.loads(record) for record in records]
    recordings = await RecordingStore(asked.parts.database).of([one["id"] for one in found]) if found else {}
    return {
        "calls": [with_recording(one, recordings.get(one["id"])) for one in found],
        "period": period,
        "periods": NAMED,
        "chosen": chosen,
        "is_filtered": any(chosen.values()),
        "results": RESULTS,
        "matches": MATCHES,
        "channels": _channels(asked, chosen["channel"]),
        "older": asked.link(after=f"{after.started_at}.{after.call_id}") if after else None,
        "newest": asked.link(after=None) if asked.query.get("after") else None,
        "export": _export(chosen, period),
        "filter_path": asked.request.path,
    }


def _value(asked: Asked, name: str) -> str:
    text = asked.query.get(name, "")[:_MOST_CHARACTERS].strip()
    if name in {"caller", "number"} and text[:1] in {"+", "0"} | set("123456789"):
        # As people write them: "+44 20 7946 0101".
        text = "".join(character for character in text if character not in " ()-.\u00a0")
    return text if text.isprintable() else ""


def _filter(chosen: Mapping[str, str], period: Period) -> CallFilter:
    names: dict[str, Any] = {name: value or None for name, value in chosen.items()}
    return replace(CallFilter(), since=period.since, until=period.until, **names)


def _cursor(text: str) -> Cursor | None:
    started_at, _, call_id = text.partition(".")
    if started_at.isascii() and started_at.isdigit() and len(started_at) <= 15 and call_id.isalnum():
        return Cursor(int(started_at), call_id)
    return None


def _channels(asked: Asked, chosen: str) -> list[str]:
    named = {channel.name for site in asked.config.site for channel in site.channel}
    return sorted(named | ({chosen} if chosen else set()))


def _export(chosen: Mapping[str, str], period: Period) -> dict[str, str]:
    """Where the API has the same calls, as files."""
    wanted = {name: value for name, value in chosen.items() if value}
    wanted |= {"since": to_iso(period.since), "until": to_iso(period.until)}
    return {form: f"/api/v1/calls?{urlencode(wanted | {'format': form})}" for form in ("csv", "ndjson")}


PAGE: Final = Page(
    path="/calls", template="calls.html", title="calls.title", show=show, place=Place("insight", "calls")
)
