"""`leaseline numbers`: the inventory."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pool.importer import ImportProgress, ImportRefused, ImportReport, NumbersFileError, Progress
from pool.instants import now, to_iso
from pool.inventory import UnknownNumbers
from pool.numbers import NumberKind, NumberRecord
from router.cli.output import format_option, print_rows
from router.cli.session import configuration, run, store
from router.config import Config
from router.routing.numbering import NotANumber, to_e164

COLUMNS = ("number", "kind", "pool", "site", "channel", "label", "added_at", "retired_at")
BAD_ROWS_SHOWN = 20
PAGE = 5_000
STEPS = 1_000


@click.group()
def numbers() -> None:
    """The numbers: import, list, retire, move."""


@numbers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--skip-bad", is_flag=True, help="Import the good rows; without it one bad row refuses the file."
)
@click.option(
    "--extension-digits", default=4, show_default=True, help="Length of the codes of extension hosts."
)
@click.pass_obj
def import_file(path: Path, file: Path, skip_bad: bool, extension_digits: int) -> None:
    """Add the numbers of a CSV file; safe to repeat, and while calls come in.

    The header names the columns: number (any national or international form), kind
    (dynamic|static|reserve|extension), site, pool, channel, label. Only number is required.
    """
    config = configuration(path)

    async def add(progress: Progress) -> ImportReport:
        async with store(config) as (_, pool):
            return await pool.import_csv(
                file,
                now(),
                default_country=config.asterisk.country,
                skip_bad=skip_bad,
                extension_digits=extension_digits,
                progress=progress,
            )

    try:
        with _Bar() as tell:
            report = run(add(tell))
    except ImportRefused as refused:
        _print_bad(refused.report)
        raise click.ClickException(
            f"{file}: nothing was imported, {refused.report.bad_count} of {refused.report.rows} rows are bad"
            " (--skip-bad imports the others)"
        ) from refused
    except (NumbersFileError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    _print_bad(report)
    click.echo(
        f"{report.rows} rows: {report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.bad_count} bad"
    )
    for key in sorted(_unknown_sites(config)):
        click.echo(f"note: site {key!r} is not a [[site]] of the configuration yet", err=True)


class _Bar:
    """A progress bar for each stage, where standard error is a terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._stage = ""
        self._bar: Any = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def __call__(self, progress: ImportProgress) -> None:
        if not self._shown:
            return
        if progress.stage != self._stage:
            self.__exit__()
            self._stage = progress.stage
            self._bar = click.progressbar(length=STEPS, label=progress.stage, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(int(progress.share * STEPS) - self._bar.pos)


def _print_bad(report: ImportReport) -> None:
    for bad in report.bad[:BAD_ROWS_SHOWN]:
        click.echo(str(bad), err=True)
    if report.bad_count > BAD_ROWS_SHOWN:
        click.echo(f"… and {report.bad_count - BAD_ROWS_SHOWN} more", err=True)


def _unknown_sites(config: Config) -> set[str]:
    """Sites that the store's numbers name and the configuration does not."""

    async def named() -> set[str]:
        async with store(config) as (_, pool):
            return {site for _, site in (await pool.status(now())).special if site}

    return run(named()) - {site.key for site in config.site}


@numbers.command("list")
@click.option("--kind", type=click.Choice([kind.value for kind in NumberKind]))
@click.option("--pool", "pool_name")
@click.option("--site", help='The site that showed it last, or owns it; "" is the base.')
@click.option("--retired/--in-use", default=None)
@format_option
@click.pass_obj
def list_command(
    path: Path,
    /,
    *,
    kind: str | None,
    pool_name: str | None,
    site: str | None,
    retired: bool | None,
    output_format: str,
) -> None:
    """The inventory in order of number."""
    config = configuration(path)

    async def collect() -> list[NumberRecord]:
        found: list[NumberRecord] = []
        async with store(config) as (_, pool):
            while True:
                page = await pool.numbers(
                    after=found[-1].number if found else "",
                    kind=NumberKind(kind) if kind else None,
                    pool=pool_name,
                    site=site,
                    retired=retired,
                    most=PAGE,
                )
                found += page
                if len(page) < PAGE:
                    return found

    print_rows((_row(record) for record in run(collect())), COLUMNS, output_format)


def _row(record: NumberRecord) -> dict[str, Any]:
    row = record._asdict()
    row["kind"] = record.kind.value
    row["added_at"] = to_iso(record.added_at)
    row["retired_at"] = to_iso(record.retired_at) if record.retired_at is not None else None
    return row


@numbers.command()
@click.argument("numbers_given", metavar="NUMBER…", nargs=-1, required=True)
@click.pass_obj
def retire(path: Path, numbers_given: tuple[str, ...]) -> None:
    """Give these numbers to nobody any more; they still ring and attribute."""
    config = configuration(path)
    wanted = _numbers(config, numbers_given)

    async def work() -> int:
        async with store(config) as (_, pool):
            return await pool.retire(wanted, now())

    click.echo(f"{_changed(work)} retired")


@numbers.command()
@click.argument("numbers_given", metavar="NUMBER…", nargs=-1, required=True)
@click.option("--pool", "pool_name", help="Into this pool.")
@click.option("--site", help='To this site; "" gives a dynamic number back to the base.')
@click.pass_obj
def move(path: Path, numbers_given: tuple[str, ...], pool_name: str | None, site: str | None) -> None:
    """Move numbers to another pool or site; who is shown one keeps it."""
    if pool_name is None and site is None:
        raise click.UsageError("say where to: --pool, --site, or both")
    config = configuration(path)
    wanted = _numbers(config, numbers_given)

    async def work() -> int:
        async with store(config) as (_, pool):
            return await pool.move(wanted, now(), pool=pool_name, site=site)

    click.echo(f"{_changed(work)} moved")


def _numbers(config: Config, given: tuple[str, ...]) -> list[str]:
    try:
        return [to_e164(text, config.asterisk.country) for text in given]
    except NotANumber as error:
        raise click.BadParameter(str(error)) from error


def _changed(work: Callable[[], Any]) -> int:
    try:
        return int(run(work()))
    except UnknownNumbers as error:
        raise click.ClickException(str(error)) from error
