"""What commands share: the configuration, errors as one readable line, the store for a while."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from pool.database import Database, MigrationError, StoreUnavailable, open_database
from pool.service import Pool
from router.config import Config, ConfigError, load_config
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
