"""Yandex.Metrica, uploaded calls: what a call is told as. Pure.

Source: yandex.com/dev/metrika/en/management/calls.
"""

import re
from typing import Any, Final

CLIENT_ID: Final = re.compile(r"[1-9][0-9]{0,24}\Z")
YCLID: Final = re.compile(r"[1-9][0-9]{0,24}\Z")


def lacks(cdr: Any) -> str | None:
    """What the file needs and the call does not have; None: nothing."""
    return None if any(identifiers(cdr)) else "no Metrica client id and no yclid"


def identifiers(cdr: Any) -> tuple[str, str]:
    """ClientId and Yclid, "" where there is none or what was sent cannot be one."""
    attribution = cdr["attribution"]
    client_id = attribution.get("metrica_client_id") or ""
    yclid = (attribution.get("click_ids") or {}).get("yclid") or ""
    return (
        client_id if CLIENT_ID.match(client_id) else "",
        yclid if YCLID.match(yclid) else "",
    )
