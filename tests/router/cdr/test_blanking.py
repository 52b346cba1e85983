"""Records and their files without the person who called."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cdr.blanking import ERASED, blank_lines, without_person, without_visitors

PERSONAL = {
    "number": "+442079460777", "name": "Jo Example", "visit_id": "visit-77", "visitor_id": "visitor-77",
    "referrer": "https://mail.example/jo", "page_called_from": "https://shop.example/order?name=jo",
    "landing": "https://shop.example/boilers?email=jo%40mail.example", "gclid": "click-77",
    "client_id": "77.77", "metrica": "7777777", "city": "Smallville", "ip": "192.0.2.77", "browser": "Rare 7",
    "os": "RareOS 7",
}  # fmt: skip


def record(call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return {
        "id": call_id,
        "caller": {"number": PERSONAL["number"], "name": PERSONAL["name"], "region": "GB"},
        "result": "answered",
        "talk_seconds": 12.5,
        "match": "live",
        "confidence": 0.9,
        "candidates": [
            {"visit_id": PERSONAL["visit_id"], "visitor_id": PERSONAL["visitor_id"], "match": "live",
             "held_from": None, "held_until": None, "probability": 0.9},
            {"visit_id": "o", "visitor_id": "other", "match": "late", "held_from": None, "held_until": None,
             "probability": 0.06},
            {"visit_id": None, "visitor_id": None, "match": "none", "held_from": None, "held_until": None,
             "probability": 0.04},
        ],
        "attribution": {
            "visit_id": PERSONAL["visit_id"], "visitor_id": PERSONAL["visitor_id"], "channel": "Google Ads",
            "source": "google", "medium": "cpc", "campaign": "boilers", "term": "boiler", "content": "a",
            "referrer": PERSONAL["referrer"], "landing_page": PERSONAL["landing"],
            "page_called_from": PERSONAL["page_called_from"], "click_ids": {"gclid": PERSONAL["gclid"]},
            "ga": {"client_id": PERSONAL["client_id"], "session_id": "5"},
            "metrica_client_id": PERSONAL["metrica"], "region": "GB-LND", "city": PERSONAL["city"],
            "ip": PERSONAL["ip"], "browser": PERSONAL["browser"], "os": PERSONAL["os"], "device": "mobile",
            "visit_count": 2, "first": {"source": "bing", "medium": "cpc", "campaign": None, "at": None},
        },
        **more,
    }  # fmt: skip


def test_nothing_personal_is_left_and_what_counts_stays() -> None:
    told = without_person(record(), {PERSONAL["visitor_id"]})
    text = json.dumps(told)
    for name, value in PERSONAL.items():
        assert value not in text, name
    assert "jo" not in text
    found = told["attribution"]
    assert found["landing_page"] == "https://shop.example/boilers"
    assert (found["channel"], found["campaign"], found["region"], found["device"]) == (
        "Google Ads", "boilers", "GB-LND", "mobile",
    )  # fmt: skip
    assert found["unknown"] == ERASED
    assert found["ga"] == {"client_id": None, "session_id": None}
    assert found["click_ids"] == {}
    assert set(found) == {*record()["attribution"], "unknown"}
    assert [one["probability"] for one in told["candidates"]] == [0.9, 0.06, 0.04]
    assert told["candidates"][1]["visitor_id"] == "other"
    assert (told["match"], told["confidence"], told["talk_seconds"]) == ("live", 0.9, 12.5)


def test_another_persons_record_only_loses_the_mention() -> None:
    told = without_visitors(record(), {"other"})
    assert told["caller"]["number"] == PERSONAL["number"]
    assert [one["visitor_id"] for one in told["candidates"]] == [PERSONAL["visitor_id"], None, None]


@pytest.mark.parametrize("page", [None, "", "nonsense", "https://[", "javascript:alert(1)", "//x?y"])
def test_strange_landing_pages(page: str | None) -> None:
    strange = record()
    strange["attribution"]["landing_page"] = page
    found = without_person(strange, set())["attribution"]["landing_page"]
    assert found is None or "?" not in found


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)


def test_lines_are_overwritten_in_place_while_others_write_and_read(tmp_path: Path) -> None:
    path, old = tmp_path / "cdr.ndjson", tmp_path / "cdr-2026-11-21.ndjson"
    old.write_text(lines(record("c1"), record("c2")), encoding="utf-8")
    path.write_text(lines(record("c3"), {"id": "c4"}) + "no json\n", encoding="utf-8")
    (tmp_path / "cdr-notes.ndjson").write_text(lines(record("c1")), encoding="utf-8")
    sizes = old.stat().st_size, path.stat().st_size
    follower, writer = path.open(encoding="utf-8"), path.open("a", encoding="utf-8")
    follower.readline()
    writer.write(lines(record("c5")))
    writer.flush()
    erased = {call_id: json.dumps(without_person(record(call_id), set())) for call_id in ("c1", "c3", "c9")}

    assert blank_lines(path, erased) == 2
    assert blank_lines(path, erased) == 0

    assert (old.stat().st_size, path.stat().st_size) == (
        sizes[0],
        sizes[1] + len(lines(record("c5")).encode()),
    )
    told = [json.loads(line) for line in old.read_text(encoding="utf-8").splitlines()]
    assert [one["caller"]["number"] for one in told] == [None, PERSONAL["number"]]
    assert path.read_text(encoding="utf-8").count(str(PERSONAL["number"])) == 1
    assert json.loads(follower.readline()) == {"id": "c4"}
    follower.close()
    writer.close()


def test_a_cut_last_line_is_left_to_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "cdr.ndjson"
    cut = json.dumps(record("c1"))
    path.write_text(cut, encoding="utf-8")
    assert blank_lines(path, {"c1": '{"id":"c1"}'}) == 0
    assert path.read_text(encoding="utf-8") == cut


@given(st.dictionaries(st.sampled_from(["caller", "text"]), st.text(max_size=3)))
def test_a_line_never_grows(more: dict[str, str]) -> None:
    from router.cdr.blanking import _as_long

    short = json.dumps({"id": "c1", **more})
    longer = json.dumps(without_person(record("c1"), set()))
    line = _as_long(longer, len(short))
    assert len(line) == len(short)
    assert json.loads(line)["id"] == "c1"
