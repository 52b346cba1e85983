"""The table of unfinished calls: restarts of the switch, last words that never come, where to read again."""

import pytest

from router.cdr.live import SETTLE_MS, SILENT_MS, LiveCalls
from router.cdr.reducer import finish
from router.store.calls import JournalMark
from tests.router.cdr.calls import AGENT1, EPOCH, Script, answered

NOW = EPOCH * 1000


def mark(offset: int) -> JournalMark:
    return JournalMark("1", "journal", offset, NOW)


def heard(calls: LiveCalls, events, now: int = NOW, start: int = 0) -> None:
    for offset, event in enumerate(events, start):
        calls.hear(event, now, mark(offset))


def ringing(**options: int) -> Script:
    script = Script(**options).arrive()  # type: ignore[arg-type]
    script.leg(0.05, AGENT1)
    return script


def test_a_whole_call_is_ready_at_once():
    calls = LiveCalls()
    heard(calls, answered().in_order())
    assert (calls.ready, calls.unwritten, len(calls)) == (1, 1, 1)
    (state,) = calls.take(10)
    assert (calls.ready, calls.unwritten) == (0, 1)
    calls.written([state.linkedid])
    assert (calls.unwritten, len(calls)) == (0, 0)


def test_a_call_without_its_last_words_is_ready_a_moment_later():
    calls = LiveCalls()
    heard(calls, [event for event in answered().in_order() if event.type != "LL_END"])
    calls.sweep(NOW + SETTLE_MS - 1, caught_up=True)
    assert calls.ready == 0
    calls.sweep(NOW + SETTLE_MS, caught_up=False)
    (state,) = calls.take(10)
    assert finish(state).repaired == "end-lost"


def test_last_words_that_were_overtaken():
    events = answered().in_order()
    calls = LiveCalls()
    heard(calls, [event for event in events if event.type != "LL_END"])
    heard(calls, [event for event in events if event.type == "LL_END"])
    (state,) = calls.take(10)
    assert finish(state).repaired is None


def test_what_is_stored_is_not_taken_up_again():
    calls = LiveCalls()
    events = answered().in_order()
    calls.remember([events[0].linkedid])
    heard(calls, events)
    assert (calls.ready, calls.repeated) == (0, len(events))


@pytest.mark.parametrize(
    ("seq", "epoch", "restarted"),
    [
        (0, EPOCH + 60, True),
        (5, EPOCH + 60, True),
        (40, EPOCH + 60, True),  # the very number of the call that goes on, a minute later
        (50, EPOCH + 60, False),  # the counter goes on
        (39, EPOCH + 1, False),  # drawn a moment after the clock was read
        (39, EPOCH - 3600, False),  # the clock was set back
        (50, EPOCH - 3600, False),
    ],
)
def test_a_restart_of_the_switch_is_told_by_its_counter(seq, epoch, restarted):
    calls = LiveCalls()
    heard(calls, ringing(seq=40).in_order())
    heard(calls, ringing(seq=seq, epoch=epoch).in_order()[:1])
    assert (calls.restarts, calls.ready) == ((1, 1) if restarted else (0, 0))


def test_a_counter_that_goes_on_after_a_step_back_of_the_clock_is_no_restart():
    calls = LiveCalls()
    heard(calls, ringing(seq=40).in_order())
    heard(calls, ringing(seq=50, epoch=EPOCH - 3600).in_order())
    heard(calls, ringing(seq=60, epoch=EPOCH - 3500).in_order())
    assert calls.restarts == 0


@pytest.mark.parametrize("lost", [1, 2])
def test_the_first_lines_of_a_new_life_may_be_lost(lost: int):
    """The restart is then told by a leg, which may be of the next second: its own call is not cut."""
    calls = LiveCalls()
    heard(calls, ringing(seq=7).events)
    after = answered(seq=0, epoch=EPOCH + 9, start=0.99)
    leg = after.events[-1]
    events = [
        event._replace(uniqueid=event.uniqueid.replace(str(EPOCH + 9), str(EPOCH + 10)))
        if event.uniqueid != event.linkedid else event
        for event in after.in_order()
    ]  # fmt: skip
    assert leg.linkedid == after.events[0].linkedid
    heard(calls, events[lost:], start=100)
    assert calls.restarts == 1
    told = {state.linkedid: finish(state) for state in calls.take(10)}
    assert sorted(facts.repaired for facts in told.values()) == ["start-lost", "switch-restarted"]
    assert told[leg.linkedid].repaired == "start-lost"


