"""panoramisk's AMI protocol with its defects fenced in (docs/decisions/0005-guarded-panoramisk.md).

Of panoramisk 1.4 its `Action` (writing), `Message` (reading) and `AMIProtocol` (matching the two) are used;
its `Manager` is not, since its reconnecting, its re-sending and its dispatching are what goes wrong. Every
action ends: in its reply, or in one of the errors below.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from agi.ami_event import AmiEvent, AmiReply, HeaderValue
from agi.text import decode

log = structlog.get_logger(__name__)

_BANNER: Final = b"Asterisk Call Manager/"
_END: Final = b"\r\n\r\n"
_MAX_MESSAGE_BYTES: Final = 1_048_576


class AmiError(Exception):
    """the AMI did not do what was asked"""


class AmiDisconnected(AmiError):
    """no connection, or it was lost before the reply: a changing action may or may not have been carried
    out"""


class AmiTimeout(AmiError):
    """no reply in time: a changing action may or may not have been carried out"""


class AmiRefused(AmiError):
    """Asterisk replied with an error"""


class UnsafeAction(AmiError, ValueError):
    """a line break would let a value become a header or an action of its own"""


class GuardedProtocol(AMIProtocol):
    """One connection. ``on_event`` gets each event's name and headers; `lost` ends when the connection
    does."""

    def __init__(self, on_event: Callable[[str, Mapping[str, HeaderValue]], None]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.banner = ""
        self.closed: bool = False
        self.late_replies = 0
        self._on_event = on_event
        self._buffer = bytearray()
        self._scanned = 0
        self._limits: dict[str, int] = {}
        self._bulks: dict[str, Bulk] = {}

    def data_received(self, data: bytes) -> None:
        """Cut into messages before decoding, so a character that spans two segments stays whole."""
        if self.closed:
            return
        self._buffer += data
        if not self.banner and not self._read_banner():
            return
        while (end := self._buffer.find(_END, max(0, self._scanned - 3))) >= 0:
            block = bytes(self._buffer[:end])
            del self._buffer[: end + len(_END)]
            self._scanned = 0
            self._contain(block)
        self._scanned = len(self._buffer)
        if self._scanned > _MAX_MESSAGE_BYTES:
            self.fail(f"a message of more than {_MAX_MESSAGE_BYTES} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(str(exc) if exc else "closed by the other side")

    def close(self) -> None:
        self.fail("closed by us")

    def fail(self, reason: str) -> None:
        """End the connection and every action that waits. Nothing is kept to be sent again."""
        if self.closed:
            return
        self.closed = True
        self.transport.abort()
        error = AmiDisconnected(reason)
        for action in {id(action): action for action in self.responses.values()}.values():
            _give_up(action.future, error)
        for bulk in set(self._bulks.values()):
            _give_up(bulk.future, error)
        self.responses.clear()
        self._bulks.clear()
        if not self.lost.done():
            self.lost.set_exception(error)
            # Whoever awaits it sees it; nobody need to.
            self.lost.exception()

    async def request(
        self, fields: Mapping[str, HeaderValue], *, timeout: float, limit: int | None = None
    ) -> AmiReply:
        """Send one action and wait for its reply; with ``limit`` for a list of at most so many items."""
        check_fields(fields)
        if self.closed:
            raise AmiDisconnected("not connected")
        action = Action(dict(fields), as_list=limit is not None)
        payload = str(action).encode()
        self.responses[action.id] = action
        if limit is not None:
            self._limits[action.id] = limit
        self.transport.write(payload)
        try:
            async with asyncio.timeout(timeout):
                return _reply(await action.future)
        except TimeoutError:
            raise AmiTimeout(f"{fields.get('Action')}: no reply within {timeout} s") from None
        finally:
            self.responses.pop(action.id, None)
            self._limits.pop(action.id, None)

    async def request_bulk(self, actions: list[str], *, timeout: float) -> "Bulk":
        """Send many actions (header lines without their ActionID) in one write and wait for all replies."""
        if self.closed:
            raise AmiDisconnected("not connected")
        bulk = Bulk(len(actions))
        self._bulks.update(dict.fromkeys(bulk.ids, bulk))
        self.transport.write(
            "".join(
                f"{text}ActionID: {id_}\r\n\r\n" for text, id_ in zip(actions, bulk.ids, strict=True)
            ).encode()
        )
        try:
            async with asyncio.timeout(timeout):
                await bulk.future
        except TimeoutError:
            raise AmiTimeout(
                f"{bulk.missing} of {len(actions)} actions without a reply after {timeout} s"
            ) from None
        finally:
            for id_ in bulk.ids:
                self._bulks.pop(id_, None)
        return bulk

    def handle_message(self, message: Any) -> None:
        id_ = message.id
        if (bulk := self._bulks.get(id_)) is not None:
            bulk.add(message)
        elif (action := self.responses.get(id_)) is not None:
            self._answer(action, message)
        elif id_ is not None and str(id_).startswith(("action/", Bulk.PREFIX)):
            self.late_replies += 1
        elif "event" in message:
            self._on_event(_event_name(message), _headers(message))

    def _answer(self, action: Any, message: Any) -> None:
        limit = self._limits.get(action.id)
        if action.future.done():
            return
        if limit is None or message.response == "Error":
            # The library waits for ever for the items of a list that was refused.
            action.future.set_result([message])
            return
        action.add_message(message)
        if not action.future.done() and len(action.responses) > limit + 1:
            action.future.set_exception(AmiRefused(f"{action['action']}: more than {limit} items"))

    def _contain(self, block: bytes) -> None:
        """One message that cannot be read or handled costs itself, not the connection."""
        message = None
        try:
            message = Message.from_line(decode(block).strip("\r\n"))
            if message is not None:
                self.handle_message(message)
        except Exception as error:
            log.exception("ami message not handled", text=block[:500].decode("latin-1"))
            action = self.responses.get(message.id) if message is not None else None
            if action is not None:
                _give_up(action.future, AmiRefused(f"reply not understood: {error}"))

    def _read_banner(self) -> bool:
        line, feed, _ = bytes(self._buffer).partition(b"\r\n")
        if not (line.startswith(_BANNER) or _BANNER.startswith(line)) or len(line) > 200:
            self.fail("the other side is no Asterisk Call Manager")
            return False
        if not feed:
            return False
        self.banner = line.decode("latin-1")
        del self._buffer[: len(line) + 2]
        return True


class Answers(NamedTuple):
    """To many actions, by their index: the words of those refused, and the ``Value`` of the others."""

    refused: list[tuple[int, str]]
    values: dict[int, str]


class Bulk:
    """Many actions sent together: their answers, and an end when the last reply is there."""

    PREFIX: Final = "bulk/"
    _count = 0

    def __init__(self, size: int) -> None:
        Bulk._count += 1
        self.ids = [f"{self.PREFIX}{Bulk._count}/{index}" for index in range(size)]
        self.answers = Answers([], {})
        self.missing = size
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, message: Any) -> None:
        index = int(message.id.rpartition("/")[2])
        if message.response != "Success":
            self.answers.refused.append((index, str(message.message)))
        elif isinstance(message.value, str):
            self.answers.values[index] = message.value
        self.missing -= 1
        if self.missing == 0 and not self.future.done():
            self.future.set_result(None)


def check_fields(fields: Mapping[str, HeaderValue]) -> None:
    """Raise `UnsafeAction` for a name or value that would not stay in its header."""
    for name, value in fields.items():
        for text in (name, value) if isinstance(value, str) else (name, *value):
            check_text(text)


def check_text(text: str) -> None:
    if "\r" in text or "\n" in text or "\0" in text:
        raise UnsafeAction(f"line break or NUL in {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnsafeAction(f"not Unicode text: {text!r}") from error


def _reply(messages: list[Any]) -> AmiReply:
    first, items = messages[0], messages[1:]
    if items and str(items[-1].eventlist).lower() == "cancelled":
        raise AmiRefused(f"list cut short by Asterisk: {items[-1].message}")
    events = tuple(AmiEvent(_event_name(item), _headers(item), 0) for item in items[:-1])
    message = first.message
    return AmiReply(
        first.response == "Success",
        message if isinstance(message, str) else " ".join(message),
        _headers(first),
        events,
    )


def _event_name(message: Any) -> str:
    name = message.event
    return name if isinstance(name, str) else str(name[0])


def _headers(message: Any) -> Mapping[str, HeaderValue]:
    return {name.lower(): value for name, value in message.items()}


def _give_up(future: "asyncio.Future[Any]", error: AmiError) -> None:
    if not future.done():
        future.set_exception(error)
        # It is raised by whoever waits; an action that was given up has nobody.
        future.exception()
