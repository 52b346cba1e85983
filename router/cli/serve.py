"""`leaseline serve`: the router."""

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pool.database import open_database
from router.cli.session import configuration, missing_secrets
from router.collector import calm_collector
from router.config.live import LiveConfig
from router.log import set_up_logging
from router.service import Role, Service


@click.command()
@click.option("--role", type=click.Choice([role.value for role in Role]), default="all", show_default=True)
@click.pass_obj
def serve(path: Path, role: str) -> None:
    """Answer the dialplan and the widget until SIGTERM; SIGHUP reads the configuration again."""
    config = configuration(path)
    set_up_logging(config.node.log_level, config.node.log_format)
    live = LiveConfig(path, config)

    async def run() -> None:
        database = await open_database(config.storage.url)
        service = Service(live, Role(role), database)
        calm_collector()
        await service.run()

    problems = missing_secrets(config) if role != Role.WEB else []
    if problems:
        raise click.ClickException("\n".join(f"{path}: {problem}" for problem in problems))
    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(run())
    except OSError as error:
        raise click.ClickException(f"cannot start: {error}") from error


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed (the extra "fast"): a third less CPU for each question."""
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