def test_the_second_witness_cannot_tell_a_restart():
    calls = LiveCalls()
    heard(calls, ringing(seq=40).in_order())
    for event in ringing(seq=0, epoch=EPOCH + 60).in_order():
        calls.hear(event, NOW)
    assert (calls.restarts, calls.ready) == (0, 0)
    # What it told of the switch's new life is not cut when the journal comes to the restart.
    heard(calls, ringing(seq=4, epoch=EPOCH + 62).in_order())
    assert (calls.restarts, calls.ready, len(calls)) == (1, 1, 3)


def test_a_cut_call_lived_until_the_switch_was_last_heard():
    calls = LiveCalls()
    heard(calls, ringing(seq=40).in_order())
    other = ringing(seq=42, epoch=EPOCH + 9)
    heard(calls, other.in_order())
    heard(calls, ringing(seq=0, epoch=EPOCH + 60).in_order())
    first, second = map(finish, calls.take(10))
    assert first.ended_us == second.ended_us == other.in_order()[-1].at_us


def test_a_silent_call_ends_after_a_day():
    calls = LiveCalls()
    heard(calls, ringing().in_order())
    calls.sweep(NOW + SILENT_MS - 1, caught_up=True)
    calls.sweep(NOW + 2 * SILENT_MS, caught_up=False)
    assert calls.ready == 0
    calls.sweep(NOW + SILENT_MS, caught_up=True)
    assert finish(calls.take(1)[0]).repaired == "silent"


def test_a_call_that_the_switch_still_has_is_left_alone():
    calls = LiveCalls()
    script = ringing()
    heard(calls, script.in_order())
    calls.switch_live([], NOW + 200, NOW + 200)  # it may have begun after the list was made
    calls.switch_live([script.linkedid], NOW + 60_000, NOW + 60_000)
    calls.sweep(NOW + 120_000, caught_up=True)
    assert calls.ready == 0
    calls.switch_live([], NOW + 130_000, NOW + 130_000)
    calls.sweep(NOW + 134_000, caught_up=False)
    assert calls.ready == 0, "its end may be in what is not read yet"
    calls.sweep(NOW + 134_000, caught_up=True)
    (state,) = calls.take(1)
    assert finish(state).ended_us == (NOW + 60_000) * 1000


def test_reading_again_begins_with_the_oldest_call_that_is_not_stored():
    calls = LiveCalls()
    whole, going_on = answered(seq=10).in_order(), ringing(seq=20).in_order()
    heard(calls, whole[:5])
    heard(calls, going_on, start=5)
    heard(calls, whole[5:], start=8)
    (state,) = calls.take(1)
    assert calls.reread_from([]) == mark(0)
    assert calls.reread_from([state.linkedid]) == mark(5)
    calls.written([state.linkedid])
    assert calls.reread_from([]) == mark(5)


def test_an_offices_long_call_does_not_hold_the_position_for_ever():
    calls = LiveCalls()
    foreign = [event._replace(context="office") for event in ringing(seq=10).in_order() if not event.user]
    heard(calls, foreign)
    assert calls.reread_from([]) == mark(0), "it may yet come to us"
    going_on = ringing(seq=500, epoch=EPOCH + 3600).in_order()
    heard(calls, going_on, start=10)
    assert calls.reread_from([]) == mark(10)
    assert len(calls) == 1


def test_live_view():
    calls = LiveCalls()
    events = answered(30.0).in_order()
    stages = []
    for event in events:
        calls.hear(event, NOW, mark(0))
        live = calls.live()
        stages.append((live[0].stage, live[0].target) if live else None)
    assert stages[0] == stages[1] == ("routing", None)
    assert stages[2] == ("ringing", AGENT1)
    assert stages[6] == ("talking", AGENT1)
    assert stages[-1] == ("ending", None)
    (call,) = calls.live()
    assert (call.site, call.number, call.caller) == ("shop", "+442079460123", "+447700900123")
