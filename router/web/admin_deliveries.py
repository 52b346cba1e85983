"""`/api/v1/deliveries`: what was told to whom, why not, and making it due again."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiohttp import web

from pool.database import Database
from pool.instants import from_iso, now, to_iso
from router.config.live import LiveConfig
from router.store.deliveries import STATES, DeliveryCursor, DeliveryFilter, DeliveryStore
from router.users.roles import Role
from router.web.admin_guard import caller_now
from router.web.problems import Problem, field_problem

log = structlog.get_logger(__name__)

PAGE: Final = 100
MOST_IN_PAGE: Final = 1_000
FILTERS: Final = ("call", "destination", "state", "site")
_PARAMETERS: Final = frozenset({*FILTERS, "since", "until", "limit", "cursor"})


class DeliveryPages:
    """The handlers."""

    def __init__(self, live: LiveConfig, database: Database) -> None:
        self._live = live
        self._store = DeliveryStore(database)

    async def list_deliveries(self, request: web.Request) -> web.Response:
        """Deliveries, those of the latest calls first."""
        wanted, after, most = wanted_by(request.query)
        found, cursor = await self._store.page(wanted, after=after, most=most)
        kinds = {table.name: table.kind for table in self._live.current.delivery}
        shown = [{**one, "kind": kinds.get(one["destination"])} for one in found]
        return web.json_response({"deliveries": shown, "next": None if cursor is None else text_of(cursor)})

    async def list_destinations(self, _: web.Request) -> web.Response:
        """Each destination: its kind, how many deliveries are in which state, and whether it is disabled."""
        return web.json_response({"destinations": await destinations(self._live, self._store)})

    async def retry(self, request: web.Request) -> web.Response:
        """Makes one due again."""
        only_admins()
        call_id, destination = request.match_info["call"], request.match_info["destination"]
        if destination not in {table.name for table in self._live.current.delivery}:
            raise Problem(404, "unknown-destination", "no [[delivery]] has this name")
        if not call_id.isalnum() or not await self._store.retry(call_id, destination, now()):
            detail = "there is no such delivery, or it is being sent just now"
            raise Problem(404, "unknown-delivery", detail)
        log.info("delivery.retried", call_id=call_id, destination=destination, by=caller_now().name)
        (found, *_), _cursor = await self._store.page(DeliveryFilter(call=call_id, destination=destination))
        return web.json_response(found)

    async def enable(self, request: web.Request) -> web.Response:
        """Enables a destination that was disabled."""
        only_admins()
        destination = request.match_info["destination"]
        if not await self._store.enable(destination):
            raise Problem(404, "unknown-destination", "no disabled destination has this name")
        log.info("delivery.destination_enabled", destination=destination, by=caller_now().name)
        return web.json_response({"destination": destination, "disabled_at": None})


async def destinations(live: LiveConfig, store: DeliveryStore) -> list[dict[str, Any]]:
    """What is known of each destination: of those that are configured, and of those that once were."""
    standings = await store.standings()
    counted: dict[str, dict[str, Any]] = {}
    for row in await store.counts():
        counted.setdefault(row["destination"], {})[row["state"]] = row
    kinds = {table.name: table.kind for table in live.current.delivery}
    found = []
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


def wanted_by(query: Mapping[str, str]) -> tuple[DeliveryFilter, DeliveryCursor | None, int]:
    """What the parameters ask for. Raises Problem 400 that names the one at fault."""
    for name, value in query.items():
        if name not in _PARAMETERS:
            raise field_problem(name, f"unknown parameter; known are {', '.join(sorted(_PARAMETERS))}")
        if not value.isprintable():
            raise field_problem(name, "has characters that no such value has")
    names: dict[str, Any] = {name: query[name] for name in FILTERS if query.get(name)}
    if names.get("state", STATES[0]) not in STATES:
        raise field_problem("state", f"takes {', '.join(STATES)}")
    names |= {name: _instant(name, query[name]) for name in ("since", "until") if query.get(name)}
    after = _cursor(query["cursor"]) if query.get("cursor") else None
    return replace(DeliveryFilter(), **names), after, _limit(query.get("limit") or str(PAGE))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise field_problem("limit", "takes a whole number from 1")
    return min(int(text), MOST_IN_PAGE)


def _instant(name: str, text: str) -> int:
    try:
        if len(text) == len("2026-11-22"):
            return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
        # A "+" that was not escaped arrives as a space.
        return from_iso(text.replace(" ", "+"))
    except ValueError:
        raise field_problem(name, "takes 2026-11-22 (UTC) or 2026-11-22T13:00:00Z") from None


def text_of(cursor: DeliveryCursor) -> str:
    """A cursor as it is sent: a word without meaning to others."""
    return base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")


def _cursor(text: str) -> DeliveryCursor:
    try:
        call_id, destination = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if (
            isinstance(call_id, str)
            and isinstance(destination, str)
            and (call_id + destination).isprintable()
        ):
            return DeliveryCursor(call_id, destination)
    except (ValueError, TypeError, binascii.Error):
        pass
    raise field_problem("cursor", "takes what `next` of an earlier answer was")
