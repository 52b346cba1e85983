"""`leaseline pool size`: how many numbers the traffic needs."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import click

from pool.instants import now
from pool.sizing import Size, erlangs, sizes_around, wanted_numbers
from pool.traffic import Offered, offered
from router.cli.output import format_option, print_rows
from router.cli.session import configuration, run, store
from router.config import Config

OFFERED = ("site", "pool", "visits_per_hour", "busiest_hour", "hold_minutes", "holds", "erlangs")
SIZES = ("numbers", "blocking", "note")


class Measured(NamedTuple):
    """What the store tells of one pool."""

    traffic: list[Offered]
    present: int


@click.command()
@click.option("--site", help="Its measured traffic, with that of the other sites that draw from its pool.")
@click.option("--pool", "pool_name", help="One of the site's pools other than its first.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366), help="Measure since then.")
@click.option("--visits-per-hour", type=click.FloatRange(0), help="In the busy hour; instead of measuring.")
@click.option(
    "--hold-minutes",
    type=click.FloatRange(0),
    help="How long a visit takes a number: visit, freeze and rest; instead of measuring.",
)
@click.option(
    "--blocking",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="The share of visits that may find no number.",
)
@format_option
@click.pass_obj
def size(
    path: Path,
    /,
    *,
    site: str | None,
    pool_name: str | None,
    days: int,
    visits_per_hour: float | None,
    hold_minutes: float | None,
    blocking: float,
    output_format: str,
) -> None:
    """How many numbers a pool needs, by Erlang's B formula, and what the present size gives.

    What the real rules would do with traffic of your own: `leaseline replay --sweep` (docs/sizing.md).
    """
    measured = None
    if site is not None:
        measured = _measured(configuration(path), site, pool_name, days)
    elif visits_per_hour is None or hold_minutes is None:
        raise click.UsageError("say --site, or both --visits-per-hour and --hold-minutes")
    rows = _traffic(measured, site or "", visits_per_hour, hold_minutes, days)
    present = measured.present if measured else None
    try:
        load = sum(erlangs(row["visits_per_hour"], row["hold_minutes"]) for row in rows)
        wanted = wanted_numbers(load, blocking)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    sizes = sizes_around(load, wanted, present)
    if output_format == "json":
        figures = {"erlangs": round(load, 3), "blocking": blocking, "wanted": wanted, "present": present}
        found = [{"numbers": one.numbers, "blocking": round(one.blocking, 6)} for one in sizes]
        click.echo(json.dumps({**figures, "traffic": rows, "sizes": found}, indent=2))
        return
    if output_format == "table":
        print_rows(rows, OFFERED, output_format)
        click.echo(
            f"\n{load:.2f} erlangs offered; {wanted} numbers for a blocking of at most {blocking:.2%}\n"
        )
    print_rows([_row(one, wanted, present, output_format) for one in sizes], SIZES, output_format)


def _measured(config: Config, key: str, pool_name: str | None, days: int) -> Measured:
    site = config.site_of(key)
    if site is None:
        raise click.ClickException(f"{key!r} is not a [[site]] of the configuration")
    wanted = pool_name or site.pool

    async def look() -> Measured:
        at = now()
        async with store(config) as (database, pool):
            traffic = await offered(database, at, days=days, rest_seconds=config.pool.rest_seconds)
            states = (await pool.status(at)).states
        present = sum(sum(counts.values()) for (name, _), counts in states.items() if name == wanted)
        return Measured([one for one in traffic if one.pool == wanted], present)

    return run(look())


def _traffic(
    measured: Measured | None, site: str, visits_per_hour: float | None, hold_minutes: float | None, days: int
) -> list[dict[str, Any]]:
    """One row per site of the pool, with the given figures in place of the measured ones of `site`.

    Where a site never held a number, the mean of the others' holding times stands for its own.
    """
    traffic = {one.site: one for one in measured.traffic} if measured else {}
    if site not in traffic:
        if visits_per_hour is None:
            raise click.ClickException(
                f"{site} had no visit that wanted a number in {days} days: give --visits-per-hour and "
                "--hold-minutes"
            )
        traffic[site] = Offered(site, "", visits_per_hour, None, None, 0)
    known = [(one.holds, one.hold_minutes) for one in traffic.values() if one.hold_minutes is not None]
    holds = sum(count for count, _ in known)
    mean = sum(count * minutes for count, minutes in known) / holds if holds else None
    rows = []
    for one in traffic.values():
        given = one.site == site
        rate = visits_per_hour if given and visits_per_hour is not None else one.visits_per_hour
        minutes = hold_minutes if given and hold_minutes is not None else one.hold_minutes or mean
        if minutes is None:
            raise click.ClickException(f"nobody held a number in {days} days: give --hold-minutes")
        rows.append(
            {
                "site": one.site,
                "pool": one.pool,
                "visits_per_hour": round(rate, 3),
                "busiest_hour": one.busiest,
                "hold_minutes": round(minutes, 3),
                "holds": one.holds,
                "erlangs": round(rate * minutes / 60, 3),
            }
        )
    return rows


def _row(size: Size, wanted: int, present: int | None, output_format: str) -> dict[str, Any]:
    notes = [name for name, numbers in (("wanted", wanted), ("present", present)) if size.numbers == numbers]
    share = f"{size.blocking:.2%}" if output_format == "table" else round(size.blocking, 6)
    return {"numbers": size.numbers, "blocking": share, "note": ", ".join(notes)}
