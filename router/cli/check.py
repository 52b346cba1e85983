"""`leaseline check`: is the configuration good?"""

from pathlib import Path

import click

from router.cli.session import configuration, missing_files, missing_secrets, unusable_tables


@click.command()
@click.pass_obj
def check(path: Path) -> None:
    """Read the configuration; exit 1 with every error's table, key and what is allowed."""
    config = configuration(path)
    sites = ", ".join(site.key for site in config.site) or "none"
    click.echo(f"{path}: good. Sites: {sites}.")
    for problem in missing_secrets(config):
        click.echo(f"note: {problem}", err=True)
    for problem in unusable_tables(config):
        click.echo(f"note: {problem}", err=True)
    for problem in missing_files(config):
        click.echo(f"note: {problem}", err=True)
    if not config.site:
        click.echo("There is no [[site]] yet: every call takes the fallback.", err=True)
