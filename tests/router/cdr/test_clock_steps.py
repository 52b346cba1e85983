"""The PBX's clock is set in mid-call: the times cannot be right then, everything else is."""

import pytest

from agi.cel import CelEvent
from router.cdr.live import SETTLE_MS, LiveCalls
from router.cdr.reducer import finish
from router.store.calls import JournalMark
from tests.router.cdr.calls import EPOCH
from tests.router.cdr.test_reducer_laws import SCRIPTS, sane, state_of

STEPS = [seconds * 1_000_000 for seconds in (-3600, -2, -1, 1, 2, 3600)]


def stepped(events: list[CelEvent], offset: int, step_us: int) -> list[CelEvent]:
    """The call when the clock is set by `step_us` before the event `offset`."""
    moved = [
        event._replace(at=(event.at_us + step_us) // 1000, at_us=event.at_us + step_us)
        for event in events[offset:]
    ]
    return [*events[:offset], *moved]


@pytest.mark.parametrize("step_us", STEPS)
def test_the_record_is_sane_and_says_who_talked(step_us):
    for events in SCRIPTS:
        whole = finish(state_of(events))
        for offset in range(1, len(events)):
            facts = finish(state_of(stepped(events, offset, step_us)))
            sane(facts)
            assert (facts.number, facts.hung_up_by) == (whole.number, whole.hung_up_by)
            assert (facts.result, facts.answered_by) == (whole.result, whole.answered_by), offset


@pytest.mark.parametrize("step_us", STEPS)
def test_each_call_is_finished_once(step_us):
    """Neither the table of live calls nor its notice of a restart is led astray."""
    for events in SCRIPTS:
        for offset in range(1, len(events)):
            calls = LiveCalls()
            for line, event in enumerate(stepped(events, offset, step_us)):
                calls.hear(event, EPOCH * 1000, JournalMark("1", "journal", line, event.at))
            calls.sweep(EPOCH * 1000 + SETTLE_MS, caught_up=True)
            assert len(calls.take(10)) == 1
            assert calls.restarts == 0
