"""Webhooks: the call's record, or what a template makes of it, signed by the rules of Standard Webhooks."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from standardwebhooks import Webhook as Signer

from pool.instants import Instant
from router.config.delivery import Webhook
from router.deliveries.client import Answer, Client, NoAnswer, NotReached, Request
from router.deliveries.outcome import Ending, Outcome
from router.deliveries.sending import Item, NotUsable, Prepared, secret_of, shortened
from router.deliveries.template import BadTemplate, Template, read_template

GONE: Final = 410
KEY_BYTES: Final = range(16, 129)
BUSY: Final = frozenset({429, 502, 503, 504})
"""Answers that tell of the destination rather than of the one call."""


class WebhookSender:
    """Sends one call a request."""

    most = 1

    def __init__(self, table: Webhook, client: Client) -> None:
        """Raises NotUsable when a secret or the template is not as it must be."""
        self._client = client
        self._url = table.url or secret_of(table.url_secret, "url_secret")
        self._signer = None if table.secret is None else signer(secret_of(table.secret, "secret"))
        self._bearer = None if table.bearer is None else secret_of(table.bearer, "bearer")
        self._template: Template | None = None
        if table.template:
            try:
                self._template = read_template(table.template)
            except BadTemplate as error:
                raise NotUsable(f"template: {error}") from error

    async def prepare(self, item: Item, now: Instant) -> Prepared | Outcome:
        """Nothing but the record is needed."""
        return Prepared(item, self._body(item))

    async def send(self, batch: Sequence[Prepared], now: Instant) -> list[Outcome]:
        """Sends one."""
        (prepared,) = batch
        body = str(prepared.content)
        try:
            answer = await self._client.send(self._request(prepared.item.call_id, body, now), now)
        except NotReached as error:
            return [Outcome(Ending.AGAIN, str(error), everybody=True)]
        except NoAnswer as error:
            return [Outcome(Ending.UNCLEAR, str(error), everybody=True)]
        return [judged(answer)]

    async def dry_run(self, item: Item, now: Instant) -> dict[str, Any]:
        """What would be sent."""
        body = self._body(item)
        headers = self._request(item.call_id, body, now).headers
        shown = {name: "…" if name == "Authorization" else value for name, value in headers.items()}
        return {"request": "POST", "headers": shown, "body": body}

    def _body(self, item: Item) -> str:
        return item.record if self._template is None else self._template.filled(item.cdr)

    def _request(self, call_id: str, body: str, now: Instant) -> Request:
        at = datetime.fromtimestamp(now // 1000, UTC)
        headers = {
            "Content-Type": "application/json" if self._template is None else self._template.content_type,
            "webhook-id": call_id,
            "webhook-timestamp": str(now // 1000),
        }
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(call_id, at, body)
        if self._bearer is not None:
            headers["Authorization"] = f"Bearer {self._bearer}"
        return Request(self._url, body.encode(), headers)


def judged(answer: Answer) -> Outcome:
    """2xx is done and 410 is the end; everything else, redirects too, is tried again."""
    text = f"{answer.status} {shortened(answer.text)}".rstrip()
    if 200 <= answer.status < 300:
        return Outcome(Ending.SENT, text)
    if answer.status == GONE:
        return Outcome(Ending.AGAIN, text, everybody=True, gone=True)
    if 300 <= answer.status < 400:
        return Outcome(Ending.AGAIN, f"{answer.status}: redirects are not followed, set the new address")
    return Outcome(Ending.AGAIN, text, answer.after_ms, everybody=answer.status in BUSY)


def signer(secret: str) -> Signer:
    """What signs with a secret `whsec_…`. Raises NotUsable."""
    prefix, _, encoded = secret.rpartition("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if prefix or not secret.startswith("whsec_") or len(key) not in KEY_BYTES:
        raise NotUsable('secret: takes "whsec_" and 16 to 128 bytes in base64 (openssl rand -base64 32)')
    return Signer(key)
