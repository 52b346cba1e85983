"""What the admin listener answers from, given to it once at start-up."""

from collections.abc import Callable
from typing import NamedTuple

from pool.database import Database
from pool.service import Pool
from router.config.live import LiveConfig
from router.live import LiveView


class Readiness(NamedTuple):
    """One part's state: `detail` says what is wrong, or what the part is doing."""

    ready: bool
    detail: str


Check = Callable[[], Readiness]


class Parts(NamedTuple):
    """What the API and the dashboard answer from; `view` is None in a process without the calls role."""

    live: LiveConfig
    database: Database
    pool: Pool
    view: LiveView | None
