"""The one reducer: (call state, event) -> call state, and what a finished state says.

Rules, each from measured behaviour of Asterisk 16 and 22 (docs/cdr.md tells them to operators):

- The caller's channel is the one whose uniqueid is the linkedid; the others are legs of the plan until the
  caller was first bridged. Later channels belong to transfers: legs without a step.
- Answered means that caller and leg were in one bridge. DIALSTATUS alone never decides: a caller who gives up
  during the whisper still reads ANSWER.
- The call ends with the caller's channel. Ringing lasts from the first leg until the bridge, or until the
  last leg or the caller gave up. Talking is the time that the caller shared a bridge with somebody.
- A call cut by an Asterisk that died ends at the last instant it is known to have lived.

Everything here is pure: no clock, no file, no log.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from agi.cel import CelEvent
from agi.variables import EVENT_END, EVENT_EXTENSION, EVENT_ROUTE
from router.cdr.facts import (
    CUT,
    HANGUP,
    LINKEDID_END,
    MICROSECONDS,
    RECORDING,
    CallState,
    Fact,
    fact_of,
    holder_asked_at,
    tells_ours,
)
from router.cdr.heard import Heard
from router.cdr.outcome import CallFacts, outcome_of
from router.cdr.timeline import believed, epoch, tracks_of


def reduce(state: CallState | None, event: CelEvent) -> CallState:
    """`state` (None: nothing heard yet) with what `event` tells. Repetition gives the same state back."""
    if state is None:
        state = CallState(event.linkedid)
    ours = state.ours or tells_ours(event)
    fact = fact_of(event)
    if fact is None or fact in state.facts:
        return state if ours == state.ours else replace(state, ours=ours)
    return CallState(state.linkedid, state.facts | {fact}, ours)


def cut(state: CallState, at_us: int, reason: str) -> CallState:
    """`state` of a call that ended without its journal saying so, last known alive at `at_us`."""
    fact = Fact(CUT, state.linkedid, at_us, "", (("reason", reason),))
    return replace(state, facts=state.facts | {fact})


def measured(state: CallState, path: str, size: int) -> CallState:
    """`state` with the size in bytes of its recording, for a call whose LL_END could not tell it."""
    fact = Fact(RECORDING, state.linkedid, 0, "", (("bytes", str(size)), ("path", path)))
    return replace(state, facts=state.facts | {fact})


def complete(state: CallState) -> bool:
    """Whether everything that can be expected was heard: nothing is won by waiting for more."""
    kinds = {fact.kind for fact in state.facts}
    if LINKEDID_END not in kinds or (EVENT_ROUTE in kinds and EVENT_END not in kinds):
        return False
    hung_up = {fact.uniqueid for fact in state.facts if fact.kind == HANGUP}
    return all(fact.uniqueid in hung_up for fact in state.facts if fact.kind not in _NO_CHANNEL)


_NO_CHANNEL = frozenset({LINKEDID_END, CUT, RECORDING})


def finish(state: CallState) -> CallFacts:
    """What happened in the call, from all that was heard. Never raises, however little that is."""
    return outcome_of(heard(state))


def heard(state: CallState) -> Heard:
    """The facts sorted by what they are about; of repeated ones the most exact."""
    single: dict[str, Fact] = {}
    recording: Fact | None = None
    channels: list[Fact] = []
    for fact in state.facts:
        if fact.kind in {EVENT_ROUTE, EVENT_END, EVENT_EXTENSION}:
            # Another context may send a call round again, a code is keyed up to three times: the last counts.
            single[fact.kind] = max(single.get(fact.kind, fact), fact, key=_lateness)
        elif fact.kind == LINKEDID_END:
            single[fact.kind] = believed(single.get(fact.kind), fact)
        elif fact.kind == CUT:
            known = single.get(CUT)
            single[CUT] = fact if known is None else max(known, fact, key=lambda item: item.at_us)
        if fact.kind == RECORDING:
            recording = fact
        elif fact.kind not in _NO_CHANNEL:
            channels.append(fact)
    return Heard(
        linkedid=state.linkedid,
        tracks=tracks_of(channels),
        facts=tuple(channels),
        route=single.get(EVENT_ROUTE),
        end=single.get(EVENT_END),
        extension=single.get(EVENT_EXTENSION),
        over=single.get(LINKEDID_END),
        cut=single.get(CUT),
        recording=recording,
    )


class Dialed(NamedTuple):
    """What was called: the number in E.164 as the router decided it, the digits as dialed, the code keyed."""

    number: str
    digits: str
    extension: str | None


def _lateness(fact: Fact) -> tuple[int, bool, Fact]:
    return fact.at_us // MICROSECONDS, not fact.coarse, fact


def dialed(state: CallState) -> Dialed:
    """What was called, as far as was heard; "" for what was not. Of keyed codes the last counts."""
    number, digits, extension = "", "", ""
    told = [fact for fact in state.facts if fact.kind in {EVENT_ROUTE, EVENT_END, EVENT_EXTENSION}]
    for fact in sorted(told, key=_lateness):
        number = fact.get("number") or number
        extension = fact.get("ext") or extension
    for fact in state.facts:
        digits = fact.get("dnis") or digits
    return Dialed(number, digits, extension or None)


def started_us(state: CallState) -> int:
    """When the call began, as far as was heard; microseconds."""
    known = [fact.at_us for fact in state.facts if fact.kind not in {CUT, RECORDING}]
    return min(known, default=epoch(state.linkedid) * MICROSECONDS)


def asked_at(state: CallState) -> int:
    """As `CallFacts.holder_asked_at`, of a call that is not finished yet; milliseconds."""
    began_us = started_us(state)
    return holder_asked_at(began_us, coarse=began_us % MICROSECONDS == 0)


def recording_to_measure(state: CallState) -> str | None:
    """The path of a recording whose size the journal did not tell, or None."""
    told = [fact for fact in state.facts if fact.kind in {EVENT_ROUTE, EVENT_END}]
    route = _first(told, EVENT_ROUTE)
    end = _first(told, EVENT_END)
    if end is not None and end.get("bytes"):
        return None
    path = (end.get("file") if end else "") or (route.get("file") if route else "")
    return path or None


def _first(facts: Iterable[Fact], kind: str) -> Fact | None:
    return min((fact for fact in facts if fact.kind == kind), default=None)
