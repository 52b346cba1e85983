"""The renderer: what goes in, what comes out, and every bad input by its name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dialplan.render import (
    PROMPTS,
    Agent,
    DialplanError,
    DialplanSettings,
    Trunk,
    is_dial_string,
    render,
    write,
)

SETTINGS = DialplanSettings(
    fallback="PJSIP/agent1",
    ami_secret="health-secret",
    astdb_secret="astdb-secret",
    trunks=(Trunk("carrier", "203.0.113.0/24", "sip:out@carrier.example:5060"),),
    agents=(Agent("agent1", "sip:agent1@192.0.2.11:5060"),),
)


def sections(text: str) -> dict[str, list[str]]:
    """Lines by section of an Asterisk file, without comments; sections of one name together."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if head := re.match(r"\[([^\]]+)\]", line):
            lines = found.setdefault(head[1], [])
        elif line and not line.startswith(";"):
            lines.append(line)
    return found


def test_the_files_of_a_pbx() -> None:
    texts = render(SETTINGS)
    assert sorted(texts) == [
        "cel.conf",
        "cel_custom.conf",
        "leaseline-manager.conf",
        "leaseline-pjsip.conf",
        "leaseline.conf",
    ]
    assert not [name for name, text in texts.items() if re.search(r"@[A-Z_]+@", text)]
    assert all(text.endswith("\n") for text in texts.values())


def test_globals_are_the_settings() -> None:
    settings = replace(
        SETTINGS, agi_url="hagi://router.example", agi_seconds=0.75, fallback="PJSIP/+441134960001@carrier",
        fallback_seconds=45, fallback_record=True, recordings="/srv/rec/", country_code="1",
        trunk_prefix="1", idd="011", nsn_min=10, nsn_max=10,
    )  # fmt: skip
    assert sections(render(settings)["leaseline.conf"])["globals"] == [
        "LL_DIALPLAN=2",
        "LL_AGI=hagi://router.example",
        "LL_AGI_SECONDS=0.75",
        "LL_FALLBACK=PJSIP/+441134960001@carrier",
        "LL_FALLBACK_SECONDS=45",
        "LL_FALLBACK_RECORD=1",
        "LL_REC_DIR=/srv/rec",
        "LL_CC=1",
        "LL_TRUNK_PREFIX=1",
        "LL_IDD=011",
        "LL_NSN_MIN=10",
        "LL_NSN_MAX=10",
    ]


def test_ami_users_have_the_least_rights() -> None:
    users = sections(render(SETTINGS)["leaseline-manager.conf"])
    health, astdb = users["leaseline"], users["leaseline-astdb"]
    assert "write=reporting" in health
    assert "read=system,call" in health
    assert "write=system,reporting" in astdb
    assert "read=" in astdb
    for user in (health, astdb):
        assert "deny=0.0.0.0/0.0.0.0" in user
        assert "permit=127.0.0.1/255.255.255.255" in user


def test_the_journal_has_its_columns_in_order() -> None:
    [line] = sections(render(SETTINGS)["cel_custom.conf"])["mappings"]
    name, _, mapping = line.partition(" => ")
    assert name == "leaseline.csv"
    assert re.findall(r"CSV_QUOTE\(\$\{([^}]+)\}\)", mapping) == [
        "eventtime", "eventtype", "CHANNEL(uniqueid)", "CHANNEL(linkedid)", "CHANNEL(channame)",
        "CHANNEL(exten)", "CHANNEL(context)", "CALLERID(num)", "CALLERID(name)", "CALLERID(dnid)",
        "BRIDGEPEER", "eventextra",
    ]  # fmt: skip


def test_the_trunk_may_not_transfer_and_peers_are_named() -> None:
    peers = sections(render(SETTINGS)["leaseline-pjsip.conf"])
    assert "allow_transfer=no" in peers["leaseline-trunk"]
    assert peers["carrier"] == [
        "aors=carrier", "type=identify", "endpoint=carrier", "match=203.0.113.0/24",
        "type=aor", "contact=sip:out@carrier.example:5060",
    ]  # fmt: skip
    assert "contact=sip:agent1@192.0.2.11:5060" in peers["agent1"]


def pairs(line: str) -> int:
    """How many variables a line's MSet sets: commas outside every bracket part them."""
    depth, count = 0, 1
    for character in line[line.index("MSet(") + len("MSet(") :]:
        depth += (character in "({[") - (character in ")}]")
        if depth < 0:
            break
        count += character == "," and depth == 0
    return count


