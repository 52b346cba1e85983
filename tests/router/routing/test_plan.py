"""The redirect plan follows from the site's configuration and the situation alone."""

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.config.model import Asterisk
from router.config.plan import MAX_STEPS
from router.config.site import Site
from router.routing.plan import Plan, PlannedStep, SitePlans, Situation

ASTERISK = Asterisk(dial="PJSIP/{number}@carrier")
AGENTS = ["PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3"]
OFFICE = {"name": "office", "hours": ["Mon-Fri 09:00-18:00"], "holidays": ["12-25"]}


def monday(hour: int) -> int:
    """An instant of 2026-11-23 in London."""
    return round(datetime(2026, 11, 23, hour, tzinfo=ZoneInfo("Europe/London")).timestamp() * 1000)


NOON, NIGHT = monday(12), monday(22)


def site(**changes: object) -> Site:
    values: dict[str, object] = {
        "key": "shop",
        "name": "Shop",
        "main_number": "+442079460000",
        "origins": ("https://shop.example",),
        "time_zone": "Europe/London",
        **changes,
    }
    return Site.model_validate(values)


def planned(changes: dict[str, object], asterisk: Asterisk = ASTERISK, **known: object) -> Plan:
    situation = Situation(**{"at": NOON, "linkedid": "1763817000.42", **known})
    return SitePlans(site(**changes), asterisk).plan(situation)


def dials(changes: dict[str, object], **known: object) -> list[str]:
    return [step.dial for step in planned(changes, **known).steps]


def test_without_steps_calls_go_to_the_main_number() -> None:
    assert planned({}).steps == (PlannedStep("PJSIP/+442079460000@carrier", 20),)


def test_the_trunk_may_want_digits_alone() -> None:
    plan = planned({}, Asterisk(dial="PJSIP/{digits}@carrier"))
    assert plan.steps[0].dial == "PJSIP/442079460000@carrier"


def test_simultaneous_targets_share_a_dial_and_sequential_ones_follow_one_another() -> None:
    steps = [
        {"targets": AGENTS[:2], "ring_seconds": 10},
        {"targets": ["PJSIP/agent3", "+442079460001"], "ring_seconds": 15, "strategy": "sequential"},
    ]
    assert planned({"step": steps}).steps == (
        PlannedStep("PJSIP/agent1&PJSIP/agent2", 10),
        PlannedStep("PJSIP/agent3", 15),
        PlannedStep("PJSIP/+442079460001@carrier", 15),
    )


def test_agents_take_turns() -> None:
    plans = SitePlans(site(step=[{"targets": AGENTS, "strategy": "round_robin"}]), ASTERISK)
    first = [plans.plan(Situation(NOON), lambda _, turn=turn: turn).steps[0].dial for turn in range(6)]
    assert first == AGENTS * 2
    second = plans.plan(Situation(NOON), lambda _: 1).steps
    assert [step.dial for step in second] == [AGENTS[1], AGENTS[2], AGENTS[0]]


def test_turns_are_asked_for_once_and_only_where_they_are_taken() -> None:
    asked: list[str] = []

    def turn_of(plan: str) -> int:
        asked.append(plan)
        return 0

    turns = {"targets": AGENTS[:2], "strategy": "round_robin"}
    vip = {"name": "vip", "caller": ["+447700900001"], "step": [{"targets": AGENTS}]}
    plans = SitePlans(site(step=[turns, turns], plan=[vip]), ASTERISK)
    plans.plan(Situation(NOON, caller="+447700900001"), turn_of)
    assert asked == []
    plans.plan(Situation(NOON), turn_of)
    assert asked == [""]


def test_weights_are_the_shares_of_first_rings() -> None:
    step = {"targets": AGENTS, "strategy": "weighted", "weights": [5, 3, 2]}
    plans = SitePlans(site(step=[step]), ASTERISK)
    first = Counter(plans.plan(Situation(NOON, f"1763817000.{call}")).steps[0].dial for call in range(10_000))
    assert [first[agent] / 10_000 for agent in AGENTS] == pytest.approx([0.5, 0.3, 0.2], abs=0.02)


def test_a_weighted_order_is_the_same_each_time_it_is_asked_and_has_everybody_once() -> None:
    changes: dict[str, object] = {
        "step": [{"targets": AGENTS, "strategy": "weighted", "weights": [1, 1, 1000]}]
    }
    assert dials(changes) == dials(changes)
    assert sorted(dials(changes)) == AGENTS


def test_the_last_agent_rings_first_then_the_others() -> None:
    changes: dict[str, object] = {"step": [{"targets": AGENTS, "strategy": "sticky", "ring_seconds": 7}]}
    assert planned(changes, last_agent="PJSIP/agent2").steps == (
        PlannedStep("PJSIP/agent2", 7),
        PlannedStep("PJSIP/agent1&PJSIP/agent3", 7),
    )
    everybody = ["PJSIP/agent1&PJSIP/agent2&PJSIP/agent3"]
    assert dials(changes) == everybody
    assert dials(changes, last_agent="PJSIP/who-left") == everybody
    assert (
        dials({"step": [{"targets": AGENTS[:1], "strategy": "sticky"}]}, last_agent=AGENTS[0]) == AGENTS[:1]
    )


