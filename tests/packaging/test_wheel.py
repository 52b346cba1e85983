"""What `pip install` gives: the wheel in an environment of its own, away from the sources, at work."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from tests.fuzz.stage import Stage

SOURCES = Path(__file__).resolve().parents[2]
ROOMS = ("router", "agi", "pool", "dialplan")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: `build/` in the sources would carry yesterday's files into tomorrow's wheels."""
    copy, made = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        shutil.copytree(SOURCES / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCES / name, copy)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(made), str(copy))
    [found] = made.glob("leaseline-*.whl")
    return found


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`leaseline` of an environment that has the wheel; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    [packages] = folder.glob("lib/python*/site-packages")
    # A path in a .pth file brings the packages there, not what their own .pth files do: not our sources.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin" / "leaseline"


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_of_the_rooms_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    wanted = {
        str(path.relative_to(SOURCES))
        for room in ROOMS
        for path in (SOURCES / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - carried == set(), "add their kind to [tool.setuptools.package-data]"
    others = {name for name in carried - wanted if ".dist-info/" not in name}
    assert others == set()


def run(program: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env={**os.environ, "LEASELINE_AMI_SECRET": "one-secret", "LEASELINE_AMI_DB_SECRET": "another-secret"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_work_away_from_the_sources(program: Path, tmp_path: Path) -> None:
    assert "serve" in run(program, tmp_path, "--help")
    where = "import router; print(router.__file__)"
    python = program.with_name("python")
    assert str(program.parents[1]) in run(python, tmp_path, "-c", where)
    stage = Stage(tmp_path)
    config = ("--config", str(stage.config))
    run(program, tmp_path, *config, "check")
    run(program, tmp_path, *config, "dialplan", "render", "--out", str(tmp_path / "rendered"))
    rendered = {path.name for path in (tmp_path / "rendered").rglob("*") if path.is_file()}
    assert {"notice.wav", "whisper.wav"} <= rendered
    assert any(name.endswith(".conf") for name in rendered)


def test_it_serves_the_widget_and_the_dashboard_with_all_that_they_load(
    program: Path, tmp_path: Path
) -> None:
    with Stage(tmp_path, program=program) as stage:

        def get(listener: str, path: str) -> str:
            with urllib.request.urlopen(stage.url(listener) + path, timeout=60) as answer:
                assert answer.status == 200
                text: str = answer.read().decode()
                return text

        assert "plumber" in get("public", "/widget/plumber.js")
        demo = get("public", "/demo")
        login = get("admin", "/login")
        for listener, text in (("public", demo), ("admin", login)):
            loaded = re.findall(r'<(?:link|script)[^>]* (?:href|src)="([^":]+)"', text)
            assert loaded
            for path in loaded:
                assert get(listener, "/" + path.removeprefix("/")), path
            assert "3.1" in get(listener, "/openapi.json")
