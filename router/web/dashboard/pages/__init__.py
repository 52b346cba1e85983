"""Every page, in the order of the menu."""

from typing import Final

from router.web.dashboard.page import Page
from router.web.dashboard.pages import account, call, calls, live, today, users

PAGES: Final[tuple[Page, ...]] = (
    today.PAGE,
    live.PAGE,
    calls.PAGE,
    call.PAGE,
    users.PAGE,
    account.PAGE,
)
