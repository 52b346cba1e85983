"""How lists are printed: a table for people, JSON or CSV for programs."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from router.spreadsheet import csv_lines

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Command = TypeVar("Command", bound=Callable[..., Any])


def format_option(command: Command) -> Command:
    """The option every list takes: `--format table|json|csv`."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["table", "json", "csv"]),
        default="table",
        show_default=True,
        help="How the rows are printed.",
    )(command)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], output_format: str) -> None:
    """Print `rows`: a table, one JSON array, or CSV with a header."""
    if output_format == "json":
        click.echo(json.dumps([dict(row) for row in rows], indent=2, ensure_ascii=False))
    elif output_format == "csv":
        for line in csv_lines(rows, columns):
            click.echo(line, nl=False)
    else:
        _print_table(list(rows), columns)


def terminal_text(value: Any) -> str:
    """`value` as text that cannot move the cursor or colour the terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", "" if value is None else str(value))


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    cells = [[terminal_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in [list(columns), *cells]) for index in range(len(columns))]
    for line in [list(columns), ["-" * width for width in widths], *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
