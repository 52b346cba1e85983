"""The sites as the public listener needs them: compiled once per configuration, looked up on each request."""

from urllib.parse import urlsplit

from router.attribution.channels import SiteRules
from router.config.model import Config
from router.config.site import Site
from router.web.lease_answers import ShownNumber
from router.web.numerals import displayed
from router.web.widget.script import Script, script_of


class PublicSite:
    """One site, ready to serve: its rules, its widget, and the numbers that visitors without a lease keep."""

    def __init__(self, site: Site, public_url: str) -> None:
        self.site = site
        self.key = site.key
        self.origins = frozenset(site.origins)
        # Coming from another page of the site's own origins says nothing about what brought the visitor.
        self.own_hosts = frozenset(urlsplit(origin).hostname or "" for origin in site.origins)
        self.rules = SiteRules(site)
        self.script: Script = script_of(site, public_url)
        self.main_numbers = {
            "main": site.main_number,
            **{slot.name: slot.main_number for slot in site.number_slot},
        }
        self.untracked = [self.shown(slot, None, None) for slot in self.main_numbers]

    def shown(self, slot: str, number: str | None, extension: str | None) -> ShownNumber:
        """One entry of an answer's `numbers`; without a number the slot's main number."""
        main_number = self.main_numbers.get(slot, self.site.main_number)
        number = number or main_number
        display = displayed(number, self.site.display, main_number)
        if not extension:
            return {"slot": slot, "number": number, "display": display}
        display += self.site.extension_display.replace("X", extension)
        return {"slot": slot, "number": number, "display": display, "extension": extension}


class PublicSites:
    """Every site of a configuration, by key, and the origins that any of them may be called from."""

    def __init__(self, config: Config) -> None:
        self.load(config)

    def load(self, config: Config) -> None:
        """Take over a configuration that was reloaded."""
        self.by_key = {site.key: PublicSite(site, config.http.public_url) for site in config.site}
        self.origins = frozenset(origin for site in self.by_key.values() for origin in site.origins)

    def get(self, key: str) -> PublicSite | None:
        """The site with this key, or None."""
        return self.by_key.get(key)

    def first(self) -> PublicSite | None:
        """The configuration's first site: the demo page's."""
        return next(iter(self.by_key.values()), None)
