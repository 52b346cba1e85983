"""asterisklint reads the dialplan as it is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dialplan.render import DialplanSettings, render, write

NOT_IN_ITS_TABLES = re.compile(
    r"E_APP_MISSING: app 'MSet' does not exist|E_FUNC_MISSING: function 'HANGUPCAUSE(_KEYS)?' does not exist"
)
"""asterisklint 0.4 knows Asterisk 11's documentation only in part; these are in Asterisk since 1.6 and 11."""


def lint(folder: Path) -> list[str]:
    """What dialplan-check reports, without what it cannot know."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("asterisklint")), "dialplan-check", "extensions.conf"],
        cwd=folder, env={**os.environ, "ALINT_IGNORE": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    assert done.returncode == bool(lines), done
    return [line for line in lines if not NOT_IN_ITS_TABLES.search(line)]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder as /etc/asterisk with the rendered dialplan included."""
    settings = DialplanSettings(fallback="PJSIP/agent1", ami_secret="x" * 12, astdb_secret="y" * 12)
    write(render(settings), tmp_path)
    head = '[general]\nstatic=yes\n#include "leaseline.conf"\n'
    agents = "[leaseline-agents]\nexten => 101,1,Dial(PJSIP/agent1,30)\n"
    (tmp_path / "extensions.conf").write_text(head + agents)
    return tmp_path


def test_nothing_is_reported(installed: Path) -> None:
    assert lint(installed) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Gosub(leaseline-fallback,s,1)", "Gosub(leaseline-fallbak,s,1)"),
        ("Progress()", "Progres()"),
        ("${STRFTIME(,,%s.%3q)}", "${STRFTIM(,,%s.%3q)}"),
        ("Goto(step)", "Goto(stap)"),
    ],
)
def test_the_check_itself_sees_mistakes(installed: Path, right: str, wrong: str) -> None:
    path = installed / "leaseline.conf"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    assert lint(installed) != []
