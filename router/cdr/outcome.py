"""What a call came to: result, times, who hung up, recording. Pure; `router.cdr.reducer` states the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from router.cdr.facts import (
    ATTENDED_TRANSFER,
    BLIND_TRANSFER,
    MICROSECONDS,
    PARK_END,
    PARK_START,
    Fact,
    holder_asked_at,
)
from router.cdr.heard import Heard
from router.cdr.laying import endpoint_of_channel, is_channel, number_or_none
from router.cdr.legs import Leg, Legs, seconds
from router.cdr.talk import Talk, decimal
from router.cdr.timeline import length

Result = Literal["answered", "missed", "busy", "cancelled", "failed", "blocked", "voicemail"]
Party = Literal["caller", "agent", "system"]
TransferKind = Literal["blind", "attended", "park", "unpark"]

WAV_HEADER_BYTES: Final = 44
# MixMonitor's "wav": 16-bit linear at 8 kHz.
WAV_BYTES_PER_SECOND: Final = 16_000


@dataclass(frozen=True, slots=True)
class Transfer:
    """The call was passed on: `kind` blind, attended, park, unpark; `to` an extension, target or place."""

    kind: TransferKind
    at_us: int
    to: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded. `path` as the PBX names it."""

    path: str
    seconds: float
    channels: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A finished call as the switch tells it; instants in microseconds, durations in seconds."""

    linkedid: str
    dialed: str
    number: str
    site: str
    extension: str | None
    caller_number: str
    caller_name: str
    started_us: int
    answered_us: int | None
    ended_us: int
    ring_seconds: float
    talk_seconds: float
    result: Result
    answered_by: str | None
    hung_up_by: Party
    legs: tuple[Leg, ...]
    transfers: tuple[Transfer, ...]
    recording: Recording | None
    decided_in_ms: float | None
    by_router: bool
    repaired: str | None
    start_coarse: bool = False
    """Whether the start is known to the second only."""

    @property
    def holder_asked_at(self) -> int:
        """When the number's holder counts as the caller, in milliseconds."""
        return holder_asked_at(self.started_us, coarse=self.start_coarse)


def outcome_of(heard: Heard) -> CallFacts:
    """The call's facts."""
    talk = Talk(heard)
    legs = Legs(heard, talk)
    result = _result(heard, talk, legs)
    entries = legs.entries(cancelled=result == "cancelled")
    route_ms = heard.told("ms")
    by_router = heard.told("by") == "router"
    keyed = heard.told("ext") or (heard.extension.get("ext") if heard.extension else "")
    return CallFacts(
        linkedid=heard.linkedid,
        dialed=heard.told("dnis") or heard.caller_told("dnis"),
        number=heard.told("number"),
        site=heard.told("site"),
        extension=keyed or None,
        caller_number=heard.caller_told("caller"),
        caller_name=heard.caller_told("name"),
        started_us=heard.caller.start_us,
        answered_us=talk.answered_us,
        ended_us=heard.ended_us,
        ring_seconds=_ring_seconds(heard, talk, legs),
        talk_seconds=seconds(length(talk.shared)),
        result=result,
        answered_by=legs.answered_by,
        hung_up_by=_hung_up_by(heard, result),
        legs=tuple(entries),
        transfers=tuple(transfers_of(heard.facts)),
        recording=_recording(heard, result),
        decided_in_ms=decimal(route_ms) if by_router else None,
        by_router=by_router,
        repaired=_repaired(heard),
        start_coarse=heard.caller.coarse,
    )


def _result(heard: Heard, talk: Talk, legs: Legs) -> Result:
    if heard.told("block"):
        return "blocked"
    if talk.shared:
        return "answered"
    # `box:VMSTATUS`; a caller who left without a message is no voicemail.
    if heard.told("vm").rpartition(":")[2] == "SUCCESS":
        return "voicemail"
    if _gave_up(heard):
        return "cancelled"
    return "failed" if heard.was_cut else _unanswered(heard, legs)


def _unanswered(heard: Heard, legs: Legs) -> Result:
    tried = {leg.result for leg in legs.entries(cancelled=False)} | {
        _BY_STATUS.get(attempt.status, "failed") for attempt in legs.attempts
    }
    for result in _WORST_FIRST:
        if result in tried:
            return result
    return "missed" if heard.route and not tried else "failed"


