"""The dialplan is told whom to ring, or nothing at all."""

import asyncio
from collections.abc import Mapping

import pytest
from asking import CALLER, NOON, Asked, History, Record

from pool.database import StoreUnavailable
from pool.numbers import NumberKind
from router.config import Config
from router.routing.counts import RouteCounts
from router.routing.numbering import NotANumber
from router.routing.route import NotOurNumber, Route, site_of
from router.store.routing import Holder

NUMBER = "+442079460100"
AGENTS = ["PJSIP/agent1", "PJSIP/agent2"]


def config(tables: Mapping[str, object] | None = None, **changes: object) -> Config:
    shop: dict[str, object] = {
        "key": "shop",
        "name": "Shop",
        "main_number": "+442079460000",
        "origins": ["https://shop.example"],
        "record": "mono",
        "step": [{"targets": ["PJSIP/agent1"], "ring_seconds": 8}, {"targets": ["PJSIP/agent2"]}],
    }
    other = shop | {"key": "other", "main_number": "+441134960000", "pool": "leeds", "step": []}
    return Config.model_validate({"site": [shop | changes, other], **(tables or {})})


class Routed:
    """A route over an inventory and a history in memory, asked as the FastAGI server asks."""

    may_answer_at_once = True
    at_once: Mapping[str, str] | None = None

    def __init__(self, settings: Config, history: History | None = None, **record: object) -> None:
        self.history = history or History()
        self.counts = RouteCounts()
        self.settings = settings
        numbers = {NUMBER: Record(**{"site": "shop", **record})}

        async def find(number: str) -> Record | None:
            return numbers.get(number)

        find_at_once = numbers.get if self.may_answer_at_once else None
        self._route = Route(lambda: self.settings, find, self.history, self.counts, find_at_once=find_at_once)

    async def __call__(self, dialed: str = NUMBER, **how: object) -> Mapping[str, str]:
        asked = Asked(dialed, **how)
        self.at_once = self._route.at_once(asked)
        return await self._route(asked) if self.at_once is None else self.at_once


