"""`/api/v1/deliveries`: what was told to whom, why not, and making it due again."""

import re
from dataclasses import replace
from typing import Annotated, Any, Final

import structlog
from aiohttp import web
from multidict import MultiMapping
from pydantic import BeforeValidator, WithJsonSchema
from typing_extensions import TypedDict

from pool.database import Database
from pool.instants import now, to_iso
from router.config.delivery import GoogleAdsCsv
from router.config.live import LiveConfig
from router.deliveries.feed import feed_of
from router.deliveries.google_ads import COLUMNS
from router.schema import Count, Iso, Moment, Word, refused
from router.store.deliveries import (
    STATES,
    DeliveryCursor,
    DeliveryFilter,
    DeliveryStore,
    State,
    StoredDelivery,
)
from router.users.roles import Role
from router.web.admin_calls import Limit
from router.web.admin_guard import caller_now
from router.web.openapi.operation import JSON, Answer, Parameter, Text, described
from router.web.problems import Problem
from router.web.query import read

log = structlog.get_logger(__name__)

PAGE: Final = 100
MOST_IN_PAGE: Final = 1_000
FILTERS: Final = ("call", "destination", "state", "site", "since", "until")
_CURSOR: Final = r"^([0-9a-z]{1,64})\.([0-9a-z_-]{1,32})$"


def _cursor(text: object) -> DeliveryCursor:
    found = re.fullmatch(_CURSOR, text) if isinstance(text, str) else None
    if found is None:
        raise refused("takes what `next` of an earlier answer was")
    return DeliveryCursor(found[1], found[2])


After = Annotated[Any, BeforeValidator(_cursor), WithJsonSchema({"type": "string", "pattern": _CURSOR})]

_CALL: Final = Parameter("call", str, "The call's `id`.", "01935400a4d2a1b2c3d4e5f60718293a4b5")
_DESTINATION: Final = Parameter("destination", str, "The name of a `[[delivery]]`.", "crm")
_QUERY: Final = (
    Parameter("call", Word, "The call's `id`."),
    Parameter("destination", Word, "The name of a `[[delivery]]`.", "crm"),
    Parameter("state", State),
    Parameter("site", Word, "The site's key.", "plumber"),
    Parameter("since", Moment, "The call started then or later."),
    Parameter("until", Moment, "The call started before."),
    Parameter("limit", Limit, f"Rows in a page, {PAGE} if not given, {MOST_IN_PAGE:,} at most.", 100),
    Parameter("cursor", After, "`next` of the page before."),
)


class DeliveryRow(StoredDelivery):
    """What became of telling one destination of one call. `kind` null: it is no longer configured."""

    kind: str | None


class DeliveryPage(TypedDict):
    """Deliveries, those of the latest calls first. `next` is the `cursor` of the next page, or null."""

    deliveries: list[DeliveryRow]
    next: str | None


class DestinationRow(TypedDict):
    """A destination: how many deliveries are in which state, and why nothing is sent, if it is disabled."""

    destination: str
    kind: str | None
    counts: dict[State, Count]
    oldest_due_at: Iso | None
    last_sent_at: Iso | None
    disabled_at: Iso | None
    disabled_reason: str | None


class DestinationsAnswer(TypedDict):
    """Those that are configured, and those that once were."""

    destinations: list[DestinationRow]


class Enabled(TypedDict):
    """The destination is sent to again."""

    destination: str
    disabled_at: None


