"""The command `leaseline`."""

import importlib
from pathlib import Path

import click

from router.log import set_up_logging

# Where each command lives. Modules are imported when they are run: `--help` and small commands start fast.
COMMANDS = {
    "serve": ("router.cli.serve", "serve"),
    "check": ("router.cli.check", "check"),
    "doctor": ("router.cli.doctor", "doctor"),
    "dialplan": ("router.cli.dialplan", "dialplan"),
    "numbers": ("router.cli.numbers", "numbers"),
    "pool": ("router.cli.pool", "pool"),
    "replay": ("router.cli.replay", "replay_command"),
    "cdr": ("router.cli.cdr", "cdr"),
    "deliveries": ("router.cli.deliveries", "deliveries"),
    "report": ("router.cli.report", "report"),
    "costs": ("router.cli.costs", "costs"),
    "visitor": ("router.cli.visitor", "visitor"),
    "site": ("router.cli.site", "site"),
    "user": ("router.cli.user", "user"),
}


class Commands(click.Group):
    """A group whose commands are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "path",
    envvar="LEASELINE_CONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("config.toml"),
    show_default=True,
    help="The configuration file (also from LEASELINE_CONFIG).",
)
@click.version_option(package_name="leaseline")
@click.pass_context
def main(context: click.Context, path: Path) -> None:
    """Dynamic call tracking that lives beside Asterisk."""
    context.obj = path
    set_up_logging("warning", "auto", lasting=False)
