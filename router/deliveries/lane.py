"""One destination's work: what is due is taken, durably, then sent, then what became of it is kept.

A process that dies in between leaves `sending`: whoever takes the destination over then knows that it may
have arrived, and resends or shows it as `unclear`, as the destination says. A claim is one row's, so two
processes never send one delivery, whatever their clocks say about who holds the destination.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from pool.database import StoreUnavailable
from pool.instants import Instant
from router.config.delivery import AnyDestination
from router.deliveries.outcome import Ending, Outcome, Try, chance, finished
from router.deliveries.sending import Item, Judging, Prepared, Sender
from router.store.deliveries import Claimed, DeliveryStore, Finished
from router.supervision import end

log = structlog.get_logger(__name__)

HOLD_MS: Final = 30_000
RENEW_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 3.0
STORE_PAUSE_SECONDS: Final = 2.0
JUDGE_SECONDS: Final = 120.0
"""How often it is asked what became of files that were taken."""
PAUSE_SECONDS: Final = (5.0, 300.0)
"""How long a destination is left alone after a failure that tells of all of it: doubled up to the second."""


class Lane:
    """Works for one destination as it is configured: `run`. `wake` tells that something may be due."""

    def __init__(
        self,
        table: AnyDestination,
        sender: Sender,
        store: DeliveryStore,
        *,
        concurrency: int,
        every_seconds: float,
        now: Callable[[], Instant],
        on_given_up: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`every_seconds`: no more than one request in so long. `on_given_up` is told of dead letters."""
        self._on_given_up = on_given_up
        self.table = table
        self.sent = 0
        self.failures = 0
        self.trouble: str | None = None
        self._name = table.name
        self._sender = sender
        self._store = store
        self._concurrency = concurrency
        self._every = every_seconds
        self._now = now
        self._claim = secrets.token_hex(8)
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._renew_at = 0.0
        self._next_at = 0.0
        self._paused_until = 0.0
        self._idle_until = 0.0
        self._judge_at = 0.0
        self._in_a_row = 0
        self._disabled: str | None = None

    def wake(self) -> None:
        """Something may be due."""
        self._idle_until = 0.0
        self._wake.set()

    async def run(self) -> None:
        """Works until cancelled; then what is being sent has a moment to end."""
        try:
            while True:
                self._wake.clear()
                try:
                    pause = await self._turn()
                except StoreUnavailable as error:
                    self.trouble = f"the store cannot be used: {error}"
                    pause = STORE_PAUSE_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
        finally:
            await self._end()

    async def _turn(self) -> float:
        """Does what can be done now; gives the seconds after which to look again."""
        loop = asyncio.get_running_loop()
        self.trouble = None if self._paused_until <= loop.time() else self.trouble
        if not await self._holds():
            return LOOK_SECONDS
        if self._disabled is not None:
            self.trouble = f"disabled: {self._disabled}"
            return LOOK_SECONDS
        await self._judge()
        while len(self._sending) < self._concurrency:
            wait = max(self._next_at, self._paused_until, self._idle_until) - loop.time()
            if wait > 0:
                return min(wait, LOOK_SECONDS)
            # Whatever is written from here on wakes the lane again.
            self._idle_until = loop.time() + LOOK_SECONDS
            claimed = await self._store.claim(self._name, self._claim, self._now(), self._sender.most)
            if not claimed:
                pause = await self._until_due()
                self._idle_until = min(self._idle_until, loop.time() + pause)
                return pause
            self._idle_until = 0.0
            await self._begin(claimed)
        return LOOK_SECONDS

    async def _until_due(self) -> float:
        at = self._now()
        due_at = await self._store.next_due(self._name, at)
        if due_at is None:
            return LOOK_SECONDS
        return min(max((due_at - at) / 1000, 0.05), LOOK_SECONDS)

    async def _holds(self) -> bool:
        """Whether this process works for the destination; it asks for it only when there is work."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._renew_at:
            return True
        at = self._now()
        due_at = await self._store.next_due(self._name, at)
        orphans = await self._store.orphans(self._name, self._claim)
        judged = isinstance(self._sender, Judging) and loop.time() >= self._judge_at
        judged = judged and bool(await self._store.uploads(self._name))
        if not (orphans or self._sending or judged or (due_at is not None and due_at <= at)):
            return False
        row = await self._store.hold(self._name, self._claim, at, at + HOLD_MS)
        if row is None:
            return False
        self._renew_at = loop.time() + RENEW_SECONDS
        self._disabled = None if row["disabled_at"] is None else str(row["disabled_reason"])
        for orphan in orphans:
            outcome = Outcome(Ending.UNCLEAR, "the router ended while it was being sent: it may have arrived")
            tried = Try(orphan.call_id, orphan.attempts, orphan.since_at)
            await self._store.finish(self._name, orphan.claim, at, [self._finished(tried, outcome)])
        return True

    async def _judge(self) -> None:
        """Asks what became of the files that the far side has taken."""
        loop = asyncio.get_running_loop()
        if not isinstance(self._sender, Judging) or loop.time() < self._judge_at:
            return
        self._judge_at = loop.time() + JUDGE_SECONDS
        for upload in await self._store.uploads(self._name):
            try:
                judged = await self._sender.judge(upload, self._now())
            except Exception:
                log.exception("delivery.not_judged", destination=self._name, upload_id=upload.upload_id)
                continue
            if judged is None:
                continue
            await self._store.finish_upload(
                self._name,
                upload.upload_id,
                judged.state,
                answer=judged.answer,
                reason=judged.reason,
                at=self._now(),
            )
            log.info(
                "delivery.judged",
                destination=self._name,
                upload_id=upload.upload_id,
                deliveries=upload.deliveries,
                state=judged.state,
                answer=judged.answer,
            )

    async def _begin(self, claimed: Sequence[Claimed]) -> None:
        """Prepares what was taken, and has it sent."""
        ready: list[Prepared] = []
        done: list[Finished] = []
        tries = {one.call_id: Try(*one[:3]) for one in claimed}
        for one in claimed:
            prepared = await self._prepared(one)
            if isinstance(prepared, Outcome):
                done.append(self._finished(tries[one.call_id], prepared))
            else:
                ready.append(prepared)
        if done:
            await self._keep(done)
        if ready:
            self._next_at = asyncio.get_running_loop().time() + self._every
            task = asyncio.create_task(self._send(ready, tries), name=f"delivery-{self._name}")
            self._sending.add(task)
            task.add_done_callback(self._ended)

    async def _prepared(self, one: Claimed) -> Prepared | Outcome:
        try:
            return await self._sender.prepare(Item(one.call_id, one.record), self._now())
        except StoreUnavailable:
            return Outcome(Ending.LATER, "the store could not be read", 5_000)
        except Exception as error:
            log.exception("delivery.not_prepared", call_id=one.call_id, destination=self._name)
            return Outcome(Ending.REFUSED, f"it could not be prepared: {type(error).__name__}: {error}")

    async def _send(self, ready: Sequence[Prepared], tries: dict[str, Try]) -> None:
        try:
            outcomes = await self._sender.send(ready, self._now())
        except Exception as error:
            log.exception("delivery.failed", destination=self._name)
            outcomes = [Outcome(Ending.UNCLEAR, f"{type(error).__name__}: {error}", everybody=True)] * len(
                ready
            )
        await self._heed(outcomes)
        done = [
            self._finished(tries[one.item.call_id], outcome)
            for one, outcome in zip(ready, outcomes, strict=True)
        ]
        await self._keep(done)
        for one in done:
            if one.state == "dead":
                self._on_given_up(f"Call {one.call_id} was not told to {self._name}: {one.reason}")
            tell = log.info if one.state in {"sent", "accepted"} else log.warning
            tell(
                "delivery.tried",
                call_id=one.call_id,
                destination=self._name,
                state=one.state,
                attempts=one.attempts,
                answer=one.answer,
                reason=one.reason,
            )

    async def _heed(self, outcomes: Sequence[Outcome]) -> None:
        """What an answer says about the whole destination."""
        worst = next((outcome for outcome in outcomes if outcome.everybody), None)
        self.sent += sum(outcome.ending in {Ending.SENT, Ending.ACCEPTED} for outcome in outcomes)
        self.failures += sum(outcome.ending in {Ending.AGAIN, Ending.UNCLEAR} for outcome in outcomes)
        if worst is None:
            self._in_a_row = 0
            return
        first, longest = PAUSE_SECONDS
        pause = min(first * 2**self._in_a_row, longest) * (1 + 0.2 * chance())
        self._in_a_row = min(self._in_a_row + 1, 30)
        self._paused_until = asyncio.get_running_loop().time() + max(
            pause, min(worst.after_ms / 1000, 43_200)
        )
        self.trouble = worst.text
        if worst.gone:
            self._disabled = worst.text
            log.error("delivery.destination_disabled", destination=self._name, answer=worst.text)
            self._on_given_up(f"{self._name} answered {worst.text}: nothing is sent until it is enabled")
            with contextlib.suppress(StoreUnavailable):
                await self._store.disable(self._name, worst.text, self._now())

    def _finished(self, tried: Try, outcome: Outcome) -> Finished:
        return finished(
            tried, outcome, self._now(), resend_unclear=self.table.resends_unclear, chance=chance()
        )

    async def _keep(self, done: Sequence[Finished]) -> None:
        """Keeps how deliveries ended, however long the store takes."""
        while True:
            try:
                await self._store.finish(self._name, self._claim, self._now(), done)
                if any(one.state == "due" for one in done):
                    self._idle_until = 0.0
                return
            except StoreUnavailable as error:
                log.warning("delivery.not_kept", destination=self._name, error=str(error))
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("delivery.lane_failed", destination=self._name, error=repr(task.exception()))

    async def _end(self) -> None:
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=DRAIN_SECONDS)
            await end(late)
        with contextlib.suppress(StoreUnavailable):
            await self._store.release(self._name, self._claim)
