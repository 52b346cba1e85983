"""A manager interface on a real socket that answers, lies, stalls and drops on demand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

Fields = dict[str, str]


class AmiPeer:
    """Accepts any number of connections. By default logs in, answers pings and keeps an AstDB.

    `answers`: by action name in lower case, what to write instead (None: nothing). `actions`: all that was
    received.
    """

    def __init__(self) -> None:
        self.actions: list[Fields] = []
        self.answers: dict[str, Callable[[Fields], str | bytes | None]] = {}
        self.astdb: dict[tuple[str, str], str] = {}
        self.banner = b"Asterisk Call Manager/11.0.0\r\n"
        self.logins = 0
        self.writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        await asyncio.sleep(0)

    def drop(self) -> None:
        """Cut every connection."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def send(self, data: str | bytes) -> None:
        """Write to every connection."""
        for writer in self.writers:
            writer.write(data.encode() if isinstance(data, str) else data)

    def event(self, name: str, **headers: str) -> None:
        self.send(message(Event=name, **headers))

    def names(self) -> list[str]:
        """The actions received, without logins and pings."""
        return [fields["action"] for fields in self.actions if fields["action"] not in ("Login", "Ping")]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(self.banner)
        fields: Fields = {}
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                text = line.decode().rstrip("\r\n")
                if text:
                    name, _, value = text.partition(": ")
                    fields[name.lower()] = value
                elif fields:
                    self.actions.append(fields)
                    answer = self._answer(fields)
                    if answer is not None:
                        writer.write(answer.encode() if isinstance(answer, str) else answer)
                    fields = {}
        writer.close()

    def _answer(self, fields: Fields) -> str | bytes | None:
        name = fields["action"].lower()
        if name in self.answers:
            return self.answers[name](fields)
        key = (fields.get("family", ""), fields.get("key", ""))
        if name == "login":
            self.logins += 1
            return success(fields, "Authentication accepted")
        if name == "ping":
            return success(fields, "Pong")
        if name.startswith("db"):
            return self._astdb_answer(name, key, fields)
        return error(fields, "Invalid/unknown command")

    def _astdb_answer(self, name: str, key: tuple[str, str], fields: Fields) -> str:
        if name == "dbput":
            self.astdb[key] = fields["val"]
            return success(fields, "Updated database successfully")
        if key not in self.astdb:
            return error(fields, "Database entry not found")
        if name == "dbdel":
            del self.astdb[key]
            return success(fields, "Key deleted successfully")
        item = message(Event="DBGetResponse", Family=key[0], Key=key[1], Val=self.astdb[key], **own(fields))
        return items(fields, [item], "DBGetComplete")


def message(**headers: str) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"


def own(fields: Fields) -> Fields:
    return {"ActionID": fields["actionid"]} if "actionid" in fields else {}


def success(fields: Fields, text: str = "ok") -> str:
    return message(Response="Success", **own(fields), Message=text)


def error(fields: Fields, text: str) -> str:
    return message(Response="Error", **own(fields), Message=text)


def items(fields: Fields, listed: list[str], complete: str, eventlist: str = "Complete") -> str:
    """A whole list answer."""
    start = message(Response="Success", **own(fields), EventList="start", Message="Result will follow")
    end = message(Event=complete, **own(fields), EventList=eventlist, ListItems=str(len(listed)))
    return start + "".join(listed) + end


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[AmiPeer]:
    peer = AmiPeer()
    await peer.listen()
    try:
        yield peer
    finally:
        await peer.stop()
