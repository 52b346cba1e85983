"""docs/truth-table.md, "Answered", "Not answered" and "Given up": who answered, who refused, who left."""

from __future__ import annotations

import pytest
from truth_check import Leg, check
from truth_stage import NEAR_SECONDS, Case, Played, Rows

pytestmark = pytest.mark.sandbox
ROWS = Rows()


def gap(start: int | None, end: int | None) -> float:
    """Seconds from one instant of the wire to another."""
    assert start is not None
    assert end is not None
    return (end - start) / 1000


def three_at_once(case: Case, winner: int) -> None:
    targets = [case.agent(index, answer_after=0.4 if index == winner else None) for index in range(3)]
    number = case.number(LL_D1="&".join(targets), LL_T1="8", LL_RECORD="mono")
    seen = case.call(number, seconds=1.0, audio=True)
    rings = [case.seen(index) for index in range(3)]
    assert [ring.status for ring in rings] == [200 if index == winner else 487 for index in range(3)]
    talk = gap(seen.answered_at, seen.ended_at)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=targets[winner],
        answered_at=seen.answered_at, ring=gap(rings[0].invited_at, seen.answered_at), recorded=1,
        legs=[
            Leg(1, target, "answered", 200, ring=0.4, talk=talk)
            if index == winner else Leg(1, target, "elsewhere", None, ring=0.4)
            for index, target in enumerate(targets)
        ],
    )  # fmt: skip


@ROWS.row(agents=3)
def first_of_three(case: Case) -> None:
    three_at_once(case, 0)


@ROWS.row(agents=3)
def second_of_three(case: Case) -> None:
    three_at_once(case, 1)


@ROWS.row(agents=3)
def third_of_three(case: Case) -> None:
    three_at_once(case, 2)


@ROWS.row(agents=2)
def second_step_after_a_ring_time_out(case: Case) -> None:
    first, second = case.agent(0, answer_after=None), case.agent(1, answer_after=0.2)
    number = case.number(LL_D1=first, LL_T1="1", LL_D2=second, LL_T2="8")
    seen = case.call(number, seconds=0.5)
    talk = gap(seen.answered_at, seen.ended_at)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=second,
        answered_at=seen.answered_at, ring=gap(case.seen(0).invited_at, seen.answered_at),
        legs=[Leg(1, first, "missed", None, ring=1.0), Leg(2, second, "answered", 200, ring=0.2, talk=talk)],
    )  # fmt: skip


@ROWS.row(agents=1)
def agent_hangs_up_first(case: Case) -> None:
    agent = case.agent(answer_after=0.1, hangup_after=1.0)
    number = case.number(LL_D1=agent, LL_RECORD="stereo")
    seen = case.call(number, seconds=20, audio=True)
    assert seen.hung_up_by == "other"
    check(
        case, case.record(number), seen, result="answered", hung_up_by="agent", answered_by=agent,
        answered_at=seen.answered_at, ring=0.1, recorded=2,
        legs=[Leg(1, agent, "answered", 200, ring=0.1, talk=1.0)],
    )  # fmt: skip


@ROWS.row(agents=1)
def call_of_one_second(case: Case) -> None:
    agent = case.agent(answer_after=0.0)
    number = case.number(LL_D1=agent)
    seen = case.call(number, seconds=1.0)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=agent,
        answered_at=seen.answered_at, talk=1.0, legs=[Leg(1, agent, "answered", 200, ring=0.0, talk=1.0)],
    )  # fmt: skip


@ROWS.row(agents=1)
def early_media(case: Case) -> None:
    agent = case.agent(answer_after=0.8, early_media=True)
    number = case.number(LL_D1=agent)
    seen = case.call(number, seconds=0.5)
    assert gap(seen.early_media_at, seen.answered_at) == pytest.approx(0.8, abs=NEAR_SECONDS)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=agent,
        answered_at=seen.answered_at, ring=0.8, legs=[Leg(1, agent, "answered", 200, ring=0.8, talk=0.5)],
    )  # fmt: skip


@ROWS.row(agents=1)
def announcement_and_whisper_heard(case: Case) -> None:
    agent = case.agent(answer_after=0.1)
    number = case.number(LL_D1=agent, LL_ANNOUNCE="notice", LL_WHISPER="whisper")
    seen = case.call(number, seconds=0.5)
    rang = case.seen()
    assert gap(seen.early_media_at, rang.invited_at) > 1.0
    assert gap(rang.answered_at, seen.answered_at) > 0.7
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=agent,
        answered_at=seen.answered_at, ring=gap(rang.invited_at, seen.answered_at),
        legs=[Leg(1, agent, "answered", 200, ring=0.1, talk=gap(seen.answered_at, seen.ended_at))],
    )  # fmt: skip


REFUSALS = {
    403: ("failed", "failed", 480),
    404: ("failed", "failed", 480),
    480: ("missed", "missed", 480),
    486: ("busy", "busy", 486),
    488: ("failed", "failed", 480),
    500: ("failed", "failed", 480),
    503: ("failed", "failed", 503),
    603: ("failed", "failed", 480),
}
"""The call's result, the leg's, and what the caller is told."""