def test_mset_never_has_more_pairs_than_asterisk_reads() -> None:
    """Asterisk takes 24; the rest would end up in the last variable's value."""
    counts = [pairs(line) for line in render(SETTINGS)["leaseline.conf"].splitlines() if "MSet(" in line]
    assert len(counts) > 5
    assert 10 < max(counts) <= 24


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("PJSIP/agent1", True),
        ("PJSIP/agent1&PJSIP/agent2", True),
        ("PJSIP/+441134960001@sip-trunk.1", True),
        ("", False),
        ("agent1", False),
        ("PJSIP/", False),
        ("PJSIP/@trunk", False),
        ("PJSIP/agent1&", False),
        ("PJSIP/agent1,30,g", False),
        ("PJSIP/agent1\n", False),
        ("PJSIP/${EXTEN}", False),
        ("Local/1@from-internal", False),
        ("PJSIP/a b", False),
    ],
)
def test_dial_strings(text: str, right: bool) -> None:
    assert is_dial_string(text) is right


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("agi_url", "http://127.0.0.1:4573"),
        ("agi_url", "agi://"),
        ("agi_url", "agi://127.0.0.1:port"),
        ("agi_url", "agi://127.0.0.1:4573/route"),
        ("agi_url", "agi://a,b"),
        ("agi_url", "agi://user@host"),
        ("agi_url", "hagi://host:4573"),
        ("agi_seconds", 0.1),
        ("agi_seconds", float("nan")),
        ("fallback", ""),
        ("fallback", "PJSIP/a,20"),
        ("fallback_seconds", 0),
        ("recordings", "relative"),
        ("recordings", "/srv/../etc"),
        ("recordings", "/srv/a,b"),
        ("country_code", "+44"),
        ("country_code", "044"),
        ("trunk_prefix", "x"),
        ("idd", "00#"),
        ("nsn_min", 11),
        ("nsn_max", 16),
        ("journal", "../x.csv"),
        ("journal", "a b"),
        ("ami_user", "general"),
        ("ami_user", "a]\n[b"),
        ("astdb_user", "leaseline"),
        ("ami_secret", "short"),
        ("astdb_secret", "with;comment"),
        ("ami_secret", "with\nline-break"),
        ("ami_permit", "localhost"),
        ("transport", "a b"),
    ],
)
def test_bad_input_is_named(field: str, value: Any) -> None:
    with pytest.raises(DialplanError) as caught:
        render(replace(SETTINGS, **{field: value}))
    assert len(caught.value.problems) == 1
    assert field in caught.value.problems[0].split(":")[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"trunks": (Trunk("a b", "192.0.2.1"),)}, "trunk 'a b'"),
        ({"trunks": (Trunk("agent1", "192.0.2.1"),)}, "agent 'agent1'"),
        ({"trunks": (Trunk("carrier", "carrier"),)}, "carrier: match"),
        ({"agents": (Agent("agent1", "sip:x@y\nz"),)}, "agent1: contact"),
        ({"agents": (Agent("agent1", "tel:+441134960001"),)}, "agent1: contact"),
    ],
)
def test_bad_peers_are_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(DialplanError, match=re.escape(named)):
        render(replace(SETTINGS, **change))


def test_every_problem_is_told_at_once_and_no_secret() -> None:
    with pytest.raises(DialplanError) as caught:
        render(replace(SETTINGS, fallback="", nsn_min=0, ami_secret="sesame;"))
    assert len(caught.value.problems) == 3
    assert "sesame" not in str(caught.value)


def test_write_keeps_secrets_to_owner_and_group_and_leaves_equal_files_alone(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    paths = write(render(SETTINGS), folder)
    assert {path.name for path in paths} == {path.name for path in folder.iterdir()}
    assert all(path.stat().st_mode & 0o777 == 0o640 for path in paths)
    before = {path: path.stat().st_mtime_ns for path in paths}
    write(render(replace(SETTINGS, fallback="PJSIP/agent2")), folder)
    assert [path.name for path in paths if path.stat().st_mtime_ns != before[path]] == ["leaseline.conf"]


def run(folder: Path, settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dialplan", str(folder)], input=settings, capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def test_as_a_program(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "fallback": "PJSIP/agent1",
        "ami_secret": "0123456789",
        "astdb_secret": "9876543210",
    }
    given["trunks"] = [{"name": "carrier", "match": "192.0.2.1"}]
    assert run(tmp_path, json.dumps(given)).returncode == 0
    assert "match=192.0.2.1" in (tmp_path / "leaseline-pjsip.conf").read_text()


@pytest.mark.parametrize("settings", ["", "[]", '{"fallbak": 1}', '{"fallback": "x"}', '{"trunks": [1]}'])
def test_as_a_program_with_bad_settings(tmp_path: Path, settings: str) -> None:
    done = run(tmp_path, settings)
    assert done.returncode == 1
    assert done.stderr.startswith("dialplan: ")
    assert "Traceback" not in done.stderr


def test_prompts_are_what_asterisk_plays() -> None:
    for folder in (PROMPTS, PROMPTS / "ru"):
        lines = (folder / "prompts.tsv").read_text(encoding="utf-8").splitlines()
        names = {line.split("\t")[0] for line in lines}
        assert {path.stem for path in folder.glob("*.wav")} == names
        for name in names:
            with wave.open(str(folder / f"{name}.wav")) as sound:
                assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
