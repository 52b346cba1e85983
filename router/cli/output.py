"""How lists are printed: a table for people, JSON or CSV for programs."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?\Z")
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


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterable[str]:
    """CSV lines with a header; cells that a spreadsheet would run as a formula are made text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([csv_cell(row.get(column)) for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def csv_cell(value: Any) -> str:
    """`value` as a cell; "'" goes before what starts a formula, plain numbers (also E.164) stay as they are.

    The starting characters are those of OWASP's "CSV Injection" page.
    """
    text = "" if value is None else str(value)
    if text and text[0] in "=+-@\t\r" and not PLAIN_NUMBER.match(text):
        return f"'{text}"
    return text


def terminal_text(value: Any) -> str:
    """`value` as text that cannot move the cursor or colour the terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", "" if value is None else str(value))


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    cells = [[terminal_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in [list(columns), *cells]) for index in range(len(columns))]
    for line in [list(columns), ["-" * width for width in widths], *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
