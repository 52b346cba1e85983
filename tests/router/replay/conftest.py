"""A place to replay in."""

from pathlib import Path

import pytest

from tests.router.replay.traffic import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
