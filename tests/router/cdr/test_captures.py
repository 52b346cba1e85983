"""Journals that Asterisk wrote during real calls, against what SIPp saw on the wire."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from agi.cel import CelEvent, from_line
from router.cdr.live import LiveCalls
from router.cdr.outcome import CallFacts
from router.cdr.reducer import complete, finish, reduce
from router.store.calls import JournalMark
from tests.router.cdr.calls import AGENT1, AGENT2, AGENT3, coarse
from tests.router.cdr.test_reducer_laws import same_story, sane, state_of

CAPTURES = Path(__file__).parent / "captures"


def journal(name: str) -> list[CelEvent]:
    return [from_line(line) for line in (CAPTURES / name).read_bytes().splitlines()]


def by_caller(events: list[CelEvent]) -> dict[str, list[CelEvent]]:
    callers = {event.linkedid: event.caller_number for event in events if event.uniqueid == event.linkedid}
    calls: dict[str, list[CelEvent]] = {}
    for event in events:
        calls.setdefault(callers[event.linkedid], []).append(event)
    return calls


CALLS = by_caller(journal("asterisk22-calls.csv"))


@dataclass
class Wire:
    """What SIPp saw: milliseconds of INVITE, answer and end at the caller's side."""

    caller: str
    result: str
    hung_up_by: str
    legs: list[tuple]
    invited_at: int
    answered_at: int | None
    ended_at: int
    repaired: str | None = None


REFUSED = ("failed", None)
WIRE = [
    Wire("123", "answered", "agent", [(1, AGENT1, "answered", 200)], 555754, 556766, 558770),
    Wire("124", "answered", "caller", [(1, AGENT1, "busy", 486), (2, AGENT2, "elsewhere", None),
         (2, AGENT3, "answered", 200)], 561790, 562804, 564810),
    Wire("125", "busy", "system", [(1, AGENT1, "busy", 486)], 567371, None, 567377),
    Wire("126", "missed", "system", [(1, AGENT1, "missed", None)], 569426, None, 572433),
    Wire("127", "cancelled", "caller", [(1, AGENT1, "cancelled", None)], 574463, None, 575968),
    Wire("128", "failed", "system", [(1, AGENT1, "failed", 404)], 578056, None, 578064),
    # This agent said nothing at all.
    Wire("129", "missed", "system", [(1, AGENT1, "missed", None)], 580049, None, 583059),
    Wire("130", "missed", "system", [(1, AGENT1, "missed", 480)], 585003, None, 585010),
    Wire("131", "failed", "system", [(1, AGENT1, "failed", 603)], 587088, None, 587094),
    Wire("132", "answered", "caller", [(1, AGENT1, "answered", 200)], 589192, 591513, 593517),
    # Given up during the whisper: Asterisk notices when the whisper is over, 1.4 s later.
    Wire("133", "cancelled", "caller", [(1, AGENT1, "cancelled", 200)], 596046, None, 598367),
    Wire("134", "missed", "system", [(1, AGENT1, "missed", None)], 598471, None, 605513),
    Wire("135", "blocked", "system", [], 607081, None, 607086),
    Wire("136", "failed", "system", [(1, "PJSIP/nobody", "failed", None)], 608151, None, 608156),
    Wire("137", "answered", "caller", [(1, AGENT1, "answered", 200)], 610267, 610945, 611950),
]  # fmt: skip


@pytest.mark.parametrize("wire", WIRE, ids=lambda wire: f"{wire.caller}-{wire.result}")
def test_the_record_says_what_the_wire_saw(wire):
    state = state_of(CALLS[f"+447700900{wire.caller}"])
    facts = finish(state)
    assert complete(state)
    assert (facts.result, facts.hung_up_by, facts.repaired) == (wire.result, wire.hung_up_by, None)
    assert [(leg.step, leg.target, leg.result, leg.sip_status) for leg in facts.legs] == wire.legs
    near(facts.started_us, wire.invited_at)
    near(facts.ended_us, wire.ended_at)
    assert (facts.answered_us is None) == (wire.answered_at is None)
    if wire.answered_at is not None:
        near(facts.answered_us, wire.answered_at)
        assert facts.talk_seconds == pytest.approx((wire.ended_at - wire.answered_at) / 1000, abs=0.02)


def near(at_us: int | None, wire_ms: int) -> None:
    assert at_us is not None
    assert abs(at_us // 1000 % 1_000_000 - wire_ms) <= 10


def test_recording_is_as_long_as_the_talk():
    facts = finish(state_of(CALLS["+447700900124"]))
    assert facts.recording is not None
    assert facts.recording.bytes == 32364
    assert facts.recording.seconds == pytest.approx(facts.talk_seconds, abs=0.05)
    assert finish(state_of(CALLS["+447700900133"])).recording is None, "a WAV of 44 bytes"


def test_fallback_knows_no_number_but_the_digits():
    facts = finish(state_of(CALLS["+447700900137"]))
    assert (facts.number, facts.dialed, facts.site, facts.by_router) == ("", "02079460123", "", False)


@pytest.mark.parametrize("caller", CALLS)
def test_every_offset_and_the_second_witness(caller):
    events = CALLS[caller]
    whole = finish(state_of(events))
    for offset in range(len(events)):
        facts = finish(state_of(events[offset:]))
        sane(facts)
        if any(event.type == "LL_END" for event in events[offset:]):
            assert facts.hung_up_by == whole.hung_up_by
            assert whole.result in {facts.result, "answered"}
        same_story(finish(state_of([*events[:offset], *coarse(events[offset:])])), whole)
    assert finish(state_of([*events, *coarse(events)])) == whole


def finished(events: list[CelEvent]) -> list[CallFacts]:
    """The facts of every call that the table of live calls finishes, in order."""
    calls = LiveCalls()
    for offset, event in enumerate(events):
        calls.hear(event, 0, JournalMark("1", "journal", offset, event.at))
    calls.sweep(10_000, caught_up=True)
    return [finish(state) for state in calls.take(1000)]


def test_the_whole_journal_gives_one_record_per_call():
    facts = finished(journal("asterisk22-calls.csv"))
    assert [call.caller_number[-3:] for call in facts] == [wire.caller for wire in WIRE]


@pytest.mark.parametrize("offset", range(0, 130, 3))
def test_a_journal_read_from_any_offset(offset):
    events = journal("asterisk22-calls.csv")
    whole = {facts.linkedid: facts for facts in finished(events)}
    later = finished(events[offset:])
    for facts in later[1:]:
        assert facts == whole[facts.linkedid]


def test_asterisk_killed_in_mid_call_still_gives_its_record():
    cut, whole = finished(journal("asterisk22-killed.csv"))
    assert (cut.result, cut.hung_up_by, cut.repaired) == ("answered", "system", "switch-restarted")
    assert cut.answered_by == AGENT1
    assert (whole.result, whole.repaired) == ("answered", None)


def test_killed_journal_from_every_offset():
    events = journal("asterisk22-killed.csv")
    for offset in range(len(events)):
        for facts in finished(events[offset:]):
            sane(facts)


def test_reducing_leaves_the_state_alone():
    events = CALLS["+447700900123"]
    state = state_of(events)
    for event in events:
        assert reduce(state, event) is state
