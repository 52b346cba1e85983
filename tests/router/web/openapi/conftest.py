"""Both listeners."""

from typing import Any

import pytest

from router.web.openapi.document import PATH
from tests.router.web.admin.conftest import Admin, admin
from tests.router.web.conftest import Web, make_web, web

__all__ = ["Admin", "Web", "admin", "make_web", "web"]


@pytest.fixture
async def admin_document(admin: Admin) -> Any:
    return await (await admin.client.get(PATH)).json()
