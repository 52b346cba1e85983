"""Google Ads click conversions: what a call is told as, by API and in files. Pure."""

import re
from typing import Any, Final

CLICK_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,512}\Z")


def lacks(cdr: Any) -> str | None:
    """What a conversion needs and the call does not have; None: nothing."""
    return None if click_id(cdr) else "no click id of Google Ads (gclid, gbraid, wbraid)"


def click_id(cdr: Any) -> tuple[str, str] | None:
    """The kind of the click's id and the id: exactly one may be told, and gclid says most."""
    found = cdr["attribution"].get("click_ids") or {}
    for kind in ("gclid", "gbraid", "wbraid"):
        value = found.get(kind)
        if value and CLICK_ID.match(value):
            return kind, value
    return None
