"""A configuration file is read whole or refused with every error's place."""

import re
import tomllib
from pathlib import Path

import pytest

from router.config import Config, ConfigError, load_config
from router.config.alert import Receiver
from router.config.delivery import Destination

SHOP = """
[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
"""
PLAN = "[[site.plan]]\nname = 'other'\n"
STEP = "[[site.step]]\ntargets = ['PJSIP/a', 'PJSIP/b']\n"
HOOK = "[[delivery]]\nname = 'crm'\nkind = 'webhook'\n"
GA4 = "[[delivery]]\nname = 'ga'\nkind = 'ga4'\napi_secret = { env = 'A' }\n"
SCHEDULE = "[[site.schedule]]\nname = 'office'\n"


def problems(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_example_equals_the_defaults() -> None:
    config = load_config(Path("config.example.toml"))
    bare = type(config)(site=config.site)
    assert config == bare


def test_the_example_shows_every_key_of_every_kind_with_its_default() -> None:
    text = Path("config.example.toml").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^#.*\n)+", text[text.index("# [[delivery]]") :], re.MULTILINE)
    common = {*Destination.model_fields, *Receiver.model_fields}
    seen: list[str] = []
    for block in (block for block in blocks if "[[" in block):
        lines = block.splitlines()
        shown = tomllib.loads("\n".join(line[2:] for line in lines))
        ((name, (values,)),) = shown.items()
        optional = {found for line in lines for found in re.findall(r"# ([a-z_]+) = {", line)}
        settings = {"alerts": {"smtp_host": "mail.example"}, **shown}
        table = getattr(Config.model_validate(settings), name)[0]
        fields = type(table).model_fields
        first_of_its_kind = not any(kind.startswith(name) for kind in seen)
        assert {*values, *optional} >= fields.keys() - (set() if first_of_its_kind else common)
        for key, value in values.items():
            field = fields[key]
            if not field.is_required() and field.default not in (None, "", ()):
                assert getattr(table, key) == field.default, (table.kind, key, value)
        seen.append(f"{name} {table.kind}")
    assert seen == [
        "delivery webhook", "delivery ga4", "delivery metrica", "delivery google_ads",
        "delivery google_ads_csv", "alert email", "alert webhook",
    ]  # fmt: skip


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[storage]\nurl = "sqlite:///data/l.db"\n[cdr]\npath = "cdr.ndjson"\n', encoding="utf-8")
    config = load_config(path)
    assert config.storage.url == f"sqlite:///{tmp_path}/data/l.db"
    assert config.cdr.path == tmp_path / "cdr.ndjson"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[storage]\nurl = 5", ["[storage] key url", "takes text in quotes"]),
        ("[storage]\nulr = 'x'", ["[storage] key ulr", "did you mean 'url'"]),
        ("[sotrage]\nurl = 'x'", ["[sotrage]", "did you mean 'storage'"]),
        ("[fastagi]\nport = 99999", ["[fastagi] key port", "65535", "99999"]),
        ("[fastagi]\nanswer_seconds = 1.5\n", ["[fastagi] answer_seconds", "[asterisk] agi_seconds"]),
        ("[fastagi]\nallow = ['10.0.0.1/8']", ["[fastagi] key allow 1", "host bits"]),
        (SHOP + "[[site.step]]\ntargets = ['PJSIP/a&PJSIP/b']", ['[[site]] "shop" [[step]] 1 key targets 1']),
        (SHOP + "[[site.step]]\ntargets = ['PJSIP/a,tT']", ["PJSIP/endpoint"]),
        (SHOP + "[[site.step]]\ntargets = []", ["key targets", "at least one entry"]),
        (SHOP + "freeze_minutes = 1", ['[[site]] "shop" key freeze_minutes', "takes 5 or more (found 1)"]),
        (SHOP + SHOP, ["'shop' is used twice"]),
        (SHOP.replace("https://shop.example", "shop.example/x"), ["key origins 1", "https://shop.example"]),
        (SHOP.replace("+442079460000", "020 7946 0000"), ["key main_number", "international"]),
        (SHOP + "[[site.rule]]\nchannel = ['Gogle']", ["no [[site.channel]] is named 'Gogle'"]),
        (SHOP + PLAN + "outside = 'office'", ["[[site.plan]] 'other'", "outside", "is named 'office'"]),
        (SHOP + PLAN + "slot = ['leeds']", ["no [[site.number_slot]] is named 'leeds'"]),
        (SHOP + PLAN + "overflow = 'voicemail'", ["'other'", "voicemail_box"]),
        (SHOP + PLAN + PLAN, ["[[site.plan]] name 'other' is used twice"]),
        (SHOP + PLAN + "caller = ['+44 7700']", ['"other" key caller 1', '"+4470*"', "anonymous"]),
        (
            SHOP + PLAN + "[[site.plan.step]]\ntargets = ['+44x']",
            ['[[plan]] "other" [[step]] 1 key targets 1'],
        ),
        (SHOP + STEP + "strategy = 'weighted'", ["weights for each of the 2 targets"]),
        (SHOP + STEP + "weights = [1, 2]", ["strategy = 'weighted'"]),
        (SHOP + STEP + "during = 'office'", ["during", "no [[site.schedule]] is named 'office'"]),
        (SHOP + (STEP + "strategy = 'sequential'\n") * 5, ["at most 9 steps", "can become 10"]),
        (SHOP + SCHEDULE + "hours = ['9-5']", ['"office" key hours 1', "Mon-Fri 09:00-18:00"]),
        (SHOP + SCHEDULE + "hours = ['Mon']\nholidays = ['25.12.']", ["key holidays 1", '"12-25"']),
        (SHOP + "language = 'English'", ["key language", '"en"']),
        (HOOK + "url = 'ftp://crm.example'", ['[[delivery]] "crm" key url', "https://crm.example"]),
        (HOOK, ['[[delivery]] "crm"', "exactly one of url", "url_secret"]),
        (HOOK + "url = 'https://a.example'\nulr = 1", ["key ulr", "did you mean 'url'"]),
        (HOOK + "url = 'https://a.example'\ntemplate = 'x'", ["key template", "bitrix24"]),
        (HOOK + "url = 'https://a.example'\nsites = ['shop']", ["'crm' sites", "has the key 'shop'"]),
        ((HOOK + "url = 'https://a.example'\n") * 2, ["[[delivery]] name 'crm' is used twice"]),
        ("[[delivery]]\nname = 'x'\nkind = 'mail'", ['[[delivery]] "x"', "'webhook', 'ga4'"]),
        (GA4 + "measurement_id = 'UA-1-1'", ['[[delivery]] "ga" key measurement_id', "G-ABC1234567"]),
        (GA4 + "measurement_id = 'G-ABC1234567'\nvalue = 5.0", ["value needs a currency"]),
        ("[[alert]]\nname = 'x'\nkind = 'email'\nto = ['a b@c']", ['[[alert]] "x" key to 1', "ops@shop"]),
        ("[[alert]]\nname = 'x'\nkind = 'email'\nto = ['a@b']", ["[alerts] smtp_host is needed"]),
        ("[[alert]]\nname = 'x'\nkind = 'webhook'\nurll = 'y'", ['"x" key urll', "did you mean 'url'"]),
        ("[[block]]\ncallers = ['x']", ["[[block]] 1 key callers 1", "anonymous"]),
        ("[[block]]\ncallers = ['+44*']\nsites = ['shop']", ["no [[site]] has the key 'shop'"]),
        ("[ami]\nsecret = { env = 'A', file = 'b' }", ["[ami] [secret]", "exactly one"]),
        ("[node\n", ["is not TOML", "line 1"]),
    ],
)
def test_errors_name_file_table_key_and_what_is_allowed(tmp_path: Path, text: str, words: list[str]) -> None:
    message = problems(tmp_path, text)
    for word in words:
        assert word in message


