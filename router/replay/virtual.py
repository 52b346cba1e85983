"""The router in virtual time: its own pool, rules and attribution around one scratch store.

Events are told one by one in the order of the trace. What is asked at an instant sees what was told before,
and nothing else: the truth of the trace (`number_of`) only chooses what is dialed.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from pool.instants import Instant
from pool.leases import Lease, LeaseWish, Rung, Shown, WishKind
from pool.numbers import NumberRecord
from pool.service import Pool
from router.attribution.channels import Facts, SiteRules
from router.attribution.countries import country_of
from router.attribution.display import slot_wishes
from router.attribution.visit import attribution_of
from router.cdr import enrich
from router.cdr.outcome import CallFacts
from router.cdr.record import Cdr
from router.config import Config, Site
from router.replay.callers import CallerHistory
from router.replay.models import VirtualModels
from router.replay.scratch import ScratchDatabase
from router.replay.trace import CallEvent, SignEvent, VisitEvent
from router.routing.numbering import NotANumber, to_e164
from router.routing.route import NotOurNumber, site_of

SAME_CODES = "UPDATE extension_host SET secret = '00000000000000000000000000000000'"
OWN_NUMBER_RUNGS = frozenset({Rung.OWN, Rung.SITE, Rung.BASE})


class Held(NamedTuple):
    """What a visit was shown in the main slot. `dynamic`: a number of its own was wanted."""

    visit: str
    lease_id: str
    rung: Rung
    number: str | None
    extension: str | None
    seconds: float
    dynamic: bool


class Answered(NamedTuple):
    """A call and what the router makes of it; `visit` is the trace's name of the visit that was chosen."""

    cdr: Cdr
    visit: str | None
    candidates: list[tuple[str | None, float]]


class _TracedSite:
    """A site with its rules compiled."""

    def __init__(self, site: Site, freeze_seconds: int | None) -> None:
        self.site = site
        self.freeze_seconds = freeze_seconds or site.freeze_seconds
        self.rules = SiteRules(site)
        self.own_hosts = frozenset(urlsplit(origin).hostname or "" for origin in site.origins)


