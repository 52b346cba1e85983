"""The file of a `google_ads_csv` destination: fetched by Google Ads, or uploaded by a person."""

import json
from typing import Any, Final

from pool.instants import DAY, Instant
from router.config.delivery import GoogleAdsCsv
from router.deliveries import google_ads
from router.store.deliveries import FEED_PAGE, DeliveryStore

MOST_ROWS: Final = 100_000


async def feed_of(
    table: GoogleAdsCsv, store: DeliveryStore, now: Instant, *, by: str | None
) -> tuple[str, int]:
    """The file and how many conversions are in it: all of the last `days`, those told before too.

    Google tells doubles by the order id, so that a fetch that broke loses nothing. With `by` (who fetches it)
    what was due becomes `sent`; without, nothing changes. Raises StoreUnavailable.
    """
    records: list[Any] = []
    due: list[str] = []
    after = ""
    while len(records) < MOST_ROWS:
        page = await store.feed(table.name, now - table.days * DAY, now, after)
        for call_id, state, record in page:
            cdr = json.loads(record)
            if google_ads.lacks(cdr) is None and google_ads.too_late(cdr, now) is None:
                records.append(cdr)
                if state == "due":
                    due.append(call_id)
        if len(page) < FEED_PAGE:
            break
        after = page[-1][0]
    if by is not None and due:
        await store.fetched(table.name, due, f"in the file fetched by {by}", now)
    return google_ads.csv_of(table, records), len(records)
