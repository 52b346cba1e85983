"""A recorded call from the wire to the listener: what was said comes back through the API."""

import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from instance import Instance
from midcall import Hold
from router_process import HOST, RouterProcess, wait_for

pytestmark = pytest.mark.sandbox
CALLER = "+447700900123"
PASSWORD = "correct horse battery"


class Api:
    """The admin API of a router, as one of its users."""

    def __init__(self, router: RouterProcess, role: str) -> None:
        self._router = router
        password = router.folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        router.command("user", "add", role, "--role", role, "--password-file", str(password))
        self._key = router.command("user", "key", role).split()[0]

    def open(self, path: str, **headers: str) -> Any:
        request = urllib.request.Request(
            f"http://{HOST}:{self._router.admin_port}{path}",
            headers={"Authorization": f"Bearer {self._key}", **headers},
        )
        return urllib.request.urlopen(request, timeout=60)

    def json(self, path: str) -> Any:
        with self.open(path) as answer:
            return json.loads(answer.read())

    def refused(self, path: str) -> int:
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.open(path)
        with caught.value as error:
            return error.code

    def recording_when(self, state: str) -> dict[str, Any]:
        """The recording of the one call there is, once it is in `state`."""

        def look() -> dict[str, Any] | None:
            found = [call["recording"] for call in self.json("/api/v1/calls")["calls"]]
            return next((recording for recording in found if recording and recording["state"] == state), None)

        return wait_for(f"a recording that is {state}", look, 240)  # encoders run at the lowest priority


class Live:
    """Follows /api/v1/live in the background."""

    def __init__(self, api: Api) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._answer = api.open("/api/v1/live")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        event = ""
        try:
            for line in self._answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    self.events.append((event, json.loads(value)))
        except (OSError, ValueError, AttributeError):
            pass  # the connection was closed

    def wait_for_end(self) -> None:
        wait_for("the end of the live call", lambda: "ended" in dict(self.events) or None, 60)

    def close(self) -> None:
        """When the router has ended."""
        self._thread.join(20)
        self._answer.close()


def configure(router: RouterProcess, **recordings: str) -> None:
    keys = "".join(f'{name} = "{value}"\n' for name, value in recordings.items())
    text = router.config.read_text(encoding="utf-8").replace("[recordings]\n", f"[recordings]\n{keys}")
    router.config.write_text(text.replace('record = "mono"', 'record = "stereo"'), encoding="utf-8")


@pytest.fixture
def router(sandbox: Instance, tmp_path: Path) -> Iterator[RouterProcess]:
    shutil.rmtree(sandbox.recordings)
    sandbox.recordings.mkdir(mode=0o777)
    router = RouterProcess.beside(sandbox, tmp_path)
    router.import_numbers()
    yield router
    router.end()


def test_what_was_said_is_heard_by_those_who_may(
    sandbox: Instance, router: RouterProcess, tmp_path: Path
) -> None:
    opus = shutil.which("opusdec") is not None
    configure(router, format="opus" if opus else "wav")
    router.start()
    listener, viewer = Api(router, "listener"), Api(router, "viewer")
    live = Live(viewer)
    number = router.visit()["numbers"][0]["number"]
    with sandbox.agent("agent1", answer_after=4):
        seen = sandbox.call(number, caller=CALLER, seconds=4, audio=True)
    assert seen.audio
    live.wait_for_end()
    recording = listener.recording_when("ready")
    [record] = router.wait_for_cdrs(1)

    # While it went on: ringing at the agent, then talking, by the channel that brought the caller.
    told = [event for event in live.events if event[0] == "call"]
    states = list(dict.fromkeys(data["state"] for _, data in told))
    assert [state for state in states if state in {"ringing", "talking"}] == ["ringing", "talking"]
    talking = next(data for _, data in told if data["state"] == "talking")
    assert talking.items() >= {"number": number, "agent": "PJSIP/agent1", "channel": "Google Ads"}.items()

    # The record says what the PBX wrote, the answer what there is now.
    assert record["recording"]["path"].endswith(".wav")
    assert recording["format"] == ("opus" if opus else "wav")
    assert recording["channels"] == 2
    assert recording["seconds"] == pytest.approx(record["talk_seconds"], abs=1)
    assert {path.suffix for path in sandbox.recordings.iterdir() if path.name[0] != "."} == {
        f".{recording['format']}"
    }

    assert viewer.refused(recording["url"]) == 403
    with listener.open(recording["url"]) as answer:
        content = answer.read()
        assert answer.headers["Content-Type"] == ("audio/ogg" if opus else "audio/wav")
    assert len(content) == recording["bytes"]
    with listener.open(recording["url"], Range="bytes=100-199") as answer:
        assert (answer.status, answer.read()) == (206, content[100:200])
    if opus:
        heard = tmp_path / "heard.opus"
        heard.write_bytes(content)
        done = subprocess.run(
            ["opusdec", "--quiet", "--rate", "8000", heard, "-"], capture_output=True, check=True
        )
        assert len(done.stdout) / 32_000 == pytest.approx(recording["seconds"], abs=0.2)
        samples = memoryview(done.stdout).cast("h")
        assert max(samples[0::2]) > 500
        assert max(samples[1::2]) > 500
    router.end()
    live.close()


