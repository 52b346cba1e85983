"""What other parts report, as notices. Pure."""

from collections.abc import Sequence

from pool.instants import HOUR, Instant, from_iso
from router.alerts.notice import Notice, line_of
from router.cdr.record import Cdr
from router.pool_watch import Alert as PoolAlert

OLD_MS = HOUR
"""A call that ended longer ago was found late (the router was away): nobody is to be called back in haste."""


def of_call(cdr: Cdr, missed_results: Sequence[str], now: Instant) -> Notice | None:
    """A missed call; None: it was not, or long ago."""
    if cdr["result"] not in missed_results or now - from_iso(cdr["ended_at"]) > OLD_MS:
        return None
    caller = cdr["caller"]
    who = caller["number"] or "an anonymous caller"
    name = f" ({line_of(caller['name'], 80)})" if caller["name"] else ""
    site = cdr["site"] or "no site"
    lines = [
        f"{line_of(who, 40)}{name} called {cdr['number']} ({site}) and got nobody: {cdr['result']}.",
        f"At {cdr['started_at']}, after {cdr['ring_seconds']:.0f} s of ringing.",
        f"Channel: {line_of(cdr['attribution'].get('channel') or 'unknown', 64)}. Call {cdr['id']}.",
    ]
    return Notice("missed_call", site, "\n".join(lines), cdr["site"], counts=True)


def of_pool(alert: PoolAlert) -> Notice:
    """A pool that runs out, or visits that found no number."""
    if alert.cause == "use":
        text = (
            f"{alert.value:.0%} of the numbers that {alert.site} draws from are taken (threshold "
            f"{alert.threshold:.0%}). `leaseline pool size --site {alert.site}` says how many it needs."
        )
        return Notice("pool_use", alert.site, text, alert.site)
    text = (
        f"{alert.value:.1%} of the visits of {alert.site} in this hour and the one before found no number of "
        f"their own (threshold {alert.threshold:.1%}): their calls cannot be told apart."
    )
    return Notice("pool_blocking", alert.site, text, alert.site)


def of_delivery(destination: str, text: str) -> Notice:
    """A delivery that was given up, or a destination that is gone."""
    again = f"`leaseline deliveries retry {destination} --all dead` sends those that were given up again."
    return Notice("delivery_dead", destination, f"{line_of(text, 500)}\n{again}", counts=True)
