"""`leaseline visitor`: what is known of one, and how it is erased."""

import json
from pathlib import Path
from typing import Any

import click

from pool.database import Database
from pool.instants import now
from pool.service import Pool
from router.attribution.story import story
from router.cli.output import terminal_text
from router.cli.session import configuration, run, store
from router.config import Config
from router.routing.numbering import NotANumber, to_e164
from router.store.erasing import Erased, ErasingStore, Person
from router.store.journeys import JourneyStore

SITE = click.option("--site", help="The site's key; by default every site that knows the visitor or caller.")


@click.group()
def visitor() -> None:
    """Visitors: what they did, and how they are erased."""


@visitor.command()
@click.argument("visitor_id")
@SITE
@click.option("--json", "as_json", is_flag=True, help="The whole journey, one JSON object a line and site.")
@click.pass_obj
def show(path: Path, /, visitor_id: str, site: str | None, as_json: bool) -> None:
    """A visitor's visits and calls, in order."""
    config = configuration(path)

    async def look() -> list[Any]:
        async with store(config) as (database, _):
            journeys = JourneyStore(database)
            found = [
                await journeys.journey(key, visitor_id)
                for key in await _sites(config, database, visitor_id, site)
            ]
            return [story(**journey._asdict()) for journey in found if journey is not None]

    stories = run(look())
    if not stories:
        raise click.ClickException(f"nothing is stored of a visitor {terminal_text(visitor_id)}")
    for told in stories:
        if as_json:
            click.echo(json.dumps(told, ensure_ascii=False))
            continue
        callers = ", ".join(told["callers"]) or "none"
        click.echo(f"{told['site']}: {', '.join(told['visitor_ids'])}  callers: {callers}")
        for event in told["events"]:
            click.echo(f"  {event['at'][:19].replace('T', ' ')}  {terminal_text(_line(event))}")


@visitor.command()
@click.argument("visitor_id", required=False)
@click.option(
    "--caller", help="Whoever called from this number: their calls, and the visitors they were taken for."
)
@SITE
@click.option("--recordings", is_flag=True, help="Delete the recordings of these calls too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase(path: Path, /, visitor_id: str | None, **options: Any) -> None:
    """Erase a visitor, or a caller: visits, page views, and the personal part of every call. Counts stay."""
    caller: str | None = options["caller"]
    site: str | None = options["site"]
    if (visitor_id is None) == (caller is None):
        raise click.UsageError("give either a visitor's id or --caller NUMBER")
    if visitor_id is not None and not (visitor_id.isascii() and visitor_id.isalnum()):
        raise click.BadParameter(f"{terminal_text(visitor_id)!r} is no visitor's id")
    config = configuration(path)
    number = _number(caller, config) if caller is not None else None

    async def find(database: Database, pool: Pool) -> Person:
        erasing = ErasingStore(database, pool)
        if number is not None:
            return await erasing.of_caller(number, site)
        sites = await _sites(config, database, visitor_id or "", site)
        return await erasing.of_visitor(visitor_id or "", sites)

    async def act() -> Erased | None:
        async with store(config) as (database, pool):
            person = await find(database, pool)
            if not person.visitors and not person.calls:
                return None
            told = f"{len(person.visitors)} visitors and {len(person.calls)} calls"
            if not options["yes"]:
                click.confirm(f"Erase {told}? This cannot be undone", abort=True, err=True)
            return await ErasingStore(database, pool).erase(person, now(), recordings=options["recordings"])

    erased = run(act())
    if erased is None:
        raise click.ClickException("nothing is stored of them")
    click.echo(
        f"erased {erased.visitors} visitors: {erased.visits} visits, {erased.page_views} page views, "
        f"{erased.leases} leases; blanked {erased.calls} calls, "
        f"and {erased.mentions} calls of others that named them"
    )
    click.echo(
        "The router beside each PBX blanks its cdr.ndjson files within a minute"
        + (
            " and deletes the recordings" if options["recordings"] else "; recordings are kept (--recordings)"
        ),
        err=True,
    )


async def _sites(config: Config, database: Database, visitor_id: str, site: str | None) -> list[str]:
    """The sites that know the visitor, or the one that was named if it does."""
    keys = {one.key for one in config.site} | ({site} if site else set())
    known = await JourneyStore(database).sites_of(visitor_id, sorted(keys))
    return [key for key in known if site in {None, key}]


def _number(caller: str, config: Config) -> str:
    """The number as calls have it: E.164, or what was sent where that is no phone number."""
    try:
        return to_e164(caller, config.asterisk.country)
    except NotANumber:
        return caller


def _line(event: dict[str, Any]) -> str:
    if event["kind"] == "visit":
        origin = " / ".join(filter(None, (event["source"], event["medium"], event["campaign"])))
        return f"visit {event['visit_count']}  {event['channel']}: {origin}  {event['landing_page']}"
    sure = f"{event['match']} {event['confidence']:.0%}"
    return f"call from {event['caller'] or 'anonymous'} to {event['number']}  {event['result']}  {sure}"
