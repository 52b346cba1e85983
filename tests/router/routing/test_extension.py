"""A keyed code brings its holder's plan; anything else has the caller asked again, and never lost."""

from collections.abc import Mapping

import pytest
from asking import NOON, Asked, History, Record

from pool.database import StoreUnavailable
from pool.numbers import NumberKind
from router.config import Config
from router.routing.counts import RouteCounts
from router.routing.extension import ExtensionRoute
from router.routing.route import Route
from router.store.routing import Holder

HOST = "+442079460500"
SHOP = {
    "key": "shop",
    "name": "Shop",
    "main_number": "+442079460000",
    "origins": ["https://shop.example"],
    "step": [{"targets": ["PJSIP/agent1"]}, {"targets": ["PJSIP/agent2"]}, {"targets": ["PJSIP/agent3"]}],
    "plan": [{"name": "ads", "channel": ["Google Ads"], "step": [{"targets": ["PJSIP/agent2"]}]}],
}
HISTORY = {
    (HOST, "4711"): Holder("main", "Google Ads", "GB-ENG", NOON - 60_000),
    (HOST, "4712"): Holder("main", "Newspaper", "", NOON - 60_000),
    (HOST, "4713"): Holder("main", "Google Ads", "", NOON - 100 * 3_600_000),
}


class Extensions:
    """The route and the inventory behind it."""

    def __init__(self, history: History | None = None, **changes: object) -> None:
        self.counts = RouteCounts()
        self.config = Config.model_validate({"site": [SHOP | changes]})
        self.history = history or History(dict(HISTORY))

        async def find(number: str) -> Record | None:
            return Record(site="shop", kind=NumberKind.EXTENSION) if number == HOST else None

        asked = (lambda: self.config, find, self.history, self.counts)
        self.route = Route(*asked)
        self._keyed = ExtensionRoute(*asked)

    async def __call__(self, keyed: str) -> Mapping[str, str]:
        return await self._keyed(Asked(HOST, keyed=keyed))


async def test_a_right_code_gives_its_holders_plan_and_ends_the_asking() -> None:
    extensions = Extensions()
    answer = await extensions("4711")
    assert (answer["LL_ASK"], answer["LL_D1"], answer["LL_NUMBER"]) == ("", "PJSIP/agent2", HOST)
    assert extensions.counts.keyed == {"right": 1, "wrong": 0, "none": 0}


async def test_no_step_of_the_first_plan_is_left_behind() -> None:
    extensions = Extensions()
    first = dict(await extensions.route(Asked(HOST)))
    assert first["LL_ASK"] == "1"
    together = first | dict(await extensions("4711"))
    assert (together["LL_D1"], together["LL_D2"]) == ("PJSIP/agent2", "")


@pytest.mark.parametrize(
    ("keyed", "outcome"),
    [
        ("", "none"),
        ("9999", "wrong"),
        ("4713", "wrong"),
        ("4711*", "wrong"),
        ("४७११", "wrong"),
        ("1" * 99, "wrong"),
    ],
)
async def test_anything_else_has_the_caller_asked_again(keyed: str, outcome: str) -> None:
    extensions = Extensions()
    assert await extensions(keyed) == {"LL_ASK": "1"}
    assert extensions.counts.keyed[outcome] == 1


async def test_a_store_that_cannot_be_asked_ends_the_asking() -> None:
    with pytest.raises(StoreUnavailable):
        await Extensions(History(error=StoreUnavailable("gone")))("4711")


async def test_the_callers_own_history_counts_too() -> None:
    sticky = [{"targets": ["PJSIP/agent1", "PJSIP/agent3"], "strategy": "sticky"}]
    history = History(dict(HISTORY), {"+447700900123": ["PJSIP/agent3"]})
    answer = await Extensions(history, step=sticky)("4712")
    assert (answer["LL_D1"], answer["LL_D2"], answer["LL_D3"]) == ("PJSIP/agent3", "PJSIP/agent1", "")


async def test_agents_take_turns_among_callers_who_key_codes() -> None:
    turns = [{"targets": ["PJSIP/agent1", "PJSIP/agent2"], "strategy": "round_robin"}]
    extensions = Extensions(step=turns, plan=[])
    first = []
    for _ in range(4):
        await extensions.route(Asked(HOST))
        first.append((await extensions("4712"))["LL_D1"])
    assert first == ["PJSIP/agent1", "PJSIP/agent2"] * 2
