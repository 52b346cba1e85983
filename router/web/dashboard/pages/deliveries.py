"""What was told to other systems, what was not and why; admins make due again and enable."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from router.store.deliveries import STATES, DeliveryCursor, DeliveryFilter, DeliveryStore
from router.users.roles import Role
from router.web.admin_deliveries import destinations
from router.web.dashboard.page import Action, Asked, Done, Form, Page, Place, back
from router.web.dashboard.period import NAMED, period_of

log = structlog.get_logger(__name__)

ROWS: Final = 50
_MOST_CHARACTERS: Final = 64


async def show(asked: Asked) -> Mapping[str, Any]:
    """Destinations, and one page of deliveries."""
    store = DeliveryStore(asked.parts.database)
    period = period_of(asked.query, asked.at, asked.words.zone, default="30")
    chosen = {name: _value(asked, name) for name in ("destination", "state", "call")}
    chosen["state"] = chosen["state"] if chosen["state"] in STATES else ""
    names: dict[str, Any] = {name: value or None for name, value in chosen.items()}
    wanted = replace(DeliveryFilter(), since=period.since, until=period.until, **names)
    found, after = await store.page(wanted, after=_cursor(asked.query.get("after", "")), most=ROWS)
    known = await destinations(asked.parts.live, store)
    configured = {table.name for table in asked.config.delivery}
    return {
        "deliveries": found,
        "destinations": known,
        "configured": configured,
        "chosen": chosen,
        "period": period,
        "periods": NAMED,
        "states": STATES,
        "is_filtered": any(chosen.values()),
        "older": asked.link(after=f"{after.call_id}.{after.destination}") if after else None,
        "newest": asked.link(after=None) if asked.query.get("after") else None,
        "may_change": asked.may(Role.ADMIN),
        "back": asked.link(),
    }


def _value(asked: Asked, name: str) -> str:
    text = asked.query.get(name, "")[:_MOST_CHARACTERS].strip()
    return text if text.isprintable() else ""


def _cursor(text: str) -> DeliveryCursor | None:
    call_id, _, destination = text.partition(".")
    if call_id.isalnum() and destination and destination.isprintable():
        return DeliveryCursor(call_id, destination[:_MOST_CHARACTERS])
    return None


async def retry(asked: Asked, form: Form) -> Done:
    """Makes one delivery due again."""
    call_id, destination = form.get("call", ""), form.get("destination", "")
    known = destination in {table.name for table in asked.config.delivery}
    store = DeliveryStore(asked.parts.database)
    if not known or not call_id.isalnum() or not await store.retry(call_id, destination, asked.at):
        return Done(back(form, "/deliveries"), "said.not_retried", is_error=True)
    log.info("delivery.retried", call_id=call_id, destination=destination, by=asked.user.name)
    return Done(back(form, "/deliveries"), "said.retried")


async def enable(asked: Asked, form: Form) -> Done:
    """Sends to a destination again that was disabled."""
    destination = form.get("destination", "")[:_MOST_CHARACTERS]
    enabled = destination.isprintable() and await DeliveryStore(asked.parts.database).enable(destination)
    if not enabled:
        return Done("/deliveries", "said.not_enabled", is_error=True)
    log.info("delivery.destination_enabled", destination=destination, by=asked.user.name)
    return Done("/deliveries", "said.enabled", {"name": destination})


PAGE: Final = Page(
    path="/deliveries",
    template="deliveries.html",
    title="deliveries.title",
    show=show,
    place=Place("system", "deliveries"),
    actions={
        "/deliveries/retry": Action(retry, Role.ADMIN),
        "/deliveries/enable": Action(enable, Role.ADMIN),
    },
)
