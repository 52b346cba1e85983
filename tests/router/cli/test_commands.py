"""The commands as an operator types them, against a real store."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import COMMANDS, main

CONFIG = """\
[storage]
url = "sqlite:///store.db"
[asterisk]
country = "GB"
fallback = ["PJSIP/reception", "+442079460009"]
[journal]
path = "leaseline.csv"
[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
"""

Leaseline = Callable[..., Result]


@pytest.fixture
def leaseline(tmp_path: Path) -> Leaseline:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments])

    return invoke


@pytest.fixture
def numbers_file(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    path.write_text(
        "number,kind,channel\n020 7946 0100,,\n442079460101,dynamic,\n01134960001,static,Newspaper\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(leaseline: Leaseline, command: str) -> None:
    result = leaseline(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_check_tells_a_good_and_a_bad_file(leaseline: Leaseline, tmp_path: Path) -> None:
    assert "Sites: shop" in leaseline("check").output
    (tmp_path / "config.toml").write_text("[fastagi]\nport = 'x'\n", encoding="utf-8")
    result = leaseline("check")
    assert result.exit_code == 1
    assert "[fastagi] key port" in result.output


def test_check_notes_a_geoip_file_that_is_not_there(leaseline: Leaseline, tmp_path: Path) -> None:
    path = tmp_path / "city.mmdb"
    (tmp_path / "config.toml").write_text(f'{CONFIG}[geoip]\ndatabase = "{path}"\n', encoding="utf-8")
    result = leaseline("check")
    assert result.exit_code == 0
    assert f"note: [geoip] key database: {path}: No such file or directory" in result.output
    path.write_bytes(b"")
    assert "[geoip]" not in leaseline("check").output
    path.unlink()
    path.mkdir()
    assert f"{path}: is not a file" in leaseline("check").output


def test_numbers_come_in_and_are_listed(leaseline: Leaseline, numbers_file: Path) -> None:
    assert "3 added" in leaseline("numbers", "import", str(numbers_file)).output
    assert "3 unchanged" in leaseline("numbers", "import", str(numbers_file)).output
    rows = json.loads(leaseline("numbers", "list", "--format", "json").output)
    assert [(row["number"], row["kind"]) for row in rows] == [
        ("+441134960001", "static"),
        ("+442079460100", "dynamic"),
        ("+442079460101", "dynamic"),
    ]
    listed = csv.DictReader(io.StringIO(leaseline("numbers", "list", "--format", "csv").output))
    assert [row["number"] for row in listed] == [row["number"] for row in rows]


def test_a_bad_row_refuses_the_file_and_is_named(leaseline: Leaseline, numbers_file: Path) -> None:
    with numbers_file.open("a", encoding="utf-8") as file:
        file.write("nonsense,,\n")
    result = leaseline("numbers", "import", str(numbers_file))
    assert result.exit_code == 1
    assert "row 5: 'nonsense'" in result.output
    assert json.loads(leaseline("numbers", "list", "--format", "json").output) == []
    assert "3 added" in leaseline("numbers", "import", "--skip-bad", str(numbers_file)).output


def test_numbers_are_retired_and_moved(leaseline: Leaseline, numbers_file: Path) -> None:
    leaseline("numbers", "import", str(numbers_file))
    assert "1 retired" in leaseline("numbers", "retire", "02079460100").output
    assert "1 moved" in leaseline("numbers", "move", "020 7946 0101", "--pool", "leeds").output
    rows = json.loads(leaseline("numbers", "list", "--retired", "--format", "json").output)
    assert [row["number"] for row in rows] == ["+442079460100"]
    unknown = leaseline("numbers", "retire", "02079460199")
    assert unknown.exit_code == 1
    assert "+442079460199" in unknown.output


def test_pool_status_counts_numbers(leaseline: Leaseline, numbers_file: Path) -> None:
    leaseline("numbers", "import", str(numbers_file))
    found = json.loads(leaseline("pool", "status", "--format", "json").output)
    assert found["numbers"] == [
        {"pool": "default", "site": "(base)", "free": 2, "live": 0, "frozen": 0, "resting": 0}
    ]
    assert found["coverage"] is None


def test_the_pool_report_ends_with_how_full_it_was(leaseline: Leaseline, numbers_file: Path) -> None:
    leaseline("numbers", "import", str(numbers_file))
    output = leaseline("report", "pool", "--period", "yesterday").output
    assert output.splitlines()[-1] == "default: 0 of 2 numbers (0%) held at the most; 0.0 on average"
    (total,) = json.loads(leaseline("report", "pool", "--format", "json").output)
    assert (total["wanted"], total["held"]) == (0, 0)


def test_cdrs_of_an_empty_store(leaseline: Leaseline) -> None:
    assert leaseline("cdr", "tail").output == ""
    assert leaseline("cdr", "export", "--format", "csv").output.startswith("id,started_at,")
    assert leaseline("cdr", "export", "--since", "yesterday").exit_code == 2


def test_the_dialplan_is_rendered_with_the_countrys_numbering(
    leaseline: Leaseline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "asterisk"
    missing = leaseline("dialplan", "render", "--out", str(out))
    assert missing.exit_code == 1
    assert "[ami] secret: environment variable LEASELINE_AMI_SECRET is not set" in missing.output
    monkeypatch.setenv("LEASELINE_AMI_SECRET", "not-so-secret")
    monkeypatch.setenv("LEASELINE_AMI_DB_SECRET", "not-so-secret-either")
    assert leaseline("dialplan", "render", "--out", str(out)).exit_code == 0
    text = (out / "leaseline.conf").read_text(encoding="utf-8")
    assert "LL_FALLBACK=PJSIP/reception&PJSIP/+442079460009@trunk" in text
    assert "LL_CC=44" in text
    for folder in ("leaseline", "ru/leaseline"):
        assert (out / "sounds" / folder / "notice.wav").stat().st_size > 1000


def test_prompts_that_a_site_needs_are_spoken_or_named(
    leaseline: Leaseline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASELINE_AMI_SECRET", "not-so-secret")
    monkeypatch.setenv("LEASELINE_AMI_DB_SECRET", "not-so-secret-either")
    config = tmp_path / "config.toml"
    channels = "[[site.channel]]\nname = '-v Google Ads'\nwhisper = 'google'\n"
    channels += "[[site.channel]]\nname = 'Bing'\nwhisper = 'bing'\n"
    plan = "[[site.plan]]\nname = 'closed'\noverflow = 'announcement'\noverflow_prompt = 'holidays'\n"
    config.write_text(f"{config.read_text(encoding='utf-8')}\n{channels}{plan}", encoding="utf-8")
    sounds = tmp_path / "asterisk" / "sounds" / "leaseline"
    sounds.mkdir(parents=True)
    (sounds / "bing.wav").write_bytes(b"recorded by the operator")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool, writes in (("espeak-ng", 'cat >"$6"'), ("sox", 'cp "$2" "$9"')):
        (tools / tool).write_text(f"#!/bin/sh\n{writes}\n", encoding="utf-8")
        (tools / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    result = leaseline("dialplan", "render", "--out", str(tmp_path / "asterisk"))
    assert result.exit_code == 0
    assert "'holidays'" in result.output
    assert "leaseline/holidays.wav" in result.output
    assert (sounds / "google.wav").read_text(encoding="utf-8") == "Call from -v Google Ads."
    assert (sounds / "bing.wav").read_bytes() == b"recorded by the operator"
    (sounds / "google.wav").unlink()
    (tools / "sox").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert (
        "'google' could not be spoken: sox failed"
        in leaseline("dialplan", "render", "--out", str(tmp_path / "asterisk")).output
    )


def test_a_store_that_cannot_be_opened_is_one_readable_line(leaseline: Leaseline, tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    result = leaseline("numbers", "list")
    assert result.exit_code == 1
    assert result.output.startswith("Error: the store cannot be used: ")


def test_a_sites_model_is_the_prior_until_calls_tell_more(leaseline: Leaseline) -> None:
    rows = json.loads(leaseline("site", "model", "shop", "--format", "json").output)
    figures = {row["figure"]: (row["prior"], row["learnt"]) for row in rows}
    assert figures["calls learnt from"] == figures["certain matches"] == (0, 0)
    assert figures["calls per visit"] == (0.02, 0.02)
    assert figures["gone, up to 30 min"] == (1.0, 1.0)
    assert figures["strays, short calls"] == (0.6, 0.6)
    assert figures["phones of the visitor's country"] == (0.9, 0.9)
    assert "learnt from 0 calls (0 certain matches)" in leaseline("site", "model").output
    refused = leaseline("site", "model", "nowhere")
    assert refused.exit_code == 1
    assert "there are: shop" in refused.output
