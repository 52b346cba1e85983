"""The sign of lost lines: a call that is live and stays unheard of. One whose lines come late is none."""

import pytest

from router.cdr.live import LiveCalls
from router.unheard import UNHEARD_SECONDS, Unheard
from tests.router.cdr.calls import EPOCH, Script, answered

AT = 1_000.0
OVER = AT + UNHEARD_SECONDS


def caught_up() -> bool:
    return True


def office_call() -> list:
    """A call of the PBX that never enters our dialplan."""
    return [
        event._replace(context="office", exten="")
        for event in Script().arrive(routed=False).end(5).in_order()
    ]


@pytest.mark.parametrize("events", [answered(1.0).in_order(), answered(60.0).in_order()[:3]])
def test_a_call_whose_lines_came_after_the_look_is_not_lost(events):
    calls = LiveCalls()
    unheard = Unheard(calls.has_heard, caught_up)
    unheard.look([events[0].linkedid], AT)
    assert unheard.lost(OVER)
    for event in events:
        calls.hear(event, EPOCH * 1000)
    assert not unheard.lost(OVER)
    calls.written([state.linkedid for state in calls.take(10)])
    assert not unheard.lost(OVER), "a stored call was heard of"


def test_an_offices_own_call_over_the_trunk_is_not_lost():
    calls = LiveCalls()
    unheard = Unheard(calls.has_heard, caught_up)
    events = [event for event in office_call() if not event.type.startswith("LL_")]
    unheard.look([events[0].linkedid], AT)
    for event in events:
        calls.hear(event, EPOCH * 1000)
        assert not unheard.lost(OVER)
    assert len(calls) == 0


def test_a_call_that_no_line_tells_of_is_lost_after_a_while():
    unheard = Unheard(LiveCalls().has_heard, caught_up)
    unheard.look(["1.1"], AT)
    assert not unheard.lost(OVER - 0.1)
    unheard.look(["1.1", "1.2"], OVER - 0.1)
    assert unheard.lost(OVER), "it is counted from the first look on"
    unheard.look(["1.2"], OVER)
    assert not unheard.lost(OVER)


def test_a_reader_that_is_behind_has_lost_nothing():
    is_behind = True
    unheard = Unheard(LiveCalls().has_heard, lambda: not is_behind)
    unheard.look(["1.1"], AT)
    assert not unheard.lost(OVER)
    is_behind = False
    assert not unheard.lost(OVER)
    unheard.look(["1.1"], OVER)
    assert not unheard.lost(OVER)
    assert unheard.lost(OVER + UNHEARD_SECONDS), "all lines were read, and the call is not among them"
    is_behind = True
    assert not unheard.lost(OVER + UNHEARD_SECONDS)
