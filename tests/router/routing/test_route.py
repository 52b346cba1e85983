"""The dialplan is told whom to ring, or nothing at all."""

from dataclasses import dataclass

import pytest

from router.config import Config
from router.routing.numbering import NotANumber
from router.routing.route import NotOurNumber, Route, site_of


@dataclass
class Record:
    site: str = ""
    pool: str = "default"
    channel: str = ""


@dataclass
class Dialed:
    dialed: str


def config(**changes: object) -> Config:
    shop: dict[str, object] = {
        "key": "shop",
        "name": "Shop",
        "main_number": "+442079460000",
        "origins": ["https://shop.example"],
        "record": "mono",
        "step": [{"targets": ["PJSIP/agent1"], "ring_seconds": 8}, {"targets": ["PJSIP/agent2"]}],
    }
    other = shop | {"key": "other", "main_number": "+441134960000", "pool": "leeds", "step": []}
    return Config.model_validate({"site": [shop | changes, other]})


def route(numbers: dict[str, Record]) -> Route:
    async def find(number: str) -> Record | None:
        return numbers.get(number)

    return Route(config, find)


async def test_a_leased_number_rings_its_sites_plan() -> None:
    answer = await route({"+442079460100": Record(site="shop")})(Dialed("02079460100"))
    assert answer == {
        "LL_NUMBER": "+442079460100",
        "LL_SITE": "shop",
        "LL_D1": "PJSIP/agent1",
        "LL_T1": "8",
        "LL_D2": "PJSIP/agent2",
        "LL_T2": "20",
        "LL_RECORD": "mono",
        "LL_ANNOUNCE": "",
        "LL_WHISPER": "",
        "LL_OVERFLOW": "busy",
    }


async def test_what_is_unknown_is_not_answered() -> None:
    with pytest.raises(NotOurNumber):
        await route({})(Dialed("+442079460999"))
    with pytest.raises(NotANumber):
        await route({})(Dialed("12"))


def test_a_number_no_site_has_shown_belongs_to_the_only_site_of_its_pool() -> None:
    assert site_of(config(), "+442079460100", Record(pool="leeds"))[0].key == "other"
    with pytest.raises(NotOurNumber):
        site_of(config(pool="leeds"), "+442079460100", Record(pool="leeds"))


def test_a_slot_is_told_by_its_pool() -> None:
    slots = [{"name": "bristol", "main_number": "+441174960000", "pool": "bristol"}]
    site, slot = site_of(config(number_slot=slots), "+441174960100", Record(site="shop", pool="bristol"))
    assert (site.key, slot) == ("shop", "bristol")


def test_a_main_number_rings_its_plan_but_never_itself() -> None:
    assert site_of(config(), "+442079460000", None)[0].key == "shop"
    with pytest.raises(NotOurNumber):
        site_of(config(), "+441134960000", None)
