"""Yandex.Metrica, uploaded calls: what a call is told as, and what is said of a file. Pure.

Source: yandex.com/dev/metrika/en/management/calls and …/management/openapi/call/uploadCalls.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pool.instants import DAY, Instant, from_iso
from router.config.delivery import Metrica
from router.store.deliveries import State

CLIENT_ID: Final = re.compile(r"[1-9][0-9]{0,24}\Z")
YCLID: Final = re.compile(r"[1-9][0-9]{0,24}\Z")
WINDOW_MS: Final = 21 * DAY
COLUMNS: Final = (
    "ClientId", "Yclid", "DateTime", "StaticCall", "Price", "Currency", "PhoneNumber", "TalkDuration",
    "HoldDuration", "CallMissed", "Tag", "FirstTimeCaller", "URL",
)  # fmt: skip
PROCESSING: Final = frozenset({"PREPARED", "UPLOADED", "EXPORTED", "MATCHED"})
JUDGED_WITHIN_MS: Final = DAY
"""Two hours are promised; later than this nobody knows."""


class Judgement(NamedTuple):
    """How a file ended."""

    state: State
    answer: str
    reason: str | None


def lacks(cdr: Any) -> str | None:
    """What the file needs and the call does not have; None: nothing."""
    return None if any(identifiers(cdr)) else "no Metrica client id and no yclid"


def too_late(cdr: Any, now: Instant) -> str | None:
    """Why it can no longer be told; None: it can."""
    if now - from_iso(cdr["started_at"]) >= WINDOW_MS:
        return "window passed: Metrica ties calls to visits of the last 21 days"
    return None


def identifiers(cdr: Any) -> tuple[str, str]:
    """ClientId and Yclid, "" where there is none or what was sent cannot be one."""
    attribution = cdr["attribution"]
    client_id = attribution.get("metrica_client_id") or ""
    yclid = (attribution.get("click_ids") or {}).get("yclid") or ""
    return (
        client_id if CLIENT_ID.match(client_id) else "",
        yclid if YCLID.match(yclid) else "",
    )


def row_of(table: Metrica, cdr: Any, now: Instant) -> dict[str, str]:
    """The call's line. Its instant is whole seconds, and never in the future."""
    client_id, yclid = identifiers(cdr)
    page = cdr["attribution"].get("page_called_from") or ""
    caller = cdr["caller"]["number"] or ""
    return {
        "ClientId": client_id,
        "Yclid": yclid,
        "DateTime": str(min(from_iso(cdr["started_at"]), now) // 1000),
        "StaticCall": "1" if cdr["match"] == "static" else "0",
        "Price": f"{table.value:.2f}" if table.value else "",
        "Currency": table.currency,
        "PhoneNumber": caller if re.fullmatch(r"\+[0-9]{7,15}", caller) else "",
        "TalkDuration": str(round(cdr["talk_seconds"])),
        "HoldDuration": str(round(cdr["ring_seconds"])),
        "CallMissed": "0" if cdr["result"] == "answered" else "1",
        "Tag": _printable(cdr["attribution"].get("channel") or "", 255),
        "FirstTimeCaller": {True: "1", False: "0", None: ""}[cdr["first_call"]],
        "URL": _printable(page, 1024) if page.startswith(("https://", "http://")) else "",
    }


def file_of(rows: Iterable[Mapping[str, str]]) -> bytes:
    """The file, in UTF-8 with a header."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def judgement(status: str, since_at: Instant, now: Instant) -> Judgement | None:
    """What the status of a file taken at `since_at` means for its calls; None: it is still being judged."""
    if status == "PROCESSED":
        return Judgement("sent", status, None)
    if status == "LINKAGE_FAILURE":
        return Judgement("refused", status, "LINKAGE_FAILURE: none of the file's calls was tied to a visit")
    if now - since_at < JUDGED_WITHIN_MS:
        return None
    return Judgement("unclear", status, f"taken, and after a day still {status}")


def _printable(text: str, most: int) -> str:
    return "".join(sign for sign in text if sign.isprintable())[:most]
