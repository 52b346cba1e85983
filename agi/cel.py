"""One event of a call as Asterisk tells it (CEL): from a line of the journal, or from an AMI ``CEL`` event.

The journal's columns, each quoted by CSV_QUOTE (``dialplan/cel_custom.conf``): eventtime (epoch seconds
with six decimals: cel.conf without dateformat), eventtype, uniqueid, linkedid, channel, exten, context,
caller number, caller name, dialed number, bridge peer, extra (JSON).

**Identity.** The same event reaches us by two witnesses that do not tell the same: the AMI gives whole
seconds in the switch's local time (cel_manager.c formats it so, whatever cel.conf says) and another field
as peer. What both tell alike is `CelEvent.identity`: type, channel's uniqueid, the second, and the extra
facts. An event from the AMI has ``at_us`` on the whole second, which marks it as known to the second only;
where both witnesses tell an identity, the journal's instants are the true ones. Two events of one identity
within a second (a channel that enters the same bridge twice) are told apart by the journal's instants only.
"""

import csv
import json
from calendar import timegm
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from agi.text import decode

COLUMNS: Final = 12
_BETWEEN: Final = '","'
_SHORT: Final = 65_536
Identity: TypeAlias = tuple[str, str, int, tuple[tuple[str, str], ...]]

_QUARTER_HOUR: Final = 900
_USER_EXTRA: Final = '{"extra":"'
_NOTHING: Final[Mapping[str, str]] = {}
_decode_json: Final = json.JSONDecoder().raw_decode


class MalformedEvent(ValueError):
    """not an event of a call"""


class Headers(Protocol):
    """An AMI event, by header name."""

    def get(self, name: str, default: str = "", /) -> str: ...


