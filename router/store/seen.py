"""What calls told their sites' models, in the store."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pool.database import Database, Transaction
from router.attribution.call import Seen
from router.attribution.countries import Origin
from router.store.calls import SeenRow

QUERIES = Path(__file__).parent / "sql" / "seen"


class SiteSeen(NamedTuple):
    """How many calls a site's model may learn from; `latest_at` in milliseconds."""

    site: str
    calls: int
    latest_at: int


class SeenStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def latest(self, site: str, since: int, most: int) -> list[Seen]:
        """What a site's latest calls since an instant tell, the latest first."""
        rows = await self._database.fetch(self._queries.latest_seen, site=site, since=since, most=most)
        return [_seen(row["at"], row["seen"]) for row in rows]

    async def by_site(self) -> list[SiteSeen]:
        """All sites whose calls tell something."""
        return [SiteSeen(*row) for row in await self._database.fetch(self._queries.seen_by_site)]

    async def forget(self, site: str, before: int) -> None:
        """Drops what calls before an instant told."""
        await self._database.commit(self._forget, (site, before))

    async def _forget(self, transaction: Transaction, wanted: Sequence[tuple[str, int]]) -> list[None]:
        for site, before in wanted:
            await transaction.run(self._queries.forget_seen, site=site, before=before)
        return [None] * len(wanted)


def seen_row(site: str | None, call_id: str, seen: Seen | None) -> SeenRow | None:
    """The row of a call, None where it tells nothing. Figures keep six digits."""
    if site is None or seen is None:
        return None
    soon, late = ([[stage, _short(one)] for stage, one in part] for part in (seen.soon, seen.late))
    figures: list[Any] = [soon, late, _short(seen.click), _short(seen.redial), _short(seen.stray), seen.holds]
    if seen.short is not None or seen.origin is not None:
        figures.append(seen.short)
    if seen.origin is not None:
        figures += [seen.origin.caller, _short(seen.origin.same), _short(seen.origin.other)]
    text = json.dumps(figures, separators=(",", ":"))
    return SeenRow(site, seen.at, call_id, text)


def _short(figure: float) -> float:
    return float(f"{figure:.6g}")


def _seen(at: int, text: str) -> Seen:
    # What was written by earlier versions ends with `holds`.
    soon, late, click, redial, stray, holds, *more = json.loads(text)
    return Seen(
        at,
        tuple((stage, one) for stage, one in soon),
        tuple((stage, one) for stage, one in late),
        click,
        redial,
        stray,
        holds,
        more[0] if more else None,
        Origin(*more[1:]) if len(more) > 1 else None,
    )
