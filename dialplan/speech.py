"""Prompts as files: those that are shipped, by language, and new ones spoken by espeak-ng and sox."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from dialplan.render import PROMPTS

COMMON: Final = "leaseline"
"""Where the dialplan's prompts are in a sounds folder; a language's own in LANGUAGE/leaseline."""

CALL_FROM: Final = {"en": "Call from {channel}.", "ru": "Звонок: {channel}."}
"""What an agent is told of a channel, by language."""

SPEAK_SECONDS: Final = 30


class NoSpeech(Exception):
    """a prompt could not be spoken"""


def install(sounds: Path) -> list[Path]:
    """Copy the shipped prompts into a sounds folder; gives the files written."""
    written = []
    for prompt in sorted(PROMPTS.rglob("*.wav")):
        target = sounds / prompt.parent.relative_to(PROMPTS) / COMMON / prompt.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(prompt, target)
        written.append(target)
    return written


def has_prompt(sounds: Path, name: str, language: str) -> bool:
    """Whether a prompt is in a sounds folder, in the language or in the common one."""
    folders = [sounds / COMMON, *([sounds / language / COMMON] if language else [])]
    return any((folder / f"{name}.wav").exists() for folder in folders)


def speak_channel(channel: str, language: str, path: Path) -> None:
    """Speak what an agent is told of a channel into `path`, as Asterisk plays it: 8 kHz, mono, 16 bit.

    Raises NoSpeech where espeak-ng or sox is missing or fails.
    """
    spoken = language[:2] if language[:2] in CALL_FROM else "en"
    text = CALL_FROM[spoken].format(channel=channel)
    raw = path.with_suffix(".raw.wav")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # The text by standard input: a channel's name may begin with a dash.
        voice = "en-gb" if spoken == "en" else spoken
        _run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(raw), "--stdin"], text)
        _run(["sox", "-q", str(raw), "-r", "8000", "-c", "1", "-b", "16", str(path), "norm", "-6"])
    finally:
        raw.unlink(missing_ok=True)


def _run(command: list[str], text: str = "") -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the program that PATH names
            command, input=text, text=True, capture_output=True, timeout=SPEAK_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise NoSpeech(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise NoSpeech(f"{command[0]} took more than {SPEAK_SECONDS} s") from error
    if done.returncode != 0:
        raise NoSpeech(f"{command[0]} failed: {done.stderr.strip()[:200]}")