class CelEvent(NamedTuple):
    """What happened to one channel at one instant.

    at: ms since the epoch, UTC; at_us: the same in microseconds. type: CHAN_START, ANSWER, …, or a user
    event's own name. extra: the JSON object, values as text ("unparsed" holds it when it is none). user:
    the ``key=value|…`` pairs of a user event. Texts are as the switch has them: caller-controllable.
    """

    at: int
    at_us: int
    type: str
    uniqueid: str
    linkedid: str
    channel: str
    exten: str
    context: str
    caller_number: str
    caller_name: str
    dnid: str
    peer: str
    extra: Mapping[str, str]
    user: Mapping[str, str]

    @property
    def identity(self) -> Identity:
        """Equal for the same event by either witness."""
        return (self.type, self.uniqueid, self.at_us // 1_000_000, tuple(sorted(self.extra.items())))


def from_line(line: bytes) -> CelEvent:
    """The event in one line of the journal, without its line feed. Raises `MalformedEvent`.

    Asterisk 22 cuts a line at 1,023 bytes (its cel_custom writes a mapping of plain fields through a buffer
    of that size); what a line that was cut within its last column still tells is taken.

    A caller can make Asterisk write a line feed (percent-encoded in
    a dialed number) and so break its own event in two, but cannot forge one: CSV_QUOTE doubles each quote,
    and a field that begins with an even run of quotes cannot have other content.
    """
    text = decode(line)
    fields = _fields(text) or _fields(text + '"') or _fields(text + '""')
    if fields is None:
        raise MalformedEvent(f"not a line of {COLUMNS} quoted fields")
    eventtime, *rest = fields
    return _event(_microseconds(eventtime), *rest)


def _fields(text: str) -> list[str] | None:
    """The columns; None where it is not a line of so many quoted fields."""
    if not (text.startswith('"') and text.endswith('"')):
        return None
    # Nearly every line has quotes in its last column alone, where each must be doubled: read so, it is what
    # the csv module would read, at a third of the price.
    head, *rest = text[1:-1].split(_BETWEEN, COLUMNS - 1)
    if len(rest) == COLUMNS - 1 and len(text) < _SHORT:
        last = rest[-1].replace('""', "\0")
        plain = '"' not in head and '"' not in last and "\0" not in text
        if plain and '"' not in "".join(rest[:-1]):
            rest[-1] = last.replace("\0", '"')
            return [head, *rest]
    try:
        [fields] = csv.reader([text], strict=True)
    except (csv.Error, ValueError):
        return None
    return fields if len(fields) == COLUMNS else None


def from_ami(headers: Headers, received_at: int) -> CelEvent:
    """The event in an AMI event ``CEL`` that was received at ``received_at`` (ms since the epoch).

    The switch's time zone is not told; it follows from the instant of receipt, as zones are whole quarters
    of an hour apart from UTC. Raises `MalformedEvent`.
    """
    local = headers.get("EventTime")
    try:
        naive = timegm(datetime.strptime(local, "%Y-%m-%d %H:%M:%S").timetuple())  # noqa: DTZ007
    except ValueError as error:
        raise MalformedEvent(f"EventTime is {local!r}, not YYYY-MM-DD HH:MM:SS") from error
    offset = round((naive - received_at / 1000) / _QUARTER_HOUR) * _QUARTER_HOUR
    return _event(
        (naive - offset) * 1_000_000,
        # cel.conf's show_user_defined=yes names all user events USER_DEFINED and puts their own name here.
        headers.get("UserDefType") or headers.get("EventName"),
        headers.get("UniqueID"),
        headers.get("LinkedID"),
        headers.get("Channel"),
        headers.get("Exten"),
        headers.get("Context"),
        headers.get("CallerIDnum"),
        headers.get("CallerIDname"),
        headers.get("CallerIDdnid"),
        headers.get("Peer"),
        headers.get("Extra"),
    )


def _event(at_us: int, kind: str, uniqueid: str, linkedid: str, *texts: str) -> CelEvent:
    if not (kind and uniqueid and linkedid):
        raise MalformedEvent("without a type, uniqueid or linkedid")
    channel, exten, context, number, name, dnid, peer, raw_extra = texts
    extra = _extra(raw_extra) if raw_extra else _NOTHING
    user = _user(extra["extra"]) if "extra" in extra else _NOTHING
    # By position: a dozen lines a call are read.
    return CelEvent(
        at_us // 1000, at_us, kind, uniqueid, linkedid,
        channel, exten, context, number, name, dnid, peer, extra, user,
    )  # fmt: skip


def _microseconds(eventtime: str) -> int:
    """ "1763817000.123456" without going through a float, which has no room for microseconds."""
    if len(eventtime) == 17 and eventtime[10] == ".":
        digits = eventtime[:10] + eventtime[11:]
        if digits.isascii() and digits.isdigit():
            return int(digits)
    seconds, point, fraction = eventtime.partition(".")
    digits = fraction.ljust(6, "0")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12) or (point and not fraction):
        raise MalformedEvent(f"eventtime is {eventtime[:40]!r}, not seconds since the epoch")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 6):
        raise MalformedEvent(f"eventtime is {eventtime[:40]!r}, not seconds with six decimals")
    return int(seconds) * 1_000_000 + int(digits)


def _extra(raw: str) -> Mapping[str, str]:
    """The extra facts. What cannot be read is kept as it is: an event with less told beats none."""
    try:
        # What json.loads calls in the end: Asterisk writes no spaces around the object.
        parsed, end = _decode_json(raw)
        if end != len(raw):
            parsed = json.loads(raw)
    except (ValueError, RecursionError):
        whole, bar, _ = raw.removeprefix(_USER_EXTRA).rpartition("|")
        return {"unparsed": raw, "extra": whole} if raw.startswith(_USER_EXTRA) and bar else {"unparsed": raw}
    if not isinstance(parsed, dict):
        return {"unparsed": raw}
    return {key: value if isinstance(value, str) else _text(value) for key, value in parsed.items()}


def _text(value: Any) -> str:
    return str(value) if type(value) is int else json.dumps(value)


def _user(text: str) -> Mapping[str, str]:
    """``a=1|b=2``; a part without an equals sign is left out, of a key told twice the first counts."""
    pairs: dict[str, str] = {}
    for part in text.split("|"):
        key, equals, value = part.partition("=")
        if equals:
            pairs.setdefault(key, value)
    return pairs
