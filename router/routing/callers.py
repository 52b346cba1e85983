"""Who a caller is to the configuration: numbers, beginnings of numbers, callers without a number."""

from collections.abc import Iterable

from router.config.model import Config
from router.config.values import ANONYMOUS


class CallerList:
    """Callers as `[[block]]`, `[calls]` and `[[site.plan]]` name them; costs the same for ten or 100,000."""

    def __init__(self, patterns: Iterable[str]) -> None:
        given = tuple(patterns)
        self._anonymous = ANONYMOUS in given
        self._numbers = frozenset(item for item in given if item != ANONYMOUS and not item.endswith("*"))
        self._beginnings = tuple(item[:-1] for item in given if item.endswith("*"))

    def __contains__(self, caller: str | None) -> bool:
        """Whether `caller` is named: E.164, or as it was sent where it is no phone number; None: withheld."""
        if caller is None:
            return self._anonymous
        return caller in self._numbers or caller.startswith(self._beginnings)


class Blocklist:
    """Every `[[block]]`, in order: the first that names the caller answers."""

    def __init__(self, config: Config) -> None:
        self._everywhere = [
            (CallerList(block.callers), block.answer) for block in config.block if not block.sites
        ]
        self._at_sites: dict[str, list[tuple[CallerList, str]]] = {}
        for block in config.block:
            callers = CallerList(block.callers)
            for key in block.sites:
                self._at_sites.setdefault(key, []).append((callers, block.answer))

    def everywhere(self, caller: str | None) -> str:
        """ "reject" or "busy" for a caller who is blocked at all sites, "" for others."""
        return _first(self._everywhere, caller)

    def at_site(self, key: str, caller: str | None) -> str:
        """ "reject" or "busy" for a caller who is blocked at this site by name, "" for others."""
        return _first(self._at_sites.get(key, ()), caller)


def _first(blocks: Iterable[tuple[CallerList, str]], caller: str | None) -> str:
    return next((answer for callers, answer in blocks if caller in callers), "")
