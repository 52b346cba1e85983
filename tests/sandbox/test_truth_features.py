"""docs/truth-table.md, "The dialplan itself": voicemail, extension, blocklist, overflow, two at once."""

from __future__ import annotations

import pytest
from test_truth_answers import gap
from truth_check import Leg, check
from truth_stage import Case, Played, Rows

pytestmark = pytest.mark.sandbox
ROWS = Rows()


@ROWS.row(agents=1)
def voicemail_left(case: Case) -> None:
    """The message takes the place of the recording."""
    agent = case.agent(reject=486)
    number = case.number(LL_D1=agent, LL_OVERFLOW="voicemail:100")
    seen = case.call(number, seconds=9, audio=True)
    assert (seen.status, seen.hung_up_by) == (200, "self")
    record = case.record(number)
    message = record["recording"] or {"seconds": 0, "path": ""}
    assert "/voicemail/leaseline/100/INBOX/msg" in message["path"], record
    assert 2 < message["seconds"] < 8
    check(
        case, record, seen, result="voicemail", hung_up_by="caller", recorded=1,
        recorded_seconds=message["seconds"], legs=[Leg(1, agent, "busy", 486, ring=0.0)],
    )  # fmt: skip


@ROWS.row(agents=1)
def voicemail_not_left(case: Case) -> None:
    """The caller hangs up during the greeting."""
    agent = case.agent(reject=486)
    number = case.number(LL_D1=agent, LL_OVERFLOW="voicemail:100")
    seen = case.call(number, seconds=1.0)
    assert (seen.status, seen.hung_up_by) == (200, "self")
    check(
        case, case.record(number), seen, result="busy", hung_up_by="caller",
        legs=[Leg(1, agent, "busy", 486, ring=0.0)],
    )  # fmt: skip


@ROWS.row(agents=1)
def overflow_announcement(case: Case) -> None:
    agent = case.agent(reject=480)
    number = case.number(LL_D1=agent, LL_OVERFLOW="announce:unavailable")
    seen = case.call(number)
    assert (seen.status, seen.early_media_at is not None) == (480, True)
    check(
        case, case.record(number), seen, result="missed", hung_up_by="system",
        legs=[Leg(1, agent, "missed", 480, ring=0.0)],
    )  # fmt: skip


@ROWS.row(agents=1)
def left_during_the_overflow_announcement(case: Case) -> None:
    agent = case.agent(reject=480)
    number = case.number(LL_D1=agent, LL_OVERFLOW="announce:unavailable")
    seen = case.call(number, cancel_after=0.7)
    assert seen.status == 487
    check(
        case, case.record(number), seen, result="missed", hung_up_by="caller",
        legs=[Leg(1, agent, "missed", 480, ring=0.0)],
    )  # fmt: skip


@ROWS.row(agents=1)
def overflow_busy(case: Case) -> None:
    agent = case.agent(answer_after=None)
    number = case.number(LL_D1=agent, LL_T1="1", LL_OVERFLOW="busy")
    seen = case.call(number)
    assert seen.status == 486
    check(
        case, case.record(number), seen, result="missed", hung_up_by="system", ring=1.0,
        legs=[Leg(1, agent, "missed", None, ring=1.0)],
    )  # fmt: skip


def extension(case: Case, keyed: str | None, *, match: str, told: str | None, seconds: float) -> None:
    """`keyed`: digits, or None for the right code; `told`: what the CDR must show, None for the code."""
    default, right = (case.agent(index, answer_after=0.1, hangup_after=0.6) for index in range(2))
    code = case.code({"LL_D1": default}, {"LL_D1": right})
    number = case.lease["numbers"][0]["number"]
    digits = f"{code}#" if keyed is None else keyed
    seen = case.call(number, seconds=seconds, digits=digits, digits_after=1.0)
    phone = 1 if keyed is None else 0
    target = (default, right)[phone]
    rang = case.seen(phone)
    assert seen.hung_up_by == "other"
    assert len(case.runs[case.phones[1 - phone]].outcomes()) == 0
    [record] = case.records(number, caller=case.caller)
    check(
        case, record, seen, site="codes", result="answered", hung_up_by="agent", answered_by=target,
        extension=code if keyed is None else told, match=match, answered_at=rang.answered_at, ring=0.1,
        legs=[Leg(1, target, "answered", 200, ring=0.1, talk=0.6)],
    )  # fmt: skip


