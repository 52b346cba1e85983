"""The whole configuration file as types; each key's default is the one `config.example.toml` shows."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from router.config.alert import Alert, Alerts
from router.config.delivery import Delivery
from router.config.plan import Step
from router.config.site import Site
from router.config.values import (
    CallerPattern,
    Country,
    DialTemplate,
    Name,
    Network,
    Port,
    PublicUrl,
    Secret,
    Section,
    SiteKey,
    Target,
)


class Node(Section):
    """`[node]`: which PBX this process stands beside, and how it logs."""

    switch: SiteKey = "pbx"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"


class Storage(Section):
    """`[storage]`: the one store."""

    url: str = "sqlite:////var/lib/leaseline/leaseline.db"

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError('takes "sqlite:///relative", "sqlite:////absolute" or "postgresql://…"')
        return value


class PoolRules(Section):
    """`[pool]`: rules for all numbers, whatever site shows them."""

    rest_seconds: int = Field(default=60, ge=0, le=86_400)
    idle_days: float = Field(default=14, ge=0.01, le=365)


class FastAgi(Section):
    """`[fastagi]`: where the dialplan asks, and how long an answer may take."""

    host: str = "127.0.0.1"
    port: Port = 4573
    allow: tuple[Network, ...] = ("127.0.0.0/8", "::1/128")
    header_seconds: float = Field(default=1.0, gt=0, le=10)
    answer_seconds: float = Field(default=0.5, gt=0, le=5)
    stall_seconds: float = Field(default=2.0, ge=0.2, le=60)


class Ami(Section):
    """`[ami]`: health, live channels and the fallback table; `witness` adds the journal's events over AMI."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 5038
    username: Name = "leaseline"
    secret: Secret = Secret(env="LEASELINE_AMI_SECRET")
    fallback_username: Name = "leaseline-astdb"
    fallback_secret: Secret = Secret(env="LEASELINE_AMI_DB_SECRET")
    ping_seconds: float = Field(default=5.0, ge=0.5, le=60)
    witness: Literal["auto", "on", "off"] = "auto"


class Http(Section):
    """`[http]`: the public listener (widget, leases) and the admin listener."""

    public_host: str = "127.0.0.1"
    public_port: Port = 8080
    public_url: PublicUrl = ""
    admin_host: str = "127.0.0.1"
    admin_port: Port = 8081
    trusted_proxies: tuple[Network, ...] = ()
    leases_per_minute: int = Field(default=60, ge=1, le=100_000)
    demo: bool = False


class Journal(Section):
    """`[journal]`: Asterisk's event file."""

    path: Path = Path("/var/log/asterisk/cel-custom/leaseline.csv")
    rotate_megabytes: int = Field(default=64, ge=1, le=10_000)
    keep_days: int = Field(default=7, ge=0, le=365)


class Cdr(Section):
    """`[cdr]`: the finished records' file, and below which confidence a caller is unknown."""

    path: Path = Path("/var/log/leaseline/cdr.ndjson")
    unknown_below: float = Field(default=0.5, ge=0, le=1)
    lookback_hours: int = Field(default=72, ge=1, le=24 * 60)


class Recordings(Section):
    """`[recordings]`: where Asterisk writes them, as this process sees it, and what becomes of them."""

    folder: Path = Path("/var/spool/asterisk/monitor/leaseline")
    format: Literal["wav", "opus", "mp3"] = "wav"
    retention_days: int = Field(default=0, ge=0, le=36_500)
    least_free_megabytes: int = Field(default=512, ge=1, le=10_000_000)
    voicemail: Path = Path("/var/spool/asterisk/voicemail")


class Asterisk(Section):
    """`[asterisk]`: numbering, the trunk, and what the dialplan does when no router answers."""

    country: Country = "GB"
    dial: DialTemplate = "PJSIP/{number}@trunk"
    fallback: tuple[Target, ...] = Field(default=("PJSIP/reception",), min_length=1, max_length=8)
    fallback_seconds: int = Field(default=60, ge=5, le=300)
    agi_seconds: float = Field(default=1.5, ge=0.6, le=5)


class Calls(Section):
    """`[calls]`: how many calls of one caller are put through; 0 is any number."""

    most_per_caller: int = Field(default=0, ge=0, le=1000)
    per_minutes: float = Field(default=10, gt=0, le=1440)
    over_limit: Literal["busy", "reject"] = "busy"
    unlimited: tuple[CallerPattern, ...] = ()


