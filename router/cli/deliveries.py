"""`leaseline deliveries`: what was told to other systems, why not, and making it due again."""

import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pool.instants import LAST_INSTANT, now, to_iso
from router.cli.cdr import instant
from router.cli.output import format_option, print_rows, terminal_text
from router.cli.session import configuration, run, store
from router.config import Config
from router.config.delivery import AnyDestination, GoogleAdsCsv
from router.deliveries.client import NoAnswer, NotReached
from router.deliveries.feed import feed_of
from router.deliveries.google_token import NoToken
from router.deliveries.outcome import Outcome
from router.deliveries.sending import Item, NotUsable
from router.deliveries.service import client_of, sender_of
from router.store.deliveries import STATES, DeliveryCursor, DeliveryFilter, DeliveryStore, State

COLUMNS = (
    "call", "destination", "state", "attempts", "due_at", "sent_at", "started_at", "site", "caller", "result",
    "answer", "reason",
)  # fmt: skip
PAGE = 500


@click.group()
def deliveries() -> None:
    """What other systems were told of calls."""


@deliveries.command("list")
@click.option("--destination", help="Only this one.")
@click.option("--state", type=click.Choice(STATES))
@click.option("--site", help="Only calls of this site.")
@click.option("--call", help="Only this call, by its id.")
@click.option(
    "--since", default="", help="Calls that started at or after: 2026-11-22 or 2026-11-22T13:00:00Z."
)
@click.option("--until", default="", help="Calls that started before.")
@click.option("-n", "--most", default=100, show_default=True, type=click.IntRange(1, 1_000_000))
@format_option
@click.pass_obj
def list_deliveries(
    path: Path, /, *, since: str, until: str, most: int, output_format: str, **wanted: Any
) -> None:
    """Deliveries, those of the latest calls first: sent when, answered what, or not sent because …"""
    wanted |= {"since": instant("--since", since, 0), "until": instant("--until", until, LAST_INSTANT)}
    chosen = replace(DeliveryFilter(), **wanted)

    async def look(known: DeliveryStore, _: Config) -> list[Any]:
        rows: list[Any] = []
        cursor: DeliveryCursor | None = None
        while len(rows) < most:
            page, cursor = await known.page(chosen, after=cursor, most=min(PAGE, most - len(rows)))
            rows += page
            if cursor is None:
                break
        return rows

    print_rows(_do(path, look), COLUMNS, output_format)


@deliveries.command()
@format_option
@click.pass_obj
def destinations(path: Path, /, output_format: str) -> None:
    """Each destination: how many deliveries are in which state, and whether it is disabled."""

    async def look(known: DeliveryStore, config: Config) -> list[dict[str, Any]]:
        kinds = {table.name: table.kind for table in config.delivery}
        counted: dict[str, dict[str, Any]] = {name: {} for name in kinds}
        for row in await known.counts():
            counted.setdefault(row["destination"], {})[row["state"]] = row["deliveries"]
        standings = await known.standings()
        return [
            {
                "destination": name,
                "kind": kinds.get(name),
                **{state: counts.get(state, 0) for state in STATES},
                "disabled": standings[name].disabled_reason if name in standings else None,
            }
            for name, counts in sorted(counted.items())
        ]

    print_rows(_do(path, look), ("destination", "kind", *STATES, "disabled"), output_format)


@deliveries.command()
@click.argument("call")
@click.argument("destination")
@click.pass_obj
def show(path: Path, /, call: str, destination: str) -> None:
    """One delivery, and the record that it tells, as JSON."""

    async def look(known: DeliveryStore, _: Config) -> dict[str, Any]:
        rows, _cursor = await known.page(DeliveryFilter(call=call, destination=destination))
        if not rows:
            raise click.ClickException(f"nothing is known of call {call} for {destination}")
        return {**rows[0], "record": json.loads(await known.record(call) or "null")}

    click.echo(json.dumps(_do(path, look), indent=2))


