"""What a call adds to reports: one credit for each visit that had a part in it. Pure, in whole numbers.

A call is worth a million parts. The linear model splits it, and its durations, so that the parts add up to
the whole exactly; the other models give all of it to one visit. Visits that tell the same share one credit.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, cast
from zoneinfo import ZoneInfo

from router.attribution.journey import MODELS, Model, VisitSource, credits
from router.reports.periods import local_day_and_hour

WHOLE: Final = 1_000_000
MODEL_BITS: Final[Mapping[Model, int]] = {model: 1 << place for place, model in enumerate(MODELS)}
ALL_MODELS: Final = (1 << len(MODELS)) - 1
LAST: Final = MODEL_BITS["last"]
SAMPLE_ONE_IN: Final = 64
PAGE_CAP: Final = 200
UTC: Final = ZoneInfo("UTC")

NO_CALL_BEFORE: Final = -1
"""As `before_day`: this is the caller's first call to the site."""


class Told(NamedTuple):
    """What a visit tells of its origin; '' is not set."""

    channel: str = ""
    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    landing_page: str = ""


class Credit(NamedTuple):
    """One row of call_credit, in the order of its columns but `switch`."""

    day: int
    call_id: str
    part: int
    site: str
    hour: int
    models: int
    known: int
    channel: str
    source: str
    medium: str
    campaign: str
    term: str
    landing_page: str
    page_called_from: str
    region: str
    device: str
    number: str
    agent: str
    result: str
    match: str
    before_day: int | None
    sampled: int
    calls: int
    answered: int
    blocked: int
    qualified: int
    first_time: int
    ring_answered: int
    ring_missed: int
    talk: int
    expected: int
    variance: int


FIRST_SUM: Final = Credit._fields.index("calls")
SUMS: Final = Credit._fields[FIRST_SUM:]


def sums_of(credit: Credit) -> tuple[int, ...]:
    """What a credit adds: its SUMS."""
    return cast("tuple[int, ...]", credit[FIRST_SUM:])


class Share(NamedTuple):
    """What the models of the bits `models` give to one origin: from part `begin` to part `end` of WHOLE."""

    told: Told
    models: int
    begin: int
    end: int


def shares(visits: Sequence[VisitSource]) -> list[Share]:
    """Who is credited by which models, for the visits before a call, the earliest first; at least one."""
    if len(visits) == 1:
        return [Share(told_by(visits[0]), ALL_MODELS, 0, WHOLE)]
    given: dict[Told, dict[int, int]] = {}
    parts = 0
    for model, bit in MODEL_BITS.items():
        for index, share in credits(visits, model):
            told = told_by(visits[index])
            part = (
                WHOLE if share == 1.0 else WHOLE * (index + 1) // len(visits) - WHOLE * index // len(visits)
            )
            of_model = given.setdefault(told, {})
            of_model[bit] = of_model.get(bit, 0) + part
    found: list[Share] = []
    for told, of_model in given.items():
        whole = sum(bit for bit, part in of_model.items() if part == WHOLE)
        if whole:
            found.append(Share(told, whole, 0, WHOLE))
        for bit, part in of_model.items():
            if part != WHOLE:
                found.append(Share(told, bit, parts, parts + part))
                parts += part
    return found


def credits_of(row: Mapping[str, Any], visits: Sequence[VisitSource]) -> list[Credit]:
    """The credits of a call: of its row (`router.cdr.record.row_of`) and its visitor's visits up to it.

    Without visits the call's own attribution gets all of it under every model.
    """
    day, hour = local_day_and_hour(row["started_at"], row.get("zone") or UTC)
    known = int(row["match"] != "none")
    found = shares(visits) if visits else [Share(_own(row) if known else Told(), ALL_MODELS, 0, WHOLE)]
    site, caller = row["site"] or "", row["caller"]
    before = row.get("before_at")
    before_day = None
    if caller is not None and site:
        before_day = (
            NO_CALL_BEFORE if before is None else local_day_and_hour(before, row.get("zone") or UTC)[0]
        )
    call: tuple[Any, ...] = (
        page_of(row.get("page_called_from") or "") if known else "",
        (row.get("region") or "") if known else "",
        (row.get("device") or "") if known else "",
        row["number"] or "",
        row["answered_by"] or "",
        row["result"],
        row["match"],
        before_day,
        int(caller is not None and is_sampled(site, caller)),
    )
    begin: tuple[Any, ...] = (day, row["call_id"])
    sums = _sums(row)
    return [
        Credit(*begin, *(part, site, hour, share.models, known, *share.told, *call, *_part(sums, share)))
        for part, share in enumerate(found)
    ]


