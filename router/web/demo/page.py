"""Renders the demo page for a site and serves its style sheet."""

from html import escape
from importlib import resources
from string import Template
from typing import Final

import phonenumbers
from aiohttp import web

from router.web.sites import PublicSite

# What a careful business would send: the widget must work under it.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(site: PublicSite) -> web.Response:
    """The page of a fictional plumber whose main number is `site`'s."""
    number = site.site.main_number
    display = site.untracked[0]["display"]
    international = phonenumbers.format_number(
        phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )
    values = {
        "site": site.key,
        "name": site.site.name,
        "number": number,
        "display": display,
        "international": international,
    }
    text = Template(_text("page.html")).substitute({name: escape(value) for name, value in values.items()})
    return web.Response(
        text=text,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "strict-origin-when-cross-origin",
        },
    )


def style() -> web.Response:
    """The page's style sheet."""
    return web.Response(
        text=_text("style.css"),
        content_type="text/css",
        charset="utf-8",
        headers={"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"},
    )


def _text(name: str) -> str:
    return resources.files("router.web.demo").joinpath(name).read_text(encoding="utf-8")