class VirtualRouter:
    """One router with one pool, from the begin of a trace to its end. `close` it."""

    def __init__(self, config: Config, freeze_seconds: int | None) -> None:
        """`freeze_seconds` overrides what each site says."""
        self.now: Instant = 0
        self._config = config
        self._database = ScratchDatabase()
        self.pool = Pool(
            self._database,
            rest_seconds=config.pool.rest_seconds,
            idle_days=config.pool.idle_days,
            monotonic=lambda: self.now / 1000,
        )
        self._sites = {site.key: _TracedSite(site, freeze_seconds) for site in config.site}
        self._callers = CallerHistory()
        self._enricher = enrich.Enricher(
            config.node.switch,
            self.pool,
            self._callers,
            rules=self._call_rules,
            e164=self._e164,
            site_of=self._site_of,
            now=lambda: self.now,
        )
        self._models = VirtualModels(self._database, config.cdr.lookback_hours * 3600)
        self._visits: dict[str, Held] = {}
        self._until: dict[str, Instant] = {}
        self._current: dict[str, str] = {}

    async def open(self) -> None:
        """Makes the store's tables. Numbers are added through `pool`."""
        await self.pool.open()

    async def fix_codes(self) -> None:
        """Makes the order of extension codes the same in each replay; to be called before the first visit."""
        async with self._database.write() as transaction:
            await transaction.statement(SAME_CODES)

    async def close(self) -> None:
        await self._database.close()

    def freeze_seconds(self, site: str) -> int:
        return self._sites[site].freeze_seconds

    async def visit(self, event: VisitEvent) -> tuple[Held, Lease]:
        """A visit begins. Its browser is taken to display the number at once."""
        self.now = event.at
        wish = _wish(self._sites[event.site], event)
        lease = await self.pool.lease(wish, event.at)
        await self.pool.seen(lease.lease_id, event.at, shown=True)
        shown = lease.slots[0]
        before = self._current.get(lease.visit_id)
        held = Held(
            event.visit,
            lease.lease_id,
            _rung(shown, None if before is None else self._visits[before]),
            shown.number,
            shown.extension,
            event.seconds,
            wish.slots[0].kind is WishKind.DYNAMIC,
        )
        self._visits[event.visit] = held
        self._current[lease.visit_id] = event.visit
        self._until[lease.lease_id] = lease.frozen_until_at
        return held, lease

    async def sign(self, event: SignEvent) -> None:
        """A heartbeat, a click or the end of a visit. What comes after its lease is over changes nothing:
        the widget would begin another visit, which a trace tells by a line of its own.
        """
        self.now = event.at
        lease_id = self._visits[event.visit].lease_id
        if event.left:
            view = await self.pool.left(lease_id, event.at)
        else:
            view = await self.pool.seen(lease_id, event.at, tel_click=event.tel_click)
        if view is not None:
            self._until[lease_id] = view.frozen_until_at

    async def call(self, event: CallEvent) -> Answered | None:
        """A call that ends at once, attributed; then its holder keeps the number for the freeze. None: the
        visit it was to dial the number of was shown none.
        """
        self.now = event.at
        extension = None
        if event.number_of is not None:
            held = self._visits[event.number_of]
            if held.number is None:
                return None
            dialed, extension = held.number, held.extension
        else:
            dialed = event.dialed or ""
        await self._models.keep(event.at)
        finished = await self._enricher.finished(await self._facts(event, dialed, extension))
        self._models.add(finished.cdr["site"], finished.seen)
        self._callers.add(finished.row, finished.cdr["candidates"])
        cdr = finished.cdr
        if finished.held and cdr["number"] is not None:
            await self._keep(cdr["number"], extension)
        candidates = [(self._name(one["visit_id"]), one["probability"]) for one in cdr["candidates"]]
        return Answered(cdr, self._name(cdr["attribution"].get("visit_id")), candidates)

    def until(self, held: Held) -> Instant:
        """When the visit's hold ends, freeze included, by what was told so far."""
        return self._until[held.lease_id]

    async def _keep(self, number: str, extension: str | None) -> None:
        await self.pool.call_ended(number, extension, self.now, self.now, self.now)
        for holding in await self.pool.holders(number, extension, self.now, lookback_seconds=0):
            self._until[holding.lease_id] = holding.until_at

    def _name(self, visit_id: str | None) -> str | None:
        """The trace's name of a lease's visit: the latest, since a return goes on with the lease."""
        return None if visit_id is None else self._current[visit_id]

    async def _facts(self, event: CallEvent, dialed: str, extension: str | None) -> CallFacts:
        number = self._e164(dialed)
        record = await self.pool.number(number) if number else None
        return CallFacts(
            linkedid=event.call,
            dialed=dialed,
            number=number or "",
            site=(self._site_of(number, record) if number else None) or "",
            extension=extension,
            caller_number=event.caller,
            caller_name="",
            started_us=event.at * 1000,
            answered_us=event.at * 1000,
            ended_us=event.at * 1000,
            ring_seconds=0.0,
            talk_seconds=event.talk_seconds or 0.0,
            result="answered",
            answered_by=None,
            hung_up_by="caller",
            legs=(),
            transfers=(),
            recording=None,
            decided_in_ms=0.0,
            by_router=True,
            repaired=None,
        )

    def _call_rules(self, site: str | None) -> enrich.SiteRules:
        return enrich.SiteRules(
            unknown_below=self._config.cdr.unknown_below,
            lookback_seconds=self._config.cdr.lookback_hours * 3600,
            model=self._models.model(site),
        )

    def _e164(self, digits: str) -> str | None:
        try:
            return to_e164(digits, self._config.asterisk.country)
        except NotANumber:
            return None

    def _site_of(self, number: str, record: NumberRecord | None) -> str | None:
        try:
            return site_of(self._config, number, record)[0].key
        except NotOurNumber:
            return None


def _rung(shown: Shown, before: Held | None) -> Rung:
    """The rung that served a visit; `before` is the same lease's last visit, where there was one.

    A lease that lives again shows the visitor's own number, wherever that came from in the first place.
    """
    again = before is not None and before.number == shown.number and before.extension == shown.extension
    return Rung.OWN if again and shown.rung in OWN_NUMBER_RUNGS else shown.rung


def _wish(traced: _TracedSite, event: VisitEvent) -> LeaseWish:
    attribution = attribution_of(event.url, event.referrer, traced.own_hosts, traced.rules.click_ids)
    facts = Facts(attribution, event.device, event.region)
    channel = traced.rules.channel(facts)
    site = traced.site
    return LeaseWish(
        site=site.key,
        visitor_id=event.visitor,
        visit_id=event.visit,
        slots=slot_wishes(site, traced.rules, channel, facts),
        freeze_seconds=traced.freeze_seconds,
        beat_seconds=site.beat_seconds,
        country=country_of(event.region),
    )
