"""Makes HTML of a template: Jinja's settings, and what every template finds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import aiohttp_jinja2
import jinja2
from aiohttp import web

from router.web.dashboard import assets
from router.web.dashboard.page import Done
from router.web.dashboard.safe import HEADERS, web_address
from router.web.dashboard.wording import LANGUAGES, Wording, catalogue, phone

TEMPLATES: Final = Path(__file__).parent / "templates"
SAID: Final = "leaseline-said"
THEME: Final = "leaseline-theme"
LANGUAGE: Final = "leaseline-language"
THEMES: Final = ("auto", "light", "dark")
_YEAR_SECONDS: Final = 365 * 86_400
_ENVIRONMENT: Final = web.AppKey("dashboard", jinja2.Environment)


def set_up(application: web.Application) -> None:
    """Gives the application its templates: escaped always, and a misspelt name is an error."""
    environment = aiohttp_jinja2.setup(
        application,
        app_key=_ENVIRONMENT,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
    )
    environment.globals.update(
        static=assets.address, web_address=web_address, phone=phone, languages=LANGUAGES, themes=THEMES
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": True, "separators": (",", ":")}


def rendered(
    request: web.Request, template: str, words: Wording, values: Mapping[str, Any], *, status: int = 200
) -> web.Response:
    """A page, with what the last form's action had to say."""
    said = _said(request, words)
    context = {
        "words": words,
        "t": words.text,
        "theme": theme_of(request),
        "said": said,
        "path": request.path,
        "address": request.path_qs,
        "error_status": None,
        **values,
    }
    text = aiohttp_jinja2.render_string(template, request, context, app_key=_ENVIRONMENT)
    response = web.Response(
        text=text, content_type="text/html", charset="utf-8", status=status, headers=HEADERS
    )
    if SAID in request.cookies:
        response.set_cookie(SAID, "", path="/", max_age=0, httponly=True, samesite="Strict")
    return response


def theme_of(request: web.Request) -> str:
    """`auto`, `light` or `dark`."""
    sent = request.cookies.get(THEME, "")
    return sent if sent in THEMES else THEMES[0]


def going_on(done: Done) -> web.Response:
    """To the next page, which is to say what was done."""
    response = web.Response(status=303, headers={**HEADERS, "Location": done.to})
    if done.said:
        told = json.dumps([done.said, dict(done.values), done.is_error])
        response.set_cookie(SAID, quote(told), path="/", max_age=60, httponly=True, samesite="Strict")
    return response


def keep(response: web.StreamResponse, name: str, value: str) -> None:
    """Has the browser remember a preference."""
    response.set_cookie(name, value, path="/", max_age=_YEAR_SECONDS, httponly=True, samesite="Lax")


def _said(request: web.Request, words: Wording) -> Mapping[str, Any] | None:
    """What is to be said: only the catalogue's own sentences, whatever the cookie holds."""
    try:
        key, values, is_error = json.loads(unquote(request.cookies.get(SAID, "")))
        known = str(key).startswith("said.") and key in catalogue(LANGUAGES[0])
        plain = {str(name): value for name, value in values.items() if isinstance(value, str | int)}
        return {"text": words.text(key, **plain), "is_error": bool(is_error)} if known else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
