"""Sends events to Google Analytics 4."""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from pool.instants import Instant
from router.config.delivery import Ga4
from router.deliveries import ga4
from router.deliveries.client import Answer, Client, NoAnswer, NotReached, Request
from router.deliveries.outcome import Ending, Outcome
from router.deliveries.sending import Item, Prepared, secret_of, shortened
from router.store.deliveries import DeliveryStore

JSON: Final = {"Content-Type": "application/json"}


class Ga4Sender:
    """One event a request: a request is of one client id, and its end is then that of one call."""

    most = 1

    def __init__(self, table: Ga4, client: Client, store: DeliveryStore) -> None:
        """Raises NotUsable when the secret cannot be read."""
        self._table = table
        self._client = client
        self._store = store
        self._query = urlencode(
            {"measurement_id": table.measurement_id, "api_secret": secret_of(table.api_secret, "api_secret")}
        )

    async def prepare(self, item: Item, now: Instant) -> Prepared | Outcome:
        """The event, placed in its session; reads the visit."""
        reason = ga4.lacks(item.cdr) or ga4.too_late(item.cdr, now)
        if reason is not None:
            return Outcome(Ending.REFUSED, reason)
        visit_id = item.cdr["attribution"].get("visit_id")
        visit = await self._store.visit_span(visit_id) if visit_id else None
        body = ga4.payload(self._table, item.cdr, ga4.placed(item.cdr, visit, now))
        broken = ga4.problems(body)
        if broken:
            return Outcome(Ending.REFUSED, f"GA would drop it: {', '.join(broken)}")
        return Prepared(item, body)

    async def send(self, batch: Sequence[Prepared], now: Instant) -> list[Outcome]:
        """Sends one event."""
        (prepared,) = batch
        try:
            answer = await self._asked("/mp/collect", prepared.content, now)
        except NotReached as error:
            return [Outcome(Ending.AGAIN, str(error), everybody=True)]
        except NoAnswer as error:
            return [Outcome(Ending.UNCLEAR, f"{error}: it may have been counted", everybody=True)]
        text = f"{answer.status} {shortened(answer.text)}".rstrip()
        if 200 <= answer.status < 300:
            joined = "session_id" in prepared.content["events"][0]["params"]
            return [Outcome(Ending.SENT, text if joined else f"{text}; joins no session")]
        return [Outcome(Ending.AGAIN, text, answer.after_ms, everybody=True)]

    async def dry_run(self, item: Item, now: Instant) -> dict[str, Any]:
        """What would be sent, and what Google's own validation says of it; nothing is counted."""
        prepared = await self.prepare(item, now)
        if isinstance(prepared, Outcome):
            return {"refused": prepared.text}
        answer = await self._asked("/debug/mp/collect", prepared.content, now)
        return {"body": prepared.content, "validation": f"{answer.status} {answer.text[:2000]}"}

    async def _asked(self, path: str, body: Any, now: Instant) -> Answer:
        url = f"{self._table.url.rstrip('/')}{path}?{self._query}"
        return await self._client.send(Request(url, json.dumps(body).encode(), JSON), now)
