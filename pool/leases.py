"""What is asked of the pool and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from pool.database import Transaction
from pool.instants import Instant
from pool.lifecycle import Hold, State


class Rung(StrEnum):
    """Where a slot's number came from, in the order of the ladder; `static` was asked for."""

    OWN = "own"
    SITE = "site"
    BASE = "base"
    EXTENSION = "extension"
    RESERVE = "reserve"
    MAIN = "main"
    STATIC = "static"


EXCLUSIVE_RUNGS = frozenset({Rung.OWN, Rung.SITE, Rung.BASE, Rung.EXTENSION})
"""What one visitor alone holds."""


class WishKind(StrEnum):
    DYNAMIC = "dynamic"
    STATIC = "static"
    MAIN = "main"


@dataclass(frozen=True, slots=True)
class SlotWish:
    """One number wanted on the page: from `pool` (dynamic), the channel's (static), or none (main).

    `channel` also finds the reserve number when the pool is empty.
    """

    slot: str
    pool: str = "default"
    channel: str | None = None
    kind: WishKind = WishKind.DYNAMIC


@dataclass(frozen=True, slots=True)
class LeaseWish:
    """What a visit wants. `extension_freeze_seconds` is the freeze of keyed codes, by default the same.

    `country`: where the visitor's address is, ISO 3166-1 ("GB"), "" where that is not known.
    """

    site: str
    visitor_id: str
    visit_id: str
    slots: Sequence[SlotWish]
    freeze_seconds: int
    beat_seconds: int = 30
    extension_freeze_seconds: int | None = None
    country: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a slot shows. `number` is None on the rung `main`; `extension` is the code to be keyed."""

    slot: str
    rung: Rung
    number: str | None
    extension: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The answer to a LeaseWish. `revived`: the visitor had it already, and `visit_id` is that of then."""

    lease_id: str
    visit_id: str
    visitor_id: str
    slots: tuple[Shown, ...]
    from_at: Instant
    frozen_until_at: Instant
    revived: bool


@dataclass(frozen=True, slots=True)
class LeaseView:
    """A lease as it stands after a sign from the browser."""

    lease_id: str
    visit_id: str
    visitor_id: str
    site: str
    state: State
    slots: tuple[Shown, ...]
    from_at: Instant
    last_seen_at: Instant
    left_at: Instant | None
    frozen_until_at: Instant


@dataclass(frozen=True, slots=True)
class Holding:
    """One interval of a number's history, seen from an instant.

    `until_at` includes the freeze; of a hold that still grows it is what is known at the present. `state` is
    that at the instant asked for: live, frozen, over or not_yet.
    """

    lease_id: str
    visit_id: str
    visitor_id: str
    site: str
    number: str
    extension: str | None
    rung: Rung
    channel: str | None
    from_at: Instant
    until_at: Instant
    last_seen_at: Instant
    left_at: Instant | None
    shown_at: Instant | None
    tel_click_at: Instant | None
    state: str
    country: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something to be written in the transaction of a lease.

    `handler` is called once per transaction with all (lease, item) pairs that share it. It must change
    nothing outside the transaction: after a failure it is called again.
    """

    handler: Callable[[Transaction, Sequence[tuple[Lease, Any]]], Awaitable[None]]
    item: Any


class LeaseRow(NamedTuple):
    """A row of the table `lease`, in the order of its columns: one slot of one lease."""

    lease_id: str
    slot: str
    visit_id: str
    visitor_id: str
    site: str
    pool: str
    channel: str
    rung: str
    number: str | None
    extension: str
    shown_at: Instant | None
    freeze_seconds: int
    beat_seconds: int
    from_at: Instant
    last_seen_at: Instant
    left_at: Instant | None
    tel_click_at: Instant | None
    call_at: Instant | None
    anchor_at: Instant
    over_at: Instant | None
    country: str

    @property
    def hold(self) -> Hold:
        return Hold._make(self[11:20])

    def with_hold(self, hold: Hold) -> LeaseRow:
        """The row with other instants."""
        return LeaseRow(*self[:11], *hold, *self[20:])

    @property
    def shown(self) -> Shown:
        return Shown(self.slot, Rung(self.rung), self.number, self.extension or None)


class InvalidWish(ValueError):
    """A wish that no pool can meet: the message says which field and why."""


def check_wish(wish: LeaseWish) -> None:
    """Raises InvalidWish for what would corrupt a lease: empty keys, doubled slots, absurd durations."""
    if not (wish.site and wish.visitor_id and wish.visit_id):
        raise InvalidWish("site, visitor_id and visit_id must not be empty")
    slots = [slot.slot for slot in wish.slots]
    if not slots or len(set(slots)) != len(slots):
        raise InvalidWish(f"slots must be named, each once: {slots}")
    for name, seconds in (
        ("freeze_seconds", wish.freeze_seconds),
        ("extension_freeze_seconds", wish.extension_freeze_seconds),
        ("beat_seconds", wish.beat_seconds),
    ):
        if seconds is not None and not 0 < seconds <= 31 * 86_400:
            raise InvalidWish(f"{name} = {seconds}: more than 0 and at most 31 days is allowed")
