"""`leaseline report`: which advertising makes the phone ring."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pool.instants import now
from router.attribution.journey import MODELS
from router.cli.output import format_option, print_rows, terminal_text
from router.cli.session import configuration, run, store
from router.reports import DIMENSIONS, Filters, Query, Report, Reports, period
from router.reports.answer import columns_of, entry_of, flat_rows, head_of
from router.reports.names import NAMES
from router.reports.parquet import NoPyArrow, write_parquet
from router.reports.periods import PERIODS, BadPeriod, today_in
from router.reports.pool import COLUMNS as POOL_COLUMNS
from router.reports.pool import PoolAnswer, pool_report
from router.reports.pool_use import PoolUse
from router.reports.query import COMPARISONS, DEFAULT_ROWS, MOST_ROWS, ORDERS
from router.reports.rebuild import Difference, Rebuild

SHOWN = (
    "visits", "visitors", "coverage", "callers", "calls", "answered", "missed", "qualified", "first_time",
    "conversion", "expected_low_95", "expected_high_95", "mean_talk_seconds", "cost", "cost_per_call",
)  # fmt: skip
"""What a table has room for; the other formats have every figure."""
FILTERS = tuple(Filters.__dataclass_fields__)


class ReportGroup(click.Group):
    """A command for every dimension."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(name.replace("_", "-") for name in NAMES), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        dimension = NAMES.get(name, name)
        return by_dimension(dimension) if dimension in DIMENSIONS else super().get_command(ctx, cmd_name)


@click.group(cls=ReportGroup)
def report() -> None:
    """Reports; docs/reports.md defines each figure."""


