"""FastAGI `/route`: who is to be rung for a dialed number."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from agi import variables
from router.config import Config, Site
from router.routing.numbering import to_e164
from router.routing.plan import Plan, plan_for


class NotOurNumber(LookupError):
    """The dialed number is neither in the inventory nor a site's main number with a plan of its own."""


class DialedNumber(Protocol):
    """What routing needs of a number of the inventory; "" is none."""

    @property
    def site(self) -> str: ...
    @property
    def pool(self) -> str: ...
    @property
    def channel(self) -> str: ...


class Request(Protocol):
    """What routing needs of a FastAGI request."""

    @property
    def dialed(self) -> str: ...


class Route:
    """Answers the dialplan; any exception means no answer, and the dialplan's own table decides."""

    def __init__(
        self,
        current_config: Callable[[], Config],
        find_number: Callable[[str], Awaitable[DialedNumber | None]],
    ) -> None:
        self._config = current_config
        self._find = find_number

    async def __call__(self, request: Request) -> Mapping[str, str]:
        """The answer variables for `request.dialed`, the digits as the trunk sent them.

        Raises NotANumber, NotOurNumber, or what the store raises when it is out of reach.
        """
        config = self._config()
        number = to_e164(request.dialed, config.asterisk.country)
        record = await self._find(number)
        site, slot = site_of(config, number, record)
        plan = plan_for(site, config.asterisk, slot=slot, channel=record.channel if record else "")
        return answer(number, plan)


def site_of(config: Config, number: str, record: DialedNumber | None) -> tuple[Site, str | None]:
    """The site that a dialed number belongs to, and its number slot where the number tells it.

    A number of the inventory belongs to the site that showed it last; one that no site has shown yet to the
    only site that draws from its pool. A site's main number belongs to it as long as its plan does not ring
    that number again. Raises NotOurNumber.
    """
    if record is not None:
        site = config.site_of(record.site) if record.site else None
        drawing = [item for item in config.site if record.pool in pools_of(item)]
        site = site or (drawing[0] if len(drawing) == 1 else None)
        if site is not None:
            return site, _slot_of(site, record.pool)
    for site in config.site:
        if site.main_number == number and site.step:
            return site, None
        for slot in site.number_slot:
            if slot.main_number == number and slot.step:
                return site, slot.name
    raise NotOurNumber(number)


def pools_of(site: Site) -> set[str]:
    """The names of the pools that a site's visits are served from."""
    named = (rule.pool for rule in site.rule), (slot.pool for slot in site.number_slot)
    return {site.pool, *(pool for pools in named for pool in pools if pool)}


def _slot_of(site: Site, pool: str) -> str | None:
    """A slot with a pool of its own is told by the number's pool."""
    if pool == site.pool:
        return None
    return next((slot.name for slot in site.number_slot if slot.pool == pool), None)


def answer(number: str, plan: Plan) -> dict[str, str]:
    """The plan as the dialplan's variables."""
    values = {
        variables.NUMBER: number,
        variables.SITE: plan.site,
        variables.RECORD: plan.record,
        variables.ANNOUNCE: plan.announce,
        variables.WHISPER: plan.whisper,
        variables.OVERFLOW: plan.overflow,
    }
    for step, dial, ring in zip(plan.steps, variables.DIAL_STRINGS, variables.RING_SECONDS, strict=False):
        values[dial] = step.dial
        values[ring] = str(step.ring_seconds)
    return values
