"""Regions and cities from files that are there, absent, replaced, damaged and hostile."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from router.config.live import LiveConfig
from router.config.model import Config
from router.geoip import NOWHERE, GeoIp, Place, open_lookup, place_in

from .mmdb import write_mmdb


def city(country: str, *subdivisions: str, name: str = "") -> dict[str, Any]:
    return {
        "country": {"iso_code": country, "names": {"en": country}},
        "subdivisions": [{"iso_code": code, "names": {"en": code}} for code in subdivisions],
        "city": {"names": {"de": f"{name} (de)", "en": name}},
        "location": {"latitude": 51.5, "accuracy_radius": 20},
    }


LONDON = city("GB", "ENG", "LND", name="London")
MOSCOW = city("RU", "MOW", name="Moscow")
NETWORKS = {"192.0.2.0/24": LONDON, "203.0.113.128/25": MOSCOW, "2001:db8:1::/48": city("FR", "IDF")}

Logged = list[Any]


@pytest.fixture
def logged() -> Iterator[Logged]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city.mmdb"


def live_of(path: Path | None, tmp_path: Path) -> LiveConfig:
    return LiveConfig(tmp_path / "c.toml", Config.model_validate({"geoip": {"database": path}}))


async def looked(path: Path, tmp_path: Path) -> GeoIp:
    geoip = GeoIp(live_of(path, tmp_path))
    await geoip.look()
    return geoip


async def test_addresses_are_found(path: Path, tmp_path: Path) -> None:
    geoip = await looked(write_mmdb(path, NETWORKS), tmp_path)
    assert geoip.place_of("192.0.2.7") == Place("GB-LND", "London")
    assert geoip.place_of("203.0.113.200") == Place("RU-MOW", "Moscow")
    assert geoip.place_of("2001:db8:1:2::3") == Place("FR-IDF", "")
    assert geoip.place_of("::ffff:192.0.2.7") in {Place("GB-LND", "London"), NOWHERE}
    for unknown in ("203.0.113.1", "2001:db8:2::1", ""):
        assert geoip.place_of(unknown) == NOWHERE


async def test_what_is_no_address_is_nowhere_and_told_once(
    path: Path, tmp_path: Path, logged: Logged
) -> None:
    geoip = await looked(write_mmdb(path, NETWORKS), tmp_path)
    for _ in range(3):
        assert geoip.place_of("unix:") == NOWHERE
    assert [entry["event"] for entry in logged] == ["geoip.opened", "geoip.unusable"]
    assert {metric.name: metric.samples[0].value for metric in geoip.figures()} == {
        "leaseline_geoip_open": 1.0,
        "leaseline_geoip_failed_lookups": 3.0,
    }


async def test_without_a_file_nothing_is_known_and_nothing_is_said(tmp_path: Path, logged: Logged) -> None:
    geoip = GeoIp(live_of(None, tmp_path))
    await geoip.look()
    assert geoip.place_of("192.0.2.7") == NOWHERE
    assert logged == []


async def test_an_absent_file_is_told_once_and_used_when_it_comes(
    path: Path, tmp_path: Path, logged: Logged
) -> None:
    geoip = await looked(path, tmp_path)
    await geoip.look()
    assert geoip.place_of("192.0.2.7") == NOWHERE
    assert [(entry["event"], entry["path"]) for entry in logged] == [("geoip.unusable", str(path))]
    write_mmdb(path, NETWORKS)
    await geoip.look()
    assert geoip.place_of("192.0.2.7").city == "London"


@pytest.mark.parametrize("in_place", [True, False])
async def test_a_replaced_file_is_picked_up(path: Path, tmp_path: Path, in_place: bool) -> None:
    geoip = await looked(write_mmdb(path, NETWORKS), tmp_path)
    newer = write_mmdb(tmp_path / "newer.mmdb", {"192.0.2.0/24": MOSCOW})
    if in_place:  # what `cp` does: the same file, cut to nothing and filled again
        path.write_bytes(b"")
        assert geoip.place_of("192.0.2.8").city == "London"
        path.write_bytes(newer.read_bytes())
    else:
        newer.rename(path)
    await geoip.look()
    assert geoip.place_of("192.0.2.7").city == "Moscow"


async def test_a_broken_replacement_leaves_the_old_one_in_use(
    path: Path, tmp_path: Path, logged: Logged
) -> None:
    geoip = await looked(write_mmdb(path, NETWORKS), tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    for _ in range(3):
        await geoip.look()
    assert geoip.place_of("192.0.2.7").city == "London"
    assert [entry["event"] for entry in logged] == ["geoip.opened", "geoip.unusable"]


async def test_it_can_be_switched_off_and_on_by_a_reload(path: Path, tmp_path: Path) -> None:
    live = live_of(write_mmdb(path, NETWORKS), tmp_path)
    geoip = GeoIp(live)
    await geoip.look()
    live.path.write_text("", encoding="utf-8")
    assert live.reload()
    await geoip.look()
    assert geoip.place_of("192.0.2.7") == NOWHERE
    live.path.write_text(f'[geoip]\ndatabase = "{path}"\n', encoding="utf-8")
    assert live.reload()
    await geoip.look()
    assert geoip.place_of("192.0.2.7").city == "London"


async def test_a_folder_or_an_unreadable_file_is_told(tmp_path: Path, logged: Logged) -> None:
    geoip = await looked(tmp_path, tmp_path)
    assert geoip.place_of("192.0.2.7") == NOWHERE
    assert [entry["event"] for entry in logged] == ["geoip.unusable"]


async def test_damage_anywhere_in_the_file_harms_no_visit(path: Path, tmp_path: Path) -> None:
    write_mmdb(path, NETWORKS)
    whole = path.read_bytes()
    chance = random.Random(5)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        geoip = await looked(path, tmp_path)
        for address in ("192.0.2.7", "203.0.113.200", "2001:db8:1:2::3", "198.51.100.1"):
            place = geoip.place_of(address)
            assert place.region.isprintable()
            assert len(place.region) <= 6
            assert len(place.city) <= 100


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"country": {"iso_code": "GB"}}, Place("GB", "")),
        ({"country": "DE", "region": "Berlin", "city": "Berlin"}, Place("DE", "Berlin")),
        ({"country_code": "US", "city": "Springfield"}, Place("US", "Springfield")),
        ({"country": {"iso_code": "gb"}, "city": {"names": {"en": "x\x00y"}}}, Place("", "xy")),
        ({"country": {"iso_code": "GB"}, "subdivisions": [{"iso_code": "<b>"}]}, Place("GB", "")),
        ({"country": {"iso_code": "GB"}, "subdivisions": [{"iso_code": "ENG"}, {}]}, Place("GB-ENG", "")),
        ({"country": ["GB"], "city": {"names": "Paris"}, "subdivisions": {"a": 1}}, Place("", "Paris")),
        ({"city": {"names": {"en": "=1+1" + "x" * 500}}}, Place("", "=1+1" + "x" * 96)),
        (["GB"], NOWHERE),
        (None, NOWHERE),
    ],
)  # fmt: skip
def test_records_of_every_shape(record: object, place: Place) -> None:
    assert place_in(record) == place


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KEYS = st.sampled_from(["country", "city", "subdivisions", "country_code"])


@given(st.dictionaries(KEYS, JSON))
def test_no_record_is_too_strange(record: dict[str, Any]) -> None:
    place = place_in(record)
    assert place.region.isascii()
    assert place.city.isprintable() or "\n" not in place.city


def test_the_copy_leaves_no_file_behind(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    lookup = open_lookup(write_mmdb(path, NETWORKS))
    assert lookup.place_of("192.0.2.7").city == "London"
    path.write_bytes(b"no database")
    with pytest.raises(Exception, match="Error opening database file"):
        open_lookup(path)
    assert list(copies.iterdir()) == []