@pytest.fixture(autouse=True, params=[True, False], ids=["at-once", "waiting"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Routed, "may_answer_at_once", request.param)


async def test_a_leased_number_rings_its_sites_plan() -> None:
    route = Routed(config())
    assert await route("02079460100") == {
        "LL_NUMBER": NUMBER,
        "LL_SITE": "shop",
        "LL_D1": "PJSIP/agent1",
        "LL_T1": "8",
        "LL_D2": "PJSIP/agent2",
        "LL_T2": "20",
        "LL_RECORD": "mono",
        "LL_OVERFLOW": "busy",
    }
    assert route.history.asked == []


async def test_what_is_unknown_is_not_answered() -> None:
    route = Routed(config())
    with pytest.raises(NotOurNumber):
        await route("+442079460999")
    with pytest.raises(NotANumber):
        await route("12")


async def test_a_reloaded_configuration_counts_at_once() -> None:
    route = Routed(config())
    await route()
    route.settings = config(step=[{"targets": ["PJSIP/agent3"]}], language="ru")
    answer = await route()
    assert (answer["LL_D1"], answer["LL_LANGUAGE"]) == ("PJSIP/agent3", "ru")


def test_a_number_no_site_has_shown_belongs_to_the_only_site_of_its_pool() -> None:
    assert site_of(config(), NUMBER, Record(pool="leeds"))[0].key == "other"
    with pytest.raises(NotOurNumber):
        site_of(config(pool="leeds"), NUMBER, Record(pool="leeds"))


def test_a_slot_is_told_by_its_pool() -> None:
    slots = [{"name": "bristol", "main_number": "+441174960000", "pool": "bristol"}]
    site, slot = site_of(config(number_slot=slots), "+441174960100", Record(site="shop", pool="bristol"))
    assert (site.key, slot) == ("shop", "bristol")


def test_a_main_number_rings_its_plan_but_never_itself() -> None:
    assert site_of(config(), "+442079460000", None)[0].key == "shop"
    round_again = [{"targets": ["PJSIP/agent1"]}, {"targets": ["PJSIP/+442079460000@trunk"]}]
    for settings, number in ((config(), "+441134960000"), (config(step=round_again), "+442079460000")):
        with pytest.raises(NotOurNumber):
            site_of(settings, number, None)


ADS_PLAN = {"name": "ads", "channel": ["Google Ads"], "step": [{"targets": ["PJSIP/agent2"]}]}


async def test_the_holders_channel_chooses_the_plan_and_whispers() -> None:
    channel = {"name": "Google Ads", "whisper": "google"}
    history = History({(NUMBER, ""): Holder("main", "Google Ads", "GB-ENG", NOON - 60_000)})
    answer = await Routed(config(plan=[ADS_PLAN], channel=[channel]), history)()
    assert (answer["LL_D1"], answer["LL_WHISPER"]) == ("PJSIP/agent2", "google")
    assert "LL_D2" not in answer


async def test_who_held_it_too_long_ago_is_no_holder() -> None:
    history = History({(NUMBER, ""): Holder("main", "Google Ads", "", NOON - 73 * 3_600_000)})
    assert (await Routed(config(plan=[ADS_PLAN]), history)())["LL_D1"] == "PJSIP/agent1"


async def test_a_static_number_has_a_channel_and_no_holder() -> None:
    route = Routed(config(plan=[ADS_PLAN]), channel="Google Ads", kind=NumberKind.STATIC)
    assert (await route())["LL_D1"] == "PJSIP/agent2"
    assert route.history.asked == []


async def test_a_slot_that_shares_its_pool_is_told_by_the_holder() -> None:
    leeds = {"name": "leeds", "main_number": "+441134960000", "step": [{"targets": ["PJSIP/agent3"]}]}
    history = History({(NUMBER, ""): Holder("leeds", "", "", NOON)})
    assert (await Routed(config(number_slot=[leeds]), history)())["LL_D1"] == "PJSIP/agent3"


STICKY = [{"targets": AGENTS, "strategy": "sticky"}]


async def test_the_last_agent_who_answered_rings_first() -> None:
    history = History(answered={CALLER: [None, "PJSIP/agent2", "PJSIP/agent1"]})
    answer = await Routed(config(step=STICKY), history)()
    assert (answer["LL_D1"], answer["LL_D2"]) == ("PJSIP/agent2", "PJSIP/agent1")


async def test_a_caller_without_a_number_has_no_history() -> None:
    route = Routed(config(step=STICKY))
    assert (await route(caller=""))["LL_D1"] == "PJSIP/agent1&PJSIP/agent2"
    assert route.history.asked == []


async def test_holder_and_history_are_asked_for_at_once() -> None:
    holders = {(NUMBER, ""): Holder("main", "Google Ads", "", NOON)}
    history = History(holders, {CALLER: ["PJSIP/agent2"]}, together=asyncio.Barrier(2))
    plan = {"name": "ads", "channel": ["Google Ads"], "first_call": False, "step": STICKY}
    patient = {"fastagi": {"answer_seconds": 4.5}, "asterisk": {"agi_seconds": 5}}
    assert (await Routed(config(patient, plan=[plan]), history)())["LL_D1"] == "PJSIP/agent2"
    assert sorted(history.asked) == ["agents", "holder"]


@pytest.mark.parametrize(
    ("history", "outcome"),
    [
        (History(error=StoreUnavailable("gone")), "failed"),
        (History(error=RuntimeError("a mistake")), "failed"),
        (History(takes_seconds=60), "late"),
    ],
)
async def test_what_cannot_be_looked_up_costs_no_call(history: History, outcome: str) -> None:
    route = Routed(config(step=STICKY, plan=[ADS_PLAN]), history)
    started = asyncio.get_running_loop().time()
    answer = await route()
    assert answer["LL_D1"] == "PJSIP/agent1&PJSIP/agent2"
    assert asyncio.get_running_loop().time() - started < 0.45  # [fastagi] answer_seconds is 0.5
    assert route.counts.lookups[outcome] == 2


async def test_agents_take_turns_in_each_plan_by_itself() -> None:
    turns = [{"targets": AGENTS, "strategy": "round_robin"}]
    night = {"name": "vip", "caller": [CALLER], "step": turns}
    route = Routed(config(step=turns, plan=[night]))
    callers = [CALLER, "+447700900999"] * 4
    first = [(await route(caller=caller))["LL_D1"] for caller in callers]
    assert first[::2] == first[1::2] == AGENTS * 2


async def test_an_extension_host_asks() -> None:
    answer = await Routed(config(), kind=NumberKind.EXTENSION)()
    assert (answer["LL_ASK"], answer["LL_D1"]) == ("1", "PJSIP/agent1")


BLOCKS = [
    {"callers": ["anonymous"], "answer": "busy"},
    {"callers": ["+447700900666", "+4477009005*"]},
    {"callers": ["+447700900777"], "sites": ["shop"], "answer": "busy"},
    {"callers": ["+447700900888"], "sites": ["other"]},
]


@pytest.mark.parametrize(
    ("caller", "block"),
    [
        ("", "busy"),
        ("+447700900666", "reject"),
        ("07700900666", "reject"),
        ("+447700900555", "reject"),
        ("+447700900777", "busy"),
        ("+447700900888", None),
        ("+447700900123", None),
    ],
)
async def test_blocked_callers(caller: str, block: str | None) -> None:
    route = Routed(config({"block": BLOCKS}))
    answer = await route(caller=caller)
    assert answer.get("LL_BLOCK") == block
    assert ("LL_D1" in answer) is (block is None)
    assert route.counts.blocked["list"] == (0 if block is None else 1)


async def test_who_is_blocked_everywhere_is_so_without_the_store() -> None:
    async def find(number: str) -> Record | None:
        raise StoreUnavailable("gone")

    route = Route(lambda: config({"block": BLOCKS}), find, History(), RouteCounts())
    assert (await route(Asked(NUMBER, caller="+447700900666")))["LL_BLOCK"] == "reject"


async def test_a_caller_over_the_limit_is_busy() -> None:
    calls = {"most_per_caller": 2, "per_minutes": 1, "unlimited": ["+447700900001"]}
    route = Routed(config({"calls": calls}))
    assert [(await route()).get("LL_BLOCK") for _ in range(3)] == [None, None, "busy"]
    for caller in ("+447700900001", "", "+447700900002"):
        for _ in range(2):
            assert "LL_BLOCK" not in await route(caller=caller)
    assert route.counts.blocked["limit"] == 1
