"""What commands share: the configuration, errors as one readable line, the store for a while."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from pool.database import Database, StoreUnavailable
from router.config import Config, ConfigError, load_config
from router.store import open_store

Result = TypeVar("Result")


def configuration(path: Path) -> Config:
    """The configuration of `--config`; ends the command with every error of the file."""
    try:
        return load_config(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`; ends the command when the store cannot be used."""
    try:
        return asyncio.run(work)
    except StoreUnavailable as error:
        raise click.ClickException(f"the store cannot be used: {error}") from error


@asynccontextmanager
async def store(config: Config) -> AsyncIterator[Database]:
    """The store with its schema up to date, closed at the end."""
    database = open_store(config.storage.url)
    try:
        await database.migrate_all()
        yield database.database
    finally:
        await database.close()
