"""docs/truth-table.md, "Passed on": transfers, hold and parking, by the phones of the agents."""

from __future__ import annotations

import time

import pytest
from midcall import AttendedTransfer, BlindTransfer, Hold
from test_truth_answers import gap
from truth_check import Leg, check
from truth_stage import Case, Played, Rows

pytestmark = pytest.mark.sandbox
ROWS = Rows()


@ROWS.row(agents=2)
def blind_transfer(case: Case) -> None:
    first = case.agent(0, answer_after=0.1, then=[BlindTransfer(case.extension_of(1), 0.5)])
    second = case.agent(1, answer_after=0.4)
    number = case.number(LL_D1=first, LL_RECORD="mono")
    seen = case.call(number, seconds=2.5)
    talk = gap(case.seen(1).answered_at, seen.ended_at)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=first, ring=0.1,
        answered_at=seen.answered_at, talk=0.5 + talk,
        transfers=[("blind", case.extension_of(1))],
        legs=[
            Leg(1, first, "answered", 200, ring=0.1, talk=0.5),
            Leg(None, second, "answered", 200, ring=0.4, talk=talk),
        ],
    )  # fmt: skip


@ROWS.row(agents=2)
def blind_transfer_and_the_second_agent_hangs_up(case: Case) -> None:
    first = case.agent(0, answer_after=0.1, then=[BlindTransfer(case.extension_of(1), 0.5)])
    second = case.agent(1, answer_after=0.1, hangup_after=0.8)
    number = case.number(LL_D1=first)
    seen = case.call(number, seconds=20)
    assert seen.hung_up_by == "other"
    check(
        case, case.record(number), seen, result="answered", hung_up_by="agent", answered_by=first, ring=0.1,
        answered_at=seen.answered_at, talk=1.3,
        transfers=[("blind", case.extension_of(1))],
        legs=[
            Leg(1, first, "answered", 200, ring=0.1, talk=0.5),
            Leg(None, second, "answered", 200, ring=0.1, talk=0.8),
        ],
    )  # fmt: skip


@ROWS.row(agents=2)
def blind_transfer_to_a_refused_target(case: Case) -> None:
    """The PBX's own context decides what the caller hears then; here the busy tone until they hang up."""
    first = case.agent(0, answer_after=0.1, then=[BlindTransfer(case.extension_of(1), 0.5)])
    second = case.agent(1, reject=486)
    number = case.number(LL_D1=first)
    seen = case.call(number, seconds=1.5)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=first, ring=0.1,
        answered_at=seen.answered_at, talk=0.5,
        transfers=[("blind", case.extension_of(1))],
        legs=[
            Leg(1, first, "answered", 200, ring=0.1, talk=0.5),
            Leg(None, second, "busy", 486, ring=0.0),
        ],
    )  # fmt: skip


@ROWS.row(agents=2)
def given_up_while_a_blind_transfer_rings(case: Case) -> None:
    first = case.agent(0, answer_after=0.1, then=[BlindTransfer(case.extension_of(1), 0.5)])
    second = case.agent(1, answer_after=None)
    number = case.number(LL_D1=first)
    seen = case.call(number, seconds=1.8)
    rang = gap(case.seen(1).invited_at, seen.ended_at)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=first, ring=0.1,
        answered_at=seen.answered_at, talk=0.5,
        transfers=[("blind", case.extension_of(1))],
        legs=[
            Leg(1, first, "answered", 200, ring=0.1, talk=0.5),
            Leg(None, second, "cancelled", None, ring=rang),
        ],
    )  # fmt: skip


@ROWS.row(agents=1)
def transfer_to_an_extension_that_is_none(case: Case) -> None:
    """Asterisk refuses it and the call goes on as it was."""
    agent = case.agent(0, answer_after=0.1, then=[BlindTransfer("999", 0.5)])
    number = case.number(LL_D1=agent)
    seen = case.call(number, seconds=20)
    talk = gap(seen.answered_at, seen.ended_at)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="agent", answered_by=agent, ring=0.1,
        answered_at=seen.answered_at, legs=[Leg(1, agent, "answered", 200, ring=0.1, talk=talk)],
    )  # fmt: skip


