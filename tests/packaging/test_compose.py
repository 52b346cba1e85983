"""compose.yaml does what `sandbox up` does: as far as that can be seen without an engine."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

SANDBOX = Path(__file__).resolve().parents[2] / "asterisk-sandbox"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What `sandbox configure` writes."""
    wanted = tmp_path / "state"
    done = subprocess.run(
        [str(SANDBOX / "sandbox"), "configure"],
        env={**os.environ, "SANDBOX_STATE": str(wanted), "SANDBOX_NAME": "compose-test"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(wanted)
    return wanted


@pytest.fixture
def service(state: Path) -> dict[str, Any]:
    """Compose's service, its variables filled in."""
    text = (SANDBOX / "compose.yaml").read_text(encoding="utf-8")
    text = re.sub(r"\$\{SANDBOX_STATE(:\?[^}]*)?\}", str(state), text)
    found: dict[str, Any] = yaml.safe_load(text)["services"]["asterisk"]
    return found


def test_what_it_mounts_is_what_configure_writes(service: dict[str, Any], state: Path) -> None:
    mounted = {Path(volume["source"]): volume for volume in service["volumes"]}
    assert set(mounted) == {state, state / "prompts"}
    assert all(path.is_dir() for path in mounted)
    assert list((state / "prompts").glob("*.wav"))
    assert mounted[state]["target"] == str(state)
    assert Path(service["command"][-1]).is_file()


def test_it_runs_asterisk_as_the_script_does(service: dict[str, Any], state: Path) -> None:
    script = (SANDBOX / "sandbox").read_text(encoding="utf-8")
    command = " ".join(service["command"]).replace(str(state), "$state")
    assert command.replace("$state/etc/asterisk.conf", '"$state/etc/asterisk.conf"') in script
    prompts = service["volumes"][1]
    assert f"source=$state/prompts,target={prompts['target']},readonly" in script
    assert prompts["read_only"] is True
    assert f"--pids-limit {service['pids_limit']}" in script
    assert f"--ulimit nofile={service['ulimits']['nofile']}:" in script
    assert f"--security-opt {service['security_opt'][0]}" in script
    assert service["cap_drop"] == ["ALL"]
    assert "--cap-drop ALL" in script
    assert service["network_mode"] == "host"


def test_it_builds_what_is_there(service: dict[str, Any]) -> None:
    dockerfile = (SANDBOX / service["build"]["context"] / "Dockerfile").read_text(encoding="utf-8")
    arguments = set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
    assert set(service["build"]["args"]) <= arguments
    default = re.search(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE)
    assert default is not None
    assert service["build"]["args"]["BASE"] == f"${{BASE:-{default[1]}}}"
