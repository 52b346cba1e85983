"""The promise: a call always reaches the business, whatever the router does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import Story
from fake_router import FakeRouter
from instance import Instance

pytestmark = pytest.mark.sandbox
Tell = Callable[[Instance, str], Story]


def test_router_not_running(either: Instance, number: str, story: Tell) -> None:
    with either.agent("agent1", answer_after=0.1) as agent:
        outcome = either.call(number, seconds=1, audio=True)
    assert (outcome.status, outcome.audio, outcome.hung_up_by) == (200, True, "self")
    told = story(either, number)
    route = told.told("LL_ROUTE")
    assert (route["by"], route["agi"], route["d1"], route["dnis"]) == (
        "fallback-global",
        "FAILURE",
        "PJSIP/agent1",
        number,
    )
    [seen] = agent.outcomes()
    assert seen.caller == "+447700900123"
    # After the agent said so (SIPp notes that once it is sent), and before the caller heard of it.
    assert seen.answered_at - 500 <= told.at("ANSWER") <= outcome.answered_at + 1
    assert told.told("LL_END")["att"] == "1:ANSWER:16"


@pytest.mark.parametrize("fault", ["drop", "garbage", "half", "no_sentinel"])
def test_router_breaks_off(
    either: Instance, router: FakeRouter, number: str, story: Tell, fault: str
) -> None:
    """What a half-given answer set (a plan, a block, an announcement) must not count."""
    router.listen(either.agi, getattr(router, fault))
    with either.agent("agent1", answer_after=0.1), either.agent("agent2", answer_after=0.1) as wrong:
        outcome = either.call(number, seconds=0.3)
    assert outcome.status == 200
    assert outcome.early_media_at is None
    assert wrong.outcomes() == []
    told = story(either, number)
    assert told.told("LL_ROUTE")["by"] == "fallback-global"
    assert told.told("LL_ROUTE")["d1"] == "PJSIP/agent1"
    assert told.told("LL_END")["file"] == ""


def test_router_hangs(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    router.listen(either.agi, router.hang)
    with either.agent("agent1", answer_after=0.1):
        outcome = either.call(number, seconds=0.3)
    assert outcome.status == 200
    told = story(either, number)
    waited = told.at("LL_ROUTE") - told.at("CHAN_START")
    patience = 1000 * either.agi_seconds
    assert patience - 100 <= waited <= patience + 5_000, "far less than the router hangs"
    assert told.told("LL_ROUTE")["by"] == "fallback-global"


def test_caller_gives_up_while_the_router_hangs(
    sandbox: Instance, router: FakeRouter, number: str, story: Tell
) -> None:
    """The channel must not stay for the server's sake."""
    router.listen(sandbox.agi, router.hang)
    outcome = sandbox.call(number, cancel_after=0.3)
    assert outcome.status == 487
    told = story(sandbox, number)
    assert "LL_ROUTE" not in told.events
    assert told.at("LINKEDID_END") - told.at("CHAN_START") < 1000 * sandbox.agi_seconds - 100


def test_astdb_before_the_global_default(either: Instance, number: str, story: Tell) -> None:
    key = number.removeprefix("+")
    either.set_redirect(key, "PJSIP/agent2")
    try:
        with either.agent("agent2", answer_after=0.1):
            outcome = either.call(number, seconds=0.3)
    finally:
        either.set_redirect(key, None)
    assert outcome.status == 200
    assert story(either, number).told("LL_ROUTE")["by"] == "fallback-astdb"
    assert story(either, number).told("LL_ROUTE")["d1"] == "PJSIP/agent2"


@pytest.mark.parametrize("spelling", ["02079460900", "00442079460900", "442079460900", "2079460900"])
def test_the_trunk_may_spell_the_number_in_any_way(sandbox: Instance, story: Tell, spelling: str) -> None:
    sandbox.set_redirect("442079460900", "PJSIP/agent2")
    with sandbox.agent("agent2", answer_after=0.05):
        assert sandbox.call(spelling, seconds=0.2).status == 200
    assert story(sandbox, spelling).told("LL_ROUTE")["by"] == "fallback-astdb"


@pytest.mark.parametrize(
    "target", ["PJSIP/agent2,30,g", "Local/1@leaseline-in", "PJSIP/@carrier", 'PJSIP/"agent2']
)
def test_astdb_cannot_bring_in_options_or_other_technologies(
    sandbox: Instance, number: str, story: Tell, target: str
) -> None:
    sandbox.set_redirect(number.removeprefix("+"), target.replace('"', '\\"'))
    with sandbox.agent("agent1", answer_after=0.05):
        assert sandbox.call(number, seconds=0.2).status == 200
    assert story(sandbox, number).told("LL_ROUTE")["by"] == "fallback-global"


def test_a_plan_that_cannot_be_dialed_counts_as_none(
    sandbox: Instance, router: FakeRouter, number: str, story: Tell
) -> None:
    router.listen(sandbox.agi, router.answer({"LL_D1": "PJSIP/@carrier", "LL_SITE": "shop"}))
    with sandbox.agent("agent1", answer_after=0.05):
        assert sandbox.call(number, seconds=0.2).status == 200
    route = story(sandbox, number).told("LL_ROUTE")
    assert (route["by"], route["site"]) == ("fallback-global", "")
