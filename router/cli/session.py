"""What commands share: the configuration, errors as one readable line, the store for a while."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from pool.database import Database, MigrationError, StoreUnavailable, open_database
from pool.service import Pool
from router.config import Config, ConfigError, load_config
from router.config.alert import HookReceiver
from router.config.delivery import GoogleAdsCsv
from router.deliveries.sending import NotUsable, secret_of
from router.deliveries.service import client_of, sender_of
from router.deliveries.webhook import signer
from router.store.deliveries import DeliveryStore
from router.store.visits import MIGRATIONS

Result = TypeVar("Result")


def configuration(path: Path) -> Config:
    """The configuration of `--config`; ends the command with every error of the file."""
    try:
        return load_config(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def missing_secrets(config: Config) -> list[str]:
    """What is wrong with the AMI's secrets: where each is looked for, and that it is not there."""
    problems = []
    for key in ("secret", "fallback_secret") if config.ami.enabled else ():
        try:
            getattr(config.ami, key).read()
        except LookupError as error:
            problems.append(f"[ami] key {key}: {error} ([ami] enabled = false does without)")
    return problems


def missing_files(config: Config) -> list[str]:
    """Which files that only enrich are not there: the router starts without them, and looks again."""
    path = config.geoip.database
    if path is None:
        return []
    try:
        with path.open("rb"):
            return []
    except OSError as error:
        why = "is not a file" if isinstance(error, IsADirectoryError) else error.strerror
        return [f"[geoip] key database: {path}: {why}; until it is there, visits carry no region"]


def unusable_tables(config: Config) -> list[str]:
    """Which `[[delivery]]` and `[[alert]]` tables cannot be used as they are: secrets, templates, keys."""
    problems = []
    for table in config.delivery:
        if isinstance(table, GoogleAdsCsv):
            continue
        try:
            sender_of(table, client_of(table), cast("DeliveryStore", None))
        except NotUsable as error:
            problems.append(f"[[delivery]] {table.name!r}: {error}")
    for receiver in config.alert:
        if isinstance(receiver, HookReceiver):
            for key in ("url_secret", "secret"):
                secret = getattr(receiver, key)
                try:
                    text = secret_of(secret, key) if secret is not None else ""
                    if key == "secret" and text:
                        signer(text)
                except NotUsable as error:
                    problems.append(f"[[alert]] {receiver.name!r}: {error}")
    if config.alerts.smtp_password is not None:
        try:
            secret_of(config.alerts.smtp_password, "smtp_password")
        except NotUsable as error:
            problems.append(f"[alerts] {error}")
    return problems


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`; ends the command when the store cannot be used."""
    try:
        return asyncio.run(work)
    except StoreUnavailable as error:
        raise click.ClickException(f"the store cannot be used: {error}") from error
    except MigrationError as error:
        raise click.ClickException(str(error)) from error


@asynccontextmanager
async def store(config: Config) -> AsyncIterator[tuple[Database, Pool]]:
    """The store with its schema up to date, and the pool in it; closed at the end."""
    database = await open_database(config.storage.url)
    try:
        pool = Pool(database, rest_seconds=config.pool.rest_seconds, idle_days=config.pool.idle_days)
        await pool.open()
        await database.migrate("router", MIGRATIONS)
        yield database, pool
    finally:
        await database.close()
