"""Which numbers a visit is to be shown: the site's display rules as the pool's wishes."""

from pool.leases import SlotWish, WishKind
from router.attribution.channels import Facts, SiteRules
from router.config.site import Site

MAIN_SLOT = "main"


def slot_wishes(site: Site, rules: SiteRules, channel: str, facts: Facts) -> list[SlotWish]:
    """One wish for the page's main number and one for each number slot, by the first rule that matches.

    Without one they are dynamic numbers of the site's pool. A slot's own pool is its city's: no rule about
    channels overrules it.
    """
    rule = rules.rule(channel, facts)
    kind = WishKind(rule.show) if rule else WishKind.DYNAMIC
    pool = (rule.pool if rule else None) or site.pool
    slots = [SlotWish(MAIN_SLOT, pool, channel, kind)]
    return slots + [SlotWish(slot.name, slot.pool or pool, channel, kind) for slot in site.number_slot]
