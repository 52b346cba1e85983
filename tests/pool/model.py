"""What the pool must do, in the fewest words: one number each, no store, no queue index, no batches."""

from __future__ import annotations

from dataclasses import dataclass, field

FREEZE, REST, IDLE, GRACE = 300_000, 60_000, 14 * 86_400_000, 60_000


@dataclass(eq=False)
class ModelLease:
    number: str | None
    seen_at: int
    anchor_at: int
    left: bool = False
    given_on: bool = False

    def until_at(self) -> int:
        return max(self.anchor_at + FREEZE, self.seen_at + GRACE)

    def is_over(self, at: int) -> bool:
        return self.given_on or at >= self.until_at()

    def sign(self, at: int, *, left: bool = False) -> None:
        if not left:
            self.seen_at = max(self.seen_at, at)
        since = max(self.seen_at, at) if left else at
        if not (left and self.left):
            self.anchor_at = max(self.anchor_at, since)
        self.left = left


@dataclass(eq=False)
class ModelNumber:
    site: str
    key_at: int
    """When it joined its queue, if nobody held it since."""
    lease: ModelLease | None = None
    retired: bool = False

    def free_at(self) -> int:
        return max(self.key_at, self.lease.until_at() + REST if self.lease else 0)


@dataclass
class Model:
    numbers: dict[str, ModelNumber] = field(default_factory=dict)
    last: dict[tuple[str, str], ModelLease] = field(default_factory=dict)

    def lease(self, site: str, visitor: str, at: int) -> tuple[str, ModelLease]:
        """The rung expected, and the lease: revived, or with the number expected."""
        last = self.last.get((site, visitor))
        if last is not None and not last.is_over(at):
            last.sign(at)
            if last.number is not None:
                return "revived", last
        for number in self.numbers.values():
            if number.site and not number.retired and number.free_at() + IDLE <= at:
                number.site, number.key_at, number.lease = "", number.free_at() + IDLE, None
        free = {e: n for e, n in self.numbers.items() if not n.retired and n.free_at() <= at}
        queue = sorted((n.site == "", n.free_at(), e) for e, n in free.items() if n.site in {site, ""})
        own = last.number if last is not None and last.number in free else None
        chosen = own or (queue[0][2] if queue else None)
        rung = "main" if chosen is None else "own" if own else "base" if free[chosen].site == "" else "site"
        lease = last if last is not None and not last.is_over(at) else ModelLease(None, at, at)
        lease.number = chosen
        if chosen is not None:
            if (before := free[chosen].lease) is not None and before is not lease:
                before.given_on = True
            self.numbers[chosen] = ModelNumber(site, 0, lease)
        self.last[site, visitor] = lease
        return rung, lease
