"""A reload takes a good file and refuses a bad one whole."""

from pathlib import Path

from router.config import Config, load_config
from router.config.live import LiveConfig


def test_a_bad_file_leaves_the_old_configuration_in_force(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[asterisk]\ncountry = "GB"\n', encoding="utf-8")
    live = LiveConfig(path, load_config(path))
    told: list[Config] = []
    live.follow(told.append)

    path.write_text('[asterisk]\ncountry = "Atlantis"\n', encoding="utf-8")
    assert live.reload() is False
    assert live.current.asterisk.country == "GB"
    assert told == []

    path.write_text('[asterisk]\ncountry = "US"\n', encoding="utf-8")
    assert live.reload() is True
    assert live.current.asterisk.country == "US"
    assert told == [live.current]
