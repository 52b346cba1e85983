"""A request on its way through a batch, and each of its slots on its way down the ladder."""

from __future__ import annotations

from typing import NamedTuple

from pool import lifecycle
from pool.instants import Instant
from pool.leases import LeaseRow, LeaseWish, Rung, SlotWish


class LeaseRequest(NamedTuple):
    wish: LeaseWish
    at: Instant
    lease_id: str
    """The id of the lease if it has to be a new one."""
    visit_id: str


class Want:
    """One slot of one request on its way down the ladder."""

    __slots__ = ("extension", "freeze_seconds", "number", "request", "rung", "slot")

    def __init__(self, request: LeaseRequest, slot: SlotWish) -> None:
        self.request = request
        self.slot = slot
        self.rung = Rung.MAIN
        self.number: str | None = None
        self.extension = ""
        self.freeze_seconds = request.wish.freeze_seconds

    @property
    def met(self) -> bool:
        return self.rung is not Rung.MAIN

    def meet(self, rung: Rung, number: str, extension: str = "") -> None:
        self.rung, self.number, self.extension = rung, number, extension
        if rung is Rung.EXTENSION and self.request.wish.extension_freeze_seconds is not None:
            self.freeze_seconds = self.request.wish.extension_freeze_seconds

    @property
    def hold(self) -> lifecycle.Hold:
        return lifecycle.begun(
            self.request.at, freeze_seconds=self.freeze_seconds, beat_seconds=self.request.wish.beat_seconds
        )

    @property
    def row(self) -> LeaseRow:
        return LeaseRow(
            self.request.lease_id,
            self.slot.slot,
            self.request.visit_id,
            self.request.wish.visitor_id,
            self.request.wish.site,
            self.slot.pool,
            self.slot.channel or "",
            self.rung,
            self.number,
            self.extension,
            None,
            *self.hold,
            self.request.wish.country,
        )
