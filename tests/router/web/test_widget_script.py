"""The widget as served: size, caching, safe settings; numbers as pages write them."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from router.config.site import Site
from router.web.browsers import browser_of
from router.web.numerals import displayed, written_digits
from router.web.widget.script import cookie_domain, script_json, script_of

from .conftest import Web

SITE: dict[str, Any] = {
    "key": "plumber",
    "name": "Plumber",
    "main_number": "+442079460000",
    "origins": ["https://plumber.example"],
}


def settings(text: str) -> Any:
    found, _ = json.JSONDecoder().raw_decode(text[text.index('{"site"') :])
    return found


def test_the_widget_keeps_its_budget() -> None:
    script = script_of(Site.model_validate(SITE), "https://calls.example.com/")
    assert len(script.compressed) < 5 * 1024
    assert gzip.decompress(script.compressed) == script.plain
    text = script.plain.decode()
    assert "eval" not in text
    assert "innerHTML" not in text


def test_the_small_script_is_made_of_the_source() -> None:
    folder = Path("router/web/widget")
    source = b"".join(path.read_bytes() for path in sorted(folder.glob("source/*.js")))
    text = (folder / "leaseline.min.js").read_text(encoding="utf-8")
    first = text.partition("\n")[0]
    assert first.endswith(hashlib.sha256(source).hexdigest()), "the source was changed: run `make widget`"
    assert text.count("LEASELINE_CONFIG") == 1


@pytest.mark.parametrize(
    ("origins", "domain"),
    [
        (["https://shop.example"], ""),
        (["https://shop.example", "http://shop.example:8080"], ""),
        (["https://shop.example", "https://www.shop.example"], "shop.example"),
        (["https://a.shop.example", "https://b.c.shop.example"], "shop.example"),
        (["https://shop.example", "https://shop.test"], ""),
        (["https://shop.example", "https://myshop.example"], ""),
        (["http://10.0.0.1", "http://11.0.0.1"], ""),
        (["http://localhost:1", "http://localhost:2"], ""),
    ],
)
def test_the_domain_that_a_site_s_hosts_share(origins: list[str], domain: str) -> None:
    assert cookie_domain(tuple(origins)) == domain


def test_the_settings_of_the_site_are_filled_in() -> None:
    site = Site.model_validate(
        {
            **SITE,
            "consent_required": True,
            "visitor_cookie_days": 30,
            "number_slot": [
                {"name": "leeds", "main_number": "+441134960000", "selector": "</script><b>&\u2028'\""}
            ],
        }
    )
    text = script_of(site, "https://calls.example.com/x/").plain.decode()
    found = settings(text)
    assert found["site"] == "plumber"
    assert found["url"] == "https://calls.example.com/x"
    assert found["days"] == 30
    assert found["consent"] is True
    assert found["slots"][1]["selector"] == "</script><b>&\u2028'\""
    assert "</script" not in text
    assert "\u2028" not in text


def test_the_same_settings_give_the_same_bytes() -> None:
    site = Site.model_validate(SITE)
    assert script_of(site, "") == script_of(site, "")
    assert script_of(site, "").etag != script_of(site, "https://a.example").etag


def test_json_inside_a_script_cannot_end_it() -> None:
    assert script_json("</script><!--&") == '"\\u003c/script\\u003e\\u003c!--\\u0026"'


async def test_serving_and_caching(web: Web) -> None:
    answer = await web.client.get("/widget/plumber.js", headers={"Accept-Encoding": "gzip"})
    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.content_type == "text/javascript"
    assert "max-age=300" in answer.headers["Cache-Control"]
    assert settings(await answer.text())["site"] == "plumber"
    etag = answer.headers["ETag"]
    plain = await web.client.get("/widget/plumber.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert await plain.text() == await answer.text()
    unchanged = await web.client.get("/widget/plumber.js", headers={"If-None-Match": f'W/{etag}, "x"'})
    assert (unchanged.status, await unchanged.read()) == (304, b"")


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (
            "+442079460000",
            {"442079460000", "02079460000", "2079460000", "4402079460000", "00442079460000"},
        ),
        ("+12125550100", {"12125550100", "2125550100", "01112125550100"}),
        ("+390612345678", {"390612345678", "0612345678"}),
    ],
)
def test_numbers_as_pages_write_them(number: str, digits: set[str]) -> None:
    found = written_digits(number)
    assert digits <= set(found)
    assert found == sorted(found, key=lambda form: -len(form))


@pytest.mark.parametrize(
    ("number", "mask", "display"),
    [
        ("+442079460123", "", "020 7946 0123"),
        ("+12125550123", "", "+1 212-555-0123"),
        ("+442079460123", "+44 XX XXXX XXXX", "+44 20 7946 0123"),
        ("+442079460123", "(0XX) XXXX\u00a0XXXX", "(020) 7946\u00a00123"),
        ("+442079460123", "XXXXXXXXXXXXXXXX", "020 7946 0123"),
    ],
)
def test_numbers_as_the_site_shows_them(number: str, mask: str, display: str) -> None:
    assert displayed(number, mask, "+442079460000") == display


@pytest.mark.parametrize(
    ("agent", "device", "robot"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0",
            "desktop",
            False,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) AppleWebKit/605 Mobile/15E",
            "mobile",
            False,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_5) AppleWebKit/605 Mobile/15E",
            "tablet",
            False,
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/140 Mobile Safari/537",
            "mobile",
            False,
        ),
        ("Mozilla/5.0 (Linux; Android 14; SM-X200) AppleWebKit/537 Chrome/140 Safari/537", "tablet", False),
        ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "desktop", True),
        ("python-requests/2.32", "desktop", True),
        ("\x00" * 100_000, "", True),
    ],
)
def test_browsers_and_robots(agent: str, device: str, robot: bool) -> None:
    found = browser_of(agent)
    assert (found.device, found.robot) == (device, robot)
