"""PostgreSQL gone, cut off, silent, restarted: a clear error, no double lease, and it works again."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pool.database import Database, StoreUnavailable, open_database
from pool.leases import Lease
from pool.service import Pool

from .postgresql_server import PostgresqlServer
from .stock import START, add_numbers, london, wish

SOCKET = ".s.PGSQL.5432"


class Network:
    """Between a client and the server's socket: it can be cut, and it can swallow what is sent."""

    def __init__(self, server: Path, client: Path) -> None:
        self._server = server / SOCKET
        self._client = client / SOCKET
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        listener = await asyncio.start_unix_server(self._connected, self._client)
        try:
            yield
        finally:
            listener.close()
            self.cut()
            self._open.set()
            await asyncio.sleep(0.05)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._server)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self._open.wait()
                writer.write(data)
        writer.close()
        self._writers.discard(writer)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        self._open.clear()

    def carry_again(self) -> None:
        self._open.set()


@pytest.fixture
def url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    with postgresql_server.database() as url:
        yield url


@pytest.fixture
def near() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="ll-") as folder:
        yield Path(folder)


@asynccontextmanager
async def opened(url: str, **options: float) -> AsyncIterator[Database]:
    database = await open_database(url, **options)
    try:
        yield database
    finally:
        await database.close()


async def test_a_server_that_is_down_at_the_start_is_used_when_it_is_up(url: str, near: Path) -> None:
    server = Path(url.partition("host=")[2])
    async with opened(url.replace(str(server), str(near))) as database:
        pool = Pool(database)
        with pytest.raises(StoreUnavailable, match="cannot connect"):
            await pool.open()
        with pytest.raises(StoreUnavailable):
            await pool.lease(wish("v1"), START)
        assert not database.healthy
        async with Network(server, near).up():
            await pool.lease(wish("v1"), START)
            assert database.healthy


async def test_a_database_that_does_not_exist_is_unavailable(url: str) -> None:
    async with opened(url.replace("@/t", "@/no")) as database:
        with pytest.raises(StoreUnavailable, match="does not exist"):
            await Pool(database).open()


async def test_the_password_is_not_told(near: Path) -> None:
    async with opened(f"postgresql://me:secret@/db?host={near}") as database:
        with pytest.raises(StoreUnavailable) as told:
            await Pool(database).open()
        assert "secret" not in str(told.value)


async def test_a_network_that_is_cut_again_and_again_leaves_no_double_lease(url: str, near: Path) -> None:
    server = Path(url.partition("host=")[2])
    network = Network(server, near)
    async with opened(url.replace(str(server), str(near))) as database, network.up(), opened(url) as direct:
        pool, other = Pool(database), Pool(direct)
        await pool.open()
        await add_numbers(pool, *map(london, range(400)))
        acknowledged: list[Lease] = []
        failed = 0

        async def lease(place: int) -> None:
            nonlocal failed
            try:
                acknowledged.append(await (other if place % 5 == 0 else pool).lease(wish(f"v{place}"), START))
            except StoreUnavailable:
                failed += 1

        async def leases(places: range) -> None:
            for place in places:
                await lease(place)

        async def cuts() -> None:
            for _ in range(12):
                await asyncio.sleep(0.02)
                network.cut()

        await asyncio.gather(cuts(), *(leases(range(n, 400, 20)) for n in range(20)))
        assert failed > 0
        assert len(acknowledged) > 200
        numbers = [shown.number for lease in acknowledged for shown in lease.slots]
        assert None not in numbers
        assert len(set(numbers)) == len(numbers)
        for lease_ in acknowledged[:50]:
            view = await other.lease_by_id(lease_.lease_id, START)
            assert view is not None
            assert view.slots == lease_.slots


async def test_a_silent_network_is_given_up_and_used_again(url: str, near: Path) -> None:
    server = Path(url.partition("host=")[2])
    network = Network(server, near)
    far = url.replace(str(server), str(near))
    async with opened(url) as database:
        await Pool(database).open()
    async with (
        opened(far, write_seconds=2.5, read_seconds=2.5, connect_seconds=2.5) as database,
        network.up(),
    ):
        pool = Pool(database)
        await pool.lease(wish("v1"), START)
        network.swallow()
        with pytest.raises(StoreUnavailable, match=r"no answer in 2\.5 s"):
            await pool.lease(wish("v2"), START)
        with pytest.raises(StoreUnavailable, match=r"no answer"):
            await pool.number(london(1))
        network.carry_again()
        network.cut()
        await pool.lease(wish("v2"), START)


async def test_what_a_stopped_process_has_locked_is_freed_by_the_server(url: str) -> None:
    async with opened(url, write_seconds=5.0) as stopped, opened(url) as database:
        pool = Pool(database)
        await pool.open()
        await add_numbers(pool, london(1))
        # Reading has no deadline of 5 s here, so only the server can end what it began.
        async with stopped.read() as reading:
            await reading.connection.execute("BEGIN")
            await reading.connection.execute("SELECT * FROM number FOR UPDATE")
            fallen = await pool.lease(wish("v1"), START)
            assert fallen.slots[0].number is None
            async with asyncio.timeout(60):
                while (await pool.lease(wish("v1"), START)).slots[0].number is None:
                    await asyncio.sleep(0.1)
            lease = await pool.lease(wish("v1"), START)
            assert lease.slots[0].number == london(1)
