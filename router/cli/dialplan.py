"""`leaseline dialplan render`: the files for the PBX."""

from pathlib import Path

import click

from dialplan.render import DialplanError, DialplanSettings, render, write
from dialplan.speech import COMMON, NoSpeech, has_prompt, install, speak_channel
from router.cli.session import configuration
from router.config import Config, Site
from router.config.values import Secret
from router.routing.numbering import numbering_of
from router.routing.plan import dial_string


@click.group()
def dialplan() -> None:
    """What is installed on the PBX."""


@dialplan.command("render")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write to."
)
@click.pass_obj
def render_command(path: Path, out: Path) -> None:
    """Write extensions, CEL, AMI and PJSIP files, and the prompts, into a folder.

    A channel's whisper that is not in the folder is spoken by espeak-ng and sox, where they are installed.
    """
    config = configuration(path)
    try:
        files = write(render(settings(config)), out)
    except (DialplanError, LookupError) as error:
        raise click.ClickException(str(error)) from error
    files += install(out / "sounds")
    for site in config.site:
        files += _speak_channels(site, out / "sounds")
        for name in _prompts_of(site):
            if not has_prompt(out / "sounds", name, site.language):
                click.echo(f'site "{site.key}" plays {name!r}: record it as leaseline/{name}.wav', err=True)
    for file in files:
        click.echo(file)


def _speak_channels(site: Site, sounds: Path) -> list[Path]:
    """Speak the whispers that channels name and nobody has recorded in the folder."""
    spoken = []
    for channel in site.channel:
        if not channel.whisper or has_prompt(sounds, channel.whisper, site.language):
            continue
        path = sounds / COMMON / f"{channel.whisper}.wav"
        try:
            speak_channel(channel.name, site.language, path)
        except NoSpeech as error:
            click.echo(f"{channel.whisper!r} could not be spoken: {error}", err=True)
        else:
            spoken.append(path)
    return spoken


def _prompts_of(site: Site) -> list[str]:
    """The names of all prompts that a site's calls may play."""
    named = [site.announcement, site.whisper, site.overflow_prompt]
    named += [channel.whisper for channel in site.channel] + [plan.overflow_prompt for plan in site.plan]
    return sorted({name for name in named if name})


def settings(config: Config) -> DialplanSettings:
    """The dialplan's settings; raises LookupError when an AMI secret is not set."""
    numbering = numbering_of(config.asterisk.country)
    host = "127.0.0.1" if config.fastagi.host in {"0.0.0.0", "::"} else config.fastagi.host  # noqa: S104
    return DialplanSettings(
        fallback="&".join(dial_string(target, config.asterisk) for target in config.asterisk.fallback),
        fallback_seconds=config.asterisk.fallback_seconds,
        ami_secret=_secret("[ami] secret", config.ami.secret),
        astdb_secret=_secret("[ami] fallback_secret", config.ami.fallback_secret),
        ami_user=config.ami.username,
        astdb_user=config.ami.fallback_username,
        agi_url=f"agi://{host}:{config.fastagi.port}",
        agi_seconds=config.asterisk.agi_seconds,
        recordings=str(config.recordings.folder),
        country_code=numbering.country_code,
        trunk_prefix=numbering.trunk_prefix,
        idd=numbering.international_prefix,
        nsn_min=numbering.national_digits_min,
        nsn_max=numbering.national_digits_max,
        journal=config.journal.path.name,
        witness=config.ami.witness != "off",
    )


def _secret(key: str, secret: Secret) -> str:
    try:
        return secret.read()
    except LookupError as error:
        raise LookupError(f"{key}: {error}") from error
