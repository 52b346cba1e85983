"""The dialplan does what the router's answer says, and the journal tells what the wire saw."""

from __future__ import annotations

import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Story
from fake_router import FakeRouter
from instance import Instance

pytestmark = pytest.mark.sandbox
NEAR_MS = 500
"""A tenth of it is what a busy machine makes."""
Tell = Callable[[Instance, str], Story]


def loudness(path: Path) -> tuple[float, float]:
    """(seconds, mean absolute level) of a mono wav."""
    with wave.open(str(path)) as sound:
        samples = array("h", sound.readframes(sound.getnframes()))
        return sound.getnframes() / sound.getframerate(), sum(map(abs, samples)) / max(1, len(samples))


def test_answered_and_recorded(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    plan = {
        "LL_NUMBER": number,
        "LL_SITE": "shop",
        "LL_D1": "PJSIP/agent1",
        "LL_T1": "10",
        "LL_RECORD": "mono",
    }
    router.listen(either.agi, router.answer({**plan, "LL_MS": "1.234"}))
    with either.agent("agent1", answer_after=0.3) as agent:
        outcome = either.call(number, seconds=2, audio=True)
    assert outcome.ended_well
    assert outcome.audio
    told = story(either, number)
    route, end = told.told("LL_ROUTE"), told.told("LL_END")
    assert route == {
        "v": "1", "dnis": number, "number": number, "site": "shop", "by": "router", "ms": "1.234",
        "agi": "SUCCESS", "rec": "mono", "file": route["file"], "d1": "PJSIP/agent1", "t1": "10",
    }  # fmt: skip
    [seen] = agent.outcomes()
    assert seen.answered_at is not None
    assert outcome.answered_at is not None
    assert outcome.ended_at is not None
    assert abs(told.at("BRIDGE_ENTER") - outcome.answered_at) <= NEAR_MS
    assert abs(told.at("BRIDGE_EXIT") - outcome.ended_at) <= NEAR_MS
    assert (end["dialstatus"], end["hsrc"]) == ("ANSWER", told.caller_channel)
    assert end["sip"].startswith("PJSIP/agent1-")
    assert end["sip"].endswith("=200")
    recording = Path(end["file"])
    assert recording.parent == either.recordings
    assert recording.stat().st_size == int(end["bytes"])
    seconds, level = loudness(recording)
    assert abs(1000 * seconds - (outcome.ended_at - outcome.answered_at)) <= NEAR_MS
    assert level > 50


def test_stereo_puts_each_side_into_a_file_of_its_own(
    sandbox: Instance, router: FakeRouter, number: str, story: Tell
) -> None:
    router.listen(sandbox.agi, router.answer({"LL_D1": "PJSIP/agent1", "LL_RECORD": "stereo"}))
    with sandbox.agent("agent1", answer_after=0.1):
        assert sandbox.call(number, seconds=3, audio=True).audio
    mixed = Path(story(sandbox, number).told("LL_END")["file"])
    for path in (mixed, mixed.with_name(f"{mixed.stem}-rx.wav"), mixed.with_name(f"{mixed.stem}-tx.wav")):
        seconds, level = loudness(path)
        assert (seconds > 1, level > 50) == (True, True), path


def test_agent_hangs_up_first(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1"}))
    with either.agent("agent1", answer_after=0.1, hangup_after=0.5):
        outcome = either.call(number, seconds=10)
    assert (outcome.status, outcome.hung_up_by) == (200, "other")
    assert story(either, number).told("LL_END")["hsrc"].startswith("PJSIP/agent1-")


@pytest.mark.parametrize(
    "refusal",
    [
        (486, "1:BUSY:17", 486),
        (603, "1:CHANUNAVAIL:21", 480),
        (480, "1:NOANSWER:19", 480),
        (503, "1:CONGESTION:34", 503),
    ],
    ids=lambda refusal: str(refusal[0]),
)
def test_refused(
    either: Instance, router: FakeRouter, number: str, story: Tell, refusal: tuple[int, str, int]
) -> None:
    """What the agent said, the attempt as noted, and what the caller is told."""
    code, attempt, status = refusal
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1"}))
    with either.agent("agent1", reject=code):
        outcome = either.call(number)
    assert outcome.status == status
    end = story(either, number).told("LL_END")
    assert end["att"] == attempt
    assert end["sip"].endswith(f"={code}")


def test_no_answer_then_the_next_step(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    plan = {"LL_D1": "PJSIP/agent1", "LL_T1": "1", "LL_D2": "PJSIP/agent2&PJSIP/agent3", "LL_T2": "5"}
    router.listen(either.agi, router.answer(plan))
    with (
        either.agent("agent1", answer_after=None) as first,
        either.agent("agent2", answer_after=None) as second,
        either.agent("agent3", answer_after=0.2) as third,
    ):
        outcome = either.call(number, seconds=0.5)
    assert outcome.status == 200
    assert [run.outcomes()[0].status for run in (first, second, third)] == [487, 487, 200]
    told = story(either, number)
    assert told.told("LL_ROUTE")["d2"] == "PJSIP/agent2&PJSIP/agent3"
    assert told.told("LL_END")["att"] == "1:NOANSWER:0^2:ANSWER:16"


def test_nobody_answers(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1", "LL_T1": "1", "LL_OVERFLOW": "busy"}))
    with either.agent("agent1", answer_after=None):
        outcome = either.call(number)
    assert outcome.status == 486
    told = story(either, number)
    assert "ANSWER" not in told.events
    assert told.told("LL_END")["att"] == "1:NOANSWER:0"


def test_caller_cancels_while_ringing(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1"}))
    with either.agent("agent1", answer_after=None) as agent:
        outcome = either.call(number, cancel_after=0.5)
    assert (outcome.status, agent.outcomes()[0].status) == (487, 487)
    end = story(either, number).told("LL_END")
    assert (end["dialstatus"], end["att"]) == ("CANCEL", "1:CANCEL:127")


def test_announcement_plays_before_the_answer(
    either: Instance, router: FakeRouter, number: str, story: Tell
) -> None:
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1", "LL_ANNOUNCE": "notice"}))
    with either.agent("agent1", answer_after=0.1) as agent:
        outcome = either.call(number, seconds=0.3)
    assert outcome.status == 200
    assert outcome.early_media_at is not None
    [seen] = agent.outcomes()
    assert seen.invited_at - outcome.early_media_at >= 1000
    assert story(either, number).told("LL_END")["att"] == "1:ANSWER:16"


def test_whisper_is_heard_before_the_bridge(
    either: Instance, router: FakeRouter, number: str, story: Tell
) -> None:
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1", "LL_WHISPER": "whisper"}))
    with either.agent("agent1", answer_after=0.1) as agent:
        outcome = either.call(number, seconds=0.5, audio=True)
    told = story(either, number)
    bridged = round(float(told.told("LL_END")["bridged"]) * 1000)
    assert bridged - agent.outcomes()[0].answered_at >= 1000
    assert abs(told.at("BRIDGE_ENTER") - bridged) <= NEAR_MS
    assert outcome.audio


@pytest.mark.parametrize("block", ["reject", "busy"])
def test_blocked(either: Instance, router: FakeRouter, number: str, story: Tell, block: str) -> None:
    router.listen(either.agi, router.answer({"LL_BLOCK": block, "LL_D1": "PJSIP/agent1"}))
    with either.agent("agent1") as agent:
        outcome = either.call(number)
    assert outcome.status == {"reject": 403, "busy": 486}[block]
    assert agent.outcomes() == []
    assert story(either, number).told("LL_END")["block"] == block


@pytest.mark.parametrize("overflow", ["announce:unavailable", "voicemail:100"])
def test_overflow_speaks(
    either: Instance, router: FakeRouter, number: str, story: Tell, overflow: str
) -> None:
    plan = {"LL_D1": "PJSIP/agent1", "LL_T1": "1", "LL_OVERFLOW": overflow}
    router.listen(either.agi, router.answer(plan))
    with either.agent("agent1", reject=486):
        outcome = either.call(number, seconds=1, audio=False)
    told = story(either, number)
    if overflow.startswith("announce"):
        assert outcome.status == 480
        assert outcome.early_media_at is not None
    else:
        assert outcome.status == 200
        assert told.told("LL_END")["vm"].startswith("100:") or told.told("LL_END")["vm"] == ""


def test_extension_digits(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    first = router.answer({"LL_D1": "PJSIP/agent1", "LL_ASK": "1"})
    second = router.answer({"LL_D1": "PJSIP/agent2", "LL_ASK": ""})
    router.listen(either.agi, lambda peer: (first if len(router.requests) == 1 else second)(peer))
    with (
        either.agent("agent1") as default,
        either.agent("agent2", answer_after=0.1, hangup_after=0.5) as wanted,
    ):
        outcome = either.call(number, seconds=12, digits="1234#", digits_after=1.0)
    assert outcome.status == 200
    assert (len(default.outcomes()), len(wanted.outcomes())) == (0, 1)
    assert router.requests[1]["other"] == "1234"
    told = story(either, number)
    assert told.told("LL_EXT")["ext"] == "1234"
    assert told.told("LL_END")["ext"] == "1234"


def test_nine_steps_in_two_commands(either: Instance, router: FakeRouter, number: str, story: Tell) -> None:
    """Eighteen step variables and the rest are more than one MSet takes."""
    plan = {"LL_NUMBER": number, "LL_SITE": "shop", "LL_ANNOUNCE": "", "LL_WHISPER": "", "LL_RECORD": ""}
    plan |= {f"LL_D{step}": "PJSIP/agent1" for step in range(1, 9)} | {"LL_D9": "PJSIP/agent2"}
    plan |= {f"LL_T{step}": "5" for step in range(1, 10)}
    router.listen(either.agi, router.answer({**plan, "LL_OVERFLOW": "busy", "LL_MS": "0.5"}))
    with either.agent("agent1", reject=486) as busy, either.agent("agent2", answer_after=0.1):
        assert either.call(number, seconds=0.2).status == 200
    assert len(busy.outcomes()) == 8
    told = story(either, number)
    assert [told.told("LL_ROUTE")[f"d{step}"] for step in (1, 8, 9)] == [
        "PJSIP/agent1",
        "PJSIP/agent1",
        "PJSIP/agent2",
    ]
    end = told.told("LL_END")
    assert end["att"] == "^".join([*(f"{step}:BUSY:17" for step in range(1, 9)), "9:ANSWER:16"])
    codes = sorted(leg.split("=")[1] for leg in end["sip"].split("^"))  # a hash: in no order
    assert codes == ["200"] + ["486"] * 8


@pytest.mark.parametrize("spoken", ["LL_ANNOUNCE", "LL_WHISPER"])
def test_caller_leaves_while_a_prompt_plays(
    either: Instance, router: FakeRouter, number: str, story: Tell, spoken: str
) -> None:
    """Nobody talked: only a bridge entered says so, for the whisper runs to its end and DIALSTATUS lies."""
    router.listen(either.agi, router.answer({"LL_D1": "PJSIP/agent1", spoken: "notice"}))
    with either.agent("agent1", answer_after=0.1) as agent:
        outcome = either.call(number, cancel_after=0.8)
    assert outcome.status == 487
    told = story(either, number)
    assert "BRIDGE_ENTER" not in told.events
    assert len(agent.outcomes()) == (0 if spoken == "LL_ANNOUNCE" else 1)


def test_a_channel_that_comes_round_again_starts_anew(
    either: Instance, router: FakeRouter, number: str, story: Tell
) -> None:
    """Nothing of the first plan may be left, and the end is told once."""
    plans = [
        {"LL_D1": "PJSIP/agent1", "LL_D2": "PJSIP/agent3", "LL_SITE": "first", "LL_RECORD": "mono"},
        {"LL_D1": "PJSIP/agent2"},
    ]
    router.listen(either.agi, lambda peer: router.answer(plans[len(router.requests) - 1])(peer))
    with (
        either.agent("agent1", answer_after=0.1),
        either.agent("agent2", answer_after=0.1, hangup_after=0.5) as second,
    ):
        run = either.peers.call(number, seconds=60)

        def caller(lines: list[dict[str, str]]) -> dict[str, str]:
            began = (line for line in lines if line["eventtype"] == "CHAN_START" and line["exten"] == number)
            return next(began, {"linkedid": "", "channel": ""})

        def talking(lines: list[dict[str, str]]) -> bool:
            entered = [line["linkedid"] for line in lines if line["eventtype"] == "BRIDGE_ENTER"]
            return entered.count(caller(lines)["linkedid"]) == 2

        channel = caller(either.wait_for_journal(talking))["channel"]
        either.cli(f"channel redirect {channel} leaseline-in,{number},1")
        run.wait(60)
    assert len(second.outcomes()) == 1
    told = story(either, number)
    assert told.events.count("LL_ROUTE") == 2
    end = told.told("LL_END")
    assert (end["site"], end["file"], end["att"]) == ("", "", "1:ANSWER:16")