# Of several attempts the one that says most about the business counts: it rang and nobody took it.
_WORST_FIRST: Final[tuple[Result, ...]] = ("missed", "busy", "failed")
# On both versions: 486 -> BUSY; 603, 404, unreachable -> CHANUNAVAIL; 503 -> CONGESTION; 480 and the ring
# time-out -> NOANSWER. An ANSWER without a bridge is nobody's answer.
_BY_STATUS: Final = {"NOANSWER": "missed", "BUSY": "busy", "ANSWER": "missed"}


def _gave_up(heard: Heard) -> bool:
    """Whether the caller hung up while waiting, rather than while being told that nobody is there."""
    if heard.end is not None:
        status = heard.end.get("dialstatus")
    else:
        status = heard.caller.hung_up.get("dialstatus") if heard.caller.hung_up else ""
    return status == "CANCEL" or (status in {"", "ANSWER"} and _source(heard) == heard.caller.channel != "")


def _source(heard: Heard) -> str:
    """The channel that hung up first, as the switch tells it: empty when it does not."""
    told = heard.end.get("hsrc") if heard.end else ""
    if not told and heard.caller.hung_up:
        told = heard.caller.hung_up.get("hangupsource")
    return told


def _hung_up_by(heard: Heard, result: Result) -> Party:
    if heard.was_cut:
        return "system"
    if result == "cancelled":
        return "caller"
    source = _source(heard)
    if not source:
        told = (track.hung_up.get("hangupsource") for track in heard.others if track.hung_up)
        source = next(filter(None, told), "")
    if source and source == heard.caller.channel:
        return "caller"
    # Hangup() of the dialplan says "dialplan/builtin"; any real channel but the caller's is a target's.
    return "agent" if is_channel(source) else "system"


def _ring_seconds(heard: Heard, talk: Talk, legs: Legs) -> float:
    if not legs.tracks:
        return 0.0
    start = max(min(track.start_us for track in legs.tracks), heard.caller.start_us)
    until = talk.answered_us
    if until is None:
        ends = [track.end_us for track in legs.tracks]
        until = min(heard.ended_us, max((end for end in ends if end is not None), default=heard.ended_us))
        if None in ends:
            until = heard.ended_us
    return seconds(max(0, until - start))


def _recording(heard: Heard, result: Result) -> Recording | None:
    """The recording of the talk; of a voicemail its message."""
    path = heard.told("file")
    size = number_or_none(heard.end.get("bytes")) if heard.end else None
    if size is None and heard.recording is not None:
        path, size = heard.recording.get("path"), number_or_none(heard.recording.get("bytes"))
    if not path or size is None or size <= WAV_HEADER_BYTES:
        return None
    length_seconds = round((size - WAV_HEADER_BYTES) / WAV_BYTES_PER_SECOND, 3)
    stereo = heard.told("rec") == "stereo" and result != "voicemail"
    return Recording(path, length_seconds, 2 if stereo else 1, size)


def transfers_of(facts: Sequence[Fact]) -> list[Transfer]:
    """How the call was passed on, in order."""
    seen: dict[tuple[str, str, int], Transfer] = {}
    for fact in sorted(facts, key=lambda fact: (fact.coarse, fact)):
        if fact.kind in _TRANSFERS:
            kind, names = _TRANSFERS[fact.kind]
            to = endpoint_of_channel(next(filter(None, map(fact.get, names)), ""))
            seen.setdefault((kind, to, fact.at_us // MICROSECONDS), Transfer(kind, fact.at_us, to))
    # Within one second, if no more is known: passed on before parked, parked before fetched.
    return sorted(seen.values(), key=lambda transfer: (transfer.at_us, _KINDS.index(transfer.kind)))


_TRANSFERS: Final[Mapping[str, tuple[TransferKind, tuple[str, ...]]]] = {
    BLIND_TRANSFER: ("blind", ("extension",)),
    ATTENDED_TRANSFER: ("attended", ("transfer_target_channel_name", "channel2_name")),
    PARK_START: ("park", ("parking_lot",)),
    PARK_END: ("unpark", ("retriever", "reason")),
}
_KINDS: Final = [kind for kind, _ in _TRANSFERS.values()]


def _repaired(heard: Heard) -> str | None:
    if heard.was_cut and heard.cut is not None:
        return heard.cut.get("reason")
    if heard.route is not None and heard.end is None:
        return "end-lost"
    return "start-lost" if heard.caller.started is None else None
