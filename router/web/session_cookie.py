"""The cookie that a login is: `__Host-` wherever the browser uses TLS, so that no other host can set it."""

from typing import Final

from aiohttp import web

from router.users.sessions import LONGEST, new_token

NAME: Final = "leaseline-session"
LOGIN_NAME: Final = "leaseline-login"
"""Before the login: what the login form is tied to."""
MOST_CHARACTERS: Final = 64


def token_of(request: web.Request, *, secure: bool, name: str = NAME) -> str | None:
    """The token that the browser sends. Behind TLS, one that was set without it is no token."""
    token = request.cookies.get(_name(name, secure), "")
    return token if 0 < len(token) <= MOST_CHARACTERS else None


def set_token(response: web.StreamResponse, token: str, *, secure: bool, name: str = NAME) -> None:
    """Gives the browser a token. Lax: a link in an e-mail opens the page; no other site's form gets far."""
    response.set_cookie(
        _name(name, secure),
        token,
        path="/",
        httponly=True,
        secure=secure,
        samesite="Lax" if name == NAME else "Strict",
        max_age=LONGEST // 1000 if name == NAME else None,
    )


def forget_token(response: web.StreamResponse, *, secure: bool, name: str = NAME) -> None:
    """Takes the token back."""
    response.set_cookie(
        _name(name, secure), "", path="/", httponly=True, secure=secure, samesite="Lax", max_age=0
    )


def login_token(request: web.Request, *, secure: bool) -> str:
    """What the login form is tied to: the browser's, or a new one."""
    return token_of(request, secure=secure, name=LOGIN_NAME) or new_token()


def _name(name: str, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
