"""The public listener: CORS, limits, and every bad input ends in a JSON problem."""

import asyncio
import json
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from aiohttp import ClientResponse
from structlog.testing import capture_logs

from pool.database import StoreUnavailable
from pool.ids import new_id
from pool.instants import now

from .conftest import ORIGIN, Web, WebMaker

GOOD = {"site": "plumber", "url": f"{ORIGIN}/"}


async def problem(answer: ClientResponse, status: int, kind: str) -> dict[str, Any]:
    """The problem that `answer` must be."""
    text = await answer.text()
    assert answer.status == status, text
    assert answer.content_type == "application/problem+json"
    assert "Traceback" not in text
    content: dict[str, Any] = json.loads(text)
    assert content["type"] == f"urn:leaseline:problem:{kind}"
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    return content


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b'"site"', "body"),
        (b"\xff\xfe{}", "body"),
        (b'{"site":"plumber","url":"\xff"}', "body"),
        (b'{"site":"plumber","url":"\\ud800"}', "body"),
        (b"[" * 10_000, "body"),
        (b'{"site":' + b"[" * 5_000, "body"),
        (b"{}", "site"),
        (b'{"site":"plumber"}', "url"),
        (b'{"site":"plumber","url":""}', "url"),
        (b'{"site":"","url":"x"}', "site"),
        (b'{"site":1,"url":"x"}', "site"),
        (b'{"site":"plumber","url":"x","visitor_id":12}', "visitor_id"),
        (b'{"site":"plumber","url":"x","title":{}}', "title"),
        (b'{"site":"plumber","url":"x","referrer":["a"]}', "referrer"),
        (b'{"site":"plumber","url":"x","consent":"yes"}', "consent"),
        (b'{"site":"plumber","url":"x","ga":"a"}', "ga"),
        (b'{"site":"plumber","url":"x","ga":{"client_id":1}}', "ga.client_id"),
        (b'{"site":"plumber","url":"x","params":{"a":{"b":1}}}', "params.a.str"),
        (b'{"site":"plumber","url":"x","params":{"a":NaN}}', "params.a.str"),
        (json.dumps({**GOOD, "params": {str(i): 1 for i in range(51)}}).encode(), "params"),
    ],
)
async def test_a_malformed_lease_request_names_the_field(web: Web, body: bytes, field: str) -> None:
    content = await problem(await web.post("/v1/leases", data=body), 400, "invalid-request")
    assert content["errors"][0]["field"] == field
    assert content["errors"][0]["message"]
    assert content["detail"].startswith(field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"x", "body"),
        (b"[]", "body"),
        (b'{"page":"x"}', "page"),
        (b'{"page":{}}', "page.url"),
        (b'{"page":{"url":""}}', "page.url"),
        (b'{"shown":"yes"}', "shown.bool"),
        (b'{"tel_click":1}', "tel_click"),
        (b'{"ga":"GA1.1.2.3"}', "ga"),
        (b'{"ga":{"session_id":7}}', "ga.session_id"),
        (b'{"metrica_client_id":[]}', "metrica_client_id"),
    ],
)
async def test_a_malformed_heartbeat_names_the_field(web: Web, body: bytes, field: str) -> None:
    lease_id = (await web.lease())["lease_id"]
    content = await problem(await web.post(f"/v1/leases/{lease_id}/seen", data=body), 400, "invalid-request")
    assert content["errors"][0]["field"] == field


async def test_unknown_sites_and_addresses(web: Web) -> None:
    content = await problem(
        await web.post("/v1/leases", json={**GOOD, "site": "<b>\x00no"}), 404, "unknown-site"
    )
    assert content["errors"][0]["field"] == "site"
    await problem(await web.client.get("/widget/nobody.js"), 404, "unknown-site")
    await problem(await web.client.get("/"), 404, "not-found")
    await problem(await web.client.get("/v1/leases/../../etc/passwd"), 404, "not-found")
    answer = await web.client.get("/v1/leases")
    await problem(answer, 405, "method-not-allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://florist.example",
        "null",
        "http://plumber.example",
        f"{ORIGIN}.evil.example",
        "",
    ],
)
async def test_a_page_of_another_origin_gets_no_lease(web: Web, origin: str) -> None:
    answer = await web.post("/v1/leases", json=GOOD, headers={"Origin": origin})
    await problem(answer, 403, "origin-not-allowed")
    if origin != "https://florist.example":  # a site of ours may read why it was refused
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_pages_of_the_site_may_read_the_answer(web: Web) -> None:
    for origin in (ORIGIN, "https://www.plumber.example"):
        answer = await web.post("/v1/leases", json=GOOD, headers={"Origin": origin})
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Expose-Headers"] == "Date"
        assert parsedate_to_datetime(answer.headers["Date"]).tzinfo is not None
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    refused = await web.post("/v1/leases", data=b"{")
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    without = await web.post("/v1/leases", json=GOOD, headers={"Origin": None})
    assert without.status == 200
    assert "Access-Control-Allow-Origin" not in without.headers


