"""Each page and each form by role, and the API for who is logged in."""

import pytest
from yarl import URL

from pool.numbers import NumberRecord
from router.store.users import UserStore
from router.users.roles import Role
from tests.router.web.dashboard.conftest import Visitor
from tests.router.web.dashboard.listening import PASSWORD
from tests.router.web.dashboard.traffic import NUMBERS

SEEN_BY_ALL = ["/", "/live", "/calls", "/channels", "/agents", "/reports/hour", "/pool", "/numbers",
               "/deliveries", "/health", "/account"]  # fmt: skip
ADMINS_FORMS = [
    ("/numbers/retire", {f"number:{NUMBERS[0]}": "1"}),
    ("/numbers/move", {f"number:{NUMBERS[0]}": "1", "to_pool": "other"}),
    ("/deliveries/retry", {"call": "x", "destination": "crm"}),
    ("/deliveries/enable", {"destination": "crm"}),
    ("/users/add", {"name": "eve", "role": "admin", "password": PASSWORD}),
    ("/users/role", {"name": "viewer", "role": "admin"}),
    ("/users/remove", {"name": "admin"}),
    ("/users/key", {"name": "admin", "label": "x"}),
    ("/users/key/remove", {"key": "x"}),
    ("/users/logout", {"name": "admin"}),
]


async def number_of(visitor: Visitor) -> NumberRecord:
    (found,) = await visitor.listening.pool.numbers(after=NUMBERS[0][:-1], most=1)
    return found


@pytest.mark.parametrize("role", Role)
async def test_the_pages_that_a_role_sees(visitor: Visitor, role: Role) -> None:
    await visitor.log_in(role)
    for path in [*SEEN_BY_ALL, f"/calls/{visitor.listening.recorded}"]:
        assert (await visitor.get(path)).status == 200, path
    assert (await visitor.get("/users")).status == (200 if role is Role.ADMIN else 403)
    assert ('href="/users"' in await visitor.text("/")) == (role is Role.ADMIN)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.LISTENER])
async def test_what_only_admins_do(visitor: Visitor, role: Role) -> None:
    await visitor.log_in(role)
    await visitor.get("/account")
    users, before = UserStore(visitor.listening.database), await number_of(visitor)
    for path, fields in ADMINS_FORMS:
        assert (await visitor.post(path, **fields)).status == 403, path
    assert {row["name"]: row["role"] for row in await users.users()} == {one.value: one.value for one in Role}
    assert await users.keys() == []
    assert await number_of(visitor) == before


@pytest.mark.parametrize("role", Role)
async def test_who_may_hear_a_recording(visitor: Visitor, role: Role) -> None:
    await visitor.log_in(role)
    page = await visitor.text(f"/calls/{visitor.listening.recorded}")
    assert ("<audio" in page) == role.hears
    answer = await visitor.get(f"/api/v1/calls/{visitor.listening.recorded}/recording", Range="bytes=0-99")
    assert answer.status == (206 if role.hears else 403)


async def test_a_recording_is_not_a_path(visitor: Visitor) -> None:
    await visitor.log_in(Role.ADMIN)
    for path in (
        "..%2f..%2fleaseline.db",
        "%2e%2e%2fconfig.toml",
        "..",
        "a.wav",
        "%00",
        "x/../../leaseline.db",
    ):
        sent = URL(f"{visitor.origin}/api/v1/calls/{path}/recording", encoded=True)
        answer = await visitor.session.get(sent)
        assert answer.status in {400, 404}, path
        assert b"SQLite" not in await answer.read()


async def test_a_login_is_as_good_as_a_key_but_for_our_own_pages_only(visitor: Visitor) -> None:
    assert (await visitor.get("/api/v1/calls")).status == 401
    await visitor.log_in(Role.VIEWER)
    assert (await visitor.get("/api/v1/calls")).status == 200
    assert (await visitor.get("/api/v1/calls", **{"Sec-Fetch-Site": "same-origin"})).status == 200
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ):
        answer = await visitor.get("/api/v1/calls", **headers)
        assert answer.status == 403, headers
        assert "other-origin" in await answer.text()


