"""Every page, in the order of the menu."""

from typing import Final

from router.web.dashboard.page import Page
from router.web.dashboard.pages import (
    account,
    call,
    calls,
    deliveries,
    health,
    live,
    numbers,
    pool,
    reports,
    today,
    users,
)

PAGES: Final[tuple[Page, ...]] = (
    today.PAGE,
    live.PAGE,
    calls.PAGE,
    call.PAGE,
    reports.CHANNELS,
    reports.AGENTS,
    reports.OTHERS,
    pool.PAGE,
    numbers.PAGE,
    deliveries.PAGE,
    health.PAGE,
    users.PAGE,
    account.PAGE,
)
