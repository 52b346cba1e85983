"""Numbers from a CSV file. See `read_numbers` for what is accepted."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pool.e164 import BadNumber, e164
from pool.numbers import NumberKind

COLUMNS = ("number", "kind", "site", "pool", "channel", "label")
MOST_BAD_ROWS_KEPT = 1_000

_KEY = re.compile(r"[a-z0-9_-]{1,32}")
_LONGEST_TEXT = 200


class NumbersFileError(ValueError):
    """The file as a whole cannot be read as a numbers file: the message says why and what is expected."""


class BadRow(NamedTuple):
    """A row that cannot be imported. `row` counts as a spreadsheet does: the header is row 1."""

    row: int
    number: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.reason}"


class NumberRowRead(NamedTuple):
    """A row that can be imported. An empty text is an empty cell, or a column the file does not have."""

    row: int
    number: str
    kind: NumberKind
    pool: str
    site: str
    channel: str
    label: str


class ImportProgress(NamedTuple):
    """`share` of the work done, 0 to 1; `rows` read so far in this pass (`checking`, then `writing`)."""

    stage: str
    rows: int
    share: float


Progress = Callable[[ImportProgress], None]


@dataclass(slots=True)
class ImportReport:
    """What an import did. `bad` keeps the first MOST_BAD_ROWS_KEPT of `bad_count` rows."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad_count: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def refuse(self, bad: BadRow) -> None:
        self.bad_count += 1
        if len(self.bad) < MOST_BAD_ROWS_KEPT:
            self.bad.append(bad)


class ImportRefused(ValueError):
    """Rows of the file are bad, so nothing was imported. `report` has them."""

    def __init__(self, report: ImportReport) -> None:
        first = "; ".join(map(str, report.bad[:5]))
        more = f"; and {report.bad_count - 5} more" if report.bad_count > 5 else ""
        super().__init__(f"nothing was imported, {report.bad_count} bad rows: {first}{more}")
        self.report = report


def read_numbers(path: Path, default_country: str | None) -> Iterator[tuple[NumberRowRead | BadRow, int]]:
    """The rows of a numbers file, each with the bytes read so far. Streams; memory does not grow with the
    file.

    CSV in UTF-8 (with or without a byte order mark), separated by comma, semicolon or tab, with a header of
    COLUMNS in any order and case; only `number` is required. `number` may be national or international,
    `kind` is dynamic when it is empty. Raises NumbersFileError when the file is no such file.
    """
    with path.open("rb") as raw:
        if raw.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            raise NumbersFileError(f"{path}: the file is UTF-16; save it as CSV UTF-8")
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        header_line = file.readline()
        header, separator = _header(path, header_line)
        lines = _CountedLines(file)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        row_number = 1
        places = {name: header.index(name) for name in header}
        while True:
            row_number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(row_number, "", f"not a CSV row: {error}"), lines.bytes_read
                continue
            if cells:  # an empty line is no row, but it counts
                yield _row(row_number, cells, places, len(header), default_country), lines.bytes_read


class _CountedLines:
    """The file's lines, counting their bytes: a text file cannot tell its position while it is iterated."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.bytes_read = 0

    def __iter__(self) -> _CountedLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.bytes_read += len(line)
        return line


def _header(path: Path, line: str) -> tuple[list[str], str]:
    separator = max(",;\t", key=line.count)
    header = [cell.strip().strip('"').strip().lower() for cell in line.rstrip("\r\n").split(separator)]
    if "number" not in header:
        raise NumbersFileError(
            f"{path}: row 1 must be a header with the column `number` (and any of {', '.join(COLUMNS[1:])}), "
            f"not {line.strip()[:80]!r}"
        )
    unknown = sorted(set(header) - set(COLUMNS))
    if unknown or len(set(header)) != len(header):
        raise NumbersFileError(
            f"{path}: row 1: unknown or doubled columns {', '.join(unknown) or header}; "
            f"known are {', '.join(COLUMNS)}"
        )
    return header, separator


def _row(
    row: int, cells: list[str], places: dict[str, int], columns: int, default_country: str | None
) -> NumberRowRead | BadRow:
    def cell(name: str) -> str:
        place = places.get(name)
        return cells[place].strip() if place is not None else ""

    if len(cells) != columns:
        return BadRow(row, cells[0], f"{len(cells)} cells where the header has {columns}")
    written = cell("number")
    try:
        "".join(cells).encode()
        number = e164(written, default_country)
        kind = NumberKind(cell("kind").lower() or NumberKind.DYNAMIC)
    except BadNumber as error:
        return BadRow(row, written, str(error))
    except UnicodeEncodeError:
        return BadRow(row, written, "not UTF-8 text")
    except ValueError:
        kinds = ", ".join(NumberKind)
        return BadRow(row, written, f"kind {cell('kind')!r} is none of {kinds}")
    found = NumberRowRead(row, number, kind, cell("pool"), cell("site"), cell("channel"), cell("label"))
    reason = _flaw(found)
    return found if reason is None else BadRow(row, written, reason)


def _flaw(row: NumberRowRead) -> str | None:
    for name, key in (("pool", row.pool), ("site", row.site)):
        if key and not _KEY.fullmatch(key):
            return f"{name} {key!r}: 1 to 32 of a-z 0-9 _ - are allowed"
    for name, text in (("channel", row.channel), ("label", row.label)):
        if len(text) > _LONGEST_TEXT or not text.isprintable():
            return f"{name}: at most {_LONGEST_TEXT} printable characters are allowed"
    if row.kind is NumberKind.STATIC and not row.channel:
        return "a static number needs a channel"
    return None
