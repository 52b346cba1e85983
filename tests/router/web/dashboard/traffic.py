"""Days of invented visits and calls, written through the real pool, enricher and stores.

Everything follows from a seed and an instant, so that a page shows the same figures in every run.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pool.database import Database
from pool.ids import new_id
from pool.leases import Lease, LeaseWish, SlotWish
from pool.service import Pool
from router.attribution.visit import Attribution
from router.cdr.enrich import Enricher, SiteRules
from router.cdr.legs import Leg
from router.cdr.outcome import CallFacts, Recording
from router.config.model import Config
from router.store.calls import CallBatch, CallStore, JournalMark
from router.store.visits import Arrival, VisitStore

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SITE = "kestrel"
MAIN = "+442079460000"
NUMBERS = [f"+44207946{number:04}" for number in range(101, 125)]
STATIC = "+441134960999"
AGENTS = ("PJSIP/mary", "PJSIP/tom", "PJSIP/aziz")
PAGES = ("/", "/boilers", "/prices", "/emergency", "/contact")


class Origin(NamedTuple):
    """Where visits come from: how many of them, and which share of them calls."""

    channel: str
    source: str
    medium: str
    campaigns: tuple[str, ...]
    terms: tuple[str, ...]
    weight: int
    calls: float


SOURCES = (
    Origin("Google Ads", "google", "cpc", ("boilers", "emergency"), ("boiler repair", "plumber"), 30, 0.16),
    Origin("Organic search", "google", "organic", ("",), ("",), 26, 0.09),
    Origin("Yandex Direct", "yandex", "cpc", ("zima",), ("ремонт котлов",), 10, 0.12),
    Origin("Newsletter", "mail", "email", ("november",), ("",), 8, 0.05),
    Origin("Social", "instagram.com", "social", ("",), ("",), 9, 0.03),
    Origin("Direct", "(direct)", "(none)", ("",), ("",), 17, 0.07),
)


def configuration(folder: Path, **http: object) -> Config:
    """Two sites; recordings are in `folder`."""
    channels = [{"name": one.channel, "source": [one.source], "medium": [one.medium]} for one in SOURCES]
    return Config.model_validate(
        {
            "http": http,
            "storage": {"url": f"sqlite:///{folder.parent}/leaseline.db"},
            "recordings": {"folder": str(folder)},
            "journal": {"path": str(folder / "journal.csv")},
            "cdr": {"path": str(folder / "cdr.ndjson")},
            "site": [
                {
                    "key": SITE,
                    "name": "Kestrel Plumbing",
                    "main_number": MAIN,
                    "origins": ["https://kestrel.example"],
                    "pool": "london",
                    "time_zone": "Europe/London",
                    "channel": [*channels, {"name": "Newspaper"}],
                },
                {
                    "key": "florist",
                    "name": "Wren Florists",
                    "main_number": "+441174960000",
                    "origins": ["https://wren.example"],
                },
            ],
        }
    )


@dataclass
class Traffic:
    """Writes visits and calls into a store."""

    database: Database
    pool: Pool
    seed: int = 7
    calls: list[str] = field(default_factory=list)
    """The ids of the calls that were written, the earliest first."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._visits = VisitStore(self.database)
        self._store = CallStore(self.database)
        self._present = 0
        self._linkedid = 0
        self._callers: list[str] = []
        self._enricher = Enricher(
            "pbx",
            self.pool,
            self._store,
            rules=lambda _: SiteRules(),
            e164=lambda digits: digits if digits.startswith("+") else None,
            site_of=lambda _, record: record.site if record and record.site else SITE,
            now=lambda: self._present,
        )

    async def numbers(self, folder: Path, at: int) -> None:
        """A pool of dynamic numbers, and a static one of the newspaper's."""
        file = folder / "numbers.csv"
        rows = [f"{number},dynamic,london,,\n" for number in NUMBERS]
        rows.append(f"{STATIC},static,,{SITE},Newspaper\n")
        await asyncio.to_thread(
            file.write_text, "number,kind,pool,site,channel\n" + "".join(rows), encoding="utf-8"
        )
        await self.pool.import_csv(file, at, default_country=None)

    async def days(self, until: int, days: int, visits_per_day: int = 60) -> None:
        """Visits of `days` days, the last as far as `until`, more at noon than at night; and their calls."""
        for at in self._instants(until, days, visits_per_day):
            await self._visit(at, until)

    def _instants(self, until: int, days: int, visits_per_day: int) -> Iterator[int]:
        begin = until // DAY * DAY - (days - 1) * DAY
        instants = []
        for day in range(days):
            for _ in range(round(visits_per_day * self._random.uniform(0.75, 1.25))):
                hour = min(23.9, max(0.0, self._random.gauss(13.5, 3.6)))
                instants.append(begin + day * DAY + int(hour * HOUR))
        return iter(sorted(at for at in instants if at < until))

    async def _visit(self, at: int, until: int) -> None:
        draw = self._random
        origin = draw.choices(SOURCES, weights=[one.weight for one in SOURCES])[0]
        attribution = Attribution(
            origin.source,
            origin.medium,
            draw.choice(origin.campaigns),
            draw.choice(origin.terms),
            "",
            "https://www.google.com/" if origin.source == "google" else "",
            f"https://kestrel.example{draw.choice(PAGES)}?utm_source={origin.source.strip('()')}",
            {"gclid": f"Cj0{draw.getrandbits(60):x}"} if origin.channel == "Google Ads" else {},
        )
        lease = await self.lease(at, attribution, origin.channel)
        number = lease.slots[0].number
        if number is None:
            return
        await self.pool.seen(lease.lease_id, at + 2_000, shown=True)
        stay = int(draw.expovariate(1 / 4) * MINUTE) + 20_000
        for page in range(draw.randint(0, 3)):
            url = f"https://kestrel.example{draw.choice(PAGES)}"
            await self._visits.add_page_view(
                lease.visit_id, at + stay * (page + 1) // 5, url, "Kestrel Plumbing"
            )
        if draw.random() < origin.calls:
            began = at + int(stay * draw.uniform(0.3, 0.9))
            if began < until - MINUTE:
                await self.call(began, number)
        if at + stay < until:
            await self.pool.seen(lease.lease_id, at + stay)
            await self.pool.left(lease.lease_id, at + stay)

    async def lease(self, at: int, attribution: Attribution, channel: str, **arrival: str) -> Lease:
        """One visit with its lease. `arrival`: fields of `Arrival` other than the usual."""
        draw = self._random
        usual = {
            "title": "Kestrel Plumbing",
            "ip": "192.0.2.7",
            "region": "GB-LND",
            "city": "London",
            "browser": draw.choice(("Chrome 140", "Firefox 141")),
            "os": "Android 15",
            "device": draw.choice(("desktop", "mobile", "mobile")),
            "language": "en-GB",
        }
        story = Arrival(SITE, at, attribution, channel, **(usual | arrival))
        wish = LeaseWish(
            SITE, new_id(at), new_id(at), [SlotWish("main", "london", channel)], freeze_seconds=900
        )
        return await self.pool.lease(wish, at, attach=[self._visits.attachment(story)])

    async def recorded(self, at: int, recording: Recording) -> str:
        """A recorded call from a page, by a visitor who came back from an advertisement; gives its id."""
        pages = ("/?utm_source=google&utm_medium=cpc", "/boilers", "/prices", "/contact")
        attribution = Attribution(
            "google",
            "cpc",
            "boilers",
            "boiler repair",
            "",
            "https://www.google.com/",
            f"https://kestrel.example{pages[0]}",
            {"gclid": "Cj0KCQ"},
        )
        lease = await self.lease(at, attribution, "Google Ads")
        number = lease.slots[0].number or MAIN
        await self.pool.seen(lease.lease_id, at + 2_000, shown=True)
        for place, page in enumerate(pages[1:], 1):
            url = f"https://kestrel.example{page}"
            await self._visits.add_page_view(lease.visit_id, at + place * 40_000, url, "Kestrel Plumbing")
        await self.pool.seen(lease.lease_id, at + 150_000, tel_click=True)
        legs = (
            Leg(1, "PJSIP/reception", "missed", 480, 19, 14.0, 0.0),
            Leg(2, "PJSIP/mary", "answered", 200, 16, 6.2, 184.0),
        )
        return await self.call(
            at + 155_000,
            number,
            result="answered",
            recording=recording,
            caller_name="A. Reed",
            caller_number="+447700900871",
            answered_by="PJSIP/mary",
            legs=legs,
            ring_seconds=20.2,
            talk_seconds=184.0,
            answered_us=(at + 175_200) * 1000,
            ended_us=(at + 359_200) * 1000,
        )

    async def call(self, at: int, number: str, **facts: Any) -> str:
        """One finished call; gives its id. `facts`: fields of `CallFacts` that are not to be drawn."""
        made = self._facts(at, number, facts)
        self._present = made.ended_us // 1000 + 1_000
        finished = await self._enricher.finished(made)
        mark = JournalMark("1:2:abc", "/var/log/journal.csv", 100 + self._linkedid, self._present)
        await self._store.write(CallBatch("pbx", [finished.row], [], mark, self._present))
        self.calls.append(finished.cdr["id"])
        return finished.cdr["id"]

    def _facts(self, at: int, number: str, told: dict[str, Any]) -> CallFacts:
        draw = self._random
        self._linkedid += 1
        if not self._callers or draw.random() < 0.75:
            self._callers.append(f"+447700900{draw.randint(0, 999):03}")
        drawn = draw.choices(("answered", "missed", "busy", "cancelled"), (74, 14, 4, 8))[0]
        result = told.get("result", drawn)
        answered = result == "answered"
        agent = draw.choice(AGENTS)
        ring = round(draw.uniform(3, 28), 1)
        talk = round(draw.expovariate(1 / 150) + 8, 1) if answered else 0.0
        legs = [Leg(1, agent, "answered" if answered else result, 200 if answered else 480, 16, ring, talk)]
        if draw.random() < 0.3:
            legs.insert(0, Leg(1, "PJSIP/reception", "missed", 480, 19, round(ring * 0.6, 1), 0.0))
        usual = {
            "linkedid": f"{at // 1000}.{self._linkedid}",
            "dialed": number,
            "number": number,
            "site": SITE,
            "extension": None,
            "caller_number": draw.choice(self._callers[-40:]),
            "caller_name": "",
            "started_us": at * 1000,
            "answered_us": (at + int(ring * 1000)) * 1000 if answered else None,
            "ended_us": (at + int((ring + talk) * 1000)) * 1000,
            "ring_seconds": ring,
            "talk_seconds": talk,
            "result": result,
            "answered_by": agent if answered else None,
            "hung_up_by": "caller",
            "legs": tuple(legs),
            "transfers": (),
            "recording": None,
            "decided_in_ms": 1.3,
            "by_router": True,
            "repaired": None,
        }
        return CallFacts(**(usual | told))