def test_a_slot_has_its_own_plan_and_main_number() -> None:
    slots = [
        {"name": "leeds", "main_number": "+441134960000"},
        {"name": "bristol", "main_number": "+441174960000", "step": [{"targets": ["PJSIP/agent2"]}]},
    ]
    assert dials({"number_slot": slots}, slot="leeds") == ["PJSIP/+441134960000@carrier"]
    assert dials({"number_slot": slots}, slot="bristol") == ["PJSIP/agent2"]
    assert dials({"number_slot": slots}, slot="main") == ["PJSIP/+442079460000@carrier"]
    assert dials({"number_slot": slots}, slot="unknown") == ["PJSIP/+442079460000@carrier"]


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ({"channel": ["Google*"]}, {"channel": "google ads"}, {"channel": "Bing Ads"}),
        ({"region": ["GB-ENG"]}, {"region": "GB-ENG"}, {"region": ""}),
        ({"slot": ["leeds"]}, {"slot": "leeds"}, {"slot": None}),
        ({"slot": ["main"]}, {"slot": None}, {"slot": "leeds"}),
        ({"caller": ["+447700900*"]}, {"caller": "+447700900123"}, {"caller": "+447700800123"}),
        ({"caller": ["+447700900123"]}, {"caller": "+447700900123"}, {"caller": "+4477009001234"}),
        ({"caller": ["anonymous"]}, {"caller": None}, {"caller": "+447700900123"}),
        ({"first_call": True}, {"first_call": True}, {"first_call": None}),
        ({"first_call": False}, {"first_call": False}, {"first_call": True}),
        ({"during": "office"}, {"at": NOON}, {"at": NIGHT}),
        ({"outside": "office"}, {"at": NIGHT}, {"at": NOON}),
        (
            {"channel": ["Google Ads"], "during": "office"},
            {"channel": "Google Ads"},
            {"channel": "Google Ads", "at": NIGHT},
        ),
    ],
)
def test_a_plan_is_taken_when_all_its_conditions_hold(
    condition: dict[str, object], holds: dict[str, object], fails: dict[str, object]
) -> None:
    changes: dict[str, object] = {
        "schedule": [OFFICE],
        "step": [{"targets": AGENTS[:1]}],
        "plan": [{"name": "other", "step": [{"targets": AGENTS[1:2]}], **condition}],
        "number_slot": [{"name": "leeds", "main_number": "+441134960000", "step": [{"targets": AGENTS[2:]}]}],
    }
    assert planned(changes, **holds).name == "other"
    assert dials(changes, **holds) == ["PJSIP/agent2"]
    assert planned(changes, **fails).name != "other"
    assert dials(changes, **fails) in (["PJSIP/agent1"], ["PJSIP/agent3"])


def test_the_first_plan_that_matches_is_taken() -> None:
    plans = [
        {"name": "one", "caller": ["+44*"], "step": [{"targets": AGENTS[:1]}]},
        {"name": "two", "step": [{"targets": AGENTS[1:2]}]},
    ]
    assert planned({"plan": plans}, caller="+447700900123").name == "one"
    assert planned({"plan": plans}, caller="+12025550123").name == "two"


def test_closed_steps_are_left_out_and_a_plan_without_steps_overflows_at_once() -> None:
    changes: dict[str, object] = {
        "schedule": [OFFICE],
        "record": "mono",
        "announcement": "notice",
        "whisper": "whisper",
        "overflow": "voicemail",
        "voicemail_box": "100",
        "step": [
            {"targets": AGENTS[:1], "during": "office"},
            {"targets": AGENTS[1:2], "during": "office"},
        ],
    }
    assert len(planned(changes).steps) == 2
    closed = planned(changes, at=NIGHT)
    assert (closed.steps, closed.overflow) == ((), "voicemail:100")
    assert (closed.record, closed.announce, closed.whisper) == ("", "", "")
    on_call = {"targets": AGENTS[2:], "outside": "office"}
    assert dials({"schedule": [OFFICE], "step": [on_call]}, at=NIGHT) == ["PJSIP/agent3"]


def test_a_plans_overflow_is_its_own_or_the_sites() -> None:
    changes: dict[str, object] = {
        "overflow": "announcement",
        "overflow_prompt": "sorry",
        "voicemail_box": "100",
        "plan": [
            {"name": "box", "caller": ["+441*"], "overflow": "voicemail", "voicemail_box": "200"},
            {"name": "site-box", "caller": ["+442*"], "overflow": "voicemail"},
            {"name": "busy", "caller": ["+443*"], "overflow": "busy"},
            {"name": "prompt", "caller": ["+444*"], "overflow_prompt": "closed"},
        ],
    }
    overflows = [planned(changes, caller=f"+44{first}134960000").overflow for first in (1, 2, 3, 4, 5)]
    assert overflows == ["voicemail:200", "voicemail:100", "busy", "announce:closed", "announce:sorry"]