class Block(Section):
    """`[[block]]`: callers who are not put through, at the `sites` named or at all of them."""

    callers: tuple[CallerPattern, ...] = Field(min_length=1)
    answer: Literal["reject", "busy"] = "reject"
    sites: tuple[SiteKey, ...] = ()


class GeoIp(Section):
    """`[geoip]`: a MaxMind-format city file; empty: visits carry no region."""

    database: Path | None = None


class Privacy(Section):
    """`[privacy]`: what is kept of a visitor."""

    truncate_ip: bool = False
    keep_visits_days: int = Field(default=90, ge=1, le=3650)


class Config(Section):
    """A whole configuration file."""

    node: Node = Node()
    storage: Storage = Storage()
    pool: PoolRules = PoolRules()
    fastagi: FastAgi = FastAgi()
    ami: Ami = Ami()
    http: Http = Http()
    journal: Journal = Journal()
    cdr: Cdr = Cdr()
    recordings: Recordings = Recordings()
    asterisk: Asterisk = Asterisk()
    calls: Calls = Calls()
    block: tuple[Block, ...] = ()
    geoip: GeoIp = GeoIp()
    privacy: Privacy = Privacy()
    site: tuple[Site, ...] = ()
    delivery: tuple[Delivery, ...] = ()
    alerts: Alerts = Alerts()
    alert: tuple[Alert, ...] = ()

    @model_validator(mode="after")
    def _sane_across_tables(self) -> "Config":
        if self.fastagi.answer_seconds >= self.asterisk.agi_seconds:
            raise ValueError(
                f"[fastagi] answer_seconds ({self.fastagi.answer_seconds}) must be shorter than "
                f"[asterisk] agi_seconds ({self.asterisk.agi_seconds}), or the dialplan gives up first"
            )
        keys = [site.key for site in self.site]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"[[site]] key {key!r} is used twice")
        for key in (key for block in self.block for key in block.sites):
            if key not in keys:
                raise ValueError(f"[[block]] sites: no [[site]] has the key {key!r}")
        self._check_names(keys)
        if (self.http.public_host, self.http.public_port) == (self.http.admin_host, self.http.admin_port):
            raise ValueError("[http] public_port and admin_port must differ")
        return self

    def _check_names(self, keys: list[str]) -> None:
        """Names of destinations and receivers differ, and the sites they name are there."""
        for kind, tables in (("delivery", self.delivery), ("alert", self.alert)):
            names = [table.name for table in tables]
            for table in tables:
                if names.count(table.name) > 1:
                    raise ValueError(f"[[{kind}]] name {table.name!r} is used twice")
                for key in table.sites:
                    if key not in keys:
                        raise ValueError(f"[[{kind}]] {table.name!r} sites: no [[site]] has the key {key!r}")
        if any(table.kind == "email" for table in self.alert) and not self.alerts.smtp_host:
            raise ValueError('[alerts] smtp_host is needed for [[alert]] kind = "email"')

    def site_of(self, key: str) -> Site | None:
        """The site with this key, or None."""
        return self._sites_by_key.get(key)

    @cached_property
    def _sites_by_key(self) -> dict[str, Site]:
        return {site.key: site for site in self.site}

    @cached_property
    def sites_by_pool(self) -> dict[str, tuple[Site, ...]]:
        """Which sites draw from a pool."""
        drawing: dict[str, tuple[Site, ...]] = {}
        for site in self.site:
            drawing |= {pool: (*drawing.get(pool, ()), site) for pool in site.pools}
        return drawing

    @cached_property
    def places_by_main_number(self) -> dict[str, tuple[Site, str | None]]:
        """The site and slot (None: the site's own) of each main number that can be routed: one with steps of
        its own, none of which rings that number again.
        """
        found: dict[str, tuple[Site, str | None]] = {}
        for site in self.site:
            places: list[tuple[str | None, str, tuple[Step, ...]]] = [(None, site.main_number, site.step)]
            places += [(slot.name, slot.main_number, slot.step) for slot in site.number_slot]
            for slot_name, number, steps in places:
                rung = [*steps, *(step for plan in site.plan for step in plan.step)]
                if steps and not any(number in target for step in rung for target in step.targets):
                    found.setdefault(number, (site, slot_name))
        return found
