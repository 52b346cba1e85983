"""`leaseline costs`: what advertising cost, for the cost of a call."""

from pathlib import Path

import click

from router.cli.session import configuration, run, store
from router.reports.costs import CostsRefused, Imported, import_costs


@click.group()
def costs() -> None:
    """Advertising costs."""


@costs.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_command(path: Path, file: Path) -> None:
    """Import a CSV file: day, site, cost, currency, and channel or source, medium, campaign.

    All of it or nothing. For each site and day in the file, what was imported before is replaced.
    """
    config = configuration(path)

    async def work() -> Imported:
        async with store(config) as (database, _):
            return await import_costs(database, config, file)

    try:
        done = run(work())
    except CostsRefused as refused:
        raise click.ClickException(f"{file}: nothing was imported\n{refused}") from refused
    click.echo(f"{done.rows} costs on {done.days} days of sites are stored")
