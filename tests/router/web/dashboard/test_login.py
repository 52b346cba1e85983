"""Logging in and out, and everything that tries to get around it."""

import pytest

from pool.instants import now
from router.store.sessions import SessionStore
from router.store.users import UserStore
from router.users.failures import BURST
from router.users.roles import Role
from router.users.sessions import IDLE, LONGEST, digest_of
from tests.router.web.dashboard.conftest import Visitor
from tests.router.web.dashboard.listening import PASSWORD

PAGES = ["/", "/live", "/calls", "/calls/x", "/account", "/users", "/nothing"]
COOKIE = "leaseline-session"


def cookie(visitor: Visitor, name: str = COOKIE) -> str:
    found = [one.value for one in visitor.session.cookie_jar if one.key == name]
    return found[0] if found else ""


async def test_without_a_login_a_page_leads_to_the_login_and_back(visitor: Visitor) -> None:
    for path in PAGES[:-1]:
        answer = await visitor.get(path)
        assert answer.status == 303
        assert answer.headers["Location"] == ("/login" if path == "/" else f"/login?next={path}")
    done = await visitor.log_in(to="/calls?result=missed")
    assert (done.status, done.headers["Location"]) == (303, "/calls?result=missed")


async def test_a_login_is_a_cookie_that_scripts_and_other_sites_do_not_get(visitor: Visitor) -> None:
    answer = await visitor.log_in()
    sent = next(line for line in answer.headers.getall("Set-Cookie") if line.startswith(f"{COOKIE}="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(sent.split("; "))
    assert "Secure" not in sent
    assert "Domain" not in sent
    token = cookie(visitor)
    assert len(token) >= 43
    stored = await SessionStore(visitor.listening.database).sessions(now())
    assert [row["digest"] for row in stored] == [digest_of(token)]


async def test_every_page_forbids_scripts_of_others_and_frames(visitor: Visitor) -> None:
    await visitor.log_in()
    for path in [*PAGES, "/login"]:
        answer = await visitor.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


ELSEWHERE = [
    "//evil.example/",
    "https://evil.example/",
    "/\\evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "\\\\evil.example",
    "/a b",
    "evil",
    "http:evil.example",
    "/é",
]


async def test_a_login_leads_nowhere_else(visitor: Visitor) -> None:
    for to in ELSEWHERE:
        visitor.session.cookie_jar.clear()
        done = await visitor.log_in(to=to)
        assert (done.status, done.headers["Location"]) == (303, "/"), to
        again = await visitor.session.get(
            visitor.listening.url("/login"), params={"next": to}, allow_redirects=False
        )
        assert again.headers["Location"] == "/", to


async def test_a_wrong_password_and_an_unknown_name_are_told_apart_by_nothing(visitor: Visitor) -> None:
    pages = []
    for name in ("admin", "nobody"):
        await visitor.get("/login")
        answer = await visitor.post("/login", name=name, password="wrong password")
        assert answer.status == 401
        pages.append((await answer.text()).replace(f'value="{name}"', "").replace(visitor.form, ""))
    assert pages[0] == pages[1]
    assert cookie(visitor) == ""


async def test_who_guesses_waits_even_with_the_right_password(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.users.failures.SECONDS_EACH", 600.0)  # on a slow machine too
    await visitor.get("/login")
    for _ in range(BURST):
        assert (await visitor.post("/login", name="admin", password="wrong password")).status == 401
    answer = await visitor.log_in()
    assert answer.status == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    assert cookie(visitor) == ""


async def test_what_a_browser_brings_along_never_becomes_a_session(visitor: Visitor) -> None:
    for planted in ("planted", "x" * 43):
        visitor.plant(COOKIE, planted)
        done = await visitor.log_in()
        assert done.status == 303
        assert cookie(visitor) != planted
        assert await SessionStore(visitor.listening.database).session(digest_of(planted), now()) is None


async def test_a_second_login_ends_the_first_of_the_same_browser(visitor: Visitor) -> None:
    await visitor.log_in(Role.VIEWER)
    first = cookie(visitor)
    # Somebody else sits down at the machine: the form is asked for without the old cookie's effect.
    token = first
    visitor.session.cookie_jar.clear()
    await visitor.get("/login")
    visitor.plant(COOKIE, token)
    await visitor.post("/login", name="admin", password=PASSWORD)
    store = SessionStore(visitor.listening.database)
    assert cookie(visitor) != first
    assert await store.session(digest_of(first), now()) is None


async def test_a_form_of_another_site_is_refused(visitor: Visitor) -> None:
    senders: list[dict[str, str | None]] = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    await visitor.get("/login")
    for headers in senders:
        assert (await visitor.post("/login", headers, name="admin", password=PASSWORD)).status == 403
    await visitor.log_in()
    await visitor.get("/account")
    for headers in senders:
        assert (await visitor.post("/logout", headers)).status == 403
    assert (await visitor.get("/")).status == 200


async def test_a_form_without_its_token_is_refused(visitor: Visitor) -> None:
    await visitor.log_in()
    for path in ("/logout", "/account/preferences", "/users/add", "/preferences"):
        for form in ("", "0" * 64, "é"):
            assert (await visitor.post(path, form=form)).status == 403, path


async def test_one_users_token_is_of_no_use_to_another(visitor: Visitor, stranger: Visitor) -> None:
    await visitor.log_in(Role.VIEWER)
    await visitor.get("/account")
    await stranger.log_in(Role.ADMIN)
    assert (await stranger.post("/logout", form=visitor.form)).status == 403


async def test_logging_out_ends_the_session_for_good(visitor: Visitor) -> None:
    await visitor.log_in()
    await visitor.get("/")
    token = cookie(visitor)
    answer = await visitor.post("/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/login")
    assert cookie(visitor) == ""
    visitor.plant(COOKIE, token)
    assert (await visitor.get("/")).status == 303


@pytest.mark.parametrize("what", ["password", "role", "remove", "logout", "cli password"])
async def test_a_session_ends_with_its_reason(visitor: Visitor, stranger: Visitor, what: str) -> None:
    await stranger.log_in(Role.VIEWER)
    assert (await stranger.get("/")).status == 200
    users = UserStore(visitor.listening.database)
    await visitor.log_in(Role.ADMIN)
    await visitor.get("/users")
    if what == "cli password":
        await users.change_password("viewer", "x")
    elif what == "password":
        await stranger.get("/account")
        fields = {"old": PASSWORD, "new": "another long one", "again": "another long one"}
        assert (await stranger.post("/account/password", **fields)).headers["Location"] == "/login"
    else:
        done = await visitor.post(f"/users/{what}", name="viewer", role="listener")
        assert done.status == 303
    assert (await stranger.get("/")).status == 303
    assert (await stranger.get("/api/v1/calls")).status == 401
    assert (await visitor.get("/")).status == 200


async def test_a_session_ends_by_itself(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    await visitor.log_in()
    began, seen = now(), now()
    after = [began]
    monkeypatch.setattr("router.users.access.now", lambda: after[0])
    while seen - began + IDLE // 2 < LONGEST:
        seen += IDLE // 2
        after[0] = seen
        assert (await visitor.get("/")).status == 200
    after[0] = began + LONGEST + 1_000
    assert (await visitor.get("/")).status == 303


async def test_a_session_that_is_not_used_ends(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    await visitor.log_in()
    later = now() + IDLE + 1_000
    monkeypatch.setattr("router.users.access.now", lambda: later)
    assert (await visitor.get("/")).status == 303


async def test_without_any_user_the_page_tells_how_to_make_one(visitor: Visitor) -> None:
    users = UserStore(visitor.listening.database)
    assert "leaseline user add" not in await visitor.text("/login")
    for role in Role:
        await users.remove(role.value)
    assert "leaseline user add" in await visitor.text("/login")
