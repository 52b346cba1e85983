"""Log lines: ours and the libraries' in one form, on one stream."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys, structlog
from router.log import set_up_logging
set_up_logging("warning", "json", lasting=False)
early = structlog.get_logger("early")
early.info("too quiet")
set_up_logging("info", sys.argv[1])
early.info("loud enough")
log = structlog.get_logger("router.calls")
with structlog.contextvars.bound_contextvars(linkedid="1.1"):
    log.info("call.ended", result="answered", name="M\\u00fcller\\n\\udcff")
log.debug("not shown")
logging.getLogger("aiohttp.server").error("from a library: %s", "it")
logging.getLogger("aiohttp.access").info("not shown")
try:
    raise ValueError("broken")
except ValueError:
    log.exception("failed")
    log.warning("also", exc_info=True)
"""


def logged(form: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, form], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stderr


def test_each_line_is_one_json_object_with_the_same_keys() -> None:
    lines = [json.loads(line) for line in logged("json").splitlines()]
    assert [(line["level"], line["logger"], line["event"]) for line in lines] == [
        ("info", "early", "loud enough"),
        ("info", "router.calls", "call.ended"),
        ("error", "aiohttp.server", "from a library: it"),
        ("error", "router.calls", "failed"),
        ("warning", "router.calls", "also"),
    ]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert (lines[1]["linkedid"], lines[1]["result"], lines[1]["name"]) == (
        "1.1",
        "answered",
        "Müller\n\udcff",
    )
    assert all("ValueError: broken" in line["exception"] for line in lines[-2:])


def test_text_is_for_people() -> None:
    text = logged("text")
    assert "call.ended" in text
    assert "linkedid" in text
    assert "ValueError" in text
    assert "not shown" not in text
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(text.splitlines()[0])
