"""How the parts of this process are, what went wrong lately, and what `leaseline doctor` would find."""

import asyncio
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from router.cli.doctor import Finding, findings
from router.recent_log import recent
from router.users.roles import Role
from router.web.dashboard.page import Asked, Page, Place

PACKAGES: Final = ("leaseline", "aiohttp", "aiosqlite", "asyncpg", "panoramisk")
EXAMINE_SECONDS: Final = 15.0
SHOWN: Final = 20


async def show(asked: Asked) -> Mapping[str, Any]:
    """Readiness now; `?examine=1` asks every part (admins: it opens connections)."""
    states = {name: check() for name, check in asked.checks.items()}
    examined: list[Finding] | None = None
    if asked.query.get("examine") and asked.may(Role.ADMIN):
        examined = await _examined(asked)
    may_read_log = asked.may(Role.ADMIN)
    return {
        "states": states,
        "is_well": all(state.ready for state in states.values()),
        "examined": examined,
        "may_examine": may_read_log,
        "recent": list(recent)[: -SHOWN - 1 : -1] if may_read_log else [],
        "may_read_log": may_read_log,
        "disks": await asyncio.to_thread(_disks, asked),
        "versions": {name: _version(name) for name in PACKAGES} | {"Python": platform.python_version()},
        "dialect": asked.parts.database.dialect,
        "switch": asked.config.node.switch,
    }


async def _examined(asked: Asked) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(EXAMINE_SECONDS):
            async for finding in findings(asked.config):
                found += [finding]  # one by one: what was found before the time was up is shown
    except TimeoutError:
        found.append(Finding("doctor", False, f"{EXAMINE_SECONDS:.0f} s"))
    return found


def _disks(asked: Asked) -> list[dict[str, Any]]:
    config = asked.config
    folders = (config.recordings.folder, config.journal.path.parent, config.cdr.path.parent)
    found = []
    for folder in dict.fromkeys(folders):
        usage = _usage(folder)
        if usage is not None:
            found.append({"folder": str(folder), "free": usage.free, "total": usage.total})
    return found


def _usage(folder: Path) -> Any:
    try:
        return shutil.disk_usage(folder)
    except OSError:
        return None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


PAGE: Final = Page(
    path="/health", template="health.html", title="health.title", show=show, place=Place("system", "health")
)
