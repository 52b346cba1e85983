"""`leaseline user` as an administrator types it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main

Leaseline = Callable[..., Result]


@pytest.fixture
def leaseline(tmp_path: Path) -> Leaseline:
    config = tmp_path / "config.toml"
    config.write_text('[storage]\nurl = "sqlite:///store.db"\n', encoding="utf-8")

    def invoke(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), "user", *arguments], input=typed)

    return invoke


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text("correct horse battery\n", encoding="utf-8")
    return str(path)


def rows(leaseline: Leaseline) -> list[dict[str, str | None]]:
    listed: list[dict[str, str | None]] = json.loads(leaseline("list", "--format", "json").output)
    return listed


def test_users_come_and_go(leaseline: Leaseline, password_file: str) -> None:
    typed = "correct horse battery\n" * 2
    assert "ann added as admin" in leaseline("add", "ann", "--role", "admin", typed=typed).output
    added = leaseline("add", "bob", "--role", "viewer", "--password-file", password_file)
    assert "bob added as viewer" in added.output
    again = leaseline("add", "bob", "--role", "admin", "--password-file", password_file)
    assert again.exit_code == 1
    assert "there is a user bob already" in again.output
    assert [(row["name"], row["role"], row["key"]) for row in rows(leaseline)] == [
        ("ann", "admin", None),
        ("bob", "viewer", None),
    ]
    assert leaseline("password", "bob", "--password-file", password_file).exit_code == 0
    assert "bob is removed" in leaseline("remove", "bob").output
    assert leaseline("remove", "bob").exit_code == 1
    assert [row["name"] for row in rows(leaseline)] == ["ann"]


def test_a_key_is_shown_once_and_can_be_taken_back(
    leaseline: Leaseline, password_file: str, tmp_path: Path
) -> None:
    leaseline("add", "ann", "--role", "listener", "--password-file", password_file)
    made = leaseline("key", "ann", "--label", "reports").stdout.strip()
    assert re.fullmatch(r"ll_[a-z0-9]{12}_[\w-]{32}", made)
    [row] = rows(leaseline)
    assert (row["key"], row["label"], row["last_used_at"]) == (made.split("_")[1], "reports", None)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert made.split("_", 2)[2].encode() not in stored
    assert b"correct horse" not in stored
    assert leaseline("revoke", made).exit_code == 0
    assert leaseline("revoke", made).exit_code == 1
    assert [row["key"] for row in rows(leaseline)] == [None]
    assert "there is no user eve" in leaseline("key", "eve").output


@pytest.mark.parametrize("name", ["", "Ann", "a b", "-ann", "a" * 65, "ann\n"])
def test_a_strange_name_is_refused(leaseline: Leaseline, name: str, password_file: str) -> None:
    refused = leaseline("add", "--role", "admin", "--password-file", password_file, "--", name)
    assert refused.exit_code == 2
    assert "a name has a-z" in refused.output


def test_a_short_password_is_refused(leaseline: Leaseline) -> None:
    refused = leaseline("add", "ann", "--role", "admin", typed="short\nshort\n")
    assert refused.exit_code == 1
    assert "10 to 256 characters" in refused.output
