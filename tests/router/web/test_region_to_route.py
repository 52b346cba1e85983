"""From where a visitor is to whom their call rings: an address, its region, the lease, the redirect plan."""

from dataclasses import dataclass, field
from pathlib import Path

from pool.instants import Instant, now
from router.routing.counts import RouteCounts
from router.routing.route import Route
from router.store.routing import RoutingStore

from .conftest import SECOND, THIRD, Web, WebMaker
from .test_visit_places import BEHIND_PROXY, ELSEWHERE, LONDON, MOSCOW, opened

PLANS = {
    "step": [{"targets": ["PJSIP/agent3"]}],
    "plan": [
        {"name": "london", "region": ["GB-*"], "step": [{"targets": ["PJSIP/agent1"]}]},
        {"name": "moscow", "region": ["RU-MOW"], "step": [{"targets": ["PJSIP/agent2"]}]},
    ],
}


@dataclass
class Call:
    """What the dialplan asks of a call."""

    dialed: str
    received_at: Instant
    caller: str = "+447700900123"
    keyed: str = ""
    linkedid: str = "1763817000.42"
    variables: dict[str, str] = field(default_factory=dict)


def route_of(web: Web) -> Route:
    """As the calls role makes it, on the listener's pool and store."""
    counts = RouteCounts()
    return Route(lambda: web.live.current, web.pool.number, RoutingStore(web.database), counts)


async def leased(web: Web, address: str) -> str:
    """The number that a visitor at an address is shown."""
    given = await web.lease({"X-Forwarded-For": address})
    answer = await web.post(f"/v1/leases/{given['lease_id']}/seen", json={"shown": True})
    assert answer.status in {200, 204}
    number = given["numbers"][0]["number"]
    assert isinstance(number, str)
    return number


async def test_a_call_rings_the_plan_of_its_visitors_region(make_web: WebMaker, tmp_path: Path) -> None:
    geoip = await opened(tmp_path)
    web = await make_web(BEHIND_PROXY, place_of=geoip.place_of, **PLANS)
    route = route_of(web)
    numbers = [await leased(web, address) for address in (LONDON, MOSCOW, ELSEWHERE)]
    assert len(set(numbers)) == 3
    rung = [(await route(Call(number, now())))["LL_D1"] for number in numbers]
    assert rung == ["PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3"]


async def test_without_a_geoip_file_every_call_rings_the_sites_steps(make_web: WebMaker) -> None:
    web = await make_web(BEHIND_PROXY, **PLANS)
    number = await leased(web, LONDON)
    assert (await route_of(web)(Call(number, now())))["LL_D1"] == "PJSIP/agent3"
    # Nobody was shown this one: it has no region either.
    free = SECOND if number != SECOND else THIRD
    assert (await route_of(web)(Call(free, now())))["LL_D1"] == "PJSIP/agent3"
