"""What holds in all of these tests."""

import json

import pytest

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
