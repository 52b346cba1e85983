"""`leaseline pool`: how the numbers stand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pool.instants import HOUR, now
from pool.inventory import PoolStatus
from router.cli.output import format_option, print_rows
from router.cli.session import configuration, run, store
from router.cli.size import size

STATES = ("free", "live", "frozen", "resting")
RUNGS = ("own", "site", "base", "extension", "reserve", "main", "static")


@click.group()
def pool() -> None:
    """The pool of numbers."""


pool.add_command(size)


@pool.command()
@click.option("--site", help="Only what this site was served.")
@click.option(
    "--hours", default=24, show_default=True, type=click.IntRange(1, 24 * 366), help="Falls since then."
)
@format_option
@click.pass_obj
def status(path: Path, site: str | None, hours: int, output_format: str) -> None:
    """Free, live, frozen and resting numbers by site; which rung served visits; coverage."""
    config = configuration(path)

    async def look() -> PoolStatus:
        at = now()
        async with store(config) as (_, numbers):
            return await numbers.status(at, served_since_at=at - hours * HOUR, site=site)

    found = run(look())
    if output_format == "json":
        parts = {"numbers": list(_numbers(found)), "served": list(_served(found))}
        click.echo(json.dumps({**parts, "coverage": found.coverage, "retired": found.retired}, indent=2))
        return
    print_rows(_numbers(found), ("pool", "site", *STATES), output_format)
    if output_format == "table":
        click.echo()
        print_rows(_served(found), ("pool", "for_site", *RUNGS), output_format)
        coverage = "no visit yet" if found.coverage is None else f"{found.coverage:.1%}"
        click.echo(f"\ncoverage in {hours} h: {coverage} (visits that were shown a number of their own)")
        click.echo(f"retired: {found.retired}")


def _numbers(found: PoolStatus) -> Iterator[dict[str, Any]]:
    for (name, site), counts in sorted(found.states.items()):
        yield {"pool": name, "site": site or "(base)", **{state: counts.get(state, 0) for state in STATES}}


def _served(found: PoolStatus) -> Iterator[dict[str, Any]]:
    for (site, name), counts in sorted(found.served.items()):
        by_name = {rung.value: slots for rung, slots in counts.items()}
        yield {"pool": name, "for_site": site, **{rung: by_name.get(rung, 0) for rung in RUNGS}}
