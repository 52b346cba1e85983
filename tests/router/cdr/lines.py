"""Journal lines as cel_custom writes them."""

import json
from collections.abc import Iterable
from pathlib import Path

from agi.cel import CelEvent


def line_of(event: CelEvent) -> str:
    """The line of one event."""
    extra = dict(event.extra)
    if event.user:
        extra = {"extra": "|".join(f"{key}={value}" for key, value in event.user.items())}
    fields = (
        f"{event.at_us // 1_000_000}.{event.at_us % 1_000_000:06}",
        event.type,
        event.uniqueid,
        event.linkedid,
        event.channel,
        event.exten,
        event.context,
        event.caller_number,
        event.caller_name,
        event.dnid,
        event.peer,
        json.dumps(extra) if extra else "",
    )
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"


def append(path: Path, events: Iterable[CelEvent]) -> None:
    """Writes events as Asterisk does: each line on its own."""
    with path.open("a", encoding="utf-8") as file:
        for event in events:
            file.write(line_of(event))
            file.flush()
