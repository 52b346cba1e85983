"""Where a visitor is: in the visit, in display rules and channels, also where addresses are cut."""

from pathlib import Path

from router.config.live import LiveConfig
from router.config.model import Config
from router.geoip import GeoIp
from tests.router.mmdb import write_mmdb
from tests.router.test_geoip import NETWORKS

from .conftest import FIRST, MAIN, ORIGIN, WebMaker

LONDON, MOSCOW, ELSEWHERE = "192.0.2.7", "203.0.113.200", "198.51.100.9"
BEHIND_PROXY = {"trusted_proxies": ["127.0.0.0/8"]}
ONLY_LONDON = [{"region": ["GB-LND"], "show": "dynamic"}, {"show": "main"}]


async def opened(tmp_path: Path) -> GeoIp:
    path = write_mmdb(tmp_path / "city.mmdb", NETWORKS)
    config = Config.model_validate({"geoip": {"database": path}})
    geoip = GeoIp(LiveConfig(tmp_path / "c.toml", config))
    await geoip.look()
    return geoip


async def test_region_and_city_are_part_of_the_visit(make_web: WebMaker, tmp_path: Path) -> None:
    geoip = await opened(tmp_path)
    web = await make_web(BEHIND_PROXY, place_of=geoip.place_of)
    for address, place in ((MOSCOW, ("RU-MOW", "Moscow")), (ELSEWHERE, ("", ""))):
        given = await web.lease({"X-Forwarded-For": address})
        view = await web.pool.lease_by_id(given["lease_id"], 0)
        assert view is not None
        visit = await web.visits.visit(view.visit_id)
        assert visit is not None
        assert (visit["region"], visit["city"], visit["ip"]) == (*place, address)
        number = given["numbers"][0]["number"]
        (holding,) = await web.pool.holders(number, None, view.from_at, lookback_seconds=60)
        assert holding.country == place[0][:2]


async def test_a_display_rule_on_the_region_chooses(make_web: WebMaker, tmp_path: Path) -> None:
    geoip = await opened(tmp_path)
    web = await make_web(BEHIND_PROXY, place_of=geoip.place_of, rule=ONLY_LONDON)
    shown = [
        (await web.lease({"X-Forwarded-For": address}))["numbers"][0]["number"]
        for address in (LONDON, MOSCOW, ELSEWHERE)
    ]
    assert shown == [FIRST, MAIN, MAIN]


async def test_a_channel_may_be_a_region(make_web: WebMaker, tmp_path: Path) -> None:
    geoip = await opened(tmp_path)
    channel = [{"name": "The capital", "region": ["GB-*"]}]
    web = await make_web(BEHIND_PROXY, place_of=geoip.place_of, channel=channel)
    given = await web.lease({"X-Forwarded-For": LONDON}, url=f"{ORIGIN}/?utm_source=x")
    view = await web.pool.lease_by_id(given["lease_id"], 0)
    assert view is not None
    visit = await web.visits.visit(view.visit_id)
    assert visit is not None
    assert visit["channel"] == "The capital"


async def test_a_cut_address_is_all_that_is_kept(make_web: WebMaker, tmp_path: Path) -> None:
    """The region is looked up by the whole address, which is then cut before anything is stored or logged."""
    geoip = await opened(tmp_path)
    web = await make_web(BEHIND_PROXY, place_of=geoip.place_of, privacy={"truncate_ip": True})
    for address, kept in ((LONDON, "192.0.2.0"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1::")):
        given = await web.lease({"X-Forwarded-For": address})
        view = await web.pool.lease_by_id(given["lease_id"], 0)
        assert view is not None
        visit = await web.visits.visit(view.visit_id)
        assert visit is not None
        assert visit["ip"] == kept
        assert visit["region"] in {"GB-LND", "FR-IDF"}
    await web.database.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("leaseline.db*"))
    assert LONDON.encode() not in stored
    assert b"2001:db8:1:2:3:4:5:6" not in stored
