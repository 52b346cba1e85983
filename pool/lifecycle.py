"""The rules of a lease's life. Pure: no clock, no store.

             left, silence             the freeze has passed
        LIVE ─────────────► FROZEN ─────────────────────────► OVER ──over──► given to another visitor
             ◄─────────────
             seen, tel_click

A lease is live while its page is open: heartbeats come, and two may be missed. `left` starts the freeze, and
so does silence, at the last beat. A return within the freeze makes it live again. A click on a `tel:` link
and a call on the lease start the freeze anew, and while a call lasts the hold does not end. When the freeze
has passed, the number rests, then it may be given to somebody else: the event `over`, and it is final.
The state follows from the stored instants and the clock: nothing needs a timer.

`anchor_at` is the latest instant from which the freeze counts (last beat, left, tel click, call's end). It
only grows: a clock that is set back never shortens a hold.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pool.instants import SECOND, Instant

GRACE_BEATS = 2
"""So many heartbeats may be missed before silence counts as leaving."""

LONGEST_CALL_SECONDS = 4 * 3600
"""A call of which nothing more is heard stops holding its lease after so long (its end was lost)."""


class State(StrEnum):
    LIVE = "live"
    FROZEN = "frozen"
    OVER = "over"


class Event(StrEnum):
    SEEN = "seen"
    LEFT = "left"
    SILENCE = "silence"
    TEL_CLICK = "tel_click"
    CALL = "call"
    CALL_END = "call_end"
    OVER = "over"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.LIVE, Event.SEEN): State.LIVE,
    (State.LIVE, Event.LEFT): State.FROZEN,
    (State.LIVE, Event.SILENCE): State.FROZEN,
    (State.LIVE, Event.TEL_CLICK): State.LIVE,
    (State.LIVE, Event.CALL): State.LIVE,
    (State.LIVE, Event.CALL_END): State.LIVE,
    (State.FROZEN, Event.SEEN): State.LIVE,
    (State.FROZEN, Event.LEFT): State.FROZEN,
    (State.FROZEN, Event.SILENCE): State.FROZEN,
    (State.FROZEN, Event.TEL_CLICK): State.LIVE,
    (State.FROZEN, Event.CALL): State.FROZEN,
    (State.FROZEN, Event.CALL_END): State.FROZEN,
    (State.OVER, Event.OVER): State.OVER,
}


class IllegalTransition(Exception):
    """The lease's state does not allow this event."""


class LeaseIsOver(IllegalTransition):
    """The lease is over: its number may already be another visitor's."""


class LeaseIsHeld(IllegalTransition):
    """A live or frozen lease cannot be ended for another visitor's sake."""


class Hold(NamedTuple):
    """The stored instants of one number held. Seconds for durations, None for what has not happened."""

    freeze_seconds: int
    beat_seconds: int
    from_at: Instant
    last_seen_at: Instant
    left_at: Instant | None
    """Since when the visitor is away; None once they are back."""
    tel_click_at: Instant | None
    call_at: Instant | None
    """The last sign of a call that has not ended; None when there is none."""
    anchor_at: Instant
    over_at: Instant | None


def begun(at: Instant, *, freeze_seconds: int, beat_seconds: int) -> Hold:
    """A hold that begins at `at`, live."""
    return Hold(freeze_seconds, beat_seconds, at, at, None, None, None, at, None)


def hold_until_at(hold: Hold, at: Instant) -> Instant:
    """When the hold ends, as far as is known at `at`. Later events only move it later."""
    if hold.over_at is not None:
        return hold.over_at
    anchor_at = hold.anchor_at
    if hold.call_at is not None:
        anchor_at = max(anchor_at, min(at, hold.call_at + LONGEST_CALL_SECONDS * SECOND))
    # A freeze shorter than the grace must not end a live lease.
    return max(anchor_at + hold.freeze_seconds * SECOND, _silent_at(hold))


def free_at(hold: Hold, at: Instant, rest_seconds: int) -> Instant:
    """When the number may be given to somebody else, as far as is known at `at`."""
    return hold_until_at(hold, at) + rest_seconds * SECOND


def state_at(hold: Hold, at: Instant) -> State:
    """The state at an instant of the hold's history (at or after `from_at`)."""
    if at >= hold_until_at(hold, at):
        return State.OVER
    if hold.left_at is not None:
        return State.FROZEN if at >= hold.left_at else State.LIVE
    return State.LIVE if at < _silent_at(hold) else State.FROZEN


def current_state(hold: Hold, at: Instant) -> State:
    """The state now. What has been ended stays over, also when the clock was set back since."""
    return State.OVER if hold.over_at is not None else state_at(hold, at)


def apply(hold: Hold, event: Event, at: Instant) -> Hold:
    """The hold after an event at `at`.

    Raises LeaseIsOver or LeaseIsHeld where TRANSITIONS has no line. A call's events are judged by the
    instant of the call's begin: give CALL with that instant first, then CALL_END.
    """
    state = current_state(hold, at)
    if (state, event) not in TRANSITIONS:
        if event is Event.OVER:
            raise LeaseIsHeld(f"the lease is still {state} at {at}")
        raise LeaseIsOver(f"{event} came after the lease was over")
    seen_at = max(hold.last_seen_at, at)
    after = hold._replace(anchor_at=max(hold.anchor_at, at))
    match event:
        case Event.SEEN:
            after = after._replace(last_seen_at=seen_at, left_at=None)
        case Event.TEL_CLICK:
            after = after._replace(last_seen_at=seen_at, left_at=None, tel_click_at=seen_at)
        case Event.LEFT:
            left_at = seen_at if hold.left_at is None else hold.left_at
            after = hold._replace(left_at=left_at, anchor_at=max(hold.anchor_at, left_at))
        case Event.CALL:
            after = after._replace(call_at=max(hold.call_at or at, at))
        case Event.CALL_END:
            after = after._replace(call_at=None)
        case Event.OVER:
            after = hold._replace(over_at=hold_until_at(hold, at))
        case Event.SILENCE:
            after = hold
    return after


def _silent_at(hold: Hold) -> Instant:
    return hold.last_seen_at + GRACE_BEATS * hold.beat_seconds * SECOND
