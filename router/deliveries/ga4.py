"""Google Analytics 4, Measurement Protocol: what a call is told as. Pure.

Limits and rules: developers.google.com/analytics/devguides/collection/protocol/ga4 ("Sending events",
"Send reports"). The answer is 2xx whatever was sent, so all is checked before.
"""

import re
from typing import Any, Final

# "_ga" without its version: two numbers; the first is random, the second when the visitor came first.
CLIENT_ID: Final = re.compile(r"[1-9][0-9]{0,18}\.[1-9][0-9]{0,18}\Z")


def lacks(cdr: Any) -> str | None:
    """What the event needs and the call does not have; None: nothing."""
    client_id = (cdr["attribution"].get("ga") or {}).get("client_id")
    if not client_id:
        return "no GA client id: the visit had none, or nobody was chosen"
    if not CLIENT_ID.match(client_id):
        return "the GA client id is not two numbers joined by a dot"
    return None
