"""Warnings reach mail and webhook, one of a cause an hour, whatever is restarted, hangs or is hostile."""

import asyncio
import base64
import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook

from pool.database import open_database
from pool.instants import HOUR, now
from router.alerts import receivers
from router.alerts.notice import Notice, line_of, mail_of
from router.alerts.service import Alerts
from router.alerts.sources import of_call, of_delivery, of_pool
from router.config.alert import Alerts as Settings
from router.pool_watch import Alert as PoolAlert
from router.store.alerts import AlertStore
from tests.ports import free_ports
from tests.router.alerts.conftest import Post, settled
from tests.router.deliveries.far_side import FarSide, answering, serving
from tests.router.deliveries.records import cdr

NASTY = "Eve\r\nBcc: all@shop.example\r\n\r\n<script>\x1b[2J\u2028"
MISSED = Notice("missed_call", "shop", "somebody called", "shop", counts=True)
POOL = Notice("pool_use", "shop", "90% taken", "shop")


def hook(far, **more):
    return {"name": "chat", "kind": "webhook", "url": f"{far.url}/hook"} | more


def texts(far):
    return [json.loads(got.body)["text"] for got in far.received]


async def test_one_of_a_cause_an_hour_and_then_how_many_more(bell, far):
    bell.configure(hook(far))
    async with bell.ringing() as alerts:
        for _ in range(5):
            alerts.notify(MISSED)
            alerts.notify(POOL)
        alerts.notify(MISSED._replace(subject="other", site="other"))
        await far.until(3)
        await settled(lambda: alerts.kept_quiet == 8)
        bell.clock.ahead = HOUR + 1000
        await far.until(4)  # the digest comes by itself
        await asyncio.sleep(0.3)
    assert sorted(texts(far)[:3]) == ["90% taken", "somebody called", "somebody called"]
    assert texts(far)[3:] == ["4 more since the last message. The latest: somebody called"]


async def test_it_is_quiet_across_restarts_and_processes(bell, far):
    bell.configure(hook(far))
    async with bell.ringing() as alerts:
        alerts.notify(MISSED)
        await far.until(1)
    async with bell.ringing() as first, bell.ringing() as second:
        for _ in range(3):
            first.notify(MISSED)
            second.notify(MISSED)
        await settled(lambda: first.kept_quiet + second.kept_quiet == 6)
        assert len(far.received) == 1
        bell.clock.ahead = 2 * HOUR
        first.notify(MISSED)
        second.notify(MISSED)
        await settled(lambda: first.kept_quiet + second.kept_quiet >= 7)
        await asyncio.sleep(0.3)
    told = texts(far)[1:]
    assert len(told) == 1
    assert "more since the last message" in told[0]


async def test_who_comes_a_moment_later_with_an_earlier_clock_is_silent(bell):
    store, at = AlertStore(bell.database), now()
    told = {"quiet_ms": HOUR, "counts": True}
    assert await store.tell("missed_call", "shop", "first", at=at, **told) == 0
    assert await store.tell("missed_call", "shop", "second", at=at - 5_000, **told) is None
    assert await store.tell("missed_call", "shop", "third", at=at + HOUR, **told) == 1


async def test_a_clock_that_was_set_back_silences_nobody(bell, far):
    bell.configure(hook(far))
    bell.clock.ahead = 1000 * HOUR
    async with bell.ringing() as alerts:
        alerts.notify(MISSED)
        await far.until(1)
        bell.clock.ahead = 0
        alerts.notify(MISSED)
        await far.until(2)


async def test_a_webhook_is_signed_and_goes_to_who_wants_it(bell, far, monkeypatch):
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    monkeypatch.setenv("CHAT_SECRET", secret)
    async with serving(FarSide()) as other:
        bell.configure(
            hook(far, secret={"env": "CHAT_SECRET"}, causes=["pool_use", "store"], sites=["shop"]),
            hook(other, name="other", sites=["other"]),
        )
        async with bell.ringing() as alerts:
            alerts.notify(MISSED)
            alerts.notify(POOL._replace(subject="other", site="other"))
            alerts.notify(Notice("store", "pbx", "gone"))
            alerts.notify(POOL)
            await far.until(2)
            await other.until(2)
        assert sorted(texts(other)) == ["90% taken", "gone"]
    for got in far.received:
        body = Webhook(secret).verify(got.body, got.headers)
    assert body["cause"] == "pool_use"
    assert body["title"] == "Leaseline: Numbers run out (shop)"


async def test_mail_arrives_and_no_caller_writes_its_headers(bell, post):
    handler, port = post
    bell.configure(
        {"name": "ops", "kind": "email", "to": ["ops@shop.example", "ann@shop.example"]},
        smtp_host="127.0.0.1", smtp_port=port, smtp_tls="off", sender="leaseline@shop.example",
    )  # fmt: skip
    record = cdr(
        1, at=now() - 60_000, result="missed", caller={"number": None, "name": NASTY, "region": None}
    )
    record["attribution"]["channel"] = NASTY
    notice = of_call(record, ["missed"], now())
    async with bell.ringing() as alerts:
        alerts.notify(notice)
        ((envelope, mail),) = await handler.until(1)
    assert envelope.rcpt_tos == ["ops@shop.example", "ann@shop.example"]
    assert mail["Subject"] == "Leaseline: Missed call (shop)"
    assert mail["From"] == "leaseline@shop.example"
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "an anonymous caller (Eve Bcc: all@shop.example <script> [2J)" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("field", ["subject", "text"])
def test_a_mail_has_the_headers_it_is_given_and_no_others(field):
    notice = MISSED._replace(**{field: NASTY * 50})
    mail = mail_of(notice, notice_id="1", at=now(), sender="a@b.example", to=("c@d.example",))
    head = mail.as_bytes().split(b"\n\n")[0]
    assert b"\nBcc" not in head
    assert len(mail["Subject"]) <= 120


