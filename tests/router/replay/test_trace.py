"""Bad traces are refused with the line, and leave nothing behind."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from router.cli import main
from tests.router.replay.traffic import CONFIG, Bench, call, left, seen, visit

GOOD = visit(10, "s1", "v1")


def without(event: dict[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in event.items() if name != key}


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ([GOOD, seen(9.5, "s1")], "line 2: at 9.5 comes after at 10: lines must be sorted by `at`"),
        ([GOOD, {"at": 10, "event": "jump"}], "line 2: unknown event 'jump'"),
        ([GOOD, {"at": 10}], "line 2: the key `event` is missing"),
        ([without(GOOD, "at")], "line 1: the key `at` is missing"),
        ([without(GOOD, "visitor")], "line 1: the key `visitor` is missing"),
        ([GOOD, visit(11, "s1", "v2")], "line 2: visit 's1' has begun before"),
        ([GOOD | {"site": "shoe"}], "line 1: site 'shoe' is not a [[site]] of the configuration"),
        ([GOOD, seen(11, "s2")], "line 2: visit: visit 's2' has not begun"),
        ([left(11, "s2")], "line 1: visit: visit 's2' has not begun"),
        ([GOOD, call(11, "c1", number_of="s2")], "line 2: number_of: visit 's2' has not begun"),
        ([GOOD, call(11, "c1")], "line 2: a call needs either `number_of` or `dialed`"),
        ([GOOD, without(call(11, "c1", number_of="s1"), "caller")], "line 2: the key `caller` is missing"),
        ([GOOD, *[call(11, "c1", number_of="s1")] * 2], "line 3: call 'c1' was made before"),
        ([GOOD | {"at": -1}], "line 1: at -1: 0 seconds or more"),
        ([GOOD | {"at": 1e18}], "line 1: at 1e+18: 0 seconds or more"),
        ([GOOD | {"at": float("nan")}], "line 1: at nan: 0 seconds or more"),
        ([GOOD | {"at": "10"}], "line 1: at '10': a number of seconds"),
        ([GOOD | {"at": True}], "line 1: at True: a number of seconds"),
        ([GOOD | {"visitor": ""}], "line 1: visitor: a text of 1 to 200 printable characters"),
        ([GOOD | {"visitor": "\ud800"}], "line 1: visitor: a text of 1 to 200 printable characters"),
        ([GOOD | {"url": 7}], "line 1: url: a text is expected"),
        ([GOOD, seen(11, "s1", tel_click="yes")], "line 2: tel_click: true or false is expected"),
        ([GOOD, call(11, "c1", number_of="s1") | {"talk": -1}], "line 2: talk -1: a number of seconds"),
        ([GOOD, call(11, "c1", number_of="s1") | {"talk": "9"}], "line 2: talk '9': a number of seconds"),
        ([GOOD, call(11, "c1", number_of="s1") | {"talk": True}], "line 2: talk True: a number of seconds"),
        ([["a"]], "line 1: a JSON object is expected"),
    ],
)
def test_a_bad_line_is_named(bench: Bench, events: list[dict[str, object]], complaint: str) -> None:
    bench.write(events)
    bench.out.write_text("from before\n", encoding="utf-8")
    result = bench.invoke("--numbers", "1", "--out", str(bench.out))
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {bench.trace}: {complaint}")
    assert bench.out.read_text(encoding="utf-8") == "from before\n"
    assert {path.name for path in bench.folder.iterdir()} == {"config.toml", "trace.ndjson", "out.ndjson"}


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"at":' + b"1" * 5000 + b"}"])
def test_a_line_that_is_no_json_is_named(bench: Bench, line: bytes) -> None:
    bench.trace.write_bytes(json.dumps(GOOD).encode() + b"\n\n" + line + b"\n")
    result = bench.invoke("--numbers", "1", "--out", str(bench.out))
    assert result.exit_code == 1
    assert "line 3: not JSON: " in result.output
    assert not bench.out.exists()


def test_empty_lines_and_strange_keys_are_passed_over(bench: Bench) -> None:
    bench.trace.write_text(f"\ufeff{json.dumps(GOOD | {'ip': '192.0.2.1'})}\r\n\r\n", encoding="utf-8")
    assert bench.invoke("--numbers", "1", "--out", str(bench.out)).exit_code == 0


def test_a_trace_without_events_has_a_summary(bench: Bench) -> None:
    summary = bench.replayed(1).summary
    assert (summary["visits"], summary["coverage"], summary["freeze_minutes"]) == (0, None, None)


def test_the_configuration_may_be_named_before_the_command_or_after(bench: Bench) -> None:
    bench.write([GOOD])
    arguments = [str(bench.trace), "--numbers", "1", "--out", str(bench.out)]
    before = CliRunner().invoke(main, ["--config", str(bench.config), "replay", *arguments])
    assert before.exit_code == 0, before.output
    assert bench.invoke("--numbers", "1", "--out", str(bench.out)).exit_code == 0
    missing = CliRunner().invoke(main, ["replay", *arguments, "--config", str(bench.folder / "none.toml")])
    assert (missing.exit_code, "cannot be read" in missing.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "say how many: --numbers N"),
        (["--numbers", "1"], "say where to: --out"),
        (["--numbers", "-1", "--out", "x"], "-1 is not in the range"),
        (["--sweep", "numbers=1,x"], "figures separated by commas"),
        (["--sweep", "size=1"], "numbers=50,100,200 or freeze=5,15,30 is expected"),
        (["--sweep", "numbers=1", "freeze=0"], "freeze: more than 0"),
        (["--numbers", "1", "--sweep", "freeze=nan"], "freeze: more than 0"),
        (["another.ndjson", "--numbers", "1"], "name one TRACE file"),
    ],
)
def test_what_cannot_be_meant_is_said(bench: Bench, arguments: list[str], complaint: str) -> None:
    bench.write([GOOD])
    result = bench.invoke(*arguments)
    assert result.exit_code == 2
    assert complaint in result.output


def test_a_trace_or_folder_that_is_not_there_is_said(bench: Bench) -> None:
    result = bench.invoke("--numbers", "1", "--out", str(bench.out))
    assert (result.exit_code, result.output) == (1, f"Error: {bench.trace}: No such file or directory\n")
    bench.write([GOOD])
    assert bench.invoke("--numbers", "1", "--out", str(bench.folder / "no" / "out")).exit_code == 1


def test_more_numbers_than_the_city_has_come_from_wider_around(bench: Bench) -> None:
    bench.write([GOOD])
    assert bench.invoke("--numbers", "1500", "--out", str(bench.out)).exit_code == 0
    us = CONFIG.replace("+442079460000", "+12025550100").replace('"GB"', '"US"')
    bench.config.write_text(us, encoding="utf-8")
    assert bench.invoke("--numbers", "1500", "--out", str(bench.out)).exit_code == 0
