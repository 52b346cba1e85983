"""What the AMI tells: events, replies, live channels; and the queue that keeps events in order."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

log = structlog.get_logger(__name__)

HeaderValue: TypeAlias = str | Sequence[str]
_ALARM_EVERY_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class AmiEvent:
    """One event, or one item of a list.

    headers: by lower-cased name; a header that was repeated has all its values. received_at: ms since the
    epoch. after_gap: events before this one may have been missed (a new connection, or an overflow): ask
    for what is live.
    """

    name: str
    headers: Mapping[str, HeaderValue]
    received_at: int
    after_gap: bool = False

    def get(self, name: str, default: str = "", /) -> str:
        """The header's value, the first where it is repeated: what Asterisk wrote, not what was smuggled
        in."""
        value = self.headers.get(name.lower(), default)
        return value if isinstance(value, str) else value[0]

    def all(self, name: str) -> list[str]:
        value = self.headers.get(name.lower(), [])
        return [value] if isinstance(value, str) else list(value)


@dataclass(frozen=True, slots=True)
class AmiReply:
    """The answer to an action, and for a list its items."""

    success: bool
    message: str
    headers: Mapping[str, HeaderValue]
    events: tuple[AmiEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel that is up now. state: "Ring", "Ringing", "Up", …; duration_seconds: since it was made."""

    channel: str
    uniqueid: str
    linkedid: str
    state: str
    context: str
    exten: str
    caller_number: str
    connected_number: str
    application: str
    bridge_id: str
    duration_seconds: int

    @classmethod
    def of(cls, event: AmiEvent) -> "LiveChannel":
        return cls(
            channel=event.get("Channel"),
            uniqueid=event.get("Uniqueid"),
            linkedid=event.get("Linkedid"),
            state=event.get("ChannelStateDesc"),
            context=event.get("Context"),
            exten=event.get("Exten"),
            caller_number=event.get("CallerIDNum"),
            connected_number=event.get("ConnectedLineNum"),
            application=event.get("Application"),
            bridge_id=event.get("BridgeId"),
            duration_seconds=_seconds(event.get("Duration")),
        )


def _seconds(clock: str) -> int:
    """ "00:01:05" as 65; 0 for what is none."""
    total = 0
    for part in clock.split(":"):
        if not part.isdigit():
            return 0
        total = total * 60 + int(part)
    return total


class EventQueue:
    """Events in the order in which they came, for one consumer.

    Bounded: Asterisk cuts off a client that does not read, so rather than make it wait a full queue drops
    what comes new, counts it, and marks the next event `after_gap`. An event that waits longer than
    ``age_alarm_seconds`` is an alarm: the consumer is slow or stuck.
    """

    def __init__(self, size: int, age_alarm_seconds: float) -> None:
        self.dropped = 0
        self.alarms = 0
        self._size = size
        self._age_alarm_seconds = age_alarm_seconds
        self._alarmed_at = float("-inf")
        self._events: deque[tuple[float, AmiEvent]] = deque()
        self._gap = True
        self._some = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._events)

    @property
    def oldest_age_seconds(self) -> float:
        return time.monotonic() - self._events[0][0] if self._events else 0.0

    def mark_gap(self) -> None:
        self._gap = True

    def put(self, name: str, headers: Mapping[str, HeaderValue]) -> None:
        self.check_age()
        if len(self._events) >= self._size:
            self.dropped += 1
            if not self._gap:
                log.error("ami event queue is full, events are dropped", size=self._size)
            self._gap = True
            return
        event = AmiEvent(name, headers, time.time_ns() // 1_000_000, self._gap)
        self._gap = False
        self._events.append((time.monotonic(), event))
        self._some.set()

    async def get(self) -> AmiEvent | None:
        """The next event; None once the queue is closed and empty."""
        while not self._events:
            if self._closed:
                return None
            self._some.clear()
            await self._some.wait()
        self.check_age()
        return self._events.popleft()[1]

    def close(self) -> None:
        self._closed = True
        self._some.set()

    def check_age(self) -> None:
        """Raise the alarm when the oldest event waits for too long."""
        age = self.oldest_age_seconds
        if age <= self._age_alarm_seconds:
            return
        self.alarms += 1
        now = time.monotonic()
        if now - self._alarmed_at >= _ALARM_EVERY_SECONDS:
            self._alarmed_at = now
            log.warning("ami events wait", oldest_age_seconds=round(age, 3), waiting=len(self._events))
