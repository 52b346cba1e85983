"""A configuration as routing needs it: compiled once, looked up on each call."""

from collections.abc import Callable, Mapping

from router.config import Config, Site
from router.routing.callers import Blocklist, CallerList
from router.routing.plan import SitePlans


class RoutingTable:
    """Plans of every site, and callers who are not put through."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.blocks = Blocklist(config)
        self.unlimited = CallerList(config.calls.unlimited)
        self.settled: dict[tuple[str, str, str], Mapping[str, str]] = {}
        """The variables of plans that serve more than one call, by site and `SitePlans.settled_by`."""
        self._plans: dict[str, SitePlans] = {}

    def plans(self, site: Site) -> SitePlans:
        """The site's plans, compiled at its first call."""
        plans = self._plans.get(site.key)
        if plans is None:
            plans = self._plans[site.key] = SitePlans(site, self.config.asterisk)
        return plans


class CurrentTable:
    """The table of the configuration in force."""

    def __init__(self, current_config: Callable[[], Config]) -> None:
        self._config = current_config
        self._table = RoutingTable(current_config())

    def __call__(self) -> RoutingTable:
        """The same table until the configuration is another."""
        config = self._config()
        if self._table.config is not config:
            self._table = RoutingTable(config)
        return self._table
