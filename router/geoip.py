"""Region and city of an address, from an operator's MaxMind-format file that may change at any time."""

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import maxminddb
import structlog
from prometheus_client.core import Metric

from router.attribution.visit import cleaned
from router.config.live import LiveConfig
from router.config.model import Config
from router.metrics import counter, gauge

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
MOST_BYTES: Final = 2 << 30
_REMEMBERED: Final = 8192
_CITY_CAP: Final = 100
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")
_SUBDIVISION: Final = re.compile(r"[A-Z0-9]{1,3}\Z")


class Place(NamedTuple):
    """Where an address is. `region`: ISO 3166-2 ("GB-LND"), the country alone where the file has no more; ''
    is unknown. `city`: its English name.
    """

    region: str
    city: str


NOWHERE: Final = Place("", "")


class Lookup(NamedTuple):
    """A file that was opened: `place_of` raises whatever a damaged file makes maxminddb raise."""

    place_of: Callable[[str], Place]
    database_type: str
    built_at: int


class GeoIp:
    """Looks addresses up. Nothing about the file makes `place_of` raise: visits go on without a region."""

    def __init__(self, live: LiveConfig) -> None:
        self._path = live.current.geoip.database
        self._lookup: Lookup | None = None
        self._seen: tuple[int, ...] | None = None
        self._told: str | None = None
        self._failed_lookups = 0
        self._look_now = asyncio.Event()
        live.follow(self._follow)

    def place_of(self, address: str) -> Place:
        """The place of an IPv4 or IPv6 address; NOWHERE when it cannot be told."""
        if self._lookup is None or not address:
            return NOWHERE
        try:
            return self._lookup.place_of(address)
        except Exception as error:
            self._failed_lookups += 1
            self._tell(f"a lookup failed: {type(error).__name__}: {error}")
            return NOWHERE

    async def run(self) -> None:
        """Open the file, and open it again when it was replaced or the configuration was reloaded."""
        while True:
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look_now.wait()
            self._look_now.clear()

    async def look(self) -> None:
        """Open the file if it is another than at the last look. One that is gone or cannot be used is told of
        once, and what was opened before is used on.
        """
        path = self._path
        if path is None:
            self._lookup = self._seen = None
            return
        try:
            found = await asyncio.to_thread(_signature, path)
            if found == self._seen:
                return
            self._seen = found
            opened = await asyncio.to_thread(open_lookup, path)
        except Exception as error:  # a hostile file may make the reader raise anything
            self._tell(f"it cannot be used: {type(error).__name__}: {error}")
            return
        self._lookup, self._told = opened, None
        log.info("geoip.opened", path=str(path), database_type=opened.database_type, built_at=opened.built_at)

    def figures(self) -> Sequence[Metric]:
        """Whether there is a file, and what went wrong with it."""
        return [
            gauge("geoip_open", "1 while a GeoIP file is in use", float(self._lookup is not None)),
            counter("geoip_failed_lookups", "Addresses that the GeoIP file failed at", self._failed_lookups),
        ]

    def _follow(self, config: Config) -> None:
        self._path, self._seen, self._told = config.geoip.database, None, None
        self._look_now.set()

    def _tell(self, reason: str) -> None:
        if reason != self._told:
            self._told = reason
            log.warning(
                "geoip.unusable",
                path=str(self._path),
                reason=cleaned(reason),
                hint="visits go on without a region; put the file right, it is picked up by itself",
            )


def open_lookup(path: Path) -> Lookup:
    """Opens a MaxMind-format file. Raises OSError, maxminddb.InvalidDatabaseError, or what a hostile one
    makes the reader raise. May take a while: the file is copied.
    """
    reader = _opened_copy(path)
    metadata = reader.metadata()
    return Lookup(
        lru_cache(maxsize=_REMEMBERED)(lambda address: place_in(reader.get(address))),
        cleaned(str(metadata.database_type), _CITY_CAP),
        int(metadata.build_epoch),
    )


def _opened_copy(path: Path) -> maxminddb.Reader:
    """The file's reader, over a copy without a name.

    Whoever overwrites the file in place would otherwise pull the mapped memory from under the process, which
    ends it (SIGBUS). In memory of our own it would cost as much as the rest of the router.
    """
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES} bytes")
    handle, name = tempfile.mkstemp(prefix="leaseline-geoip-")
    try:
        os.close(handle)
        shutil.copyfile(path, name)
        return maxminddb.open_database(name)
    except maxminddb.InvalidDatabaseError as error:
        raise maxminddb.InvalidDatabaseError(str(error).replace(name, str(path))) from None
    finally:
        Path(name).unlink(missing_ok=True)


def _signature(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def place_in(record: Any) -> Place:
    """The place that a record tells, of any shape: MaxMind's and DB-IP's city files (`country.iso_code`,
    `subdivisions[].iso_code`, the last being the smallest, `city.names.en`), flat ones (`country`, `city`).
    """
    if not isinstance(record, dict):
        return NOWHERE
    country = _text(_in(record.get("country"), "iso_code") or record.get("country_code"))
    city = _in(_in(record.get("city"), "names"), "en") or record.get("city")
    if not _COUNTRY.match(country):
        return Place("", cleaned(_text(city), _CITY_CAP))
    listed = record.get("subdivisions")
    codes = [_text(_in(one, "iso_code")) for one in listed] if isinstance(listed, list) else []
    code = next((code for code in reversed(codes) if _SUBDIVISION.match(code)), "")
    return Place(f"{country}-{code}" if code else country, cleaned(_text(city), _CITY_CAP))


def _in(value: Any, key: str) -> Any:
    """`value[key]` where it is an object; a flat value as it is."""
    return value.get(key) if isinstance(value, dict) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
