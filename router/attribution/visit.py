"""Where a visit came from: a pure function of the landing page's URL and the referrer.

Precedence (docs/http-api.md): UTM tags > click ids > referrer (search engine, social network, site) > direct.
Everything a page sends is hostile until shown otherwise: text is cut to its cap and freed of control
characters, and kept as sent beyond that; whoever prints it escapes it.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote_plus, urlsplit

from router.attribution.sources import (
    ASSISTANT_HOSTS,
    CLICK_IDS,
    SEARCH_BRANDS,
    SEARCH_HOSTS,
    SOCIAL_HOSTS,
    Known,
    SearchEngine,
)

DIRECT: Final = "(direct)"
NO_MEDIUM: Final = "(none)"
NOT_SET: Final = "(not set)"

TEXT_CAP: Final = 500
"""Characters kept of a source, campaign, title and the like."""
URL_CAP: Final = 2048
"""Characters kept of a URL."""
_PARSED_CAP: Final = 16_384
_PARAMETERS_CAP: Final = 200
_REMEMBERED_CAP: Final = 256

# C0, DEL, C1 and the two Unicode line separators: they break log lines and CSV rows. Lone surrogates
# cannot be stored as UTF-8 at all.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PUBLIC_SUFFIX: Final = re.compile(r"(?:com|[a-z]{2,3}|(?:com?|org)\.[a-z]{2})\Z")
T = TypeVar("T")
_NO_CLICKS: Final[dict[str, str]] = {}


class Attribution(NamedTuple):
    """What brought a visit: GA's vocabulary, so that direct is source "(direct)" and medium "(none)"."""

    source: str
    medium: str
    campaign: str
    term: str
    content: str
    referrer: str
    landing_page: str
    click_ids: dict[str, str]
    tagged: bool = False
    """Whether tags or click ids say so, and no page of the site itself brought them along."""


class Origin(NamedTuple):
    """What a referrer tells: source, medium and, seldom, what was searched."""

    source: str
    medium: str
    term: str = ""


class Referrer(NamedTuple):
    """A referrer understood: the host that sent the visitor and what that says."""

    host: str
    origin: Origin


def cleaned(text: str, cap: int = TEXT_CAP) -> str:
    """`text` without control characters, at most `cap` characters of it, outer blanks stripped."""
    if len(text) > cap:
        text = text[: cap * 2]
    if not text.isprintable():  # far quicker than the expression, and nearly always enough
        text = _CONTROL.sub("", text)
    return text.strip()[:cap]


def attribution_of(
    url: str,
    referrer: str,
    own_hosts: Iterable[str] = (),
    click_ids: Mapping[str, Known] = CLICK_IDS,
) -> Attribution:
    """The attribution of a visit that landed on `url` coming from `referrer` (both may be nonsense).

    A referrer on the landing page's own host, or on one of `own_hosts` (lower case), tells nothing: the
    visit is then direct unless its tags say otherwise. `click_ids`: the parameters (lower case) that are
    click ids, those that win first; one without a source is kept and tells nothing. Never raises.
    """
    tags, clicks = _tags(url, click_ids) if "=" in url else (_NO_CLICKS, _NO_CLICKS)
    referred = _referrer(referrer) if referrer else None
    internal = referred is not None and _is_own(referred.host, url, own_hosts)
    came_from = referred.origin if referred is not None and not internal else None
    clicked = _clicked(clicks, click_ids) if clicks else None
    source = tags.get("utm_source", "")
    medium = tags.get("utm_medium", "")
    campaign = tags.get("utm_campaign", "")
    if source or medium or campaign:
        fallback = clicked or came_from
        known_source = fallback.source if fallback else NOT_SET
        known_medium = clicked.medium if clicked else NOT_SET
        source, medium = source or known_source, medium or known_medium
    elif clicked:
        source, medium = clicked
    elif came_from:
        source, medium = came_from.source, came_from.medium
    else:
        source, medium = DIRECT, NO_MEDIUM
    return Attribution(
        source,
        medium,
        campaign,
        tags.get("utm_term") or (came_from.term if came_from else ""),
        tags.get("utm_content", ""),
        cleaned(referrer, URL_CAP),
        cleaned(url, URL_CAP),
        clicks,
        bool(tags or clicks) and not internal,
    )


