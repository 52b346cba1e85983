"""Sends click conversions to Google Ads by the Data Manager API, and asks what became of each request."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from pool.instants import Instant
from router.config.delivery import GoogleAds
from router.deliveries import google_ads
from router.deliveries.client import Answer, Client, NoAnswer, NotReached, Request
from router.deliveries.google_token import GoogleToken, NoToken
from router.deliveries.metrica import Judgement
from router.deliveries.outcome import Ending, Outcome
from router.deliveries.sending import Item, Prepared, shortened
from router.store.deliveries import Upload

WRONG: Final = re.compile(r"events\[([0-9]{1,6})\]")
"""The places that an error names (google.rpc.BadRequest's field violations)."""
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:/=+-]{1,200}\Z")
MOST_ROUNDS: Final = 20


class GoogleAdsSender:
    """Many conversions a request. One that is wrong fails its whole request: it is then sent without it."""

    most = google_ads.MOST_EVENTS

    def __init__(self, table: GoogleAds, client: Client) -> None:
        """Raises NotUsable when a secret is missing."""
        self._table = table
        self._client = client
        self._url = table.url.rstrip("/")
        self._token = GoogleToken(table, client)

    async def prepare(self, item: Item, now: Instant) -> Prepared | Outcome:
        """The conversion."""
        reason = google_ads.lacks(item.cdr) or google_ads.too_late(item.cdr, now)
        if reason is not None:
            return Outcome(Ending.REFUSED, reason)
        return Prepared(item, google_ads.event_of(self._table, item.cdr))

    async def send(self, batch: Sequence[Prepared], now: Instant) -> list[Outcome]:
        """Sends them in one request; in more when Google names those for which it refused that one."""
        outcomes: dict[int, Outcome] = {}
        left = list(range(len(batch)))
        for _ in range(MOST_ROUNDS):
            outcome, wrong = await self._sent([batch[place].content for place in left], now)
            refused = {left[number] for number in wrong if number < len(left)}
            if not refused:
                break
            outcomes |= dict.fromkeys(refused, outcome)
            left = [place for place in left if place not in refused]
            if not left:
                break
        if left and outcome.ending is Ending.REFUSED:
            outcome = Outcome(Ending.AGAIN, f"others in its request were refused: {outcome.text}")
        outcomes |= dict.fromkeys(left, outcome)
        return [outcomes[place] for place in range(len(batch))]

    async def _sent(self, events: Sequence[Any], now: Instant) -> tuple[Outcome, set[int]]:
        """How one request ended, and for which of its events it was refused."""
        try:
            token = await self._token.get(now)
            body = google_ads.request_of(self._table, events)
            answer = await self._client.send(self._request("/v1/events:ingest", token, body), now)
        except NoToken as error:
            return Outcome(Ending.AGAIN, str(error), error.after_ms, everybody=True), set()
        except NotReached as error:
            return Outcome(Ending.AGAIN, str(error), everybody=True), set()
        except NoAnswer as error:
            return Outcome(Ending.UNCLEAR, str(error), everybody=True), set()
        wrong = {int(number) for number in WRONG.findall(answer.text)} if answer.status == 400 else set()
        if wrong:
            return Outcome(Ending.REFUSED, f"400 {shortened(answer.text)}"), wrong
        return self._taken(answer), set()

    def _taken(self, answer: Answer) -> Outcome:
        text = f"{answer.status} {shortened(answer.text)}".rstrip()
        if answer.status == 200:
            request_id = _object(answer).get("requestId")
            if not isinstance(request_id, str) or not REQUEST_ID.match(request_id):
                return Outcome(Ending.UNCLEAR, f"taken, it seems, but without a request id: {text}")
            return Outcome(Ending.ACCEPTED, f"request {request_id}", upload_id=request_id)
        if answer.status == 401:
            self._token.drop()
        return Outcome(Ending.AGAIN, text, answer.after_ms, everybody=True)

    async def judge(self, upload: Upload, now: Instant) -> Judgement | None:
        """What became of a request; None: not known yet."""
        asked = f"{self._url}/v1/requestStatus:retrieve?{urlencode({'requestId': upload.upload_id})}"
        try:
            headers = {"Authorization": f"Bearer {await self._token.get(now)}"}
            answer = await self._client.send(Request(asked, None, headers, method="GET"), now)
        except (NoToken, NotReached, NoAnswer):
            return None
        if answer.status == 401:
            self._token.drop()
        return google_ads.judgement(_object(answer), upload.since_at, now)

    async def dry_run(self, item: Item, now: Instant) -> dict[str, Any]:
        """What would be sent, and what Google says of it when asked only to validate."""
        prepared = await self.prepare(item, now)
        if isinstance(prepared, Outcome):
            return {"refused": prepared.text}
        body = google_ads.request_of(self._table, [prepared.content], validate_only=True)
        token = await self._token.get(now)
        answer = await self._client.send(self._request("/v1/events:ingest", token, body), now)
        return {"body": body, "validation": f"{answer.status} {answer.text[:2000]}"}

    def _request(self, path: str, token: str, body: Any) -> Request:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return Request(f"{self._url}{path}", json.dumps(body).encode(), headers)


def _object(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
