"""`leaseline cdr`: finished calls as they are written, and out of the store."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Container, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pool.database import StoreUnavailable
from pool.instants import LAST_INSTANT, from_iso
from router.cdr.flat import COLUMNS, flat
from router.cli.output import terminal_text
from router.cli.session import configuration, run, store
from router.spreadsheet import csv_lines
from router.store.calls import CallFilter, CallStore, Cursor
from router.store.following import Following

LOOK_SECONDS = 0.2
PAGE = 500
COLOURS = {
    "answered": "green",
    "missed": "yellow",
    "busy": "yellow",
    "cancelled": "yellow",
    "blocked": "magenta",
}


@click.group()
def cdr() -> None:
    """Finished calls."""


def filters(command: Any) -> Any:
    """The options that choose calls."""
    for name in ("source", "channel", "match", "result", "caller", "number", "site"):
        command = click.option(f"--{name}", help=f"Only calls with this {name}.")(command)
    return command


@cdr.command("tail")
@click.option("-f", "--follow", is_flag=True, help="Go on with calls as they are written, until Ctrl-C.")
@click.option(
    "-n", "--lines", default=10, show_default=True, type=click.IntRange(0, 10_000), help="How many first."
)
@click.option("--json", "as_json", is_flag=True, help="The whole CDR, one JSON object a line.")
@click.option("--switch", help="With -f: only calls of this PBX; by default of all that share the store.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="auto: on a terminal, unless NO_COLOR is set.",
)
@filters
@click.pass_obj
def tail(
    path: Path, /, *, follow: bool, lines: int, as_json: bool, switch: str | None, color: str, **wanted: Any
) -> None:
    """The last calls, one readable line each."""
    config = configuration(path)
    chosen = chosen_by(wanted)
    coloured = {"always": True, "never": False}.get(color, False if os.environ.get("NO_COLOR") else None)

    def say(record: str) -> None:
        click.echo(record if as_json else readable(json.loads(record)), color=coloured)

    async def show() -> None:
        async with store(config) as (database, _):
            following = Following(database, switch)
            await following.begin()
            records, _cursor = await CallStore(database).page(chosen, most=lines) if lines else ([], None)
            for record in reversed(records):
                say(record)
            if follow:
                # A call may have been stored between the two looks.
                told = {json.loads(record)["id"] for record in records}
                async for record in followed(following, told):
                    if is_wanted(json.loads(record), chosen):
                        say(record)

    try:
        run(show())
    except KeyboardInterrupt:
        click.echo()


async def followed(following: Following, told: Container[str]) -> AsyncIterator[str]:
    """Records as they are written, but those in `told`; a store that is gone is waited for."""
    gone = False
    while True:
        try:
            page = await following.newer()
            gone = False
        except StoreUnavailable as error:
            if not gone:
                click.echo(f"the store cannot be read, waiting for it: {error}", err=True)
            gone, page = True, []
        for written in page:
            if written.call_id not in told:
                yield written.record
        if not page:
            await asyncio.sleep(LOOK_SECONDS)


@cdr.command("export")
@click.option(
    "--since", default="", help="Calls that started at or after: 2026-11-22 or 2026-11-22T13:00:00Z."
)
@click.option("--until", default="", help="Calls that started before.")
@click.option(
    "--format", "output_format", type=click.Choice(["ndjson", "csv"]), default="ndjson", show_default=True
)
@filters
@click.pass_obj
def export(path: Path, /, since: str, until: str, output_format: str, **wanted: Any) -> None:
    """All calls, the latest first, to standard output."""
    config = configuration(path)
    bounds = instant("--since", since, 0), instant("--until", until, LAST_INSTANT)
    chosen = replace(chosen_by(wanted), since=bounds[0], until=bounds[1])

    async def write() -> None:
        async with store(config) as (database, _):
            header = True
            async for records in pages(CallStore(database), chosen):
                if output_format == "ndjson":
                    click.echo("\n".join(records))
                    continue
                rows = (flat(json.loads(record)) for record in records)
                click.echo("".join(csv_lines(rows, COLUMNS, header=header)), nl=False)
                header = False
            if header and output_format == "csv":
                click.echo(",".join(COLUMNS))

    run(write())


def chosen_by(wanted: Mapping[str, Any]) -> CallFilter:
    """The filter that the options ask for."""
    return replace(CallFilter(), **wanted)


async def pages(calls: CallStore, chosen: CallFilter) -> AsyncIterator[list[str]]:
    """The chosen calls, page by page."""
    cursor: Cursor | None = None
    while True:
        records, cursor = await calls.page(chosen, after=cursor, most=PAGE)
        if records:
            yield records
        if cursor is None:
            return


def instant(option: str, text: str, default: int) -> int:
    """Milliseconds of a date (UTC) or an ISO instant."""
    if not text:
        return default
    try:
        if len(text) == len("2026-11-22"):
            return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
        return from_iso(text)
    except ValueError as error:
        raise click.BadParameter(f"{option} takes 2026-11-22 or 2026-11-22T13:00:00Z: {error}") from error


def is_wanted(record: dict[str, Any], chosen: CallFilter) -> bool:
    """Whether the filter lets the CDR through."""
    found = flat(record)
    names = ("site", "number", "caller", "result", "match", "channel", "source")
    return all(getattr(chosen, name) in (None, found[name]) for name in names)


def readable(record: dict[str, Any]) -> str:
    """One line for a person: when, result, from whom to what, how long, who it was and how sure that is."""
    attribution = record["attribution"]
    who = record["match"]
    if record["match"] != "none":
        origin = attribution.get("channel") or attribution.get("source") or "?"
        who = f"{origin} ({record['match']} {record['confidence']:.0%})"
        if attribution.get("campaign"):
            who += f" {attribution['campaign']}"
    result = click.style(f"{record['result']:<9}", fg=COLOURS.get(record["result"], "red"))
    caller = record["caller"]["number"] or "anonymous"
    answered = f" by {record['answered_by']}" if record["answered_by"] else ""
    text = (
        f"{caller:>15} → {record['number'] or '?':<15} {record['site'] or '-'} "
        f"ring {record['ring_seconds']:.0f} s, talk {record['talk_seconds']:.0f} s{answered}  {who}"
    )
    return f"{record['started_at'][:19].replace('T', ' ')}  {result}  {terminal_text(text)}"
