"""What every sender is, and what its lane needs of it."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, Protocol, runtime_checkable

from pool.instants import Instant
from router.config.values import Secret
from router.deliveries.metrica import Judgement
from router.deliveries.outcome import Outcome
from router.store.deliveries import Upload

SHOWN: Final = 200


class NotUsable(Exception):
    """The destination cannot be used as it is configured; the message names the key."""


class Item:
    """One call for one destination."""

    def __init__(self, call_id: str, record: str) -> None:
        self.call_id = call_id
        self.record = record

    @cached_property
    def cdr(self) -> Any:
        """The record, parsed."""
        return json.loads(self.record)


class Prepared:
    """A call in the form in which it is sent."""

    def __init__(self, item: Item, content: Any) -> None:
        self.item = item
        self.content = content


class Sender(Protocol):
    """One kind of destination."""

    most: int
    """How many calls one request may tell of."""

    async def prepare(self, item: Item, now: Instant) -> Prepared | Outcome:
        """The call as it is sent, or why it is not (REFUSED, LATER). May read the store, nothing else."""

    async def send(self, batch: Sequence[Prepared], now: Instant) -> list[Outcome]:
        """One request; an outcome for each call of the batch."""

    async def dry_run(self, item: Item, now: Instant) -> dict[str, Any]:
        """What would be sent, without secrets; where the far side can check without keeping: what it says."""


@runtime_checkable
class Judging(Protocol):
    """A sender whose far side takes files and judges them later."""

    async def judge(self, upload: Upload, now: Instant) -> Judgement | None:
        """What became of a file that was taken; None: not known yet."""


def secret_of(secret: Secret | None, key: str) -> str:
    """A secret's text. Raises NotUsable that names the key."""
    if secret is None:
        raise NotUsable(f"{key} is not set")
    try:
        return secret.read()
    except LookupError as error:
        raise NotUsable(f"{key}: {error}") from error


def shortened(text: str) -> str:
    """The beginning of an answer as one printable line."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:SHOWN]).strip()
