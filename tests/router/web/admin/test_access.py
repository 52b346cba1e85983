"""Nobody gets in without a key, and nobody gets to guess one."""

import pytest

from pool.database import StoreUnavailable
from router.store.users import UserStore
from router.users.failures import BURST
from router.users.keys import new_key
from router.users.roles import Role
from tests.router.web.admin.conftest import Admin

PATHS = ["/api/v1/calls", "/api/v1/calls/x", "/api/v1/calls/x/recording", "/api/v1/live", "/api/v1/pools"]


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/nothing"])
@pytest.mark.parametrize("sent", [None, "Basic YTpi", "Bearer", "Bearer ll_nonsense"])
async def test_without_a_key_there_is_nothing(admin: Admin, path: str, sent: str | None) -> None:
    answer = await admin.get(path, None, headers={"Authorization": sent} if sent else {})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content_type == "application/problem+json"
    assert (await answer.json())["type"] == "urn:leaseline:problem:unauthorized"


async def test_health_and_figures_are_open(admin: Admin) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await admin.get(path, None)).status == 200


async def test_a_wrong_secret_of_a_known_key_is_refused(admin: Admin) -> None:
    wrong = admin.keys[Role.ADMIN]._replace(secret=new_key().secret)
    answer = await admin.get("/api/v1/calls", None, headers={"Authorization": f"Bearer {wrong.text}"})
    assert answer.status == 401


async def test_an_address_that_guesses_is_kept_waiting_even_with_a_right_key(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.users.failures.SECONDS_EACH", 600.0)  # on a slow machine too
    for _ in range(BURST):
        headers = {"Authorization": f"Bearer {new_key().text}"}
        assert (await admin.get("/api/v1/calls", None, headers=headers)).status == 401
    answer = await admin.get("/api/v1/calls")
    assert answer.status == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 600


async def test_a_key_that_was_taken_back_or_whose_user_was_removed_is_no_key(admin: Admin) -> None:
    users = UserStore(admin.database)
    assert (await admin.get("/api/v1/calls", Role.VIEWER)).status == 200
    await users.remove_key(admin.keys[Role.VIEWER].key_id)
    assert (await admin.get("/api/v1/calls", Role.VIEWER)).status == 401
    await users.remove("listener")
    assert (await admin.get("/api/v1/calls", Role.LISTENER)).status == 401
    used = {entry["account"]: entry["last_used_at"] is not None for entry in await users.keys()}
    assert used == {"admin": False}
    assert (await admin.get("/api/v1/calls", Role.ADMIN)).status == 200
    assert [entry["last_used_at"] is not None for entry in await users.keys()] == [True]


async def test_errors_are_problems(admin: Admin) -> None:
    unknown = await admin.get("/api/v1/nothing")
    assert (unknown.status, (await unknown.json())["type"]) == (404, "urn:leaseline:problem:not-found")
    wrong = await admin.get("/api/v1/calls", method="POST")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET,HEAD")
    assert wrong.content_type == "application/problem+json"
    assert unknown.headers["Cache-Control"] == "no-store"


async def test_a_store_that_takes_no_writes_still_answers(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("database or disk is full")

    monkeypatch.setattr(UserStore, "key_used", full)
    assert (await admin.get("/api/v1/calls")).status == 200


async def test_a_store_that_is_gone_is_a_503(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: object, **__: object) -> None:
        raise StoreUnavailable("disk I/O error")

    monkeypatch.setattr(admin.database, "fetch", gone)
    answer = await admin.get("/api/v1/calls")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