async def test_changing_by_the_api_needs_the_forms_token(visitor: Visitor) -> None:
    await visitor.log_in(Role.ADMIN)
    await visitor.get("/account")
    path = visitor.listening.url("/api/v1/deliveries/x/crm/retry")
    for headers in ({}, {"Origin": visitor.origin}, {"X-Leaseline-Form": visitor.form}):
        assert (await visitor.session.post(path, headers=headers)).status == 403
    headers = {"Origin": visitor.origin, "X-Leaseline-Form": visitor.form}
    assert (await visitor.session.post(path, headers=headers)).status == 404  # there is no such destination


async def test_an_admin_manages_users_but_not_their_own_role(visitor: Visitor, stranger: Visitor) -> None:
    await visitor.log_in(Role.ADMIN)
    await visitor.get("/users")
    users = UserStore(visitor.listening.database)
    await visitor.post("/users/add", name="eve", role="listener", password=PASSWORD)
    assert "eve" in await visitor.text("/users")
    for fields in ({"name": "Eve!"}, {"name": "eve"}, {"name": "bob", "password": "short"}):
        await visitor.post("/users/add", **({"role": "viewer", "password": PASSWORD} | fields))
        assert 'class="note bad"' in await visitor.text("/users")
    for path in ("/users/remove", "/users/role"):
        await visitor.post(path, name="admin", role="viewer")
        assert 'class="note bad"' in await visitor.text("/users")
    assert {row["name"]: row["role"] for row in await users.users()}["admin"] == "admin"
    await visitor.post("/users/key", name="eve", label="<script>")
    page = await visitor.text("/users")
    (key,) = await users.keys()
    assert f"ll_{key['key_id']}_" in page
    assert "&lt;script&gt;" in page
    assert f"ll_{key['key_id']}_" not in await visitor.text("/users")  # shown once
    await visitor.post("/users/key/remove", key=key["key_id"])
    assert await users.keys() == []
    await stranger.get("/login")
    assert (await stranger.post("/login", name="eve", password=PASSWORD)).status == 303


async def test_an_admin_retires_and_moves_numbers(visitor: Visitor) -> None:
    await visitor.log_in(Role.ADMIN)
    await visitor.get("/numbers")
    done = await visitor.post(
        "/numbers/move", **{f"number:{NUMBERS[0]}": "1", "to_pool": "leeds", "back": "/numbers?kind=dynamic"}
    )
    assert done.headers["Location"] == "/numbers?kind=dynamic"
    assert (await number_of(visitor)).pool == "leeds"
    await visitor.post("/numbers/retire", **{f"number:{NUMBERS[0]}": "1", "back": "https://evil.example/"})
    assert (await number_of(visitor)).retired_at is not None
    page = await visitor.text("/numbers?state=retired")
    assert "+44 20 7946 0101" in page
    assert "+44 20 7946 0102" not in page
    for fields in ({}, {"number:+15550100": "1"}, {"number:\u2028": "1"}, {"number:<script>": "1"}):
        answer = await visitor.post("/numbers/retire", **fields)
        assert (answer.status, answer.headers["Location"]) == (303, "/numbers")
        assert 'class="note bad"' in await visitor.text("/numbers")


async def test_a_message_is_one_of_ours_whatever_the_cookie_says(visitor: Visitor) -> None:
    await visitor.log_in()
    for planted in (
        '["said.saved"', "%5B%22calls.title%22%2C%7B%7D%2Cfalse%5D", "%5B%5D", "5", "%FF",
        "%5B%22said.evil%22%2C%7B%7D%2Cfalse%5D", "%5B%22said.user_added%22%2C%7B%7D%2Cfalse%5D",
        "%5B%22said.saved%22%2C5%2C1%5D",
    ):  # fmt: skip
        visitor.plant("leaseline-said", planted)
        answer = await visitor.get("/calls")
        assert answer.status == 200, planted
        assert 'role="status"' not in await answer.text(), planted
