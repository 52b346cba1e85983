"""What a caller can put into an INVITE must do nothing (asterisk facts, "What a caller can inject")."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import Story
from fake_router import FakeRouter
from instance import Instance

pytestmark = pytest.mark.sandbox
Tell = Callable[[Instance, str], Story]

EVIL = "+447700900666"


@pytest.mark.parametrize(
    "user",
    [
        "8001%26PJSIP%2Fagent2%2C5",
        "8001%2C5",
        "8%221%22",
        "8%29%7D%5D",
        "8$%7BSHELL(touch$%7BIFS%7D/tmp/owned)%7D",
        "+1%2B2",
        "8%5C1",
        "8001-agent2",
    ],
)
def test_dialed_number_that_is_no_number(sandbox: Instance, user: str) -> None:
    with sandbox.agent("agent1", answer_after=0.05) as first, sandbox.agent("agent2") as second:
        outcome = sandbox.call(user, caller=EVIL)
    assert outcome.status == 404
    assert first.outcomes() == second.outcomes() == []


def test_number_portability_parameters_are_no_part_of_the_number(
    sandbox: Instance, number: str, story: Tell
) -> None:
    with sandbox.agent("agent1", answer_after=0.05):
        assert sandbox.call(f"{number};npdi;rn=+442079460999", seconds=0.2).status == 200
    assert story(sandbox, f"{number};npdi;rn=+442079460999").told("LL_ROUTE")["dnis"] == number


@pytest.mark.parametrize(
    "name",
    [
        '\\" & \\"a',
        "Ann, Lee,Variable: LL_D1=x",
        "${SHELL(id)}",
        "a|by=router|d1=PJSIP/agent3",
        "x)}]${EXTEN}",
        b"\xcf\xf0\xe8\xe2\xe5\xf2".decode("ascii", "surrogateescape"),
        "Иван",
        "'; DROP TABLE call; --",
        "n" * 400,
    ],
)
def test_callers_name_changes_nothing(
    either: Instance, router: FakeRouter, number: str, story: Tell, name: str
) -> None:
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1", "LL_SITE": "shop"}))
    with either.agent("agent1", answer_after=0.05) as agent:
        outcome = either.call(number, name=name, seconds=0.2)
    assert outcome.status == 200
    told = story(either, number)
    assert told.told("LL_ROUTE")["by"] == "router"
    assert told.told("LL_END")["att"] == "1:ANSWER:16"
    [seen] = agent.outcomes()
    assert not set(seen.caller_name) & set('"&|,${}()<>;')
    assert router.requests[0]["dialed"] == number
    assert router.requests[0]["other"] == "+447700900123"


@pytest.mark.parametrize("caller", ["anonymous", "+44%22%2C1", "447700900123%26PJSIP%2Fagent2", "''"])
def test_callers_number_is_digits_or_nothing(
    sandbox: Instance, router: FakeRouter, number: str, caller: str
) -> None:
    router.listen(sandbox.agi, router.answer({"LL_D1": "PJSIP/agent1"}))
    with sandbox.agent("agent1", answer_after=0.05):
        assert sandbox.call(number, caller=caller, seconds=0.2).status == 200
    given = router.requests[0]["other"]
    assert set(given) <= set("+0123456789")
