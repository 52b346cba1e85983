"""Templates: nothing that a caller or a visitor sends breaks out of its text."""

import json
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.config.delivery import PRESETS
from router.deliveries.template import BadTemplate, parsed_template, read_template
from tests.router.deliveries.records import cdr

NASTY = '"}],"x":{{id}} {caller.number} \\u0022 </script>\r\n\x00 \u2028 \ud800'


def filled(body, record=None, **more):
    return parsed_template({"body": body, **more}, "here").filled(record or cdr(1))


def test_a_field_alone_keeps_its_type_and_within_a_text_becomes_text():
    made = json.loads(
        filled(
            [
                "{talk_seconds}",
                "{caller.name}",
                "{recording}",
                "{recording|none}",
                "at {talk_seconds} s {recording}",
            ]
        )
    )
    assert made == [45.0, "Ann", None, "none", "at 45.0 s "]


def test_choosing_by_a_field():
    body = {"$of": "result", "answered": "yes {id}", "*": None}
    assert json.loads(filled(body)) == f"yes {cdr(1)['id']}"
    assert json.loads(filled(body, cdr(1, result="busy"))) is None
    assert json.loads(filled({"$of": "result", "x": 1})) is None


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_carries_hostile_texts_as_texts(preset):
    record = cdr(1, caller={"number": None, "name": NASTY, "region": None})
    record["attribution"] |= dict.fromkeys(("channel", "source", "campaign", "page_called_from"), NASTY)
    template = read_template(preset)
    text = template.filled(record).encode("utf-8", "replace").decode()
    if template.encoding == "form":
        sent = dict(parse_qsl(text, strict_parsing=True))
        assert sent["utm_source"] == NASTY.replace("\ud800", "?")
        assert "phone" not in sent
    else:
        assert NASTY[:30] in json.dumps(json.loads(text), ensure_ascii=False).replace('\\"', '"')
        assert json.loads(text).keys() == template.body.keys() if isinstance(template.body, dict) else True


def test_the_crms_get_what_their_forms_ask_for():
    made = {name: json.loads(read_template(name).filled(cdr(1))) for name in PRESETS if name != "form"}
    assert made["bitrix24"]["fields"]["PHONE"] == [{"VALUE": "+447700900123", "VALUE_TYPE": "WORK"}]
    (unsorted,) = made["amocrm"]
    assert unsorted["metadata"]["from"] == "+447700900123"
    assert isinstance(unsorted["metadata"]["called_at"], int)
    assert made["hubspot"]["properties"]["hs_call_status"] == "COMPLETED"
    assert made["pipedrive"]["outcome"] == "connected"
    assert made["pipedrive"]["duration"] == 45


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_comes_back_as_it_was(name):
    record = cdr(1, caller={"number": None, "name": name, "region": None})
    assert json.loads(filled({"name": "{caller.name}", "also": "<{caller.name}>"}, record)) == {
        "name": name,
        "also": f"<{name}>",
    }


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "takes"),
        ({"body": {}, "colour": 1}, "takes"),
        ({"body": {}, "encoding": "xml"}, "xml"),
        ({"body": "{caller.nmber}"}, "caller.nmber"),
        ({"body": [{"a": ["{nothing}"]}]}, "body[0].a[0]"),
        ({"body": {"$of": "resalt"}}, "resalt"),
        ({"body": {"a": {"b": "c"}}, "encoding": "form"}, "one level"),
        ({"body": ["a"], "encoding": "form"}, "one level"),
    ],
)
def test_a_bad_template_is_refused_with_its_place(document, words):
    with pytest.raises(BadTemplate) as caught:
        parsed_template(document, "here.json")
    assert str(caught.value).startswith("here.json")
    assert words in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path):
    file = tmp_path / "t.json"
    for content in (b"\xff", b"{", b"[" * 50_000, b" " * 70_000):
        file.write_bytes(content)
        with pytest.raises(BadTemplate, match=r"t\.json"):
            read_template(str(file))
    with pytest.raises(BadTemplate, match="No such file"):
        read_template(str(tmp_path / "absent.json"))
