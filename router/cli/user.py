"""`leaseline user`: who may use the admin listener."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from pool.instants import now, to_iso
from router.cli.output import format_option, print_rows
from router.cli.session import configuration, run, store
from router.store.users import NoSuchUser, UserExists, UserStore
from router.users.keys import new_key
from router.users.passwords import WeakPassword, hashed
from router.users.roles import Role

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z")
PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The password is this file's first line; otherwise it is asked for.",
)


@click.group()
def user() -> None:
    """Users of the admin listener, and their API keys."""


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@PASSWORD_FILE
@click.pass_obj
def add(path: Path, /, name: str, role: str, password_file: Path | None) -> None:
    """A new user. A viewer sees calls, a listener also hears them, an admin may do everything."""
    if not NAME.match(name):
        raise click.BadParameter(f"{name!r}: a name has a-z, 0-9 and . _ @ -, at most 64 of them")
    password = _password(password_file)
    _do(path, lambda users: users.add(name, Role(role), password, now()))
    click.echo(f"{name} added as {role}. `leaseline user key {name}` makes an API key.")


@user.command("password")
@click.argument("name")
@PASSWORD_FILE
@click.pass_obj
def change_password(path: Path, /, name: str, password_file: Path | None) -> None:
    """Change a user's password."""
    password = _password(password_file)
    _do(path, lambda users: users.change_password(name, password))
    click.echo(f"{name}'s password is changed.")


@user.command()
@click.argument("name")
@click.option("--label", default="", help="What the key is for; `user list` shows it.")
@click.pass_obj
def key(path: Path, /, name: str, label: str) -> None:
    """Make an API key: it is shown once, and only its hash is stored."""
    made = new_key()
    _do(path, lambda users: users.add_key(name, made, label, now()))
    click.echo(made.text)
    click.echo("Keep it: it is not shown again.", err=True)


@user.command()
@click.argument("key_id")
@click.pass_obj
def revoke(path: Path, /, key_id: str) -> None:
    """Take an API key back, by its id (`user list`) or the whole key."""
    found = key_id.split("_")[1] if key_id.startswith("ll_") else key_id
    if not _do(path, lambda users: users.remove_key(found)):
        raise click.ClickException(f"there is no key {found}")
    click.echo(f"{found} is revoked.")


@user.command()
@click.argument("name")
@click.pass_obj
def remove(path: Path, /, name: str) -> None:
    """Remove a user and all its API keys."""
    _do(path, lambda users: users.remove(name))
    click.echo(f"{name} is removed.")


@user.command("list")
@format_option
@click.pass_obj
def list_users(path: Path, /, output_format: str) -> None:
    """Every user, a row for each of its keys."""

    async def look(users: UserStore) -> list[dict[str, Any]]:
        of_user: dict[str, list[dict[str, Any]]] = {}
        for row in await users.keys():
            used = to_iso(row["last_used_at"]) if row["last_used_at"] else None
            shown = {"key": row["key_id"], "label": row["label"], "last_used_at": used}
            of_user.setdefault(row["account"], []).append(shown)
        return [
            {"name": row["name"], "role": row["role"], "created_at": to_iso(row["created_at"]), **shown}
            for row in await users.users()
            for shown in of_user.get(row["name"], [{"key": None, "label": None, "last_used_at": None}])
        ]

    rows = _do(path, look)
    print_rows(rows, ("name", "role", "created_at", "key", "label", "last_used_at"), output_format)


def _password(file: Path | None) -> str:
    """The hash of the password that was given or typed."""
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        text = lines[0] if lines else ""
    else:
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        return hashed(text)
    except WeakPassword as error:
        raise click.ClickException(str(error)) from error


def _do(path: Path, work: Callable[[UserStore], Awaitable[Any]]) -> Any:
    config = configuration(path)

    async def act() -> Any:
        async with store(config) as (database, _):
            return await work(UserStore(database))

    try:
        return run(act())
    except UserExists as error:
        raise click.ClickException(f"there is a user {error} already") from error
    except NoSuchUser as error:
        raise click.ClickException(f"there is no user {error}: `leaseline user list`") from error