def _clicked(clicks: Mapping[str, str], click_ids: Mapping[str, Known]) -> Known | None:
    return next((known for name, known in click_ids.items() if known.source and name in clicks), None)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url[:_PARSED_CAP])
        _ = parts.hostname  # an unclosed bracket only shows here
    except ValueError:
        return None
    return parts


def _tags(url: str, click_ids: Mapping[str, Known]) -> tuple[dict[str, str], dict[str, str]]:
    """The page's UTM tags and its click ids, first non-empty value of each.

    A single-page application may keep them behind `#`: looked at when the query has none.
    """
    address, _, fragment = url[:_PARSED_CAP].partition("#")
    for part in (address.partition("?")[2], fragment.rpartition("?")[2]):
        tags: dict[str, str] = {}
        clicks: dict[str, str] = {}
        for parameter in part.split("&", _PARAMETERS_CAP)[:_PARAMETERS_CAP]:
            name, _, value = parameter.partition("=")
            key = name.lower()
            if not value or (key not in click_ids and not key.startswith("utm_")):
                continue
            value = cleaned(_unquoted(value))
            if value:
                (clicks if key in click_ids else tags).setdefault(key, value)
        if tags or clicks:
            return tags, clicks
    return _NO_CLICKS, _NO_CLICKS


def _unquoted(value: str) -> str:
    """A query's value decoded; invalid UTF-8 becomes U+FFFD."""
    return unquote_plus(value, errors="replace") if "%" in value or "+" in value else value


def _referrer(referrer: str) -> Referrer | None:
    # Most referrers are a bare origin, the same few thousand again and again. Long ones would fill memory.
    return _referred(referrer) if len(referrer) <= _REMEMBERED_CAP else _referred.__wrapped__(referrer)


def _is_own(host: str, url: str, own_hosts: Iterable[str]) -> bool:
    if host in own_hosts:
        return True
    page = _split(url)
    return page is not None and page.hostname == host


@lru_cache(maxsize=4096)
def _referred(referrer: str) -> Referrer | None:
    parts = _split(referrer)
    host = parts.hostname if parts else None
    if parts is None or not host or parts.scheme not in {"http", "https", "android-app"}:
        return None
    host = cleaned(host.rstrip("."), TEXT_CAP)
    if not host:
        return None
    engine = _search_engine(host)
    if engine is None:
        return Referrer(host, _site(host))
    return Referrer(host, Origin(engine.source, "organic", _searched(parts.query, engine)))


def _searched(query: str, engine: SearchEngine) -> str:
    if not query or not engine.terms:
        return ""
    for parameter in query.split("&", _PARAMETERS_CAP)[:_PARAMETERS_CAP]:
        name, _, value = parameter.partition("=")
        if value and name in engine.terms:
            return cleaned(_unquoted(value))
    return ""


@lru_cache(maxsize=4096)
def _search_engine(host: str) -> SearchEngine | None:
    if host in ASSISTANT_HOSTS:
        return None
    known = _by_suffix(host, SEARCH_HOSTS)
    if known is not None:
        return known
    labels = host.split(".")
    for position, label in enumerate(labels[:-1]):
        brand = SEARCH_BRANDS.get(label)
        if brand and _PUBLIC_SUFFIX.match(".".join(labels[position + 1 :])):
            engine, subdomains = brand
            return engine if ".".join(labels[:position]) in subdomains else None
    return None


@lru_cache(maxsize=4096)
def _site(host: str) -> Origin:
    social = _by_suffix(host, SOCIAL_HOSTS)
    if social is not None:
        return Origin(social, "social")
    assistant = _by_suffix(host, ASSISTANT_HOSTS)
    return Origin(assistant or host.removeprefix("www."), "referral")


def _by_suffix(host: str, table: dict[str, T]) -> T | None:
    while host:
        if host in table:
            return table[host]
        host = host.partition(".")[2]
    return None
