"""What has been heard of one call: a set of facts, so that order and repetition cannot matter.

A journal event becomes a `Fact`; a call's state is the *set* of its facts. Adding to a set commutes and is
idempotent: the journal, the second witness (the same events over AMI) and any mixture of the two lead to
one state, whatever was repeated or overtaken. Meaning is only given to the whole set, by `reducer.finish`.

The second witness tells whole seconds. Such a fact is *coarse*; where a precise one says the same, the
precise one is believed (`timeline`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from agi.cel import CelEvent
from agi.variables import EVENT_END, EVENT_EXTENSION, EVENT_ROUTE

CONTEXTS: Final = frozenset({"leaseline-in", "leaseline-call"})
"""Where the trunk enters Leaseline's dialplan, and where a call then is."""

CHAN_START: Final = "CHAN_START"
ANSWER: Final = "ANSWER"
BRIDGE_ENTER: Final = "BRIDGE_ENTER"
BRIDGE_EXIT: Final = "BRIDGE_EXIT"
HANGUP: Final = "HANGUP"
BLIND_TRANSFER: Final = "BLINDTRANSFER"
ATTENDED_TRANSFER: Final = "ATTENDEDTRANSFER"
PARK_START: Final = "PARK_START"
PARK_END: Final = "PARK_END"
TRANSFERS: Final = frozenset({BLIND_TRANSFER, ATTENDED_TRANSFER, PARK_START, PARK_END})
LINKEDID_END: Final = "LINKEDID_END"
# Not events of Asterisk: what the router itself came to know about a call.
CUT: Final = "CUT"
RECORDING: Final = "RECORDING"

KINDS: Final = frozenset(
    {
        CHAN_START, ANSWER, BRIDGE_ENTER, BRIDGE_EXIT, HANGUP, BLIND_TRANSFER, ATTENDED_TRANSFER, PARK_START,
        PARK_END, LINKEDID_END, EVENT_ROUTE, EVENT_END, EVENT_EXTENSION,
    }
)  # fmt: skip
_OURS: Final = frozenset({EVENT_ROUTE, EVENT_END, EVENT_EXTENSION})
MICROSECONDS: Final = 1_000_000
LAST_US: Final = 253_402_300_799 * MICROSECONDS
"""The end of the year 9999: later instants have no ISO form. A broken clock must not lose a record."""


class Fact(NamedTuple):
    """One thing that happened to one channel; `detail` holds what its kind needs, as sorted pairs."""

    kind: str
    uniqueid: str
    at_us: int
    channel: str
    detail: tuple[tuple[str, str], ...] = ()

    @property
    def coarse(self) -> bool:
        """Whether the instant is known to the second only."""
        return self.at_us % MICROSECONDS == 0

    @property
    def latest_us(self) -> int:
        """The latest instant at which it can have happened."""
        return self.at_us + (MICROSECONDS - 1 if self.coarse else 0)

    def get(self, name: str) -> str:
        """A detail, or the empty string."""
        for key, value in self.detail:
            if key == name:
                return value
        return ""


@dataclass(frozen=True, slots=True)
class CallState:
    """All that was heard under one linkedid. `ours`: Leaseline's dialplan has had the call."""

    linkedid: str
    facts: frozenset[Fact] = frozenset()
    ours: bool = False


def fact_of(event: CelEvent) -> Fact | None:
    """The fact in an event, or None for kinds that no record needs."""
    if event.type not in KINDS:
        return None
    at_us = min(max(event.at_us, 0), LAST_US)
    return Fact(event.type, event.uniqueid, at_us, event.channel, _detail(event))


def tells_ours(event: CelEvent) -> bool:
    """Whether this event alone shows that the call went through Leaseline's dialplan."""
    return event.type in _OURS or _in_dialplan(event)


def _in_dialplan(event: CelEvent) -> bool:
    """Whether the caller's channel is in our dialplan.

    Legs do not count, and neither does a channel without a dialed number: an office's outgoing call through
    the trunk bears the trunk's context too.
    """
    return (
        event.context in CONTEXTS and event.uniqueid == event.linkedid and any(map(str.isdigit, event.exten))
    )


def _detail(event: CelEvent) -> tuple[tuple[str, str], ...]:
    if event.type in _OURS:
        return _pairs(event.user)
    pairs = _pairs(event.extra)
    if event.uniqueid != event.linkedid:
        return pairs
    # A stream may start in mid-call: any event of the caller's channel then has to tell who called what.
    if event.caller_number:
        pairs += (("caller", event.caller_number),)
    if _in_dialplan(event):
        pairs += (("dnis", event.exten),)
    if event.caller_name:
        pairs += (("name", event.caller_name),)
    return pairs


def _pairs(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted([pair for pair in values.items() if pair[1] != ""])) if values else ()


def holder_asked_at(started_us: int, *, coarse: bool) -> int:
    """When a call that began at `started_us` had its number's holder, in milliseconds.

    A `coarse` start, known to the second only, counts as that second's last moment: callers dial what they
    have been shown, so a lease of the same second came first.
    """
    return (started_us + (MICROSECONDS - 1 if coarse else 0)) // 1000
