"""`leaseline doctor`: do the running parts see each other?"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import click

from agi.ami import AmiConnection, AmiError
from agi.ami_event import AmiReply
from dialplan.render import ANSWERED_VERSIONS, DIALPLAN_VERSION
from pool.instants import now
from router.cli.session import configuration, missing_secrets, store
from router.config import Config
from router.geoip import open_lookup
from router.recordings.encoders import WANTED, find_encoder

LEAST_FREE_BYTES = 256 * 1024 * 1024
CLOCK_SECONDS = 2.0
AMI_SECONDS = 3.0
CEL_MODULE = "cel_custom"
NO_CEL = (
    f"{CEL_MODULE} is not loaded, so there is no journal and no CDR: is it in modules.conf, and does "
    f"`module load {CEL_MODULE}.so` work? `cel show status` tells the rest"
)


class Finding(NamedTuple):
    """What was looked at, whether it is well, and what was found or is to be done."""

    part: str
    well: bool
    text: str


@click.command()
@click.pass_obj
def doctor(path: Path) -> None:
    """Ask each part; exit 1 when any is not well."""
    config = configuration(path)

    async def examine() -> bool:
        all_well = True
        async for finding in findings(config):
            mark = click.style("ok  ", fg="green") if finding.well else click.style("BAD ", fg="red")
            click.echo(f"{mark} {finding.part:<12} {finding.text}")
            all_well = all_well and finding.well
        return all_well

    if not asyncio.run(examine()):
        raise SystemExit(1)


async def findings(config: Config) -> AsyncIterator[Finding]:
    """Every finding, in the order in which trouble spreads."""
    yield await _database(config)
    yield await _fastagi(config)
    for problem in missing_secrets(config):
        yield Finding("AMI", False, problem)
    if config.ami.enabled and not missing_secrets(config):
        async for finding in _asterisk(config):
            yield finding
    yield _journal(config)
    yield _writable("CDR file", config.cdr.path.parent)
    # Recordings are repaired, merged, converted and deleted there.
    yield _writable("recordings", config.recordings.folder)
    yield _encoder(config)
    if config.geoip.database is not None:
        yield _geoip(config.geoip.database)
    for folder in (config.journal.path.parent, config.cdr.path.parent):
        yield _disk("disk", folder, LEAST_FREE_BYTES)
    least = config.recordings.least_free_megabytes * 1024 * 1024
    yield _disk("disk", config.recordings.folder, least)


async def _database(config: Config) -> Finding:
    try:
        async with store(config) as (_, pool):
            status = await pool.status(now())
    except Exception as error:
        return Finding("store", False, f"{config.storage.url.split('@')[-1]}: {error}")
    count = sum(status.total(state) for state in ("free", "live", "frozen", "resting"))
    return Finding(
        "store", count > 0, f"{count} dynamic numbers" if count else "no numbers: leaseline numbers import"
    )


async def _fastagi(config: Config) -> Finding:
    where = f"{config.fastagi.host}:{config.fastagi.port}"
    started = time.monotonic()
    try:
        async with asyncio.timeout(2):
            _, writer = await asyncio.open_connection(config.fastagi.host, config.fastagi.port)
            writer.close()
    except (OSError, TimeoutError) as error:
        return Finding("FastAGI", False, f"{where}: {error or 'no answer'} (is `leaseline serve` running?)")
    return Finding("FastAGI", True, f"{where} accepts in {(time.monotonic() - started) * 1000:.1f} ms")


async def _asterisk(config: Config) -> AsyncIterator[Finding]:
    ami = config.ami
    connection = AmiConnection(ami.host, ami.port, ami.username, ami.secret.read(), events="off")
    running = asyncio.create_task(connection.run())
    try:
        if not await connection.wait_connected(AMI_SECONDS):
            yield Finding("AMI", False, f"{ami.host}:{ami.port}: {connection.last_error}")
            return
        yield Finding(
            "AMI",
            True,
            f"{ami.host}:{ami.port}, {(await connection.ping()) * 1000:.1f} ms, as {ami.username}",
        )
        yield await _ask(connection, "Asterisk", {"Action": "CoreStatus"}, _status)
        yield await _ask(connection, "dialplan", {"Action": "Getvar", "Variable": "LL_DIALPLAN"}, _version)
        yield await _ask(
            connection,
            "dialplan asks",
            {"Action": "Getvar", "Variable": "LL_AGI"},
            lambda reply: _agi(reply, config),
        )
    finally:
        await connection.close()
        await running
    yield await _cel(config)


async def _cel(config: Config) -> Finding:
    """Whether the journal's back end is loaded: only AstDB's user, of class `system`, may ask that."""
    ami = config.ami
    connection = AmiConnection(
        ami.host, ami.port, ami.fallback_username, ami.fallback_secret.read(), events="off"
    )
    try:
        async with connection.visit():
            return await _ask(
                connection, "CEL", {"Action": "ModuleCheck", "Module": CEL_MODULE}, _module, refused=NO_CEL
            )
    except (AmiError, OSError) as error:
        return Finding("CEL", False, f"{ami.host}:{ami.port} as {ami.fallback_username}: {error}")


def _module(reply: AmiReply) -> tuple[bool, str]:
    return True, f"{CEL_MODULE} is loaded"


async def _ask(
    connection: AmiConnection,
    part: str,
    action: dict[str, str],
    read: Callable[[AmiReply], tuple[bool, str]],
    *,
    refused: str = "",
) -> Finding:
    """`refused`: what a refusal means, where Asterisk's own words do not say it."""
    try:
        reply = await connection.action(action)
    except AmiError as error:
        return Finding(part, False, str(error))
    if not reply.success:
        return Finding(part, False, refused or f"{action['Action']}: {reply.message}")
    return Finding(part, *read(reply))