def attended(case: Case, *, second_hangs_up: bool) -> None:
    acts = [AttendedTransfer(case.phones[0], case.extension_of(1), after=0.4, talk=0.5)]
    first = case.agent(0, answer_after=0.1, then=acts)
    second = case.agent(1, answer_after=0.2, hangup_after=2.0 if second_hangs_up else None)
    number = case.number(LL_D1=first)
    seen = case.call(number, seconds=20 if second_hangs_up else 2.5)
    # The caller is with the first agent (on hold meanwhile) until the two are connected.
    held = 0.4 + 0.2 + 0.5
    total = gap(seen.answered_at, seen.ended_at)
    check(
        case, case.record(number), seen, result="answered", ring=0.1, answered_by=first,
        hung_up_by="agent" if second_hangs_up else "caller", answered_at=seen.answered_at,
        transfers=[("attended", second)],
        legs=[
            Leg(1, first, "answered", 200, ring=0.1, talk=held),
            Leg(None, second, "answered", None, ring=0.0, talk=total - held),
        ],
    )  # fmt: skip


@ROWS.row(agents=2)
def attended_transfer(case: Case) -> None:
    attended(case, second_hangs_up=False)


@ROWS.row(agents=2)
def attended_transfer_and_the_second_agent_hangs_up(case: Case) -> None:
    attended(case, second_hangs_up=True)


@ROWS.row(agents=1)
def hold(case: Case) -> None:
    """A held caller is still connected: hold counts as talk, and the record does not show it."""
    agent = case.agent(answer_after=0.1, then=[Hold(0.4, 0.8)])
    number = case.number(LL_D1=agent, LL_RECORD="mono")
    seen = case.call(number, seconds=2.0, audio=False)
    talk = gap(seen.answered_at, seen.ended_at)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=agent, ring=0.1,
        answered_at=seen.answered_at, legs=[Leg(1, agent, "answered", 200, ring=0.1, talk=talk)],
    )  # fmt: skip


@ROWS.row(agents=2)
def parked_and_fetched_then_parked_and_given_up(case: Case) -> None:
    """Parking by a blind transfer to the lot's extension; another phone fetches the caller from place 701.

    One row, because that place is one caller's at a time.
    """
    first = case.agent(0, answer_after=0.1, then=[BlindTransfer("700", 0.5)])
    fetcher = case.phones[1]
    number = case.number(LL_D1=first)
    run = case.begin(number, seconds=20)
    wait_until_parked(case)
    fetch = case.stage.sandbox.peers.call("701", phone=fetcher, seconds=3.0)
    run.wait(60)
    fetch.wait(60)
    [seen], [fetched] = run.outcomes(), fetch.outcomes()
    assert seen.hung_up_by == "other"
    # The fetcher hears where the caller was parked before the two are connected.
    record = case.record(number)
    connected = record["legs"][1]["talk_seconds"]
    assert 0.2 <= connected <= gap(fetched.answered_at, fetched.ended_at)
    check(
        case, record, seen, result="answered", hung_up_by="agent", answered_by=first, ring=0.1,
        answered_at=seen.answered_at, talk=0.5 + connected,
        transfers=[("blind", "700"), ("park", "default"), ("unpark", f"PJSIP/{fetcher}")],
        legs=[
            Leg(1, first, "answered", 200, ring=0.1, talk=0.5),
            Leg(None, f"PJSIP/{fetcher}", "answered", None, ring=0.0, talk=connected),
        ],
    )  # fmt: skip

    number = case.number(LL_D1=first)
    seen = case.call(number, seconds=2.0)
    assert seen.hung_up_by == "self"
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=first, ring=0.1,
        answered_at=seen.answered_at, talk=0.5, first_call=False,
        transfers=[("blind", "700"), ("park", "default"), ("unpark", "ParkedCallGiveUp")],
        legs=[Leg(1, first, "answered", 200, ring=0.1, talk=0.5)],
    )  # fmt: skip


def wait_until_parked(case: Case) -> None:
    case.stage.sandbox.wait_for_journal(
        lambda lines: any(line["eventtype"] == "PARK_START" for line in lines)
    )
    time.sleep(0.2)


def test_transfers(truth: Played, row: str) -> None:
    truth.result(row)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("row", list(ROWS.rows))
