"""Transfers, parking, voicemail and codes, from journals of both Asterisk versions."""

import pytest

from router.cdr.live import LiveCalls
from router.cdr.outcome import CallFacts
from router.cdr.reducer import finish
from router.store.calls import JournalMark
from tests.router.cdr.calls import AGENT1, coarse
from tests.router.cdr.test_captures import finished, journal
from tests.router.cdr.test_reducer_laws import sane, state_of

VERSIONS = (22, 16)
PARKED = [("blind", "700"), ("park", "default")]

# Hung up by, legs, transfers, talk: in the order of the calls.
TOLD = [
    ("caller", [(1, AGENT1, "answered", 200), (None, "PJSIP/agent10", "answered", 200)],
     [("blind", "110")], 2.1),
    ("caller", [(1, "PJSIP/agent11", "answered", 200), (None, "PJSIP/agent12", "busy", 486)],
     [("blind", "112")], 0.5),
    ("caller", [(1, "PJSIP/agent2", "answered", 200), (None, "PJSIP/agent3", "cancelled", None)],
     [("blind", "103")], 0.5),
    ("caller", [(1, "PJSIP/agent4", "answered", 200), (None, "PJSIP/agent5", "answered", None)],
     [("attended", "PJSIP/agent5")], 2.5),
    ("agent", [(1, "PJSIP/agent6", "answered", 200), (None, "PJSIP/agent7", "answered", None)],
     [*PARKED, ("unpark", "PJSIP/agent7")], 1.2),
    ("caller", [(1, "PJSIP/agent6", "answered", 200)], [*PARKED, ("unpark", "ParkedCallGiveUp")], 0.5),
    ("caller", [(1, "PJSIP/agent8", "busy", 486)], [], 0.0),
    ("agent", [(1, AGENT1, "answered", 200)], [], 0.6),
]  # fmt: skip


def calls(version: int) -> list[CallFacts]:
    """The facts of each call of ours, in the order of their starts."""
    facts = finished(journal(f"asterisk{version}-passed-on.csv"))
    return sorted(facts, key=lambda call: call.started_us)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_record_says_where_the_call_went(version):
    for facts, (hung_up_by, legs, transfers, talk) in zip(calls(version), TOLD, strict=True):
        assert [(leg.step, leg.target, leg.result, leg.sip_status) for leg in facts.legs] == legs
        assert [(transfer.kind, transfer.to) for transfer in facts.transfers] == transfers
        assert (facts.hung_up_by, facts.repaired) == (hung_up_by, None)
        assert facts.talk_seconds == pytest.approx(talk, abs=0.05)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_legs_share_of_the_talk(version):
    for facts in calls(version):
        assert sum(leg.talk_seconds for leg in facts.legs) == pytest.approx(facts.talk_seconds, abs=0.05)
        assert facts.ring_seconds < 0.2, "what rang after the answer is the leg's, not the call's"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_consultation_rang_for_the_agent_not_for_the_caller(version):
    assert calls(version)[3].legs[1].ring_seconds == 0
    assert calls(version)[0].legs[1].ring_seconds == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_whose_caller_hung_up_at_its_end_is_a_voicemail(version):
    facts = calls(version)[6]
    assert (facts.result, facts.answered_us) == ("voicemail", None)
    assert facts.recording is not None
    assert facts.recording.path.endswith("/voicemail/leaseline/100/INBOX/msg0000.wav")
    assert (facts.recording.channels, facts.recording.seconds > 2) == (1, True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_right_code_brings_its_own_plan(version):
    facts = calls(version)[7]
    assert facts.extension is not None
    assert facts.answered_by == AGENT1


@pytest.mark.parametrize("version", VERSIONS)
def test_the_second_witness_tells_the_same(version):
    events = journal(f"asterisk{version}-passed-on.csv")
    for whole in calls(version):
        own = [event for event in events if event.linkedid == whole.linkedid]
        assert finish(state_of([*own, *coarse(own)])) == whole
        alone = finish(state_of(coarse(own)))
        assert [leg.result for leg in alone.legs] == [leg.result for leg in whole.legs]
        assert [one.to for one in alone.transfers] == [one.to for one in whole.transfers]
        assert (alone.result, alone.hung_up_by) == (whole.result, whole.hung_up_by)
        # A second for each bridge that the caller was in.
        assert alone.talk_seconds == pytest.approx(whole.talk_seconds, abs=1.01 * max(1, len(whole.legs)))


@pytest.mark.parametrize("version", VERSIONS)
def test_from_every_offset(version):
    events = journal(f"asterisk{version}-passed-on.csv")
    whole = {facts.linkedid: facts for facts in calls(version)}
    for offset in range(0, len(events), 2):
        later = finished(events[offset:])
        for facts in later:
            sane(facts)
        for facts in later[1:]:
            assert facts == whole[facts.linkedid]


SHOWN = [
    [("ringing", AGENT1), ("talking", AGENT1), ("ringing", "PJSIP/agent10"), ("talking", "PJSIP/agent10")],
    [("ringing", "PJSIP/agent11"), ("talking", "PJSIP/agent11"), ("routing", None)],  # hears the busy tone
    [("ringing", "PJSIP/agent2"), ("talking", "PJSIP/agent2"), ("ringing", "PJSIP/agent3")],
    [("ringing", "PJSIP/agent4"), ("talking", "PJSIP/agent4"), ("talking", "PJSIP/agent5")],
    [("ringing", "PJSIP/agent6"), ("talking", "PJSIP/agent6"), ("parked", None), ("talking", "PJSIP/agent7")],
    [("ringing", "PJSIP/agent6"), ("talking", "PJSIP/agent6"), ("parked", None)],
    [],  # busy at once, then the voicemail
    [("ringing", AGENT1), ("talking", AGENT1)],
]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_live_view_follows_the_caller(version):
    """Whoever is shown, is so for longer than the few milliseconds in which the lines of one change come."""
    shown: dict[str, list[tuple[str, str | None]]] = {}
    table = LiveCalls()
    before_us = 0
    for offset, event in enumerate(journal(f"asterisk{version}-passed-on.csv")):
        for call in table.live() if event.at_us - before_us > 10_000 else ():
            story = shown.setdefault(call.linkedid, [])
            told = call.stage in {"ringing", "talking", "parked"} or (story and call.stage == "routing")
            if told and (call.stage, call.target) not in story[-1:]:
                story.append((call.stage, call.target))
        before_us = event.at_us
        table.hear(event, 0, JournalMark("1", "journal", offset, event.at))
    assert list(shown.values()) == SHOWN
