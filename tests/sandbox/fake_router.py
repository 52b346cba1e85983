"""A FastAGI server that answers as it is told, or misbehaves as FACTS says real ones do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping

MSET_PAIRS = 24


class FakeRouter:
    """Serves on a thread; `with router.listen(address, behaviour):` then place calls.

    `requests` holds the header of each connection as a dictionary, and what its address asks: `path`,
    `dialed`, `other` (the caller, or the digits that were keyed) and `linkedid`.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self._asked = threading.local()
        self._stop = threading.Event()
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> FakeRouter:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._listener is not None:
            self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def listen(self, address: tuple[str, int], behave: Callable[[socket.socket], None]) -> None:
        """Serve every connection with `behave` until the fixture ends."""
        self._listener = socket.create_server(address)
        self._listener.settimeout(0.05)
        self._spawn(self._accept, self._listener, behave)

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, behave: Callable[[socket.socket], None]) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._spawn(self._serve, connection, behave)

    def _serve(self, connection: socket.socket, behave: Callable[[socket.socket], None]) -> None:
        with connection:
            connection.settimeout(5)
            try:
                header = b""
                while not header.endswith(b"\n\n") and (more := connection.recv(4096)):
                    header += more
                lines = header.decode("utf-8", "surrogateescape").splitlines()
                request = dict(line.split(": ", 1) for line in lines if ": " in line)
                names = ("path", "dialed", "other", "linkedid")
                request |= zip(names, request["agi_network_script"].split("/", 3), strict=False)
                self._asked.request = request
                self.requests.append(self._asked.request)
                behave(connection)
            except OSError:
                return  # Asterisk hung up first: its right

    @property
    def asked(self) -> dict[str, str]:
        """The header of the connection that is being served, for a behaviour that looks at it."""
        request: dict[str, str] = self._asked.request
        return request

    def answer(self, variables: Mapping[str, str]) -> Callable[[socket.socket], None]:
        """The plan, the sentinel last."""

        def behave(connection: socket.socket) -> None:
            pairs = [f"{name}={value}" for name, value in (*variables.items(), ("LL_OK", "1"))]
            for start in range(0, len(pairs), MSET_PAIRS):
                command = ",".join(pairs[start : start + MSET_PAIRS])
                connection.sendall(f'EXEC MSet "{command}"\n'.encode())
                connection.recv(4096)

        return behave

    def hang(self, connection: socket.socket) -> None:
        """Accept, read, say nothing."""
        self._stop.wait(20)

    def drop(self, connection: socket.socket) -> None:
        """Close at once."""

    def garbage(self, connection: socket.socket) -> None:
        """Not AGI at all."""
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\xff\xfe\x00nonsense\n")
        connection.recv(4096)

    def half(self, connection: socket.socket) -> None:
        """Die in mid-answer: Asterisk executes what it got of the command."""
        connection.sendall(b'EXEC MSet "LL_D1=PJSIP/agent2,LL_ANNOUNCE=notice,LL_RECORD=mono,LL_NUMB')

    def no_sentinel(self, connection: socket.socket) -> None:
        """A whole command, then death before the one with the sentinel."""
        connection.sendall(b'EXEC MSet "LL_D1=PJSIP/agent2,LL_BLOCK=reject,LL_D2=PJSIP/agent3"\n')
        connection.recv(4096)
