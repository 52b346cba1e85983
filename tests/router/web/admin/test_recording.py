"""Recordings over HTTP: ranges, roles, and no way out of the folder."""

import shutil

import pytest

from router.store.recordings import RecordingStore
from router.users.roles import Role
from tests.router.recordings.sounds import RATE, tone
from tests.router.web.admin.conftest import Admin

NAME = "1763817000.1.wav"
PBX = "/var/spool/asterisk/monitor/leaseline"


@pytest.fixture
async def heard(admin: Admin) -> str:
    """The path of a call's recording of two seconds."""
    tone(admin.folder / NAME, 2)
    call_id = await admin.call(f"{PBX}/{NAME}")
    return f"/api/v1/calls/{call_id}/recording"


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.LISTENER, 200), (Role.ADMIN, 200)])
async def test_only_who_may_hear_hears(admin: Admin, heard: str, role: Role, status: int) -> None:
    for method in ("GET", "HEAD"):
        assert (await admin.get(heard, role, method=method)).status == status


async def test_the_whole_file_and_parts_of_it(admin: Admin, heard: str) -> None:
    content = (admin.folder / NAME).read_bytes()
    whole = await admin.get(heard, Role.LISTENER)
    assert await whole.read() == content
    assert whole.content_type == "audio/wav"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Cache-Control"] == "private, no-cache"
    head = await admin.get(heard, Role.LISTENER, method="HEAD")
    assert (int(head.headers["Content-Length"]), await head.read()) == (len(content), b"")
    for asked, wanted, told in (
        ("bytes=0-43", content[:44], f"bytes 0-43/{len(content)}"),
        ("bytes=100-", content[100:], f"bytes 100-{len(content) - 1}/{len(content)}"),
        ("bytes=-10", content[-10:], f"bytes {len(content) - 10}-{len(content) - 1}/{len(content)}"),
    ):
        part = await admin.get(heard, Role.LISTENER, headers={"Range": asked})
        assert (part.status, part.headers["Content-Range"]) == (206, told)
        assert await part.read() == wanted
    beyond = await admin.get(heard, Role.LISTENER, headers={"Range": "bytes=999999-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")


async def test_a_tag_spares_the_download_until_the_file_changes(admin: Admin, heard: str) -> None:
    tag = (await admin.get(heard, Role.LISTENER)).headers["ETag"]
    same = await admin.get(heard, Role.LISTENER, headers={"If-None-Match": tag})
    assert same.status == 304
    for condition, status in (('"another"', 200), (tag, 206)):
        headers = {"If-Range": condition, "Range": "bytes=10-20"}
        resumed = await admin.get(heard, Role.LISTENER, headers=headers)
        assert resumed.status == status
        assert len(await resumed.read()) == (32_044 if status == 200 else 11)
    tone(admin.folder / NAME, 1)
    assert (await admin.get(heard, Role.LISTENER, headers={"If-None-Match": tag})).status == 200


@pytest.mark.parametrize(("form", "media"), [("opus", "audio/ogg"), ("mp3", "audio/mpeg")])
async def test_the_converted_file_is_served_as_what_it_is(
    admin: Admin, heard: str, form: str, media: str
) -> None:
    (admin.folder / f"1763817000.1.{form}").write_bytes(b"sound")
    await admin.recorded(heard.split("/")[4], name=f"1763817000.1.{form}", format=form, state="ready")
    answer = await admin.get(heard, Role.LISTENER)
    assert (answer.content_type, await answer.read()) == (media, b"sound")


async def test_a_file_that_is_replaced_meanwhile_is_found(
    admin: Admin, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = heard.split("/")[4]
    await admin.recorded(call_id, name="1763817000.1.opus", state="replacing", format="opus")
    of, looks = RecordingStore.of, []

    async def just_before(self: RecordingStore, call_ids: list[str]) -> object:
        found = await of(self, call_ids)
        if not looks:  # the first look still reads the old row, whose file is gone
            found[call_id] = found[call_id]._replace(name="gone.wav")
        looks.append(call_ids)
        return found

    (admin.folder / "1763817000.1.opus").write_bytes(b"sound")
    monkeypatch.setattr(RecordingStore, "of", just_before)
    assert (await admin.get(heard, Role.LISTENER)).status == 200


@pytest.mark.parametrize(
    "path",
    ["../secret.wav", "/etc/passwd", f"{PBX}/../../secret.wav", "..", ".", "", "a/b\x00.wav", ".hidden.wav",
     "link.wav", "folder.wav", "loop.wav", "x.wav/", "secret.wav%00", "ünï.wav", "a" * 300 + ".wav"],
)  # fmt: skip
async def test_no_path_leads_out_of_the_folder(admin: Admin, path: str) -> None:
    tone(admin.folder.parent / "secret.wav", 1)
    (admin.folder / "link.wav").symlink_to(admin.folder.parent / "secret.wav")
    (admin.folder / "loop.wav").symlink_to(admin.folder / "loop.wav")
    (admin.folder / "folder.wav").mkdir()
    tone(admin.folder / ".hidden.wav", 1)
    call_id = await admin.call(path)
    answer = await admin.get(f"/api/v1/calls/{call_id}/recording", Role.ADMIN)
    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    await admin.recorded(call_id, name=path, state="ready")
    assert (await admin.get(f"/api/v1/calls/{call_id}/recording", Role.ADMIN)).status == 404


async def test_what_is_not_there_says_why(admin: Admin, heard: str) -> None:
    async def kind(path: str) -> tuple[int, str]:
        answer = await admin.get(path, Role.LISTENER)
        return answer.status, (await answer.json())["type"].rpartition(":")[2]

    assert await kind("/api/v1/calls/unknown/recording") == (404, "unknown-call")
    assert await kind(f"/api/v1/calls/{await admin.call()}/recording") == (404, "no-recording")
    (admin.folder / NAME).unlink()
    assert await kind(heard) == (404, "recording-not-here")
    await admin.recorded(heard.split("/")[4], state="deleted", reason="older than 30 days")
    assert await kind(heard) == (410, "recording-deleted")
    shutil.rmtree(admin.folder)
    await admin.recorded(heard.split("/")[4], state="ready", reason=None)
    assert await kind(heard) == (404, "recording-not-here")


async def test_many_listen_at_once_to_a_long_recording(admin: Admin) -> None:
    tone(admin.folder / "1763817000.5.wav", 120)
    call_id = await admin.call(f"{PBX}/1763817000.5.wav")
    answers = [await admin.get(f"/api/v1/calls/{call_id}/recording", Role.LISTENER) for _ in range(10)]
    sizes = [len(await answer.read()) for answer in answers]
    assert sizes == [44 + 2 * 120 * RATE] * 10
