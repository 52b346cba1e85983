"""The public listener under attack: floods, guesses, replays, forged headers and bodies that are none."""

import asyncio
import gzip
import json
from collections import Counter

import pytest
import time_machine
from aiohttp.test_utils import TestClient, TestServer

from pool.ids import new_id
from pool.instants import now
from router.geoip import NOWHERE
from router.web.public import PublicListener

from .conftest import BROWSER, FIRST, ORIGIN, Web, WebMaker

GOOD = json.dumps({"site": "plumber", "url": f"{ORIGIN}/"})
HEADERS = {"Origin": ORIGIN, "User-Agent": BROWSER}


def refused(listener: PublicListener) -> dict[str, float]:
    (family,) = listener.figures()
    assert family.name == "leaseline_public_refused"
    return {sample.labels["limit"]: sample.value for sample in family.samples}


@pytest.mark.usefixtures("standing_limits")
async def test_a_flood_from_one_address_is_refused_counted_and_harms_nobody_else(make_web: WebMaker) -> None:
    web = await make_web({"leases_per_minute": 20, "trusted_proxies": ["127.0.0.1/32"]})
    listener = PublicListener(web.live, web.pool, web.database, lambda _: NOWHERE)
    async with TestClient(TestServer(listener.application())) as client:

        async def ask(address: str) -> int:
            answer = await client.post(
                "/v1/leases", data=GOOD, headers={**HEADERS, "X-Forwarded-For": address}
            )
            await answer.read()
            return answer.status

        flood = [asyncio.create_task(ask("198.51.100.66")) for _ in range(1_000)]
        others = [await ask(f"198.51.100.{last}") for last in range(1, 11)]
        statuses = Counter(await asyncio.gather(*flood))
        assert others == [200] * 10
        # Ten requests for each of 20 leases.
        assert statuses == {200: 200, 429: 800}
        assert refused(listener) == {"requests": 800, "leases": 180}


@pytest.mark.usefixtures("standing_limits")
async def test_guessing_ids_is_limited_as_any_request_is(make_web: WebMaker) -> None:
    web = await make_web({"leases_per_minute": 5})
    statuses = Counter()
    for _ in range(100):
        answer = await web.post(f"/v1/leases/{new_id(now())}/seen", data=b"{}")
        statuses[answer.status] += 1
    assert statuses == {404: 50, 429: 50}


async def test_what_was_overheard_of_a_lease_is_worth_nothing_once_it_is_over(web: Web) -> None:
    with time_machine.travel("2099-11-22T10:00:00Z", tick=False):
        old = await web.lease()
    with time_machine.travel("2099-11-22T11:00:00Z", tick=False):
        assert old["numbers"][0]["number"] == FIRST
        # Numbers of the site go to whoever comes next, those that rested longest first.
        for _ in range(3):
            await web.lease()
        held = await web.pool.holders(FIRST, None, now(), lookback_seconds=60)
        for what in ("seen", "left"):
            body = b'{"tel_click":true,"page":{"url":"https://evil.example/"}}'
            await web.post(f"/v1/leases/{old['lease_id']}/{what}", data=body)
        assert await web.pool.holders(FIRST, None, now(), lookback_seconds=60) == held
        assert old["lease_id"] not in {holding.lease_id for holding in held if holding.state == "live"}


async def test_a_foreign_site_cannot_take_over_another_s_visitor(web: Web) -> None:
    mine = await web.lease()
    body = {"site": "florist", "url": "https://florist.example/", "consent": True}
    answer = await web.post(
        "/v1/leases",
        json={**body, "visitor_id": mine["visitor_id"]},
        headers={"Origin": "https://florist.example"},
    )
    theirs = await answer.json()
    assert theirs["lease_id"] != mine["lease_id"]
    assert {number["number"] for number in theirs["numbers"]} & {FIRST} == set()


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ("x" * 100_000, 413),
        ("%ff" * 9_000, 200),
        ("%00%0d%0a<script>" * 1_500, 200),
        ("\u202e" * 9_000, 200),
    ],
    ids=["100 kB", "not UTF-8", "script", "direction"],
)
async def test_tags_of_any_size_and_kind(web: Web, tag: str, status: int) -> None:
    url = f"{ORIGIN}/?utm_source={tag}&gclid={tag}"
    body = json.dumps({"site": "plumber", "url": url}, ensure_ascii=False)
    answer = await web.post("/v1/leases", data=body.encode())
    assert answer.status == status
    if status == 200:
        view = await web.pool.lease_by_id((await answer.json())["lease_id"], now())
        assert view is not None
        visit = await web.visits.visit(view.visit_id)
        assert visit is not None
        assert len(visit["source"]) <= 500
        assert len(visit["landing_page"]) <= 2_048
        assert "\x00" not in visit["source"] + visit["landing_page"]


GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /v1/leases HTTP/1.1\r\nHost: x\r\n"
RAW = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500 + b"\r\n\r\n",
    "a path that is not UTF-8": POST.replace(b"leases", b"leases/\xff\xfe/seen")
    + b"Content-Length: 0\r\n\r\n",
    "an origin that is not UTF-8": POST + b"Origin: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    "forwarded by bytes": GET + b"X-Forwarded-For: \xff,\xfe\r\n\r\n",
    "an agent of bytes": POST + b"User-Agent: \x80\xff\r\nContent-Length: 2\r\n\r\n{}",
    "a header of 100 kB": GET + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    "100,000 headers": GET + b"A: b\r\n" * 100_000 + b"\r\n",
    "a length that lies": POST + b"Content-Length: -1\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    "chunks that are none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "a false gzip": POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("what", RAW)
async def test_bytes_that_are_no_request_are_answered_in_kind_and_the_next_visitor_is_served(
    web: Web, what: str
) -> None:
    server = web.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(RAW[what])
    writer.write_eof()
    try:
        async with asyncio.timeout(60):
            answer = await reader.read(65_536)
    except ConnectionError:
        answer = b""
    writer.close()
    status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0
    assert status < 500
    assert b"Traceback" not in answer
    assert (await web.lease())["lease_id"]


async def test_a_zipped_bomb_is_not_unpacked(web: Web) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 64 * 1024
    answer = await web.post("/v1/leases", data=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status in {400, 413}