def test_every_error_is_listed_at_once(tmp_path: Path) -> None:
    message = problems(tmp_path, "[fastagi]\nport = 0\n[http]\npublic_port = 0\n")
    assert len(message.splitlines()) == 2


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "absent.toml")
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "config.toml")


def test_secrets_come_from_environment_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from router.config.values import Secret

    (tmp_path / "secret").write_text("hush\n", encoding="utf-8")
    assert Secret(file=tmp_path / "secret").read() == "hush"
    monkeypatch.setenv("SOME_SECRET", "quiet")
    assert Secret(env="SOME_SECRET").read() == "quiet"
    monkeypatch.delenv("SOME_SECRET")
    with pytest.raises(LookupError, match="SOME_SECRET is not set"):
        Secret(env="SOME_SECRET").read()


SITE = '[[site]]\nkey = "a"\nname = "A"\nmain_number = "+442079460000"\norigins = ["https://a.example"]\n'


def test_click_ids_of_a_site(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    listed = '["clickid", { parameter = "rid", source = "partner" }]'
    path.write_text(f"{SITE}click_ids = {listed}\n", encoding="utf-8")
    found = load_config(path).site[0].click_ids
    assert [(one.parameter, one.source, one.medium) for one in found] == [
        ("clickid", "", "cpc"),
        ("rid", "partner", "cpc"),
    ]
    for wrong in (
        '["utm_id"]',
        '["ClickId"]',
        '["a b"]',
        '[""]',
        '["x", "x"]',
        '[{ source = "x" }]',
        '"gclid"',
    ):
        path.write_text(f"{SITE}click_ids = {wrong}\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=r"click_ids|parameter"):
            load_config(path)


def test_a_geoip_file_counts_from_the_configurations_folder(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    for written, found in (
        ("city.mmdb", tmp_path / "city.mmdb"),
        ("/data/city.mmdb", Path("/data/city.mmdb")),
    ):
        path.write_text(f'[geoip]\ndatabase = "{written}"\n', encoding="utf-8")
        assert load_config(path).geoip.database == found
    path.write_text("", encoding="utf-8")
    assert load_config(path).geoip.database is None
