"""What the doctor says of recordings."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli import doctor, main

CONFIG = """\
[storage]
url = "sqlite:///store.db"
[ami]
enabled = false
[recordings]
folder = "recordings"
format = "{form}"
least_free_megabytes = {least}
"""


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., str]:
    """The doctor's lines about recordings."""
    config = tmp_path / "config.toml"

    def ask(form: str, least: int = 1) -> str:
        config.write_text(CONFIG.format(form=form, least=least), encoding="utf-8")
        output = CliRunner().invoke(main, ["--config", str(config), "doctor"]).output
        return "\n".join(line for line in output.splitlines() if "recordings" in line)

    return ask


def test_a_folder_that_is_missing_or_whose_disk_is_full_is_bad(
    told: Callable[..., str], tmp_path: Path
) -> None:
    assert "is not a folder that can be written" in told("wav")
    (tmp_path / "recordings").mkdir()
    assert "BAD" not in told("wav")
    assert "kept as WAV" in told("wav")
    assert "BAD  disk" in told("wav", 9_999_999)


def test_an_encoder_that_is_missing_is_named(
    told: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recordings").mkdir()
    monkeypatch.setattr(doctor, "find_encoder", lambda wanted: None)
    assert "opus-tools" in told("opus")
    assert "lame" in told("mp3")
