"""A report as a Parquet file. Needs pyarrow, which is heavy: the optional extra `parquet` brings it."""

import importlib
from pathlib import Path
from typing import Any

from router.reports.answer import columns_of, flat_rows
from router.reports.query import Report

TEXTS = ("label", "currency", "before_currency")
FLAGS = ("callers_estimated", "before_callers_estimated")


class NoPyArrow(RuntimeError):
    """Parquet needs pyarrow: pip install 'leaseline[parquet]'."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def write_parquet(report: Report, path: Path) -> None:
    """Writes the rows with columns of fixed types: texts, flags, and numbers as doubles. Raises NoPyArrow."""
    try:
        arrow: Any = importlib.import_module("pyarrow")
        writer: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise NoPyArrow from error
    texts = (report.query.dimension, *TEXTS)
    schema = arrow.schema(
        [
            (name, arrow.string() if name in texts else arrow.bool_() if name in FLAGS else arrow.float64())
            for name in columns_of(report)
        ]
    )
    writer.write_table(arrow.Table.from_pylist(list(flat_rows(report)), schema=schema), path)
