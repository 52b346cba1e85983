"""What the widget is answered, as types, and how its three requests are described."""

from typing import Final, NotRequired

from typing_extensions import TypedDict

from pool.lifecycle import State
from router.schema import Id, Iso, Number
from router.web.openapi.operation import JSON, Answer, Body, Parameter, described
from router.web.requests import LeaseRequest, SeenRequest

LEASE_ID: Final = Parameter("id", str, "The `lease_id`.", "01935400a4d2a1b2c3d4e5f60718293a4b5")
_LEASED_EXAMPLE: Final = {
    "lease_id": "01935400a4d2a1b2c3d4e5f60718293a4b5",
    "visitor_id": "01935400a3b5f0c1d2e3f4a5b6c7d8e9f01",
    "numbers": [{"slot": "main", "number": "+442079460123", "display": "020 7946 0123"}],
    "seen_every_seconds": 30,
    "frozen_until": "2026-11-22T13:25:00.123Z",
}
_SENT_AS: Final = ("application/json", "text/plain")
_LEASE_EXAMPLE: Final = {
    "site": "plumber",
    "url": "https://plumber.example/?utm_source=google&utm_medium=cpc&gclid=Cj0KCQ",
    "referrer": "https://www.google.com/",
    "title": "Boiler repair in London",
    "language": "en-GB",
    "params": {"page_kind": "landing"},
}
_SEEN_EXAMPLE: Final = {"page": {"url": "https://plumber.example/prices", "title": "Prices"}, "shown": True}
_REFUSED: Final = {400: ["invalid-request"], 408: ["body-too-slow"], 413: ["body-too-large"]}


class ShownNumber(TypedDict):
    """The number of one slot of the page. `extension`: the code to key, where visitors share the number."""

    slot: str
    number: Number
    display: str
    extension: NotRequired[str]


class LeaseAnswer(TypedDict):
    """What to show. `lease_id` is null when nothing was leased: the numbers are the site's own."""

    lease_id: Id | None
    visitor_id: Id
    numbers: list[ShownNumber]
    seen_every_seconds: int
    frozen_until: Iso | None


class SeenAnswer(TypedDict):
    """How the lease stands. `frozen_until`: how long it is held when nothing more is heard."""

    state: State
    seen_every_seconds: int
    frozen_until: Iso


LEASE: Final = described(
    "leases",
    body=Body(LeaseRequest, _LEASE_EXAMPLE, media=_SENT_AS),
    answers={200: JSON(LeaseAnswer, _LEASED_EXAMPLE)},
    problems={**_REFUSED, 403: ["origin-not-allowed"], 404: ["unknown-site"]},
)
SEEN: Final = described(
    "leases",
    path=[LEASE_ID],
    body=Body(SeenRequest, _SEEN_EXAMPLE, required=False, media=_SENT_AS),
    answers={200: JSON(SeenAnswer)},
    problems={**_REFUSED, 404: ["unknown-lease"], 410: ["lease-over"]},
)
LEFT: Final = described(
    "leases", path=[LEASE_ID], answers={204: Answer("Noted.")}, problems={404: ["unknown-lease"]}
)
