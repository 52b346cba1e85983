"""What `leaseline doctor` says of the GeoIP file."""

from pathlib import Path

from router.cli.doctor import findings
from router.config import Config
from tests.router.mmdb import write_mmdb
from tests.router.test_geoip import NETWORKS


async def found(tmp_path: Path, path: Path | None) -> list[tuple[bool, str]]:
    config = Config.model_validate(
        {
            "storage": {"url": f"sqlite:///{tmp_path}/s.db"},
            "ami": {"enabled": False},
            "geoip": {"database": path},
        }
    )
    return [(one.well, one.text) async for one in findings(config) if one.part == "GeoIP"]


async def test_a_file_is_opened_and_one_that_cannot_be_is_told(tmp_path: Path) -> None:
    assert await found(tmp_path, None) == []
    path = tmp_path / "city.mmdb"
    ((well, text),) = await found(tmp_path, path)
    assert (well, str(path) in text) == (False, True)
    write_mmdb(path, NETWORKS)
    assert await found(tmp_path, path) == [(True, f"{path}: Test-City")]
