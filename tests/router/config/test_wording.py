"""What people get wrong in a configuration file, and what they are told: in its words, not in pydantic's."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli import main

SHOP = """\
[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
"""
MISTAKES = [
    ("[http]\npublic = '0.0.0.0:80'",
     "[http] key public: unknown key; did you mean 'public_host' or 'public_port' or 'public_url'?"),
    ("[[http]]\npublic_port = 1", "[[http]]: there is only one: write it in single brackets, […]"),
    ("[http]\npublic_url = 'calls.shop.example'",
     '[http] key public_url: takes an address such as "https://calls.shop.example" '
     "(found 'calls.shop.example')"),
    ("[http]\ntrusted_proxies = ['proxy.example']",
     '[http] key trusted_proxies 1: takes a network such as "10.0.0.0/8" or an address: '
     "'proxy.example' does not appear to be an IPv4 or IPv6 network (found 'proxy.example')"),
    ("[http]\npublic_port = 8081", "[http] public_port and admin_port must differ"),
    ("[site]\nkey = 'shop'", "[site]: there may be several: write it in double brackets, [[…]]"),
    (SHOP.replace('main_number = "+442079460000"\n', ""), '[[site]] "shop" key main_number: is missing'),
    (SHOP.replace("https://shop.example", "shop.example"),
     '[[site]] "shop" key origins 1: takes scheme and host alone, such as "https://shop.example" '
     "(found 'shop.example')"),
    (SHOP.replace('["https://shop.example"]', '"https://shop.example"'),
     "[[site]] \"shop\" key origins: takes a list: [\"…\"] (found 'https://shop.example')"),
    (SHOP + "freeze_seconds = 900",
     "[[site]] \"shop\" key freeze_seconds: unknown key; did you mean 'freeze_minutes'?"),
    (SHOP + "freeze_minutes = 900", '[[site]] "shop" key freeze_minutes: takes 30 or less (found 900)'),
    (SHOP + "qualified_seconds = '30 s'",
     "[[site]] \"shop\" key qualified_seconds: takes a whole number (found '30 s')"),
    (SHOP + "record = true", "[[site]] \"shop\" key record: takes 'off', 'mono' or 'stereo' (found true)"),
    (SHOP + "consent_required = 'when needed'",
     "[[site]] \"shop\" key consent_required: takes true or false, without quotes (found 'when needed')"),
    (SHOP + "[[site.step]]\ntargets = 'PJSIP/agent1'",
     "[[site]] \"shop\" [[step]] 1 key targets: takes a list: [\"…\"] (found 'PJSIP/agent1')"),
    (SHOP + "[[site.channel]]\nsource = ['google']", '[[site]] "shop" [[channel]] 1 key name: is missing'),
    (SHOP + "[[site.chanel]]\nname = 'x'",
     "[[site]] \"shop\" [[chanel]]: unknown key; did you mean 'channel'?"),
    ("[[step]]\ntargets = ['PJSIP/a']",
     "[[step]]: unknown key; it belongs to a site: write [[site.step]] below its [[site]]"),
    ("[ami]\nsecret = 'hush-hush'", '[ami] key secret: takes { env = "NAME" } or { file = "/path" }'),
    ("[ami]\nping_seconds = nan", "[ami] key ping_seconds: takes a number (found nan)"),
    ("[asterisk]\nfallback = []", "[asterisk] key fallback: takes at least one entry"),
    ("[asterisk]\ncountry = 'England'",
     "[asterisk] key country: takes a two-letter country code such as \"GB\" (found 'England')"),
    ("[node]\nswitch = 2026-11-22", '[node] key switch: takes text in quotes: "…"'),
    ("[node]\nlog_level = 'verbose'",
     "[node] key log_level: takes 'debug', 'info', 'warning' or 'error' (found 'verbose')"),
    ("[node]\nswitch = 'a'\n\nswitch = 'b'\n", "is not TOML: line 4 sets a key again: switch = 'b'"),
    ("[storage]\nurl = '/var/lib/leaseline.db'",
     '[storage] key url: takes "sqlite:///relative", "sqlite:////absolute" or "postgresql://…" '
     "(found '/var/lib/leaseline.db')"),
    ("[[delivery]]\nname = 'crm'", '[[delivery]] "crm": key kind is missing'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), MISTAKES, ids=[told.partition(": ")[0] for _, told in MISTAKES])
def test_a_mistake_is_told_by_place_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["--config", str(path), "check"])
    assert result.exit_code == 1
    assert result.output.splitlines() == [f"Error: {path}: {told}"]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("\ufeff" + SHOP, encoding="utf-8")
    result = CliRunner().invoke(main, ["--config", str(path), "check"])
    assert (result.exit_code, "Sites: shop" in result.output) == (0, True)


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[ami]\nsecret = 'hush-hush'\nfallback_secret = { key = 'hush-hush' }", encoding="utf-8")
    assert "hush" not in CliRunner().invoke(main, ["--config", str(path), "check"]).output