@pytest.mark.parametrize("path", ["/v1/leases", f"/v1/leases/{'0' * 35}/seen", f"/v1/leases/{'0' * 35}/left"])
async def test_preflights(web: Web, path: str) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = await web.client.options(path, headers=asked)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    spoofed = await web.client.options(path, headers={**asked, "Origin": "https://evil.example"})
    await problem(spoofed, 403, "origin-not-allowed")


async def test_bodies_are_capped(web: Web) -> None:
    just_fits = json.dumps({**GOOD, "title": "x" * (64 * 1024 - 200)})
    assert (await web.post("/v1/leases", data=just_fits)).status == 200
    await problem(await web.post("/v1/leases", data=b"x" * (64 * 1024 + 1)), 413, "body-too-large")

    async def trickling() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    lease_id = (await web.lease())["lease_id"]
    await problem(await web.post(f"/v1/leases/{lease_id}/seen", data=trickling()), 413, "body-too-large")


async def test_a_body_that_does_not_come(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.web.requests.BODY_SECONDS", 0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    await problem(await web.post("/v1/leases", data=stuck()), 408, "body-too-slow")


@pytest.mark.usefixtures("standing_limits")
async def test_an_address_over_its_lease_limit_is_shown_the_main_number(make_web: WebMaker) -> None:
    web = await make_web({"leases_per_minute": 2})
    ids = [(await web.lease())["lease_id"] for _ in range(4)]
    assert [bool(lease_id) for lease_id in ids] == [True, True, False, False]


@pytest.mark.usefixtures("standing_limits")
async def test_an_address_over_its_request_limit_is_told_to_wait(make_web: WebMaker) -> None:
    web = await make_web({"leases_per_minute": 1})
    statuses = [(await web.post("/v1/leases", json=GOOD)).status for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    answer = await web.post("/v1/leases", json=GOOD)
    await problem(answer, 429, "too-many-requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    # Not even the proxy's header helps when the peer is no trusted proxy.
    forged = await web.post("/v1/leases", json=GOOD, headers={"X-Forwarded-For": "198.51.100.1"})
    await problem(forged, 429, "too-many-requests")


@pytest.mark.usefixtures("standing_limits")
async def test_visitors_behind_a_trusted_proxy_are_counted_each(make_web: WebMaker) -> None:
    web = await make_web({"leases_per_minute": 1, "trusted_proxies": ["127.0.0.1/32"]})
    for last in range(1, 4):
        given = await web.lease(headers={"X-Forwarded-For": f"203.0.113.9, 198.51.100.{last}"})
        assert given["lease_id"]
    again = await web.lease(headers={"X-Forwarded-For": "203.0.113.77, 198.51.100.1"})
    assert again["lease_id"] is None


async def test_the_store_gone_is_a_503_and_nothing_was_leased(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    lease_id = (await web.lease())["lease_id"]
    for name in ("lease", "seen", "left"):
        monkeypatch.setattr(web.pool, name, gone)
    for path, body in (
        ("/v1/leases", GOOD),
        (f"/v1/leases/{lease_id}/seen", {}),
        (f"/v1/leases/{lease_id}/left", {}),
    ):
        answer = await web.post(path, json=body)
        content = await problem(answer, 503, "store-unavailable")
        assert answer.headers["Retry-After"] == "5"
        assert "disk" not in content["detail"]


async def test_a_mistake_of_ours_is_a_500_with_an_id_that_the_log_has(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(web.pool, "lease", broken)
    with capture_logs() as logs:
        answer = await web.post("/v1/leases", json=GOOD)
    content = await problem(answer, 500, "internal")
    assert "secret" not in await answer.text()
    assert content["instance"] in {line.get("instance") for line in logs}
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


async def test_health_follows_the_store(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await web.client.get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    monkeypatch.setattr(type(web.database), "healthy", False)
    assert (await web.client.get("/healthz")).status == 503


async def test_the_demo_page_is_served_only_when_enabled(make_web: WebMaker) -> None:
    web = await make_web(name="Plumber & <b>Sons</b>")
    page = await web.client.get("/demo?utm_source=google")
    text = await page.text()
    assert page.status == 200
    assert "Plumber &amp; &lt;b&gt;Sons&lt;/b&gt;" in text
    assert 'src="widget/plumber.js"' in text
    assert "020 7946 0000" in text
    assert "$" not in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert (await web.client.get("/demo/style.css")).content_type == "text/css"
    without = await make_web({"demo": False})
    await problem(await without.client.get("/demo"), 404, "not-found")


async def test_a_lease_of_nobody_is_not_found_whatever_the_body(web: Web) -> None:
    await problem(await web.post(f"/v1/leases/{new_id(now())}/seen", data=b""), 404, "unknown-lease")
    await problem(await web.post(f"/v1/leases/{new_id(now())}/left", data=b""), 404, "unknown-lease")