def by_dimension(dimension: str) -> click.Command:
    """The command for one dimension."""

    @click.command(dimension, help=f"Calls and visits by {DIMENSIONS[dimension].title.lower()}.")
    @click.option(
        "--period", "wanted", default="28d", show_default=True, help=", ".join(PERIODS) + ", or dates."
    )
    @click.option("--site", help="Only this site.")
    @click.option(
        "--model",
        type=click.Choice(MODELS),
        default="last",
        show_default=True,
        help="Which visit is credited.",
    )
    @click.option("--compare", type=click.Choice(COMPARISONS[1:]), help="Also an earlier period.")
    @click.option("--rows", type=click.IntRange(1, MOST_ROWS), default=DEFAULT_ROWS, show_default=True)
    @click.option("--order", type=click.Choice(ORDERS), default="calls", show_default=True)
    @click.option(
        "--format",
        "output_format",
        type=click.Choice(["table", "json", "csv", "parquet"]),
        default="table",
        show_default=True,
    )
    @click.option(
        "--output", type=click.Path(dir_okay=False, path_type=Path), help="Parquet: into this file."
    )
    @filter_options
    @click.pass_obj
    def command(path: Path, /, **asked: Any) -> None:
        _show(path, dimension, asked)

    return command


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each filter."""
    for name in reversed(FILTERS):
        option = click.option(
            f"--{name.replace('_', '-')}", name, help=f"Only this {name.replace('_', ' ')}."
        )
        command = option(command)
    return command


def _show(path: Path, dimension: str, asked: dict[str, Any]) -> None:
    config = configuration(path)
    site = asked["site"]
    if site is not None and config.site_of(site) is None:
        known = ", ".join(one.key for one in config.site)
        raise click.BadParameter(
            f"no site has the key {site!r}; there are {known or 'none'}", param_hint="--site"
        )
    if asked["output_format"] == "parquet" and asked["output"] is None:
        raise click.UsageError("--format parquet needs --output FILE")

    async def make() -> Report:
        async with store(config) as (database, _):
            reports = Reports(database, lambda: config)
            chosen = period(asked["wanted"], today_in(reports.zone_of(site), now()))
            filters = Filters(**{name: asked[name] for name in FILTERS})
            return await reports.make(
                Query(
                    dimension, chosen, site, model=asked["model"], filters=filters,
                    compare=asked["compare"] or "", rows=asked["rows"], order=asked["order"],
                )
            )  # fmt: skip

    try:
        made = run(make())
    except BadPeriod as error:
        raise click.BadParameter(str(error), param_hint="--period") from error
    _print(made, asked["output_format"], asked["output"])


def _print(made: Report, output_format: str, output: Path | None) -> None:
    if output_format == "json":
        whole = {**head_of(made), "rows": [entry_of(row) for row in made.rows]}
        click.echo(json.dumps(whole, indent=2, ensure_ascii=False))
    elif output_format == "csv":
        print_rows(flat_rows(made), columns_of(made), "csv")
    elif output_format == "parquet" and output is not None:
        try:
            write_parquet(made, output)
        except NoPyArrow as error:
            raise click.ClickException(str(error)) from error
    else:
        rows = [{"": row.label, **_short(row)} for row in (*made.rows, made.total)]
        columns = ["", *(name for name in SHOWN if any(row[name] is not None for row in rows))]
        if made.compared:
            columns.append("calls_before")
        span = f"{made.query.period.first} to {made.query.period.last}"
        click.echo(f"{span}, model {made.query.model}, {made.query.site or 'all sites'}\n")
        print_rows(rows, columns, "table")
    if output_format == "table":
        if made.left_off:
            click.echo(f"\n{made.left_off} more rows: --rows")
        for note in made.notes:
            click.echo(f"note: {note}")


def _short(row: Any) -> dict[str, Any]:
    flat = row.measures.flat()
    shown = {name: round(value, 3) if isinstance(value, float) else value for name, value in flat.items()}
    return {**shown, "calls_before": row.before.calls if row.before else None}


@report.command("pool")
@click.option(
    "--period", "wanted", default="yesterday", show_default=True, help=", ".join(PERIODS) + ", or dates."
)
@click.option("--site", help="Only this site.")
@click.option("--pool", "name", help="Only this pool.")
@format_option
@click.pass_obj
def pool_command(path: Path, wanted: str, site: str | None, name: str | None, output_format: str) -> None:
    """What visits were served hour by hour, how many found none of their own, and how full pools were."""
    config = configuration(path)

    async def work() -> PoolAnswer:
        async with store(config) as (database, inventory):
            zone, at = Reports(database, lambda: config).zone_of(site), now()
            chosen, keep_days = period(wanted, today_in(zone, at)), config.privacy.keep_visits_days
            return await pool_report(
                inventory, chosen, zone, at=at, keep_days=keep_days, site=site, pool=name
            )

    try:
        found = run(work())
    except BadPeriod as error:
        raise click.BadParameter(str(error), param_hint="--period") from error
    print_rows([*found["hours"], found["total"]], POOL_COLUMNS, output_format)
    if output_format == "table":
        click.echo()
        for one in found["occupancy"]["pools"]:
            click.echo(_use(one))


def _use(pool: PoolUse) -> str:
    name, peak = terminal_text(pool["pool"]), pool["peak"]
    if peak is None:
        return f"{name}: {pool['numbers']} numbers; how many were held is not known"
    share = "" if pool["peak_use"] is None else f" ({pool['peak_use']:.0%})"
    when = f", first at {pool['peak_at']}" if pool["peak_at"] else ""
    most = f"{peak} of {pool['numbers']} numbers{share} held at the most{when}"
    return f"{name}: {most}; {pool['mean']} on average"


@report.command()
@click.pass_obj
def rebuild(path: Path) -> None:
    """Make all sums of calls anew: after an upgrade, or a change of a site's time zone. Calls go on."""
    config = configuration(path)

    async def work() -> int:
        async with store(config) as (database, _):
            return await Rebuild(database, config, _progress).run()

    credited = run(work())
    click.echo(f"{credited} calls were credited that had not been", err=True)


@report.command()
@click.pass_obj
def check(path: Path) -> None:
    """Compare the sums with the calls; exit 1 and the days that differ when they do."""
    config = configuration(path)

    async def work() -> list[Difference]:
        async with store(config) as (database, _):
            return await Rebuild(database, config, _progress).check()

    differences = run(work())
    for one in differences:
        click.echo(f"{one.switch} {one.day}: {one.what}")
    if differences:
        click.echo("`leaseline report rebuild` makes them anew", err=True)
        sys.exit(1)
    click.echo("every sum is what its calls add up to")


def _progress(stage: str, switch: str, done: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{switch}: {done} {stage} ", nl=False, err=True)
