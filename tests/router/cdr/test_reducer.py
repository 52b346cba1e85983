"""Each result, who hung up, legs and times, from journals written as Asterisk writes them."""

import pytest

from router.cdr.outcome import CallFacts
from router.cdr.reducer import complete, cut, dialed, finish, measured, recording_to_measure, reduce
from tests.router.cdr.calls import AGENT1, AGENT2, AGENT3, CALLER, EPOCH, NUMBER, Script, answered, coarse


def facts_of(events) -> CallFacts:
    return finish(state_of(events))


def state_of(events):
    state = None
    for event in events:
        state = reduce(state, event)
    assert state is not None
    return state


def legs_of(facts: CallFacts) -> list[tuple]:
    return [(leg.step, leg.target, leg.result) for leg in facts.legs]


def test_answered_call_tells_who_took_it_how_long_it_rang_and_talked():
    facts = facts_of(answered(30.0).in_order())
    assert (facts.result, facts.answered_by, facts.hung_up_by) == ("answered", AGENT1, "agent")
    assert (facts.number, facts.dialed, facts.site) == (NUMBER, NUMBER[1:], "shop")
    assert (facts.caller_number, facts.caller_name) == (CALLER, "Ann")
    assert facts.started_us == EPOCH * 1_000_000 + 125_000
    assert facts.answered_us == pytest.approx((EPOCH + 5.326) * 1_000_000, abs=1000)
    assert facts.ring_seconds == pytest.approx(5.151, abs=0.002)
    assert facts.talk_seconds == pytest.approx(30.0, abs=0.002)
    assert (facts.decided_in_ms, facts.by_router, facts.repaired) == (1.234, True, None)
    (leg,) = facts.legs
    assert (leg.step, leg.target, leg.result, leg.sip_status, leg.cause) == (1, AGENT1, "answered", 200, 16)
    assert leg.ring_seconds == pytest.approx(4.95, abs=0.002)
    assert leg.talk_seconds == pytest.approx(30.0, abs=0.002)


def test_caller_hangs_up_first():
    assert facts_of(answered(ended_by="caller").in_order()).hung_up_by == "caller"


def test_hang_up_by_nobody_known_is_the_systems():
    script = answered()
    events = [event for event in script.in_order() if event.type not in {"LL_END", "HANGUP"}]
    facts = facts_of(events)
    assert (facts.result, facts.hung_up_by, facts.repaired) == ("answered", "system", "end-lost")


def test_recording_is_measured_by_its_bytes():
    facts = facts_of(answered(10.0, record="stereo").in_order())
    assert facts.recording is not None
    assert (facts.recording.seconds, facts.recording.channels, facts.recording.bytes) == (10.0, 2, 160_044)


def test_an_empty_wav_is_no_recording():
    script = Script(record="mono").arrive()
    script.leg(0.1, AGENT1)
    facts = facts_of(
        script.end(3.0, status="CANCEL", source=script.caller, file=script.file, bytes="44").in_order()
    )
    assert facts.recording is None


def test_busy():
    script = Script().arrive()
    script.refuse(0.5, script.leg(0.05, AGENT1), cause=17, sip=486)
    script.attempts.append("1:BUSY:17")
    facts = facts_of(script.end(0.51, status="BUSY", source="dialplan/builtin", cause=17).in_order())
    assert (facts.result, facts.hung_up_by, facts.answered_us, facts.talk_seconds) == (
        "busy",
        "system",
        None,
        0.0,
    )
    assert facts.ring_seconds == pytest.approx(0.45, abs=0.002)
    (leg,) = facts.legs
    assert (leg.result, leg.sip_status, leg.cause) == ("busy", 486, 17)


def test_nobody_answers():
    script = Script().arrive()
    leg = script.leg(0.05, AGENT1)
    script.hang_up(20.05, leg, cause=0)
    script.attempts.append("1:NOANSWER:0")
    facts = facts_of(script.end(20.06, status="NOANSWER", source="dialplan/builtin", cause=19).in_order())
    assert (facts.result, facts.hung_up_by) == ("missed", "system")
    assert facts.ring_seconds == pytest.approx(20.0, abs=0.002)
    assert legs_of(facts) == [(1, AGENT1, "missed")]


