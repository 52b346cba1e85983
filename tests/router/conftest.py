"""What holds in all of these tests."""

import json
from collections.abc import Iterator

import pytest
import structlog

from router.cdr import record
from router.cdr.record import Cdr
from tests.strictly import check_cdr


@pytest.fixture(autouse=True)
def every_record_is_of_its_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each CDR that any test makes is what its JSON schema says."""
    json_of = record.json_of

    def checked(cdr: Cdr) -> str:
        text = json_of(cdr)
        check_cdr(json.loads(text))
        return text

    monkeypatch.setattr(record, "json_of", checked)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command that a test runs sets logging up, and the next test would miss lines below a warning."""
    yield
    structlog.reset_defaults()
