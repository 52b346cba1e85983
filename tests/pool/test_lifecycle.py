"""The rules of a lease's life."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool import lifecycle
from pool.instants import SECOND
from pool.lifecycle import Event, Hold, LeaseIsHeld, LeaseIsOver, State

FROM = 1_000_000
FREEZE = 900 * SECOND
GRACE = 60 * SECOND


def begun() -> Hold:
    return lifecycle.begun(FROM, freeze_seconds=900, beat_seconds=30)


def in_state(state: State) -> tuple[Hold, int]:
    """A hold in that state, and the instant at which it is."""
    left = lifecycle.apply(begun(), Event.LEFT, FROM + 5_000)
    return {
        State.LIVE: (begun(), FROM + 10_000),
        State.FROZEN: (left, FROM + 10_000),
        State.OVER: (left, FROM + 5_000 + FREEZE),
    }[state]


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_each_event_in_each_state_does_what_the_table_says(state: State, event: Event) -> None:
    hold, at = in_state(state)
    assert lifecycle.current_state(hold, at) is state
    if event is Event.SILENCE and state is State.LIVE:
        at = FROM + GRACE  # silence is not told, it is noticed
    expected = lifecycle.TRANSITIONS.get((state, event))
    if expected is None:
        with pytest.raises(LeaseIsHeld if event is Event.OVER else LeaseIsOver):
            lifecycle.apply(hold, event, at)
    else:
        assert lifecycle.current_state(lifecycle.apply(hold, event, at), at) is expected


def test_silence_freezes_from_the_last_beat() -> None:
    hold = lifecycle.apply(begun(), Event.SEEN, FROM + 30_000)
    assert lifecycle.state_at(hold, FROM + 30_000 + GRACE - 1) is State.LIVE
    assert lifecycle.state_at(hold, FROM + 30_000 + GRACE) is State.FROZEN
    assert lifecycle.hold_until_at(hold, FROM + 10 * FREEZE) == FROM + 30_000 + FREEZE


def test_a_freeze_shorter_than_the_grace_ends_no_live_lease() -> None:
    hold = lifecycle.begun(FROM, freeze_seconds=10, beat_seconds=30)
    assert lifecycle.state_at(hold, FROM + GRACE - 1) is State.LIVE
    assert lifecycle.state_at(hold, FROM + GRACE) is State.OVER


@pytest.mark.parametrize("event", [Event.LEFT, Event.TEL_CLICK, Event.CALL_END, Event.SEEN])
def test_each_sign_starts_the_freeze_anew(event: Event) -> None:
    hold = lifecycle.apply(begun(), event, FROM + 50_000)
    hold = lifecycle.apply(hold, Event.LEFT, FROM + 50_000)
    assert lifecycle.hold_until_at(hold, FROM + 60_000) == FROM + 50_000 + FREEZE


def test_a_call_in_progress_keeps_the_hold_open_and_its_end_starts_the_freeze() -> None:
    hold = lifecycle.apply(begun(), Event.LEFT, FROM + 1_000)
    hold = lifecycle.apply(hold, Event.CALL, FROM + 2_000)
    hour_later = FROM + 3_600_000
    assert lifecycle.state_at(hold, hour_later) is State.FROZEN
    hold = lifecycle.apply(hold, Event.CALL_END, hour_later)
    assert lifecycle.hold_until_at(hold, hour_later) == hour_later + FREEZE


def test_a_call_whose_end_was_lost_does_not_hold_for_ever() -> None:
    hold = lifecycle.apply(begun(), Event.CALL, FROM + 2_000)
    end_at = FROM + 2_000 + lifecycle.LONGEST_CALL_SECONDS * SECOND + FREEZE
    assert lifecycle.state_at(hold, end_at - 1) is State.FROZEN
    assert lifecycle.state_at(hold, end_at) is State.OVER


def test_what_was_ended_stays_over_when_the_clock_is_set_back() -> None:
    hold = lifecycle.apply(begun(), Event.LEFT, FROM)
    hold = lifecycle.apply(hold, Event.OVER, FROM + FREEZE + 5)
    assert hold.over_at == FROM + FREEZE
    assert lifecycle.state_at(hold, FROM + 1) is State.FROZEN  # history
    assert lifecycle.current_state(hold, FROM + 1) is State.OVER
    with pytest.raises(LeaseIsOver):
        lifecycle.apply(hold, Event.SEEN, FROM + 1)


told = st.sampled_from([Event.SEEN, Event.LEFT, Event.TEL_CLICK, Event.CALL, Event.CALL_END, Event.SILENCE])


@given(st.lists(st.tuples(told, st.integers(FROM - 3_600_000, FROM + 7_200_000)), max_size=12))
def test_no_sign_at_any_instant_shortens_a_hold(signs: list[tuple[Event, int]]) -> None:
    """Instants jump back and forth, as those of a clock that is set."""
    hold = begun()
    for event, at in signs:
        before = lifecycle.hold_until_at(hold, FROM)
        try:
            hold = lifecycle.apply(hold, event, at)
        except LeaseIsOver:
            continue
        assert lifecycle.hold_until_at(hold, FROM) >= before
        assert lifecycle.hold_until_at(hold, at) >= hold.anchor_at + FREEZE
