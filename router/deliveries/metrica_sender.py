"""Uploads calls to Yandex.Metrica in files, and asks what became of each file."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from pool.instants import Instant
from router.config.delivery import Metrica
from router.deliveries import metrica
from router.deliveries.client import Answer, Client, NoAnswer, NotReached, Request
from router.deliveries.metrica import Judgement
from router.deliveries.outcome import Ending, Outcome
from router.deliveries.sending import Item, Prepared, secret_of, shortened
from router.store.deliveries import Upload

UPLOAD_ID: Final = re.compile(r"[0-9]{1,20}\Z")


class MetricaSender:
    """One file a request. 5,000 requests a day and three at a time are far away at one in ten minutes."""

    most = 5_000

    def __init__(self, table: Metrica, client: Client) -> None:
        """Raises NotUsable when the token cannot be read."""
        self._table = table
        self._client = client
        self._headers = {"Authorization": f"OAuth {secret_of(table.token, 'token')}"}
        self._place = f"{table.url.rstrip('/')}/management/v1/counter/{table.counter}/offline_conversions"

    async def prepare(self, item: Item, now: Instant) -> Prepared | Outcome:
        """The call's line."""
        reason = metrica.lacks(item.cdr) or metrica.too_late(item.cdr, now)
        if reason is not None:
            return Outcome(Ending.REFUSED, reason)
        return Prepared(item, metrica.row_of(self._table, item.cdr, now))

    async def send(self, batch: Sequence[Prepared], now: Instant) -> list[Outcome]:
        """Uploads one file."""
        form = aiohttp.FormData()
        content = metrica.file_of(prepared.content for prepared in batch)
        form.add_field("file", content, filename="calls.csv", content_type="text/csv")
        try:
            answer = await self._client.send(Request(f"{self._place}/upload_calls", form, self._headers), now)
        except NotReached as error:
            outcome = Outcome(Ending.AGAIN, str(error), everybody=True)
        except NoAnswer as error:
            outcome = Outcome(Ending.UNCLEAR, f"{error}: the file may have been taken", everybody=True)
        else:
            outcome = _taken(answer)
        return [outcome] * len(batch)

    async def judge(self, upload: Upload, now: Instant) -> Judgement | None:
        """What became of a file; None: not known yet."""
        request = Request(
            f"{self._place}/calls_uploading/{upload.upload_id}", None, self._headers, method="GET"
        )
        try:
            answer = await self._client.send(request, now)
        except (NotReached, NoAnswer):
            return None
        found = _uploading(answer) if answer.status == 200 else {}
        return metrica.judgement(str(found.get("status", f"{answer.status}"))[:40], upload.since_at, now)

    async def dry_run(self, item: Item, now: Instant) -> dict[str, Any]:
        """The line that would be uploaded."""
        prepared = await self.prepare(item, now)
        if isinstance(prepared, Outcome):
            return {"refused": prepared.text}
        return {"file": metrica.file_of([prepared.content]).decode()}


def _taken(answer: Answer) -> Outcome:
    text = f"{answer.status} {shortened(answer.text)}".rstrip()
    if answer.status == 200:
        upload_id = str(_uploading(answer).get("id", ""))
        if not UPLOAD_ID.match(upload_id):
            return Outcome(Ending.UNCLEAR, f"taken, it seems, but without an id: {text}")
        return Outcome(Ending.ACCEPTED, f"upload {upload_id}", upload_id=upload_id)
    if answer.status == 400:
        # The file as a whole: it would not become better by itself.
        return Outcome(Ending.REFUSED, text)
    return Outcome(Ending.AGAIN, text, answer.after_ms, everybody=True)


def _uploading(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.text)["uploading"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
