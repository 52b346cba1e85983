"""The trace: NDJSON lines sorted by `at`, each one event. Read as a stream, checked line by line."""

import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from pool.instants import LAST_INSTANT, Instant

MOST_CHARACTERS = 200
MOST_TEXT = 100_000
MOST_TALK = 86_400


class TraceError(ValueError):
    """The trace cannot be replayed: the message names file, line and reason."""


class VisitEvent(NamedTuple):
    """A visitor opened the site. `seconds` is `at` as the trace writes it."""

    at: Instant
    seconds: float
    visit: str
    visitor: str
    site: str
    url: str
    referrer: str
    region: str
    device: str


class SignEvent(NamedTuple):
    """A heartbeat, perhaps with a click on the number (`tel_click`); or the page was left."""

    at: Instant
    visit: str
    left: bool
    tel_click: bool


class CallEvent(NamedTuple):
    """A call: to what the visit `number_of` was shown, or to the number `dialed`. Caller "" is withheld.

    `talk_seconds` from the answer to the end; None: not known, or not answered.
    """

    at: Instant
    call: str
    caller: str
    number_of: str | None
    dialed: str | None
    talk_seconds: float | None


TraceEvent: TypeAlias = VisitEvent | SignEvent | CallEvent


class TraceSize(NamedTuple):
    """How much there is to replay."""

    events: int
    first_at: Instant
    last_at: Instant
    sites: tuple[str, ...]
    """Those that visits name, in the order of their first visit."""


def measured(path: Path, sites: Collection[str]) -> TraceSize:
    """The whole trace, checked. Raises TraceError for its first bad line, OSError."""
    events = first_at = last_at = 0
    named: dict[str, None] = {}
    for events, event in enumerate(read_trace(path, sites), 1):
        last_at = event.at
        if events == 1:
            first_at = event.at
        if isinstance(event, VisitEvent):
            named[event.site] = None
    return TraceSize(events, first_at, last_at, tuple(named))


def read_trace(path: Path, sites: Collection[str]) -> Iterator[TraceEvent]:
    """The events in order. `sites` are the keys that visits may name.

    Empty lines are passed over and keys that mean nothing here are ignored, so that recorded traffic may say
    more. Raises TraceError, OSError.
    """
    reader = _Reader(frozenset(sites))
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield reader.event(line)
            except _Flaw as flaw:
                raise TraceError(f"{path}: line {number}: {flaw}") from None


class _Flaw(ValueError):
    """What is wrong with a line."""


class _Reader:
    """Remembers what later lines are checked against: the last instant, and the ids that were used."""

    def __init__(self, sites: frozenset[str]) -> None:
        self._sites = sites
        self._seconds = -math.inf
        self._visits: set[str] = set()
        self._calls: set[str] = set()

    def event(self, line: bytes) -> TraceEvent:
        try:
            found = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError) as error:
            raise _Flaw(f"not JSON: {error}") from None
        if not isinstance(found, dict):
            raise _Flaw("a JSON object is expected")
        seconds = _seconds(found)
        if seconds < self._seconds:
            raise _Flaw(f"at {seconds:g} comes after at {self._seconds:g}: lines must be sorted by `at`")
        self._seconds = seconds
        at = instant(seconds)
        match found.get("event"):
            case "visit":
                return self._visit(found, at, seconds)
            case "seen":
                return SignEvent(at, self._known(found, "visit"), False, _flag(found, "tel_click"))
            case "left":
                return SignEvent(at, self._known(found, "visit"), True, False)
            case "call":
                return self._call(found, at)
            case None:
                raise _Flaw("the key `event` is missing")
            case other:
                raise _Flaw(f"unknown event {other!r}: visit, seen, left or call is expected")

    def _visit(self, found: dict[str, Any], at: Instant, seconds: float) -> VisitEvent:
        visit, visitor, site = (_name(found, key) for key in ("visit", "visitor", "site"))
        if visit in self._visits:
            raise _Flaw(f"visit {visit!r} has begun before: each visit needs an id of its own")
        if site not in self._sites:
            raise _Flaw(f"site {site!r} is not a [[site]] of the configuration")
        self._visits.add(visit)
        texts = (_text(found, key) for key in ("url", "referrer", "region", "device"))
        return VisitEvent(at, seconds, visit, visitor, site, *texts)

    def _call(self, found: dict[str, Any], at: Instant) -> CallEvent:
        call = _name(found, "call")
        if call in self._calls:
            raise _Flaw(f"call {call!r} was made before: each call needs an id of its own")
        self._calls.add(call)
        if "caller" not in found:
            raise _Flaw("the key `caller` is missing (null or empty where it is withheld)")
        if ("number_of" in found) == ("dialed" in found):
            raise _Flaw("a call needs either `number_of` or `dialed`")
        number_of = self._known(found, "number_of") if "number_of" in found else None
        dialed = _name(found, "dialed") if "dialed" in found else None
        return CallEvent(at, call, _text(found, "caller"), number_of, dialed, _talk(found))

    def _known(self, found: dict[str, Any], key: str) -> str:
        visit = _name(found, key)
        if visit not in self._visits:
            raise _Flaw(f"{key}: visit {visit!r} has not begun on any line before")
        return visit


def instant(seconds: float) -> Instant:
    """`seconds` as milliseconds. A fraction of one counts as a whole one: no hold ends too early."""
    return math.ceil(round(seconds * 1000, 3))


def _seconds(found: dict[str, Any]) -> float:
    if "at" not in found:
        raise _Flaw("the key `at` is missing")
    seconds = found["at"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise _Flaw(f"at {seconds!r}: a number of seconds is expected")
    if not 0 <= seconds <= LAST_INSTANT // 1000:
        raise _Flaw(f"at {seconds!r}: 0 seconds or more is expected, up to the year 9999")
    return seconds


def _talk(found: dict[str, Any]) -> float | None:
    seconds = found.get("talk")
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MOST_TALK:
        raise _Flaw(f"talk {seconds!r}: a number of seconds is expected, up to {MOST_TALK} (null: no answer)")
    return float(seconds)


def _name(found: dict[str, Any], key: str) -> str:
    if key not in found:
        raise _Flaw(f"the key `{key}` is missing")
    value = found[key]
    if not isinstance(value, str) or not 0 < len(value) <= MOST_CHARACTERS or not value.isprintable():
        raise _Flaw(f"{key}: a text of 1 to {MOST_CHARACTERS} printable characters is expected")
    return value


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise _Flaw(f"{key}: a text is expected")
    return value


def _flag(found: dict[str, Any], key: str) -> bool:
    value = found.get(key, False)
    if not isinstance(value, bool):
        raise _Flaw(f"{key}: true or false is expected")
    return value
