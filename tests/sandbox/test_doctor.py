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


def test_a_former_dialplan_is_told_from_one_that_is_not_understood(sandbox: Instance, tmp_path: Path) -> None:
    router = RouterProcess.beside(sandbox, tmp_path)
    installed = sandbox.cli("dialplan show globals").partition("LL_DIALPLAN=")[2].split()[0]
    try:
        assert f"ok   dialplan     version {installed}\n" in router.command("doctor", checked=False)
        sandbox.cli("dialplan set global LL_DIALPLAN 1")
        assert "ok   dialplan     version 1 works" in router.command("doctor", checked=False)
        sandbox.cli("dialplan set global LL_DIALPLAN 99")
        told = router.command("doctor", checked=False)
        assert f"BAD  dialplan     version 99, this router needs {installed}: render and reload it" in told
    finally:
        sandbox.cli(f"dialplan set global LL_DIALPLAN {installed}")
        router.end()