def test_caller_gives_up_while_it_rings():
    script = Script((AGENT1, f"{AGENT2}&{AGENT3}")).arrive()
    script.hang_up(20.05, script.leg(0.05, AGENT1), cause=0)
    script.attempts.append("1:NOANSWER:0")
    legs = [script.leg(20.06, AGENT2), script.leg(20.061, AGENT3)]
    for leg in legs:
        script.hang_up(25.0, leg, cause=16)
    facts = facts_of(script.end(25.01, status="CANCEL", source=script.caller, cause=127).in_order())
    assert (facts.result, facts.hung_up_by) == ("cancelled", "caller")
    assert legs_of(facts) == [(1, AGENT1, "missed"), (2, AGENT2, "cancelled"), (2, AGENT3, "cancelled")]


def test_caller_gives_up_during_the_announcement():
    script = Script().arrive()
    facts = facts_of(script.end(2.0, source=script.caller).in_order())
    assert (facts.result, facts.hung_up_by, facts.legs, facts.ring_seconds) == (
        "cancelled",
        "caller",
        (),
        0.0,
    )


def test_caller_gives_up_during_the_whisper_although_dialstatus_reads_answer():
    script = Script().arrive()
    leg = script.leg(0.05, AGENT1)
    script.put(3.0, "ANSWER", leg)
    script.hang_up(4.0, leg)
    bridged = f"{EPOCH + 4.5:.3f}"
    facts = facts_of(script.end(4.01, status="ANSWER", source=script.caller, bridged=bridged).in_order())
    assert (facts.result, facts.hung_up_by, facts.answered_us) == ("cancelled", "caller", None)
    assert legs_of(facts) == [(1, AGENT1, "cancelled")]


@pytest.mark.parametrize(("sip", "cause"), [(404, 1), (603, 21), (403, 21), (500, 34), (503, 34)])
def test_refused(sip, cause):
    script = Script().arrive()
    script.refuse(0.2, script.leg(0.05, AGENT1), cause=cause, sip=sip)
    script.attempts.append(f"1:{'CONGESTION' if cause == 34 else 'CHANUNAVAIL'}:{cause}")
    facts = facts_of(script.end(0.21, status="CHANUNAVAIL", source="dialplan/builtin").in_order())
    assert (facts.result, facts.hung_up_by) == ("failed", "system")
    assert [(leg.result, leg.sip_status, leg.cause) for leg in facts.legs] == [("failed", sip, cause)]


def test_480_is_missed():
    script = Script().arrive()
    script.refuse(0.2, script.leg(0.05, AGENT1), cause=19, sip=480)
    script.attempts.append("1:NOANSWER:19")
    assert (
        facts_of(script.end(0.21, status="NOANSWER", source="dialplan/builtin").in_order()).result == "missed"
    )


def test_a_target_without_a_channel_still_has_its_leg():
    script = Script((AGENT1, AGENT2)).arrive()
    script.attempts.append("1:CHANUNAVAIL:20")
    leg = script.leg(0.1, AGENT2)
    script.put(2.0, "ANSWER", leg)
    script.bridge(2.1, leg, 8.0)
    script.hang_up(8.01, leg, source=leg)
    facts = facts_of(script.end(8.02, status="ANSWER", source=leg).in_order())
    assert [(leg.step, leg.target, leg.result, leg.cause) for leg in facts.legs] == [
        (1, AGENT1, "failed", 20),
        (2, AGENT2, "answered", 16),
    ]


def test_the_same_target_in_two_steps_is_told_apart_by_the_attempts():
    script = Script((AGENT1, AGENT2, AGENT1)).arrive()
    script.attempts += ["1:CHANUNAVAIL:3", "2:CHANUNAVAIL:3"]
    leg = script.leg(0.1, AGENT1)
    script.put(2.0, "ANSWER", leg)
    script.bridge(2.1, leg, 8.0)
    facts = facts_of(script.end(8.02, status="ANSWER", source=script.caller).in_order())
    assert legs_of(facts) == [(1, AGENT1, "failed"), (2, AGENT2, "failed"), (3, AGENT1, "answered")]


