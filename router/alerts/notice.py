"""What people are warned of, and how it reads. Pure."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final, NamedTuple

from pool.instants import Instant, to_iso
from router.config.alert import AnyReceiver, Cause

TITLES: Final[dict[str, str]] = {
    "missed_call": "Missed call",
    "pool_use": "Numbers run out",
    "pool_blocking": "Visitors found no number",
    "not_shown": "Numbers are not shown",
    "delivery_dead": "A delivery was given up",
    "journal": "The journal cannot be followed",
    "disk": "Little room on a disk",
    "store": "The store cannot be used",
}
TEXT_CAP: Final = 2_000
SUBJECT_CAP: Final = 120


class Notice(NamedTuple):
    """One warning. `subject`: what it is about (site, destination, PBX); `site`: None where it is of none.

    `counts`: each is an event of its own, so that those that are kept quiet are counted.
    """

    cause: Cause
    subject: str
    text: str
    site: str | None = None
    counts: bool = False


def hears(receiver: AnyReceiver, notice: Notice) -> bool:
    """Whether a receiver wants it. What is of no site is for everybody."""
    if receiver.causes and notice.cause not in receiver.causes:
        return False
    return not receiver.sites or notice.site is None or notice.site in receiver.sites


def with_quiet(notice: Notice, suppressed: int) -> Notice:
    """The same, with how many there were since the last one that was told."""
    if not suppressed:
        return notice
    return notice._replace(text=f"{notice.text}\n\n{suppressed} more since the last message of this kind.")


def digest(cause: Cause, subject: str, suppressed: int, latest: str) -> Notice:
    """Tells only of those that were kept quiet."""
    site = subject if cause in {"missed_call", "pool_use", "pool_blocking", "not_shown"} else None
    return Notice(cause, subject, f"{suppressed} more since the last message. The latest: {latest}", site)


def line_of(text: str, most: int) -> str:
    """One printable line: nothing in it can begin another line, header or field."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:most]


def lines_of(text: str) -> str:
    """Printable lines, at most TEXT_CAP characters."""
    return "\n".join(line_of(line, TEXT_CAP) for line in text.splitlines())[:TEXT_CAP]


def title_of(notice: Notice) -> str:
    """For subjects: no text of a caller or visitor is in it."""
    return line_of(f"Leaseline: {TITLES[notice.cause]} ({notice.subject})", SUBJECT_CAP)


def mail_of(notice: Notice, *, notice_id: str, at: Instant, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The mail."""
    message = EmailMessage()
    message["Subject"] = title_of(notice)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(datetime.fromtimestamp(at / 1000, UTC))
    message["Message-ID"] = f"<{notice_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notices back
    message.set_content(lines_of(notice.text) + "\n")
    return message


def hook_of(notice: Notice, *, at: Instant) -> dict[str, Any]:
    """The body of a webhook; `text` is what chat programs show."""
    return {
        "type": "alert",
        "cause": notice.cause,
        "subject": notice.subject,
        "site": notice.site,
        "at": to_iso(at),
        "title": title_of(notice),
        "text": lines_of(notice.text),
    }