def test_channels_whisper_their_own_prompt() -> None:
    changes: dict[str, object] = {
        "channel": [{"name": "Google Ads", "whisper": "google"}, {"name": "Newspaper"}],
        "whisper": "whisper",
    }
    assert planned(changes, channel="Google Ads").whisper == "google"
    assert planned(changes, channel="Newspaper").whisper == "whisper"


def test_recording_announcement_and_language() -> None:
    plan = planned({"record": "stereo", "announcement": "notice", "language": "ru"})
    assert (plan.record, plan.announce, plan.language) == ("stereo", "notice", "ru")


def test_without_a_router_the_default_plans_first_step_rings_at_any_hour() -> None:
    def fallback(slot: str | None = None, **step: object) -> str:
        slots = [{"name": "leeds", "main_number": "+441134960000"}]
        steps = [{"targets": AGENTS[:2], "during": "office", **step}, {"targets": AGENTS[2:]}]
        closed = {"name": "closed", "outside": "office"}
        changed = site(schedule=[OFFICE], step=steps, plan=[closed], number_slot=slots)
        return SitePlans(changed, ASTERISK).fallback(slot)

    assert fallback() == fallback("main") == "PJSIP/agent1&PJSIP/agent2"
    assert fallback(strategy="round_robin") == fallback(strategy="sticky") == fallback()
    assert fallback(strategy="sequential") == "PJSIP/agent1"
    assert fallback("leeds") == "PJSIP/+441134960000@carrier"


@pytest.mark.parametrize(
    ("changes", "holder", "history"),
    [
        ({}, False, False),
        ({"plan": [{"name": "vip", "caller": ["+44*"]}]}, False, False),
        ({"plan": [{"name": "ads", "channel": ["Google Ads"]}]}, True, False),
        ({"plan": [{"name": "north", "region": ["GB-*"]}]}, True, False),
        ({"channel": [{"name": "Google Ads", "whisper": "google"}]}, True, False),
        ({"number_slot": [{"name": "leeds", "main_number": "+441134960000"}]}, True, False),
        (
            {"number_slot": [{"name": "leeds", "main_number": "+441134960000", "pool": "leeds"}]},
            False,
            False,
        ),
        ({"plan": [{"name": "new", "first_call": True}]}, False, True),
        ({"step": [{"targets": AGENTS, "strategy": "sticky"}]}, False, True),
    ],
)
def test_only_what_plans_depend_on_is_looked_up(
    changes: dict[str, object], holder: bool, history: bool
) -> None:
    plans = SitePlans(site(**changes), ASTERISK)
    assert (plans.needs_holder, plans.needs_history) == (holder, history)


TARGETS = st.lists(
    st.sampled_from([*AGENTS, "+442079460001", "PJSIP/+441134960001@trunk"]), min_size=1, max_size=4
)
TIMES = st.sampled_from([{}, {"during": "office"}, {"outside": "office"}])


@st.composite
def steps(draw: st.DrawFn) -> dict[str, object]:
    targets = draw(TARGETS)
    strategy = draw(st.sampled_from(["simultaneous", "sequential", "round_robin", "weighted", "sticky"]))
    weights = draw(st.lists(st.integers(1, 9), min_size=len(targets), max_size=len(targets)))
    return {
        "targets": targets,
        "strategy": strategy,
        **({"weights": weights} if strategy == "weighted" else {}),
        **draw(TIMES),
    }


@given(
    given_steps=st.lists(steps(), min_size=1, max_size=2),
    situation=st.builds(
        Situation,
        at=st.integers(NOON - 400 * 86_400_000, NOON + 400 * 86_400_000),
        linkedid=st.text(max_size=20),
        caller=st.none() | st.text(max_size=20),
        channel=st.text(max_size=10),
        region=st.text(max_size=5),
        last_agent=st.none() | st.sampled_from(AGENTS) | st.text(max_size=20),
    ),
    turn=st.integers(0, 10_000),
)
def test_open_steps_ring_every_target_once_and_nothing_else(
    given_steps: list[dict[str, object]], situation: Situation, turn: int
) -> None:
    plans = SitePlans(site(step=given_steps, schedule=[OFFICE]), ASTERISK)
    plan = plans.plan(situation, lambda _: turn)
    assert plan == plans.plan(situation, lambda _: turn)
    assert len(plan.steps) <= MAX_STEPS
    rung = [dial for step in plan.steps for dial in step.dial.split("&")]
    local = datetime.fromtimestamp(situation.at / 1000, ZoneInfo("Europe/London"))
    is_open = local.weekday() < 5 and 9 <= local.hour < 18 and (local.month, local.day) != (12, 25)
    expected: list[str] = []
    for step in given_steps:
        if ("during" in step and not is_open) or ("outside" in step and is_open):
            continue
        targets = step["targets"]
        assert isinstance(targets, list)
        expected += [f"PJSIP/{target}@carrier" if target[0] == "+" else target for target in targets]
    if any(step["strategy"] == "sticky" for step in given_steps):
        assert set(rung) == set(expected)  # of a target named twice one ring is enough
    else:
        assert sorted(rung) == sorted(expected)