def test_second_of_three_at_once_answers():
    script = Script((f"{AGENT1}&{AGENT2}&{AGENT3}",)).arrive()
    first, second, third = (
        script.leg(0.05 + n / 1000, agent) for n, agent in enumerate((AGENT1, AGENT2, AGENT3))
    )
    script.refuse(1.0, first, cause=17, sip=486)
    script.put(4.0, "ANSWER", second)
    script.hang_up(4.01, third, cause=26)
    script.bridge(4.1, second, 9.0)
    script.hang_up(9.01, second, source=second)
    facts = facts_of(script.end(9.02, status="ANSWER", source=second).in_order())
    assert facts.answered_by == AGENT2
    assert legs_of(facts) == [(1, AGENT1, "busy"), (1, AGENT2, "answered"), (1, AGENT3, "elsewhere")]


def test_a_number_through_a_trunk_is_its_own_target():
    target = "PJSIP/+441134960001@trunk"
    script = Script((target,)).arrive()
    leg = script.leg(0.05, target)
    assert leg.startswith("PJSIP/trunk-")
    script.put(1.0, "ANSWER", leg)
    script.bridge(1.0, leg, 3.0)
    assert facts_of(script.end(3.1, status="ANSWER", source=script.caller).in_order()).answered_by == target


def test_a_mixture_of_refusals_reads_as_what_concerns_the_business():
    script = Script((AGENT1, AGENT2, AGENT3)).arrive()
    script.refuse(0.2, script.leg(0.05, AGENT1), cause=21, sip=603)
    script.refuse(0.4, script.leg(0.21, AGENT2), cause=17, sip=486)
    script.hang_up(20.5, script.leg(0.41, AGENT3), cause=0)
    script.attempts += ["1:CHANUNAVAIL:21", "2:BUSY:17", "3:NOANSWER:0"]
    facts = facts_of(script.end(20.6, status="NOANSWER", source="dialplan/builtin").in_order())
    assert facts.result == "missed"
    assert legs_of(facts) == [(1, AGENT1, "failed"), (2, AGENT2, "busy"), (3, AGENT3, "missed")]


def test_hanging_up_on_the_overflow_announcement_is_still_a_missed_call():
    script = Script().arrive()
    script.hang_up(20.05, script.leg(0.05, AGENT1), cause=0)
    script.attempts.append("1:NOANSWER:0")
    facts = facts_of(script.end(24.0, status="NOANSWER", source=script.caller).in_order())
    assert (facts.result, facts.hung_up_by) == ("missed", "caller")
    assert facts.ring_seconds == pytest.approx(20.0, abs=0.002)


def test_blocked():
    facts = facts_of(Script(()).arrive().end(0.05, source="dialplan/builtin", block="reject").in_order())
    assert (facts.result, facts.hung_up_by) == ("blocked", "system")


def test_voicemail():
    script = Script().arrive()
    script.hang_up(20.05, script.leg(0.05, AGENT1), cause=0)
    script.attempts.append("1:NOANSWER:0")
    facts = facts_of(script.end(40.0, status="NOANSWER", source=script.caller, vm="box1:SUCCESS").in_order())
    assert (facts.result, facts.hung_up_by) == ("voicemail", "caller")


def test_fallback_has_no_decision_time():
    facts = facts_of(answered(by="fallback-astdb").in_order())
    assert (facts.by_router, facts.decided_in_ms, facts.result) == (False, None, "answered")


def test_keyed_extension():
    script = Script().arrive()
    script.put(0.5, "LL_EXT", user={"ext": "4711"})
    assert facts_of(script.end(1.0, source=script.caller).in_order()).extension == "4711"


def test_talk_is_bridge_time_not_time_since_the_callers_answer():
    script = Script().arrive()
    script.put(0.1, "ANSWER")  # an IVR answered the caller
    leg = script.leg(10.0, AGENT1)
    script.put(12.0, "ANSWER", leg)
    script.bridge(13.0, leg, 20.0)
    facts = facts_of(script.end(20.1, status="ANSWER", source=script.caller).in_order())
    assert facts.answered_us is not None
    assert facts.answered_us - facts.started_us == pytest.approx(13_001_000, abs=1000)
    assert facts.talk_seconds == pytest.approx(7.0, abs=0.002)


