"""The widget as one site's pages get it: minified, the site's settings filled in, compressed once."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

import phonenumbers

from router.config.site import Site
from router.web.numerals import displayed, written_digits

_PLACE = "LEASELINE_CONFIG"

# How a link of each kind begins, and the selector of such links.
_LINKS: Final = {
    "tel": ("tel:", "[href^='tel:' i]"),
    "callto": ("callto:", "[href^='callto:' i]"),
    "sms": ("sms:", "[href^='sms:' i]"),
    "whatsapp": (
        r"https://wa\.me/|https://api\.whatsapp\.com/send/?\?phone=",
        "[href*='://wa.me/' i],[href*='whatsapp.com/' i]",
    ),
}


@dataclass(frozen=True, slots=True)
class Script:
    """One site's widget, ready to send."""

    plain: bytes
    compressed: bytes
    etag: str


def script_of(site: Site, public_url: str) -> Script:
    """The widget of `site`. With an empty `public_url` it calls the host that it was itself loaded from."""
    plain = _source().replace(_PLACE, script_json(_settings(site, public_url))).encode()
    # A fixed time stamp, so that every process of a cluster gives the same bytes and the same ETag.
    compressed = gzip.compress(plain, 9, mtime=0)
    return Script(plain, compressed, f'"{hashlib.sha256(plain).hexdigest()[:20]}"')


def _settings(site: Site, public_url: str) -> dict[str, Any]:
    return {
        "site": site.key,
        "url": public_url.rstrip("/"),
        "domain": cookie_domain(site.origins),
        "days": site.visitor_cookie_days,
        "consent": site.consent_required,
        "optout": site.honour_opt_out,
        "mask": bool(site.display),
        "ext": [site.extension_display, {"pause": ",X", "ext": ";ext=X"}[site.extension_dial]],
        # Texts on links that keep the main number keep it as well: whoever reads it there, writes to it.
        "links": "|".join(_LINKS[kind][0] for kind in site.links),
        "skip": ",".join(selector for kind, (_, selector) in _LINKS.items() if kind not in site.links),
        "slots": [
            _slot(site, "main", "", site.main_number),
            *(_slot(site, slot.name, slot.selector, slot.main_number) for slot in site.number_slot),
        ],
    }


def _slot(site: Site, name: str, selector: str, main_number: str) -> dict[str, Any]:
    country_code = str(phonenumbers.parse(main_number).country_code)
    national = main_number[1 + len(country_code) :]
    return {
        "slot": name,
        "selector": selector,
        "number": main_number,
        "cc": country_code,
        "display": displayed(main_number, site.display, main_number),
        "prefixes": [form.removesuffix(national) for form in written_digits(main_number)],
    }


def cookie_domain(origins: tuple[str, ...]) -> str:
    """The domain that all hosts of `origins` belong to, for a cookie that they share; "" for one host alone.

    Where that is a domain of everybody's ("co.uk") browsers refuse the cookie, and the widget sets one for
    the page's own host.
    """
    hosts = {urlsplit(origin).hostname or "" for origin in origins}
    shared: list[str] = []
    for labels in zip(*(reversed(host.split(".")) for host in hosts), strict=False):
        if len(set(labels)) > 1:
            break
        shared.insert(0, labels[0])
    if len(hosts) < 2 or len(shared) < 2 or shared[-1].isdigit():
        return ""
    return ".".join(shared)


def script_json(value: object) -> str:
    """`value` as JSON that is safe inside a script, even one that somebody pastes into a page."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache(maxsize=1)
def _source() -> str:
    # Its first line only says what it was made of.
    text = resources.files("router.web.widget").joinpath("leaseline.min.js").read_text(encoding="utf-8")
    return text.partition("\n")[2].strip()
