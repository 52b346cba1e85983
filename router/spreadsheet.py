"""Rows as CSV that a spreadsheet may open: nothing in it is run as a formula."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?\Z")


def csv_lines(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, header: bool = True
) -> Iterable[str]:
    """CSV lines, by default with a header; cells that a spreadsheet would run as a formula are made text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    if header:
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
