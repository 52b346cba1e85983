"""Lines as cel_custom writes them."""

import json
from collections.abc import Mapping

LINKEDID = "1763817000.42"


def quoted(value: str) -> str:
    """CSV_QUOTE: every quote doubled, quotes around."""
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


def line(
    kind: str = "CHAN_START",
    *,
    at: str = "1763817000.123456",
    uniqueid: str = LINKEDID,
    linkedid: str = LINKEDID,
    exten: str = "442079460123",
    name: str = "Ann",
    extra: Mapping[str, object] | str = "",
) -> bytes:
    text = extra if isinstance(extra, str) else json.dumps(extra, separators=(",", ":"))
    fields = [at, kind, uniqueid, linkedid, "PJSIP/carrier-0000002a", exten, "leaseline-in"]
    fields += ["+447700900123", name]
    return ",".join(map(quoted, [*fields, "442079460123", "", text])).encode()