def told_by(visit: VisitSource) -> Told:
    """What a visit tells."""
    return Told(
        visit.channel, visit.source, visit.medium, visit.campaign, visit.term, page_of(visit.landing_page)
    )


def page_of(url: str) -> str:
    """Host and path of a URL, without what makes every visit's another: `shop.example/boilers`.

    The same as `page` in sql/visits.sql.
    """
    text = url.partition("#")[0].partition("?")[0]
    rest = text.partition("://")[2] or text
    return rest[:PAGE_CAP].rstrip("/")


def is_sampled(site: str, caller: str) -> bool:
    """Whether this caller is one of those that stand for SAMPLE_ONE_IN: always the same ones."""
    digest = blake2b(f"{site}\n{caller}".encode("utf-8", "replace"), digest_size=2).digest()
    return int.from_bytes(digest) % SAMPLE_ONE_IN == 0


class Key(NamedTuple):
    """A row of call_by_value (`dimension` set, `values` of one) or of call_by_source (``""``, four)."""

    dimension: str
    day: int
    site: str
    models: int
    known: int
    values: tuple[str, ...]


def keys_of(credit: Credit) -> Iterator[Key]:
    """The rows of the sums that a credit is added to."""
    day, site, models, known = credit.day, credit.site, credit.models, credit.known
    yield Key("", day, site, models, known, (credit.channel, credit.source, credit.medium, credit.campaign))
    yield Key("channel", day, site, models, known, (credit.channel,))
    yield Key("term", day, site, models, known, (credit.term,))
    yield Key("landing_page", day, site, models, known, (credit.landing_page,))
    if models & LAST:
        # Whatever the model, these are the call's own: the credit of the last visit is the whole call.
        yield Key("page_called_from", day, site, ALL_MODELS, known, (credit.page_called_from,))
        yield Key("region", day, site, ALL_MODELS, known, (credit.region,))
        yield Key("device", day, site, ALL_MODELS, known, (credit.device,))
        yield Key("hour", day, site, ALL_MODELS, 1, (str(credit.hour),))
        yield Key("number", day, site, ALL_MODELS, 1, (credit.number,))
        yield Key("agent", day, site, ALL_MODELS, 1, (credit.agent,))


def _own(row: Mapping[str, Any]) -> Told:
    texts = {name: row.get(name) or "" for name in ("channel", "source", "medium", "campaign", "term")}
    return Told(**texts, landing_page=page_of(row.get("landing_page") or ""))


def _sums(row: Mapping[str, Any]) -> tuple[int, ...]:
    """The call's SUMS as a whole."""
    answered, blocked = row["result"] == "answered", row["result"] == "blocked"
    ring = round(row["ring_seconds"] * 1000)
    right = min(max(float(row["confidence"]), 0.0), 1.0)
    return (
        WHOLE,
        WHOLE * answered,
        WHOLE * blocked,
        WHOLE * row["qualified"],
        WHOLE * (row["first_call"] or 0),
        ring * answered,
        0 if answered or blocked else ring,
        round(row["talk_seconds"] * 1000),
        round(WHOLE * right),
        # Of a share w the variance is w² p (1-p) in a row that has no more of the call, and p (1-p) in one
        # that has all of it; w p (1-p) is exact for all of it and never too small.
        round(WHOLE * right * (1 - right)),
    )


def _part(sums: Sequence[int], share: Share) -> Sequence[int]:
    if share.end - share.begin == WHOLE:
        return sums
    return [value * share.end // WHOLE - value * share.begin // WHOLE for value in sums]