def test_hold_in_another_bridge_is_no_talk():
    script = Script().arrive()
    leg = script.leg(0.1, AGENT1)
    script.put(1.0, "ANSWER", leg)
    script.bridge(1.0, leg, 4.0, "b1")
    script.put(4.5, "BRIDGE_ENTER", extra={"bridge_id": "holding"})
    script.put(6.5, "BRIDGE_EXIT", extra={"bridge_id": "holding"})
    script.bridge(7.0, leg, 9.0, "b2")
    facts = facts_of(script.end(9.1, status="ANSWER", source=script.caller).in_order())
    assert facts.talk_seconds == pytest.approx(5.0, abs=0.01)


def test_transfers_are_told():
    script = answered()
    script.put(9.0, "BLINDTRANSFER", extra={"extension": "200", "context": "office", "bridge_id": "b1"})
    (transfer,) = facts_of(script.in_order() + coarse(script.in_order())).transfers
    assert (transfer.kind, transfer.to) == ("blind", "200")


def test_asterisk_killed_in_mid_call():
    whole = answered(30.0, record="mono").in_order()
    state = state_of(whole[: [event.type for event in whole].index("BRIDGE_EXIT")])
    assert not complete(state)
    assert recording_to_measure(state) is not None
    at_us = round((EPOCH + 20.126) * 1_000_000)
    state = measured(cut(state, at_us, "switch-restarted"), "/rec/x.wav", 44 + 16_000 * 12)
    facts = finish(state)
    assert (facts.result, facts.hung_up_by, facts.repaired) == ("answered", "system", "switch-restarted")
    assert facts.ended_us == at_us
    assert facts.talk_seconds == pytest.approx(14.8, abs=0.01)
    assert facts.recording is not None
    assert facts.recording.seconds == 12.0


def test_asterisk_killed_while_ringing():
    script = Script().arrive()
    script.leg(0.05, AGENT1)
    facts = finish(cut(state_of(script.in_order()), (EPOCH + 4) * 1_000_000, "channels-gone"))
    assert (facts.result, facts.hung_up_by, facts.repaired) == ("failed", "system", "channels-gone")
    assert facts.ring_seconds == pytest.approx(3.825, abs=0.01)


def test_a_cut_that_proved_wrong_changes_nothing():
    events = answered().in_order()
    assert finish(cut(state_of(events), EPOCH * 1_000_000, "channels-gone")) == facts_of(events)


def test_complete_only_with_the_last_word():
    events = answered().in_order()
    assert complete(state_of(events))
    for missing in ("LINKEDID_END", "LL_END", "HANGUP"):
        assert not complete(state_of([event for event in events if event.type != missing]))


def test_other_calls_of_the_pbx_are_not_ours():
    foreign = answered().in_order()

    foreign = [event._replace(context="office") for event in foreign if not event.type.startswith("LL_")]
    assert not state_of(foreign).ours
    assert state_of(answered().in_order()).ours
    assert dialed(state_of(answered().in_order())) == (NUMBER, NUMBER[1:], None)


def test_of_several_keyed_codes_the_last_counts():
    script = Script().arrive()
    for place, code in enumerate(("9999", "4711", "")):
        script.put(0.5 + place, "LL_EXT", user={"ext": code})
    assert dialed(state_of(script.in_order())).extension == "4711"


def test_a_right_code_brings_its_holders_plan_and_a_wrong_one_leaves_the_first():
    for told, plan in (
        ({"ext": "4711", "d1": AGENT2}, [AGENT2]),
        ({"again": "1", "d1": AGENT1}, [AGENT1, AGENT3]),
    ):
        script = Script(plan=(AGENT1, AGENT3)).arrive()
        script.put(0.3, "LL_EXT", user={"ok": "1", **told})
        for step, target in enumerate(plan, 1):
            script.refuse(step + 0.5, script.leg(float(step), target), cause=17, sip=486)
            script.attempts.append(f"{step}:BUSY:17")
        facts = facts_of(script.end(4.0, status="BUSY", source="dialplan/builtin").in_order())
        assert legs_of(facts) == [(step, target, "busy") for step, target in enumerate(plan, 1)]


def test_a_call_that_the_dialplan_refused_at_the_door_has_a_record():
    script = Script(()).arrive(routed=False)
    script.hang_up(0.01, cause=1, source="dialplan/builtin")
    script.put(0.011, "LINKEDID_END")
    state = state_of(script.in_order())
    facts = finish(state)
    assert complete(state)
    assert (facts.result, facts.repaired, facts.dialed) == ("failed", None, NUMBER[1:])