def refused(case: Case, code: int) -> None:
    result, leg, told = REFUSALS[code]
    agent = case.agent(reject=code)
    number = case.number(LL_D1=agent, LL_T1="8", LL_RECORD="mono")
    seen = case.call(number)
    assert (case.seen().status, seen.status) == (code, told)
    check(
        case, case.record(number), seen, result=result, hung_up_by="system",
        legs=[Leg(1, agent, leg, code, ring=0.0)],
    )  # fmt: skip


for _code in REFUSALS:
    ROWS.rows[f"refused_with_{_code}"] = (lambda case, code=_code: refused(case, code)), 1


@ROWS.row(agents=1)
def ring_time_out(case: Case) -> None:
    agent = case.agent(answer_after=None)
    number = case.number(LL_D1=agent, LL_T1="2")
    seen = case.call(number)
    assert (case.seen().status, seen.status) == (487, 480)
    check(
        case, case.record(number), seen, result="missed", hung_up_by="system", ring=2.0,
        legs=[Leg(1, agent, "missed", None, ring=2.0)],
    )  # fmt: skip


@ROWS.row(agents=1)
def unreachable_agent(case: Case) -> None:
    """Nothing listens at the phone's address."""
    agent = f"PJSIP/{case.phones[0]}"
    number = case.number(LL_D1=agent, LL_T1="2")
    seen = case.call(number)
    assert seen.status == 480
    check(
        case, case.record(number), seen, result="missed", hung_up_by="system", ring=2.0,
        legs=[Leg(1, agent, "missed", None, ring=2.0)],
    )  # fmt: skip


@ROWS.row()
def no_such_agent(case: Case) -> None:
    """The plan names an endpoint that the PBX does not have (any more): no channel is made."""
    number = case.number(LL_D1="PJSIP/nobody", LL_T1="2")
    seen = case.call(number)
    assert seen.status == 480
    check(
        case, case.record(number), seen, result="failed", hung_up_by="system",
        legs=[Leg(1, "PJSIP/nobody", "failed", None, ring=0.0)],
    )  # fmt: skip


@ROWS.row(agents=2)
def refused_then_answered(case: Case) -> None:
    first, second = case.agent(0, reject=486), case.agent(1, answer_after=0.3)
    number = case.number(LL_D1=first, LL_D2=second)
    seen = case.call(number, seconds=0.5)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=second,
        answered_at=seen.answered_at, ring=gap(case.seen(0).invited_at, seen.answered_at),
        legs=[Leg(1, first, "busy", 486, ring=0.0), Leg(2, second, "answered", 200, ring=0.3, talk=0.5)],
    )  # fmt: skip


@ROWS.row(agents=1)
def cancelled_before_ringing(case: Case) -> None:
    """The router has not even answered."""
    agent = case.agent()
    number = case.number(slow=2.5, LL_D1=agent)
    seen = case.call(number, cancel_after=0.3)
    assert (seen.status, case.runs[case.phones[0]].outcomes()) == (487, [])
    check(case, case.record(number), seen, result="cancelled", hung_up_by="caller", legs=[],
          ended_at=seen.cancelled_at)  # fmt: skip


@ROWS.row(agents=1)
def cancelled_while_ringing(case: Case) -> None:
    agent = case.agent(answer_after=None)
    number = case.number(LL_D1=agent, LL_RECORD="mono")
    seen = case.call(number, cancel_after=1.0)
    assert (case.seen().status, seen.status) == (487, 487)
    rang = gap(case.seen().invited_at, seen.cancelled_at)
    check(
        case, case.record(number), seen, result="cancelled", hung_up_by="caller", ring=rang,
        legs=[Leg(1, agent, "cancelled", None, ring=rang)],
    )  # fmt: skip


@ROWS.row(agents=1)
def cancelled_during_the_announcement(case: Case) -> None:
    agent = case.agent()
    number = case.number(LL_D1=agent, LL_ANNOUNCE="notice")
    seen = case.call(number, cancel_after=0.7)
    assert (seen.status, case.runs[case.phones[0]].outcomes()) == (487, [])
    check(case, case.record(number), seen, result="cancelled", hung_up_by="caller", legs=[])


@ROWS.row(agents=1)
def cancelled_during_the_whisper(case: Case) -> None:
    """Asterisk notices when the whisper is over: until then agent and call live on."""
    agent = case.agent(answer_after=0.1)
    number = case.number(LL_D1=agent, LL_WHISPER="whisper")
    seen = case.call(number, cancel_after=0.7)
    record, rang = case.record(number), case.seen()
    assert (seen.status, rang.status) == (487, 200)
    check(
        case, record, seen, result="cancelled", hung_up_by="caller", ended_at=rang.ended_at,
        ring=gap(rang.invited_at, rang.ended_at), legs=[Leg(1, agent, "cancelled", 200, ring=0.1)],
    )  # fmt: skip


def test_answers(truth: Played, row: str) -> None:
    truth.result(row)


def test_one_call_one_record(truth: Played) -> None:
    """Over all rows: every call has its CDR, and no CDR is without a call."""
    assert truth.told == truth.placed


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "row" in metafunc.fixturenames:
        metafunc.parametrize("row", list(ROWS.rows))