class DeliveryPages:
    """The handlers."""

    def __init__(self, live: LiveConfig, database: Database) -> None:
        self._live = live
        self._store = DeliveryStore(database)

    @described(
        "deliveries", query=_QUERY, answers={200: JSON(DeliveryPage)}, problems={400: ["invalid-request"]}
    )
    async def list_deliveries(self, request: web.Request) -> web.Response:
        """Deliveries, those of the latest calls first."""
        wanted, after, most = wanted_by(request.query)
        found, cursor = await self._store.page(wanted, after=after, most=most)
        shown = [self._with_kind(one) for one in found]
        return web.json_response({"deliveries": shown, "next": None if cursor is None else text_of(cursor)})

    @described("deliveries", answers={200: JSON(DestinationsAnswer)})
    async def list_destinations(self, _: web.Request) -> web.Response:
        """Each destination: its kind, how many deliveries are in which state, and whether it is disabled."""
        return web.json_response({"destinations": await destinations(self._live, self._store)})

    @described(
        "deliveries",
        path=[_CALL, _DESTINATION],
        answers={200: JSON(DeliveryRow)},
        problems={403: ["not-allowed"], 404: ["unknown-delivery", "unknown-destination"]},
    )
    async def retry(self, request: web.Request) -> web.Response:
        """Makes one due again.

        Whatever became of it, but not while it is being sent, nor when its call was erased. For
        the role admin.
        """
        only_admins()
        call_id, destination = request.match_info["call"], request.match_info["destination"]
        if destination not in {table.name for table in self._live.current.delivery}:
            raise Problem(404, "unknown-destination", "no [[delivery]] has this name")
        if not call_id.isalnum() or not await self._store.retry(call_id, destination, now()):
            detail = "there is no such delivery, it is being sent just now, or its call was erased"
            raise Problem(404, "unknown-delivery", detail)
        log.info("delivery.retried", call_id=call_id, destination=destination, by=caller_now().name)
        (found, *_), _cursor = await self._store.page(DeliveryFilter(call=call_id, destination=destination))
        return web.json_response(self._with_kind(found))

    def _with_kind(self, found: StoredDelivery) -> DeliveryRow:
        kinds = (table.kind for table in self._live.current.delivery if table.name == found["destination"])
        return {**found, "kind": next(kinds, None)}

    @described(
        "deliveries",
        path=[_DESTINATION],
        answers={
            200: Answer(
                "Conversions as Google Ads takes them.",
                {"text/csv": Text(f"With a header: {', '.join(COLUMNS)}")},
                ["Content-Disposition"],
            )
        },
        problems={404: ["unknown-destination"]},
    )
    async def google_ads_csv(self, request: web.Request) -> web.Response:
        """The file of a `google_ads_csv` destination.

        What was due is then `sent`; calls of the last days stay in it, Google tells doubles by the order id.
        The key may also come as the password of Basic authentication, as Google Ads sends it.
        """
        name = request.match_info["destination"]
        tables = (table for table in self._live.current.delivery if isinstance(table, GoogleAdsCsv))
        table = next((table for table in tables if table.name == name), None)
        if table is None:
            raise Problem(404, "unknown-destination", "no google_ads_csv destination has this name")
        by = caller_now().name if request.method == "GET" else None
        text, rows = await feed_of(table, self._store, now(), by=by)
        log.info("delivery.feed", destination=name, rows=rows, by=by)
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return web.Response(text=text, content_type="text/csv", headers=headers)

    @described(
        "deliveries",
        path=[_DESTINATION],
        answers={200: JSON(Enabled)},
        problems={403: ["not-allowed"], 404: ["unknown-destination"]},
    )
    async def enable(self, request: web.Request) -> web.Response:
        """Enables a destination that was disabled.

        One that answers 410 is sent nothing more until then. For the role admin.
        """
        only_admins()
        destination = request.match_info["destination"]
        if not await self._store.enable(destination):
            raise Problem(404, "unknown-destination", "no disabled destination has this name")
        log.info("delivery.destination_enabled", destination=destination, by=caller_now().name)
        return web.json_response({"destination": destination, "disabled_at": None})


async def destinations(live: LiveConfig, store: DeliveryStore) -> list[DestinationRow]:
    """What is known of each destination: of those that are configured, and of those that once were."""
    standings = await store.standings()
    counted: dict[str, dict[str, Any]] = {}
    for row in await store.counts():
        counted.setdefault(row["destination"], {})[row["state"]] = row
    kinds = {table.name: table.kind for table in live.current.delivery}
    found: list[DestinationRow] = []
    for name in sorted({*kinds, *counted}):
        rows, standing = counted.get(name, {}), standings.get(name)
        due, sent = rows.get("due"), [row["last_sent_at"] for row in rows.values() if row["last_sent_at"]]
        found.append(
            {
                "destination": name,
                "kind": kinds.get(name),
                "counts": {state: rows[state]["deliveries"] if state in rows else 0 for state in STATES},
                "oldest_due_at": to_iso(due["oldest_at"]) if due else None,
                "last_sent_at": to_iso(max(sent)) if sent else None,
                "disabled_at": to_iso(standing.disabled_at) if standing and standing.disabled_at else None,
                "disabled_reason": standing.disabled_reason if standing else None,
            }
        )
    return found


def only_admins() -> None:
    """Raises Problem 403 for everybody else."""
    if caller_now().role is not Role.ADMIN:
        raise Problem(403, "not-allowed", "only the role admin may do this")


def wanted_by(query: MultiMapping[str]) -> tuple[DeliveryFilter, DeliveryCursor | None, int]:
    """What the parameters ask for. Raises Problem 400 that names the one at fault."""
    asked = read(query, _QUERY)
    chosen = replace(DeliveryFilter(), **{name: asked[name] for name in FILTERS if name in asked})
    return chosen, asked.get("cursor"), min(asked.get("limit", PAGE), MOST_IN_PAGE)


def text_of(cursor: DeliveryCursor) -> str:
    """A cursor as it is sent."""
    return f"{cursor.call_id}.{cursor.destination}"