def _value(reply: AmiReply, header: str) -> str:
    value = reply.headers.get(header.lower(), "")
    return value if isinstance(value, str) else value[0]


def _status(reply: AmiReply) -> tuple[bool, str]:
    started = f"{_value(reply, 'CoreStartupDate')} {_value(reply, 'CoreStartupTime')}"
    return True, f"up since {started}, {_value(reply, 'CoreCurrentCalls') or 0} calls"


def _version(reply: AmiReply) -> tuple[bool, str]:
    found = _value(reply, "Value")
    if found == DIALPLAN_VERSION:
        return True, f"version {found}"
    if found in ANSWERED_VERSIONS:
        return (
            True,
            f"version {found} works; with {DIALPLAN_VERSION}, rendered and reloaded, calls ring sooner",
        )
    if not found:
        return False, "leaseline.conf is not loaded: include it in extensions.conf, then `dialplan reload`"
    return False, f"version {found}, this router needs {DIALPLAN_VERSION}: render and reload it"


def _agi(reply: AmiReply, config: Config) -> tuple[bool, str]:
    found = _value(reply, "Value")
    port = found.rpartition(":")[2]
    if found and port.isdigit() and int(port) != config.fastagi.port:
        return False, f"{found}, but [fastagi] port is {config.fastagi.port}"
    return bool(found), found or "LL_AGI is not set"


def _journal(config: Config) -> Finding:
    path = config.journal.path
    try:
        state = path.stat()
        with path.open("rb") as file:
            columns = file.readline().count(b'","') + 1
    except OSError as error:
        return Finding(
            "journal", False, f"{path}: {error.strerror} (`cel show status` in Asterisk; one call makes it)"
        )
    if state.st_size and columns != 12:
        return Finding(
            "journal", False, f"{path}: {columns} columns, not 12: is cel_custom.conf the rendered one?"
        )
    if not os.access(path.parent, os.W_OK):
        return Finding(
            "journal", False, f"{path.parent}: cannot be written, so the journal cannot be rotated"
        )
    drift = state.st_mtime - time.time()
    if drift > CLOCK_SECONDS:
        return Finding("clock", False, f"the journal was written {drift:.0f} s in the future")
    return Finding("journal", True, f"{path}: {state.st_size} bytes, last written {max(0, -drift):.0f} s ago")


def _writable(part: str, folder: Path) -> Finding:
    well = folder.is_dir() and os.access(folder, os.W_OK)
    return Finding(part, well, f"{folder}{'' if well else ': is not a folder that can be written'}")


def _encoder(config: Config) -> Finding:
    wanted = config.recordings.format
    if wanted == "wav":
        return Finding("recordings", True, "kept as WAV ([recordings] format)")
    found = find_encoder(wanted)
    if found is None:
        text = f'format = "{wanted}" needs {WANTED[wanted]}: until then they stay WAV'
        return Finding("recordings", False, text)
    return Finding("recordings", True, f"converted to {wanted} by {found.encode[0]}")


def _geoip(path: Path) -> Finding:
    try:
        opened = open_lookup(path)
    except Exception as error:  # a damaged file may make the reader raise anything
        return Finding("GeoIP", False, f"{path}: {error}; visits carry no region")
    return Finding("GeoIP", True, f"{path}: {opened.database_type}")


def _disk(part: str, folder: Path, least_bytes: int) -> Finding:
    try:
        state = os.statvfs(folder)
    except OSError as error:
        return Finding(part, False, f"{folder}: {error.strerror}")
    free = state.f_bavail * state.f_frsize
    return Finding(part, free >= least_bytes, f"{folder}: {free // 1024 // 1024} MB free")
