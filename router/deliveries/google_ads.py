"""Google Ads click conversions: what a call is told as, by API and in files. Pure.

Sources: developers.google.com/data-manager/api/devguides/events/google-ads/offline ("Send events") and
support.google.com/google-ads/answer/7014069 (files).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pool.instants import DAY, Instant, from_iso
from router.config.delivery import GoogleAds, GoogleAdsCsv
from router.deliveries.metrica import JUDGED_WITHIN_MS, Judgement
from router.spreadsheet import csv_lines

CLICK_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,511}\Z")
WINDOW_MS: Final = 90 * DAY
"""A conversion counts at most so long after its click; the call came after the click."""
MOST_EVENTS: Final = 2_000
COLUMNS: Final = (
    "Google Click ID", "GBRAID", "WBRAID", "Conversion Name", "Conversion Time", "Conversion Value",
    "Conversion Currency", "Order ID",
)  # fmt: skip


def lacks(cdr: Any) -> str | None:
    """What a conversion needs and the call does not have; None: nothing."""
    return None if click_id(cdr) else "no click id of Google Ads (gclid, gbraid, wbraid)"


def too_late(cdr: Any, now: Instant) -> str | None:
    """Why it can no longer be told; None: it can."""
    if now - from_iso(cdr["started_at"]) >= WINDOW_MS:
        return "window passed: Google Ads takes conversions of the last 90 days"
    return None


def click_id(cdr: Any) -> tuple[str, str] | None:
    """The kind of the click's id and the id: exactly one may be told, and gclid says most."""
    found = cdr["attribution"].get("click_ids") or {}
    for kind in ("gclid", "gbraid", "wbraid"):
        value = found.get(kind)
        if value and CLICK_ID.match(value):
            return kind, value
    return None


def event_of(table: GoogleAds, cdr: Any) -> dict[str, Any]:
    """The conversion as the Data Manager API takes it; the call's id tells doubles."""
    kind, value = click_id(cdr) or ("gclid", "")
    at = datetime.fromtimestamp(from_iso(cdr["started_at"]) // 1000, UTC)
    event: dict[str, Any] = {
        "transactionId": cdr["id"],
        "eventTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "adIdentifiers": {kind: value},
    }
    if table.value:
        event |= {"conversionValue": table.value, "currency": table.currency}
    return event


def request_of(table: GoogleAds, events: Sequence[Any], *, validate_only: bool = False) -> dict[str, Any]:
    """The body of `events:ingest`."""
    account = {"accountType": "GOOGLE_ADS", "accountId": table.customer_id}
    destination: dict[str, Any] = {
        "operatingAccount": account,
        "productDestinationId": table.conversion_action,
    }
    if table.login_customer_id:
        destination["loginAccount"] = account | {"accountId": table.login_customer_id}
    body: dict[str, Any] = {"destinations": [destination], "events": list(events)}
    if table.consent:
        granted = f"CONSENT_{table.consent.upper()}"
        body["consent"] = {"adUserData": granted, "adPersonalization": granted}
    if validate_only:
        body["validateOnly"] = True
    return body


def judgement(found: Any, since_at: Instant, now: Instant) -> Judgement | None:
    """What a request's status means for its calls; None: it is still being worked on."""
    entries = found.get("requestStatusPerDestination") if isinstance(found, dict) else None
    entry = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
    status = str(entry.get("requestStatus", "unknown"))[:40]
    reasons = ", ".join(_reasons(entry))
    if status == "SUCCESS":
        return Judgement("sent", status, None)
    if status == "PARTIAL_SUCCESS":
        # Which of the events it was is not told.
        return Judgement("unclear", status, f"some of the request's conversions were not taken: {reasons}")
    if status == "FAILED":
        return Judgement("refused", status, f"not taken: {reasons or 'no reason was told'}")
    if now - since_at < JUDGED_WITHIN_MS:
        return None
    return Judgement("unclear", status, f"taken, and after a day still {status}")


def _reasons(entry: Any) -> Iterable[str]:
    information = entry.get("errorInfo")
    counts = information.get("errorCounts") if isinstance(information, dict) else None
    for count in counts if isinstance(counts, list) else ():
        if isinstance(count, dict):
            yield f"{str(count.get('recordCount', '?'))[:12]} × {str(count.get('reason', '?'))[:80]}"


def csv_of(table: GoogleAdsCsv, records: Iterable[Any]) -> str:
    """The file that Google Ads fetches or a person uploads."""
    return "".join(csv_lines((_csv_row(table, cdr) for cdr in records), COLUMNS))


def _csv_row(table: GoogleAdsCsv, cdr: Any) -> dict[str, Any]:
    kind, value = click_id(cdr) or ("gclid", "")
    at = datetime.fromtimestamp(from_iso(cdr["started_at"]) // 1000, UTC)
    return {
        {"gclid": "Google Click ID", "gbraid": "GBRAID", "wbraid": "WBRAID"}[kind]: value,
        "Conversion Name": table.conversion_name,
        "Conversion Time": at.strftime("%Y-%m-%d %H:%M:%S+00:00"),
        "Conversion Value": f"{table.value:.2f}" if table.value else "",
        "Conversion Currency": table.currency,
        "Order ID": cdr["id"],
    }
