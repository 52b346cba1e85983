"""Parquet is an extra: what it writes where pyarrow is there, and what is said where it is not."""

import importlib
from datetime import date
from pathlib import Path

import pytest

from router.reports import Measures, Query, Report, Row
from router.reports.parquet import NoPyArrow, write_parquet
from router.reports.periods import Period

DAY = Period(date(2025, 11, 22), date(2025, 11, 22))
ROWS = (Row("Ads", "Ads", Measures(calls=2.0, visits=3)), Row(None, "(unknown)", Measures(calls=1.0)))
REPORT = Report(Query("channel", DAY), ROWS, Row("", "Total", Measures(calls=3.0)), "call_by_value")


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(NoPyArrow, match=r"leaseline\[parquet\]"):
        write_parquet(REPORT, tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    reader = pytest.importorskip("pyarrow.parquet")
    write_parquet(REPORT, tmp_path / "x.parquet")
    rows = reader.read_table(tmp_path / "x.parquet").to_pylist()
    assert [(row["channel"], row["label"], row["calls"], row["visits"]) for row in rows] == [
        ("Ads", "Ads", 2.0, 3.0),
        (None, "(unknown)", 1.0, None),
    ]