@deliveries.command()
@click.argument("destination")
@click.argument("calls", nargs=-1)
@click.option("--all", "state", type=click.Choice(["dead", "unclear", "refused"]), help="All in this state.")
@click.pass_obj
def retry(path: Path, /, destination: str, calls: tuple[str, ...], state: State | None) -> None:
    """Make deliveries due again: these CALLS, or --all in one state. The router then sends them."""
    if bool(calls) == (state is not None):
        raise click.UsageError("name calls, or give --all STATE")

    async def act(known: DeliveryStore, config: Config) -> int:
        _table(config, destination)
        if state is not None:
            return await known.retry_all(destination, state, now())
        done = [await known.retry(call, destination, now()) for call in calls]
        for call, again in zip(calls, done, strict=True):
            if not again:
                why = "there is no such delivery, it is being sent, or its call was erased"
                click.echo(f"{terminal_text(call)}: {why}", err=True)
        return sum(done)

    count = _do(path, act)
    click.echo(f"{count} due again")
    if not count:
        raise SystemExit(1)


@deliveries.command()
@click.argument("destination")
@click.pass_obj
def enable(path: Path, /, destination: str) -> None:
    """Send again to a destination that answered 410."""

    async def act(known: DeliveryStore, _: Config) -> bool:
        return await known.enable(destination)

    if not _do(path, act):
        raise click.ClickException(f"{destination} is not disabled")
    click.echo(f"{destination} is enabled")


@deliveries.command()
@click.argument("destination")
@click.argument("call", required=False)
@click.option("--send", is_flag=True, help="Really send it, once. Nothing is noted: this is no delivery.")
@click.pass_obj
def test(path: Path, /, destination: str, call: str | None, send: bool) -> None:
    """Show what would be sent of CALL (by default the last one), and what the far side validates."""

    async def act(known: DeliveryStore, config: Config) -> dict[str, Any]:
        table = _table(config, destination)
        call_id = call
        if call_id is None:
            rows, _cursor = await known.page(DeliveryFilter(destination=destination), most=1)
            if not rows:
                raise click.ClickException(f"there is no call for {destination} yet: name one")
            call_id = rows[0]["call"]
        record = await known.record(call_id)
        if record is None:
            raise click.ClickException(f"no call has the id {call_id}")
        return await _tried(table, known, Item(call_id, record), send=send)

    click.echo(json.dumps(_do(path, act), indent=2))


async def _tried(table: AnyDestination, known: DeliveryStore, item: Item, *, send: bool) -> dict[str, Any]:
    client = client_of(table)
    try:
        sender = sender_of(table, client, known)
        if not send:
            return await sender.dry_run(item, now())
        prepared = await sender.prepare(item, now())
        if isinstance(prepared, Outcome):
            return {"refused": prepared.text}
        started = time.monotonic()
        (outcome,) = await sender.send([prepared], now())
        return {
            "ended": outcome.ending.value,
            "answer": outcome.text,
            "seconds": round(time.monotonic() - started, 3),
            "at": to_iso(now()),
        }
    except NotUsable as error:
        raise click.ClickException(f"[[delivery]] {table.name!r}: {error}") from error
    except (NotReached, NoAnswer, NoToken) as error:
        raise click.ClickException(f"{table.name}: {error}") from error
    finally:
        await client.close()


@deliveries.command()
@click.argument("destination")
@click.option("--mark", is_flag=True, help="Note what was due as sent: for files that are then uploaded.")
@click.pass_obj
def feed(path: Path, /, destination: str, mark: bool) -> None:
    """The file of a google_ads_csv destination, to standard output."""

    async def look(known: DeliveryStore, config: Config) -> str:
        table = _table(config, destination)
        if not isinstance(table, GoogleAdsCsv):
            raise click.ClickException(f"{destination} is of the kind {table.kind}: it has no file")
        text, _rows = await feed_of(table, known, now(), by="the command line" if mark else None)
        return text

    click.echo(_do(path, look), nl=False)


def _table(config: Config, destination: str) -> AnyDestination:
    for table in config.delivery:
        if table.name == destination:
            return table
    known = ", ".join(table.name for table in config.delivery) or "there are none"
    raise click.ClickException(f"no [[delivery]] is named {destination!r}: {known}")


def _do(path: Path, work: Callable[[DeliveryStore, Config], Coroutine[Any, Any, Any]]) -> Any:
    config = configuration(path)

    async def act() -> Any:
        async with store(config) as (database, _):
            return await work(DeliveryStore(database), config)

    return run(act())
