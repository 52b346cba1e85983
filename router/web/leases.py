"""`POST /v1/leases`, `/seen` and `/left`: what the widget asks, answered by the pool."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from aiohttp import web
from pydantic_core import to_json

from pool.database import Database
from pool.ids import ID_LENGTH, new_id
from pool.instants import DAY, Instant, now, to_iso
from pool.leases import Lease, LeaseWish
from pool.lifecycle import State
from pool.service import Pool
from router.attribution.channels import Facts
from router.attribution.countries import country_of
from router.attribution.display import slot_wishes
from router.attribution.visit import attribution_of, cleaned
from router.config.live import LiveConfig
from router.geoip import Place
from router.store.visits import Arrival, VisitStore
from router.web.addresses import RateLimit, TrustedProxies, counted_as, truncated
from router.web.browsers import Browser, browser_of
from router.web.lease_answers import LEASE, LEFT, SEEN, LeaseAnswer, SeenAnswer
from router.web.problems import Problem, field_problem
from router.web.requests import LeaseRequest, SeenRequest, body_of, parsed
from router.web.sites import PublicSite, PublicSites

log = structlog.get_logger(__name__)

_ID: Final = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}\Z")
_SHORT_CAP: Final = 64
_BEAT_SECONDS: Final = 30
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Leases:
    """The three requests of a widget. Nothing is kept here: the pool and the store know everything."""

    def __init__(
        self,
        live: LiveConfig,
        sites: PublicSites,
        proxies: TrustedProxies,
        pool: Pool,
        database: Database,
        *,
        place_of: Callable[[str], Place],
        on_shown: Callable[[str], None] = lambda site: None,
    ) -> None:
        """`place_of` tells region and city of an address (`router.geoip`); `on_shown` is called with a site's
        key when a browser says that it shows a number.
        """
        self._on_shown = on_shown
        per_minute = live.current.http.leases_per_minute
        self._live = live
        self._sites = sites
        self._proxies = proxies
        self._limit = RateLimit(per_minute / 60, per_minute)
        self._pool = pool
        self._visits = VisitStore(database)
        self._place_of = place_of

    @LEASE
    async def lease(self, request: web.Request) -> web.Response:
        """A number for a visit, or the main number for those who get none."""
        asked = parsed(LeaseRequest, await body_of(request))
        site = self._sites.get(asked.site)
        if site is None:
            raise _unknown_site(asked.site)
        headers = request.headers
        _check_origin(headers.get("Origin"), site)
        at = now()
        visitor_id = visitor_of(asked.visitor_id, at)
        browser = browser_of(headers.get("User-Agent", ""))
        address = self._proxies.client(request.remote or "", headers.get("X-Forwarded-For"))
        if (
            browser.robot
            or (site.site.honour_opt_out and _opted_out(headers))
            or (site.site.consent_required and not asked.consent)
            or not self._limit.allows(counted_as(address))
        ):
            return _answer(_untracked(site, visitor_id))
        place = self._place_of(address)
        if self._live.current.privacy.truncate_ip:
            address = truncated(address)
        arrival = _arrival(asked, site, at, browser=browser, address=address, place=place)
        wish = _wish(site, arrival, visitor_id)
        lease = await self._pool.lease(wish, at, attach=[self._visits.attachment(arrival)])
        return _answer(_tracked(site, lease))

    @SEEN
    async def seen(self, request: web.Request) -> web.Response:
        """A heartbeat, and what happened on the page since the last one."""
        body = await body_of(request)
        said = parsed(SeenRequest, body) if body else SeenRequest()
        at = now()
        lease_id = _lease_id(request)
        view = await self._pool.seen(lease_id, at, shown=bool(said.shown), tel_click=bool(said.tel_click))
        if view is None:
            raise _unknown_lease()
        if view.state is State.OVER:
            raise Problem(410, "lease-over", "this lease is over; ask for a new one")
        if said.shown:
            self._on_shown(view.site)
        site = self._sites.get(view.site)
        if said.page is not None:
            await self._visits.add_page_view(view.visit_id, at, said.page.url, said.page.title)
        ids = _analytics_ids(said)
        if any(ids):
            await self._visits.set_analytics_ids(view.visit_id, *ids)
        return _answer(
            {
                "state": view.state,
                "seen_every_seconds": site.site.beat_seconds if site else _BEAT_SECONDS,
                "frozen_until": to_iso(view.frozen_until_at),
            }
        )

    @property
    def refused(self) -> int:
        """How many visits were shown the main number because their address had asked for too many leases."""
        return self._limit.refused

    @LEFT
    async def left(self, request: web.Request) -> web.Response:
        """The visitor has gone. The body, whatever sendBeacon put there, is not looked at."""
        view = await self._pool.left(_lease_id(request), now())
        if view is None:
            raise _unknown_lease()
        return web.Response(status=204, headers=_NO_STORE)


def visitor_of(claimed: str, at: Instant) -> str:
    """`claimed` when it looks like an id that we gave, else a new one.

    Our ids begin with the time they were made: one from the future was not made here.
    """
    if _ID.match(claimed) and int(claimed[:11], 16) <= at + DAY:
        return claimed
    return new_id(at)


def _arrival(
    asked: LeaseRequest, site: PublicSite, at: Instant, *, browser: Browser, address: str, place: Place
) -> Arrival:
    attribution = attribution_of(asked.url, asked.referrer, site.own_hosts, site.rules.click_ids)
    client_id, session_id, metrica_client_id = _analytics_ids(asked)
    return Arrival(
        site=site.key,
        at=at,
        attribution=attribution,
        channel=site.rules.channel(Facts(attribution, browser.device, place.region)),
        title=cleaned(asked.title),
        ga_client_id=client_id,
        ga_session_id=session_id,
        metrica_client_id=metrica_client_id,
        ip=address,
        region=place.region,
        city=place.city,
        browser=browser.browser,
        os=browser.os,
        device=browser.device,
        language=cleaned(asked.language, _SHORT_CAP),
        screen=cleaned(asked.screen, _SHORT_CAP),
        params=_params(asked.params),
    )


def _wish(site: PublicSite, arrival: Arrival, visitor_id: str) -> LeaseWish:
    settings = site.site
    facts = Facts(arrival.attribution, arrival.device, arrival.region)
    return LeaseWish(
        site=site.key,
        visitor_id=visitor_id,
        visit_id=new_id(arrival.at),
        slots=slot_wishes(settings, site.rules, arrival.channel, facts),
        freeze_seconds=settings.freeze_seconds,
        beat_seconds=settings.beat_seconds,
        country=country_of(arrival.region),
    )


def _tracked(site: PublicSite, lease: Lease) -> LeaseAnswer:
    return {
        "lease_id": lease.lease_id,
        "visitor_id": lease.visitor_id,
        "numbers": [site.shown(slot.slot, slot.number, slot.extension) for slot in lease.slots],
        "seen_every_seconds": site.site.beat_seconds,
        "frozen_until": to_iso(lease.frozen_until_at),
    }


def _untracked(site: PublicSite, visitor_id: str) -> LeaseAnswer:
    return {
        "lease_id": None,
        "visitor_id": visitor_id,
        "numbers": site.untracked,
        "seen_every_seconds": site.site.beat_seconds,
        "frozen_until": None,
    }


def _answer(content: LeaseAnswer | SeenAnswer) -> web.Response:
    return web.Response(body=to_json(content), content_type="application/json", headers=_NO_STORE)


def _params(params: dict[str, Any] | None) -> dict[str, Any] | None:
    if not params:
        return None
    return {
        cleaned(name, _SHORT_CAP): cleaned(value) if isinstance(value, str) else value
        for name, value in params.items()
    }


def _analytics_ids(said: LeaseRequest | SeenRequest) -> tuple[str, str, str]:
    """Google Analytics' client and session id and Metrica's client id; "" for what was not said."""
    ga = said.ga
    return (
        cleaned(ga.client_id, _SHORT_CAP) if ga else "",
        cleaned(ga.session_id, _SHORT_CAP) if ga else "",
        cleaned(said.metrica_client_id, _SHORT_CAP),
    )


def _opted_out(headers: Mapping[str, str]) -> bool:
    """Global Privacy Control, or the older Do Not Track."""
    return headers.get("Sec-GPC") == "1" or headers.get("DNT") == "1"


def _lease_id(request: web.Request) -> str:
    lease_id = request.match_info["id"]
    if not _ID.match(lease_id):
        raise _unknown_lease()
    return lease_id


def _check_origin(origin: str | None, site: PublicSite) -> None:
    # Only browsers send it, and they send it truthfully: it keeps one site's visitors off another's numbers.
    if origin is not None and origin.lower() not in site.origins:
        raise Problem(
            403,
            "origin-not-allowed",
            f"site {site.key!r} is not served to pages of this origin; its `origins` would have to name it",
        )


def _unknown_site(key: str) -> Problem:
    problem = field_problem("site", f"no site has the key {cleaned(key, _SHORT_CAP)!r}")
    return Problem(404, "unknown-site", problem.detail, errors=problem.errors)


def _unknown_lease() -> Problem:
    return Problem(404, "unknown-lease", "no such lease; ask for a new one")