@ROWS.row(agents=2)
def extension_right(case: Case) -> None:
    extension(case, None, match="extension", told=None, seconds=90)


@ROWS.row(agents=2)
def extension_wrong(case: Case) -> None:
    """Three tries; then the caller is connected all the same."""
    extension(case, "7#7#7#", match="none", told="7", seconds=90)


@ROWS.row(agents=2)
def extension_none(case: Case) -> None:
    extension(case, "", match="none", told=None, seconds=90)


@ROWS.row(agents=2)
def cancelled_during_the_digits(case: Case) -> None:
    """The prompt needs an answered channel: it is a BYE that ends it."""
    default = case.agent(0)
    case.code({"LL_D1": default}, {"LL_D1": default})
    number = case.lease["numbers"][0]["number"]
    seen = case.call(number, seconds=1.0)
    assert (seen.status, seen.hung_up_by) == (200, "self")
    [record] = case.records(number, caller=case.caller)
    check(case, record, seen, site="codes", result="cancelled", hung_up_by="caller", match="none", legs=[])


@ROWS.row(agents=1)
def blocked_with_reject(case: Case) -> None:
    blocked(case, "reject", 403)


@ROWS.row(agents=1)
def blocked_with_busy(case: Case) -> None:
    blocked(case, "busy", 486)


def blocked(case: Case, how: str, status: int) -> None:
    agent = case.agent()
    number = case.number(LL_BLOCK=how, LL_D1=agent)
    seen = case.call(number)
    assert (seen.status, case.runs[case.phones[0]].outcomes()) == (status, [])
    check(case, case.record(number), seen, result="blocked", hung_up_by="system", legs=[])


@ROWS.row(agents=1)
def anonymous_caller(case: Case) -> None:
    agent = case.agent(answer_after=0.1)
    number = case.number(LL_D1=agent)
    seen = case.call(number, caller="anonymous", seconds=0.5)
    check(
        case, case.record(number), seen, result="answered", hung_up_by="caller", answered_by=agent, ring=0.1,
        answered_at=seen.answered_at, legs=[Leg(1, agent, "answered", 200, ring=0.1, talk=0.5)],
        caller={"number": None, "name": None, "region": None}, first_call=None,
    )  # fmt: skip


@ROWS.row(agents=1)
def two_calls_at_once_on_one_lease(case: Case) -> None:
    """Two people dial the same number: two calls, two CDRs, one visitor."""
    agent = case.agent(answer_after=0.2)
    number = case.number(LL_D1=agent)
    callers = [case.caller, case.caller.replace("+4477009", "+4477008")]
    runs = [case.begin(number, caller=caller, seconds=1.0 + index) for index, caller in enumerate(callers)]
    for run in runs:
        run.wait(60)
    records = {record["caller"]["number"]: record for record in case.records(number, 2)}
    for run, caller in zip(runs, callers, strict=True):
        [seen] = run.outcomes()
        talk = gap(seen.answered_at, seen.ended_at)
        check(
            case, records[caller], seen, result="answered", hung_up_by="caller", answered_by=agent, ring=0.2,
            answered_at=seen.answered_at, legs=[Leg(1, agent, "answered", 200, ring=0.2, talk=talk)],
            caller={**records[caller]["caller"], "number": caller, "name": None},
        )  # fmt: skip


def test_features(truth: Played, row: str) -> None:
    truth.result(row)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("row", list(ROWS.rows))
