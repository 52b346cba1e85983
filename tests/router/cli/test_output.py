"""What is printed can be read back, and harms neither a terminal nor a spreadsheet."""

import pytest

from router.cli.output import terminal_text
from router.spreadsheet import csv_cell, csv_lines


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("\tx", "'\tx"),
        ("+442079460100", "+442079460100"),
        ("-1.5", "-1.5"),
        ("spring sale", "spring sale"),
        (None, ""),
        (0, "0"),
    ],
)
def test_cells_are_never_formulas(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


def test_lines_quote_what_csv_must() -> None:
    assert list(csv_lines([{"a": 'x,"y"', "b": None}], ("a", "b"))) == ['a,b\r\n"x,""y""",\r\n', ""]


def test_terminals_get_no_control_characters() -> None:
    assert terminal_text("a\x1b[31mb\x9b\r\n") == "a�[31mb���"