def test_a_message_left_is_kept_with_the_recordings(either: Instance, tmp_path: Path) -> None:
    """Asterisk's own file belongs to its box, where it is renumbered and deleted: the copy is the call's."""
    router = RouterProcess.beside(either, tmp_path)
    config = router.folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    spool = either.recordings.parent.parent
    text = text.replace("[recordings]\n", f'[recordings]\nvoicemail = "{spool / "voicemail"}"\n')
    text = text.replace('record = "mono"\n', 'overflow = "voicemail"\nvoicemail_box = "100"\n')
    config.write_text(text[: text.rindex("[[site.step]]")], encoding="utf-8")
    router.import_numbers()
    router.start()
    try:
        api = Api(router, "listener")
        number = router.visit()["numbers"][0]["number"]
        with either.agent("agent1", reject=486):
            either.call(number, caller=CALLER, seconds=9, audio=True)
        recording = api.recording_when("ready")
        [call] = api.json("/api/v1/calls")["calls"]
        assert call["result"] == "voicemail"
        assert 2 < recording["seconds"] < 8
        with api.open(recording["url"]) as answer:
            content = answer.read()
        assert len(content) == recording["bytes"]
        assert (either.recordings / f"{call['linkedid']}-voicemail.wav").read_bytes() == content
    finally:
        router.end()


@pytest.mark.parametrize("witness", ["auto", "on"])
def test_hold_is_shown_to_who_watches(either: Instance, tmp_path: Path, witness: str) -> None:
    if witness == "on" and either.asterisk == 16:
        pytest.skip("the witness asks in the same way, so that one version is enough")
    router = RouterProcess.beside(either, tmp_path, witness=witness)
    router.import_numbers()
    router.start()
    try:
        live = Live(Api(router, "viewer"))
        number = router.visit()["numbers"][0]["number"]
        with either.agent("agent1", answer_after=0.1, then=[Hold(4.0, 4.0)]):
            either.call(number, caller=CALLER, seconds=13)
        live.wait_for_end()
        # None: not asked yet, or not any more.
        told = [data["hold"] for event, data in live.events if event == "call" and data["hold"] is not None]
        changes = [hold for at, hold in enumerate(told) if at == 0 or hold != told[at - 1]]
        assert changes == [False, True, False]
        assert "func_channel" not in either.log
    finally:
        router.end()
    live.close()


def test_a_call_is_live_again_after_the_router_was_killed(sandbox: Instance, router: RouterProcess) -> None:
    router.start()
    api = Api(router, "viewer")
    number = router.visit()["numbers"][0]["number"]
    with sandbox.agent("agent1", answer_after=0.1):
        run = sandbox.peers.call(number, caller=CALLER, seconds=60)
        sandbox.wait_for_journal(
            lambda lines: [line["eventtype"] for line in lines].count("BRIDGE_ENTER") == 2
        )
        router.kill()
        router.start()
        live = Live(api)

        def shown() -> dict[str, Any] | None:
            calls = [call for event, data in live.events for call in data.get("calls", [data])]
            return next((call for call in calls if call["state"] == "talking"), None)

        call = wait_for("the call", shown, 60)
        assert call.items() >= {"number": number, "agent": "PJSIP/agent1", "caller": CALLER}.items()
        sandbox.cli("channel request hangup all")
        assert run.wait(60) == 0
        live.wait_for_end()
    router.wait_for_cdrs(1)
    router.end()
    live.close()


def test_a_recording_that_asterisk_did_not_live_to_close_is_repaired(tmp_path: Path) -> None:
    instance = Instance.private("cut", agi_seconds=4.0)
    try:
        instance.up()
        router = RouterProcess.beside(instance, tmp_path)
        router.import_numbers()
        configure(router, format="wav")
        router.start()
        try:
            listener = Api(router, "listener")
            number = router.visit()["numbers"][0]["number"]
            with instance.agent("agent1", answer_after=0.1):
                run = instance.peers.call(number, seconds=60, audio=True)
                instance.wait_for_journal(
                    lambda lines: [line["eventtype"] for line in lines].count("BRIDGE_ENTER") == 2
                )
                talked_from = time.time()
                time.sleep(5.0)  # two seconds of audio are in Asterisk's buffer at any moment
                instance.kill_asterisk()
                talked = time.time() - talked_from
                run.stop()
            instance.restart()
            recording = listener.recording_when("ready")
            assert 1.5 < recording["seconds"] < talked + 1
            with listener.open(recording["url"]) as answer:
                content = answer.read()
            assert content[40:44] == (len(content) - 44).to_bytes(4, "little")
            assert recording["bytes"] == len(content)
        finally:
            router.end()
    finally:
        instance.down()
