"""The last warnings and errors of this process, for those who look at its health."""

from collections import deque
from collections.abc import MutableMapping
from typing import Any, Final, NamedTuple

LEVELS: Final = frozenset({"warning", "error", "critical"})
KEPT: Final = 50
_LONGEST: Final = 300
_NOT_SHOWN: Final = frozenset({"event", "level", "timestamp", "logger", "exc_info", "stack_info"})


class LogEntry(NamedTuple):
    """One line. `at` is ISO-8601 in UTC; `text` the rest of its values."""

    at: str
    level: str
    event: str
    text: str


recent: Final[deque[LogEntry]] = deque(maxlen=KEPT)
"""The latest last."""


def remember(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: keeps what is serious and changes nothing."""
    if event.get("level") in LEVELS:
        values = ", ".join(
            f"{name}={value}"
            for name, value in event.items()
            if name not in _NOT_SHOWN and not name.startswith("_")
        )
        recent.append(
            LogEntry(
                str(event.get("timestamp", "")),
                str(event["level"]),
                str(event.get("event", ""))[:_LONGEST],
                values[:_LONGEST],
            )
        )
    return event