async def test_login_and_failures_are_visible_and_tried_again(bell, post, monkeypatch):
    handler, port = post
    monkeypatch.setenv("SMTP_PASSWORD", "hush")
    ops = {"name": "ops", "kind": "email", "to": ["ops@shop.example"]}
    bell.configure(ops, smtp_host="127.0.0.1", smtp_port=port)
    async with bell.ringing() as alerts:
        alerts.notify(POOL)  # this server has no TLS, and none is asked for less
        await settled(lambda: "127.0.0.1" in alerts.troubles().get("ops", ""))
    assert handler.mails == []
    with pytest.raises(ValueError, match="in the open"):
        Settings.model_validate(
            {"smtp_username": "leaseline", "smtp_password": {"env": "SMTP_PASSWORD"}, "smtp_tls": "off"}
        )
    handler.answer = "451 later"
    bell.configure(ops, smtp_host="127.0.0.1", smtp_port=port, smtp_tls="off")
    async with bell.ringing() as alerts:
        alerts.notify(MISSED)
        await settled(lambda: "451" in alerts.troubles().get("ops", ""))
        handler.answer = "250 taken"
        await handler.until(1)
        await settled(lambda: alerts.troubles() == {})


async def test_a_login_is_only_told_to_a_server_that_proves_who_it_is(bell, tmp_path, monkeypatch):
    [port] = free_ports(1)
    certificate = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    handler = Post()
    controller = Controller(
        handler, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True,
        authenticator=handler.authenticate, auth_required=True,
    )  # fmt: skip
    controller.start()
    monkeypatch.setenv("SMTP_PASSWORD", "hush")
    bell.configure(
        {"name": "ops", "kind": "email", "to": ["ops@shop.example"]},
        smtp_host="127.0.0.1", smtp_port=port, smtp_username="leaseline",
        smtp_password={"env": "SMTP_PASSWORD"},
    )  # fmt: skip
    try:
        async with bell.ringing() as alerts:
            alerts.notify(POOL)
            await settled(lambda: "certificate" in alerts.troubles().get("ops", "").lower())
            assert handler.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with bell.ringing() as alerts:
            alerts.notify(MISSED)
            await handler.until(1)
        assert handler.logins == [(b"leaseline", b"hush")]
    finally:
        controller.stop()


def self_signed(folder):
    """A key and its certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))
    return file


async def test_a_receiver_that_hangs_delays_nobody(bell, far, monkeypatch):
    monkeypatch.setattr(receivers, "MOST_WAITING", 2)
    async with serving(FarSide()) as hanging:

        async def hang(request, got):
            await asyncio.sleep(60)
            return web.Response()

        hanging.answer = hang
        bell.configure(hook(hanging, name="slow"), hook(far))
        async with bell.ringing() as alerts:
            for number in range(8):
                alerts.notify(POOL._replace(subject=f"s{number}"))
                # As many wait for the one as for the other: it must not be this one's that are dropped.
                await far.until(number + 1)
            dropped = next(metric for metric in alerts.figures() if metric.name == "leaseline_alerts_dropped")
            assert dropped.samples[0].value >= 4


async def test_a_webhook_that_fails_is_tried_again_under_its_id_then_given_up(bell, far):
    far.answer = answering(500, "no")
    bell.configure(hook(far))
    async with bell.ringing() as alerts:
        alerts.notify(POOL)
        await far.until(3)
        assert alerts.troubles() == {"chat": "500 no"}
        far.answer = answering(200)
        alerts.notify(MISSED)
        await settled(lambda: alerts.troubles() == {})
    ids = [got.headers["webhook-id"] for got in far.received]
    assert len(set(ids[:3])) == 1


async def test_without_the_store_a_process_is_quiet_for_itself(tmp_path, bell, far):
    bell.configure(hook(far))
    database = await open_database(f"sqlite:///{tmp_path}/no/such/folder/x.db")
    alerts = Alerts(bell.live, database, now=bell.clock)
    running = asyncio.create_task(alerts.run())
    for _ in range(3):
        alerts.notify(Notice("store", "pbx", "gone"))
        alerts.notify(MISSED)
    await far.until(2)
    await settled(lambda: alerts.kept_quiet == 4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()
    assert sorted(texts(far)) == ["gone", "somebody called"]


def test_what_is_said_of_calls_pools_and_deliveries():
    record = cdr(1, at=now() - 60_000, result="missed")
    notice = of_call(record, ["missed", "busy"], now())
    assert notice.text.startswith("+447700900123 (Ann) called +442079460123 (shop) and got nobody: missed.")
    assert of_call(record, ["busy"], now()) is None
    assert of_call(record, ["missed"], now() + 3 * HOUR) is None
    assert of_pool(PoolAlert("shop", "use", 0.91, 0.75)).text.startswith("91% of the numbers")
    assert of_pool(PoolAlert("shop", "blocking", 0.07, 0.05)).cause == "pool_blocking"
    assert "retry crm --all dead" in of_delivery("crm", "x\r\ny").text
    assert line_of(NASTY, 200) == "Eve Bcc: all@shop.example <script> [2J"
