"""Laws of the reducer: order and repetition do not matter, either witness suffices, any offset will do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.cdr.outcome import CallFacts
from router.cdr.reducer import complete, cut, dialed, finish, heard, reduce, started_us
from tests.router.cdr.calls import AGENT1, AGENT2, AGENT3, EPOCH, Script, answered, coarse

RESULTS = {"answered", "missed", "busy", "cancelled", "failed", "blocked", "voicemail"}


def busy_then_answered() -> Script:
    script = Script((AGENT1, f"{AGENT2}&{AGENT3}"), record="mono").arrive()
    script.refuse(1.4, script.leg(0.05, AGENT1), cause=17, sip=486)
    script.attempts.append("1:BUSY:17")
    second, third = script.leg(1.41, AGENT2), script.leg(1.412, AGENT3)
    script.put(6.0, "ANSWER", third)
    script.hang_up(6.02, second, cause=26)
    script.bridge(6.5, third, 16.0)
    script.hang_up(16.01, third, source=third)
    return script.end(
        16.02, status="ANSWER", source=third, file=script.file, bytes="152044", bridged=f"{EPOCH + 6.62}"
    )


def missed() -> Script:
    script = Script().arrive()
    script.hang_up(20.05, script.leg(0.05, AGENT1), cause=0)
    script.attempts.append("1:NOANSWER:0")
    return script.end(20.06, status="NOANSWER", source="dialplan/builtin")


def cancelled() -> Script:
    script = Script().arrive()
    script.hang_up(3.0, script.leg(0.05, AGENT1), cause=16)
    return script.end(3.01, status="CANCEL", source=script.caller)


SCRIPTS = [
    script.in_order() for script in (answered(record="mono"), busy_then_answered(), missed(), cancelled())
]
journals = st.sampled_from(SCRIPTS)


def state_of(events):
    state = None
    for event in events:
        state = reduce(state, event)
    assert state is not None
    return state


@given(journals, st.data())
def test_order_and_repetition_lead_to_the_same_state(events, data):
    shuffled = data.draw(st.permutations(events))
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=20))
    state = state_of([*shuffled, *repeated])
    assert state == state_of(events)
    assert finish(state) == finish(state_of(events))


@given(journals, st.data())
def test_the_union_of_both_witnesses_says_what_the_journal_says(events, data):
    second = data.draw(st.lists(st.sampled_from(coarse(events)), max_size=2 * len(events)))
    mixed = data.draw(st.permutations([*events, *second]))
    assert finish(state_of(mixed)) == finish(state_of(events))


@given(journals, st.data())
def test_what_the_journal_lost_the_second_witness_tells(events, data):
    kept = [data.draw(st.booleans()) for _ in events]
    journal = [event for event, keep in zip(events, kept, strict=True) if keep]
    lost = [event for event, keep in zip(coarse(events), kept, strict=True) if not keep]
    same_story(finish(state_of([*journal, *lost])), finish(state_of(events)))


def test_the_second_witness_alone_says_the_same_to_the_second():
    for events in SCRIPTS:
        same_story(finish(state_of(coarse(events))), finish(state_of(events)))


def same_story(found: CallFacts, wanted: CallFacts) -> None:
    for name in ("result", "answered_by", "hung_up_by", "number", "extension", "recording", "repaired"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert [(leg.step, leg.target, leg.result) for leg in found.legs] == [
        (leg.step, leg.target, leg.result) for leg in wanted.legs
    ]
    for name in ("ring_seconds", "talk_seconds"):
        assert abs(getattr(found, name) - getattr(wanted, name)) <= 1.01, name


def test_every_offset_gives_a_sane_record():
    for events in SCRIPTS:
        whole = finish(state_of(events))
        for offset in range(len(events)):
            facts = finish(state_of(events[offset:]))
            sane(facts)
            kinds = [event.type for event in events[offset:]]
            if "LL_END" in kinds:
                assert facts.result == whole.result, (offset, kinds)
                assert facts.hung_up_by == whole.hung_up_by
                assert facts.number == whole.number
            assert facts.repaired == (None if offset == 0 else "start-lost")


@settings(max_examples=200)
@given(journals, st.data())
def test_any_part_of_a_journal_gives_a_sane_record(events, data):
    part = data.draw(st.lists(st.sampled_from([*events, *coarse(events)]), min_size=1, max_size=15))
    state = state_of(part)
    assert isinstance(complete(state), bool)
    dialed(state)
    heard(state)
    assert started_us(state) <= max(event.at_us for event in part)
    sane(finish(state))
    sane(finish(cut(state, data.draw(st.integers(0, 2 * EPOCH * 1_000_000)), "channels-gone")))


def sane(facts: CallFacts) -> None:
    assert facts.result in RESULTS
    assert facts.started_us <= facts.ended_us
    if facts.answered_us is not None:
        assert facts.result == "answered"
        assert facts.started_us <= facts.answered_us <= facts.ended_us
    assert (facts.result == "answered") == (facts.answered_us is not None)
    duration = (facts.ended_us - facts.started_us) / 1_000_000
    assert 0 <= facts.talk_seconds <= duration + 0.001
    assert 0 <= facts.ring_seconds <= duration + 0.001
    assert all(leg.ring_seconds >= 0 and leg.talk_seconds <= facts.talk_seconds + 0.001 for leg in facts.legs)
