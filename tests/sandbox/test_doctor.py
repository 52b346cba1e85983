"""`leaseline doctor` beside a real Asterisk."""

from __future__ import annotations

from pathlib import Path

import pytest
from instance import Instance
from router_process import RouterProcess

pytestmark = pytest.mark.sandbox


def test_a_journal_without_its_back_end_is_told(either: Instance, tmp_path: Path) -> None:
    router = RouterProcess.beside(either, tmp_path)
    router.import_numbers()
    router.start()
    try:
        assert "ok   CEL          cel_custom is loaded" in router.command("doctor", checked=False)
        either.cli("module unload cel_custom.so")
        try:
            told = router.command("doctor", checked=False)
        finally:
            either.cli("module load cel_custom.so")
        assert "BAD  CEL          cel_custom is not loaded" in told
        assert "module load cel_custom.so" in told
        assert "ok   CEL          cel_custom is loaded" in router.command("doctor", checked=False)
    finally:
        router.end()
