"""What a User-Agent header says: browser, system, kind of device, and whether it is a robot.

Parsing one costs about a millisecond and the same few thousand make nearly all traffic, so answers are kept.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

import crawleruseragents
import ua_parser

from router.attribution.visit import cleaned

_CAP: Final = 512
_TABLET: Final = re.compile(
    r"iPad|Tablet|PlayBook|Silk(?!.*Mobile)|Kindle|Android(?!.*Mobile)", re.IGNORECASE
)
_MOBILE: Final = re.compile(r"Mobi|iPhone|iPod|Android|Windows Phone|Opera Mini|BlackBerry", re.IGNORECASE)
# Programs that fetch pages without a person looking, missing from the list of crawlers.
_TOOL: Final = re.compile(r"HeadlessChrome|PhantomJS|Lighthouse", re.IGNORECASE)


class Browser(NamedTuple):
    """One User-Agent understood; unknown parts are empty."""

    browser: str
    os: str
    device: str
    robot: bool


def browser_of(user_agent: str) -> Browser:
    """What `user_agent` says. An empty one is a robot: every browser sends it."""
    return _parsed(user_agent[:_CAP])


@lru_cache(maxsize=8192)
def _parsed(user_agent: str) -> Browser:
    text = cleaned(user_agent, _CAP)
    if not text:
        return Browser("", "", "", robot=True)
    found = ua_parser.parse(text)
    browser, system = found.user_agent, found.os
    return Browser(
        _named(browser.family, browser.major) if browser else "",
        _named(system.family, system.major) if system else "",
        _device(text),
        robot=bool(crawleruseragents.is_crawler(text)) or _TOOL.search(text) is not None,
    )


def _named(family: str, major: str | None) -> str:
    return f"{family} {major}" if major else family


def _device(user_agent: str) -> str:
    if _TABLET.search(user_agent):
        return "tablet"
    return "mobile" if _MOBILE.search(user_agent) else "desktop"
