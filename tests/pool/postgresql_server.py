"""A real PostgreSQL server for tests: private data, private socket, no port, run by an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

UNPRIVILEGED = "postgres"
START_SECONDS = 90


class PostgresqlServer:
    """Started with durability on, as in production: what is measured and killed here is the real thing."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        self._run(
            "initdb", "-D", str(self.data), "-U", "leaseline", "-A", "trust", "-E", "UTF8", "--no-locale"
        )

    def start(self) -> None:
        options = ["-k", str(self.folder), "-c", "listen_addresses=", "-c", "max_connections=60"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *options],
                stdout=subprocess.DEVNULL,
                stderr=log,
                **_as_unprivileged(),
            )
        deadline = time.monotonic() + START_SECONDS
        while self._psql("SELECT 1", check=False).returncode != 0:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """As by a power cut: immediate shutdown, recovery at the next start."""
        assert self._process is not None
        self._process.send_signal(3)  # SIGQUIT
        self._process.wait(START_SECONDS)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(2)  # SIGINT: fast shutdown
        self._process.wait(START_SECONDS)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a database of its own, dropped at the end."""
        name = f"t{uuid.uuid4().hex}"
        self._psql(f"CREATE DATABASE {name}")
        yield f"postgresql://leaseline@/{name}?host={self.folder}"
        self._psql(f"DROP DATABASE {name} WITH (FORCE)")

    def _psql(self, sql: str, *, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = [
            self.programs / "psql",
            "-h",
            self.folder,
            "-U",
            "leaseline",
            "-d",
            "postgres",
            "-qtAc",
            sql,
        ]
        return subprocess.run(command, check=check, capture_output=True, timeout=START_SECONDS)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / program, *arguments], capture_output=True, check=False, **_as_unprivileged()
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')[-2000:]}")


def server_or_reason() -> Iterator[PostgresqlServer]:
    """A running server. Where PostgreSQL is not installed: skipped loudly, or failed when CI=true."""
    programs = _programs()
    if programs is None:
        reason = "NO POSTGRESQL SERVER HERE: install postgresql to test that store"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="leaseline-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
    server = PostgresqlServer(programs, folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """The folder with initdb: Debian keeps each version's beside one another and not on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    found = debian[-1] if debian else Path(on_path).resolve() if on_path else None
    return found.parent if found else None


def _as_unprivileged() -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(UNPRIVILEGED)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}
